"""The tables. A released migration is never edited; what changes here gets a new one."""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    text,
)


class Words(TypeDecorator[str]):
    """Text that came from anywhere: what no database keeps (NUL, halves of surrogate pairs) is replaced by U+FFFD."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Any) -> str | None:
        if value is None:
            return None
        return value.replace("\0", "\ufffd").encode("utf-16", "surrogatepass").decode("utf-16", "replace")


metadata = MetaData(naming_convention={"ix": "ix_%(table_name)s_%(column_0_name)s", "pk": "pk_%(table_name)s",
                                       "fk": "fk_%(table_name)s_%(column_0_name)s"})  # fmt: skip

bundles = Table(
    "bundles",
    metadata,
    Column("digest", String(64), primary_key=True),
    Column("archive", LargeBinary, nullable=False),
    Column("created", Float, nullable=False),
)

deployments = Table(
    "deployments",
    metadata,
    Column("id", String(12), primary_key=True),
    Column("name", String(63), nullable=False),
    Column("owner", String(255), nullable=False),
    Column("vo", String(255), nullable=False),
    Column("template", String(255), nullable=False),
    Column("bundle", String(64), ForeignKey("bundles.digest"), nullable=False),
    Column("inputs", JSON, nullable=False),
    Column("pinned_site", String(63)),
    Column("placement", JSON(none_as_null=True)),
    Column("instances", JSON, nullable=False),
    Column("power", String(16), nullable=False),
    Column("version", Integer, nullable=False),
    Column("converged_version", Integer, nullable=False),
    Column("phase", String(16), nullable=False),
    Column("reason", Words, nullable=False),
    Column("outputs", JSON, nullable=False),
    Column("cancelled", Boolean, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("due", Float),  # when a worker shall look at it; null: not until something changes
    Column("lease_token", String(32)),
    Column("lease_owner", String(255)),
    Column("lease_expiry", Float),
    Column("idempotency_key", String(255)),
    Column("request_digest", String(64)),
    Column("created", Float, nullable=False),
    Column("updated", Float, nullable=False),
    Index("ix_deployments_due", "due"),
    Index("ix_deployments_name", "name", "vo", "owner"),
    Index("ix_deployments_of_vo", "vo", "created", "id"),
    Index("ix_deployments_lease_expiry", "lease_expiry"),
    Index("ix_deployments_list", "vo", "owner", "created", "id"),
    # A name is free again once its deployment is deleted.
    Index("ux_deployments_live_name", "vo", "owner", "name", unique=True,
          sqlite_where=text("phase <> 'deleted'"), postgresql_where=text("phase <> 'deleted'")),
    Index("ux_deployments_idempotency", "vo", "owner", "idempotency_key", unique=True),
)  # fmt: skip

resources = Table(
    "resources",
    metadata,
    Column("deployment", String(12), ForeignKey("deployments.id"), primary_key=True),
    Column("node", String(255), primary_key=True),
    Column("index", Integer, primary_key=True),
    Column("kind", String(16), nullable=False),
    Column("site", String(63), nullable=False),
    Column("site_id", String(255)),
    Column("state", String(16), nullable=False),
    Column("reason", Words, nullable=False),
    Column("attributes", JSON, nullable=False),
    Column("spec", JSON, nullable=False),
    Column("done", JSON, nullable=False),
    Column("image", String(64)),
    Column("created", Float, nullable=False),
    Column("updated", Float, nullable=False),
    Index("ix_resources_site", "site", "kind"),
)

events = Table(
    "events",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("deployment", String(12), ForeignKey("deployments.id"), nullable=False),
    Column("time", Float, nullable=False),
    Column("who", String(255), nullable=False),
    Column("kind", String(63), nullable=False),
    Column("message", Words, nullable=False),
    Column("node", String(255)),
    Column("action", String(255)),
    Column("outcome", String(16), nullable=False),
    Column("seconds", Float),
    Index("ix_events_deployment", "deployment", "id"),
    sqlite_autoincrement=True,
)

logs = Table(
    "logs",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("deployment", String(12), ForeignKey("deployments.id"), nullable=False),
    Column("time", Float, nullable=False),
    Column("instance", String(255), nullable=False),
    Column("operation", String(255), nullable=False),
    Column("text", Words, nullable=False),
    Index("ix_logs_deployment", "deployment", "id"),
    sqlite_autoincrement=True,
)

secrets = Table(
    "secrets",
    metadata,
    Column("deployment", String(12), ForeignKey("deployments.id"), primary_key=True),
    Column("name", String(255), primary_key=True),
    Column("ciphertext", LargeBinary, nullable=False),
)

images = Table(
    "images",
    metadata,
    Column("site", String(63), primary_key=True),
    Column("key", String(64), primary_key=True),
    Column("size", BigInteger, nullable=False),
    Column("node", String(255), nullable=False),
    Column("template", String(255), nullable=False),
    Column("created", Float, nullable=False),
    Column("used", Float, nullable=False),
)

jobs = Table(
    "jobs",
    metadata,
    Column("id", String(12), primary_key=True),
    Column("name", String(63), nullable=False),
    Column("owner", String(255), nullable=False),
    Column("vo", String(255), nullable=False),
    Column("site", String(80), nullable=False),
    Column("why", Words, nullable=False),
    Column("spec", LargeBinary, nullable=False),  # sealed: environments and files hold secrets
    Column("image", Words),
    Column("command", JSON, nullable=False),
    Column("after", JSON, nullable=False),
    Column("retry", Integer),
    Column("keep", Float, nullable=False),
    Column("sends", Boolean, nullable=False),  # whether outputs go somewhere when it has succeeded
    Column("grace", Float),  # seconds that a cancel gives; null: what the spec says
    Column("state", String(16), nullable=False),
    Column("reason", String(32), nullable=False),
    Column("exit_code", Integer),
    Column("version", Integer, nullable=False),
    Column("due", Float),  # when the keeper of its site shall look at it; null: never again
    Column("removed", Boolean, nullable=False),
    Column("key", String(255)),
    Column("request_digest", String(64)),
    Column("created", Float, nullable=False),
    Column("started", Float),
    Column("ended", Float),
    Index("ix_jobs_due", "site", "due"),
    Index("ix_jobs_name", "name", "vo", "owner"),
    Index("ix_jobs_of_vo", "vo", "created", "id"),
    Index("ix_jobs_list", "vo", "owner", "created", "id"),
    Index("ux_jobs_key", "vo", "owner", "key", unique=True),
)

tasks = Table(
    "tasks",
    metadata,
    Column("job", String(12), ForeignKey("jobs.id"), primary_key=True),
    Column("index", Integer, primary_key=True),
    Column("submission", Integer, nullable=False),  # the number of the one that has it; 0: none yet
    Column("attempt", Integer, nullable=False),
    Column("due", Float),  # when it shall be handed over; null: not now
    Column("cancel", Boolean, nullable=False),
    Column("state", String(16), nullable=False),
    Column("reason", String(32), nullable=False),
    Column("words", Words, nullable=False),
    Column("exit_code", Integer),
    Column("site_id", String(255), nullable=False),
    Column("host", String(255), nullable=False),
    Column("queued", Float),
    Column("started", Float),
    Column("ended", Float),
    Column("cpu_seconds", Float),
    Column("peak_memory", BigInteger),
    Column("containers", JSON, nullable=False),
)

submissions = Table(
    "submissions",
    metadata,
    Column("job", String(12), ForeignKey("jobs.id"), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("indices", JSON, nullable=False),
    Column("handed", Boolean, nullable=False),  # whether the site has taken it
    Column("cancelled", Float),  # when its site was last told to end it
)

site_leases = Table(
    "site_leases",
    metadata,
    Column("site", String(80), primary_key=True),
    Column("token", String(32), nullable=False),
    Column("owner", String(255), nullable=False),
    Column("expiry", Float, nullable=False),
)
