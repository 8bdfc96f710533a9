"""Jobs"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "jobs",
        sa.Column("id", sa.String(length=12), nullable=False),
        sa.Column("name", sa.String(length=63), nullable=False),
        sa.Column("owner", sa.String(length=255), nullable=False),
        sa.Column("vo", sa.String(length=255), nullable=False),
        sa.Column("site", sa.String(length=80), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("spec", sa.LargeBinary(), nullable=False),
        sa.Column("image", sa.Text(), nullable=True),
        sa.Column("command", sa.JSON(), nullable=False),
        sa.Column("after", sa.JSON(), nullable=False),
        sa.Column("retry", sa.Integer()),
        sa.Column("keep", sa.Float(), nullable=False),
        sa.Column("sends", sa.Boolean(), nullable=False),
        sa.Column("grace", sa.Float(), nullable=True),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("reason", sa.String(length=32), nullable=False),
        sa.Column("exit_code", sa.Integer(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("due", sa.Float(), nullable=True),
        sa.Column("removed", sa.Boolean(), nullable=False),
        sa.Column("key", sa.String(length=255), nullable=True),
        sa.Column("request_digest", sa.String(length=64), nullable=True),
        sa.Column("created", sa.Float(), nullable=False),
        sa.Column("started", sa.Float(), nullable=True),
        sa.Column("ended", sa.Float(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_jobs")),
    )
    with op.batch_alter_table("jobs", schema=None) as batch_op:
        batch_op.create_index("ix_jobs_due", ["site", "due"], unique=False)
        batch_op.create_index("ix_jobs_list", ["vo", "owner", "created", "id"], unique=False)
        batch_op.create_index("ix_jobs_name", ["name", "vo", "owner"], unique=False)
        batch_op.create_index("ix_jobs_of_vo", ["vo", "created", "id"], unique=False)
        batch_op.create_index("ux_jobs_key", ["vo", "owner", "key"], unique=True)

    op.create_table(
        "site_leases",
        sa.Column("site", sa.String(length=80), nullable=False),
        sa.Column("token", sa.String(length=32), nullable=False),
        sa.Column("owner", sa.String(length=255), nullable=False),
        sa.Column("expiry", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("site", name=op.f("pk_site_leases")),
    )
    op.create_table(
        "submissions",
        sa.Column("job", sa.String(length=12), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("indices", sa.JSON(), nullable=False),
        sa.Column("handed", sa.Boolean(), nullable=False),
        sa.Column("cancelled", sa.Float(), nullable=True),
        sa.ForeignKeyConstraint(["job"], ["jobs.id"], name=op.f("fk_submissions_job")),
        sa.PrimaryKeyConstraint("job", "number", name=op.f("pk_submissions")),
    )
    op.create_table(
        "tasks",
        sa.Column("job", sa.String(length=12), nullable=False),
        sa.Column("index", sa.Integer(), nullable=False),
        sa.Column("submission", sa.Integer(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("due", sa.Float(), nullable=True),
        sa.Column("cancel", sa.Boolean(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("reason", sa.String(length=32), nullable=False),
        sa.Column("words", sa.Text(), nullable=False),
        sa.Column("exit_code", sa.Integer(), nullable=True),
        sa.Column("site_id", sa.String(length=255), nullable=False),
        sa.Column("host", sa.String(length=255), nullable=False),
        sa.Column("queued", sa.Float(), nullable=True),
        sa.Column("started", sa.Float(), nullable=True),
        sa.Column("ended", sa.Float(), nullable=True),
        sa.Column("cpu_seconds", sa.Float(), nullable=True),
        sa.Column("peak_memory", sa.BigInteger(), nullable=True),
        sa.Column("containers", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["job"], ["jobs.id"], name=op.f("fk_tasks_job")),
        sa.PrimaryKeyConstraint("job", "index", name=op.f("pk_tasks")),
    )


def downgrade() -> None:
    op.drop_table("tasks")
    op.drop_table("submissions")
    op.drop_table("site_leases")
    with op.batch_alter_table("jobs", schema=None) as batch_op:
        batch_op.drop_index("ux_jobs_key")
        batch_op.drop_index("ix_jobs_of_vo")
        batch_op.drop_index("ix_jobs_name")
        batch_op.drop_index("ix_jobs_list")
        batch_op.drop_index("ix_jobs_due")

    op.drop_table("jobs")
