"""Brings a database to the newest schema with Alembic; quick when it is there already."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, text

from isthmus.store.database import Database, SchemaUnknown

_FOLDER = Path(__file__).parent / "migrations"
_LOCK = 0x1574A05  # one number for PostgreSQL's advisory lock: two servers that start at once take turns


def upgrade(database: Database, revision: str = "head") -> None:
    """Run the migrations up to ``revision``; raises :class:`SchemaUnknown` for what a later release wrote."""
    config = _config()
    with database.write() as connection:
        _take_turns(connection)
        at, scripts = current(connection), ScriptDirectory.from_config(config)
        _refuse_unknown(at, scripts)
        if revision == "head" and at == scripts.get_current_head():
            return
        config.attributes["connection"] = connection
        command.upgrade(config, revision)


def downgrade(database: Database, revision: str) -> None:
    """Go back to ``revision``; what only later ones keep is lost."""
    config = _config()
    with database.write() as connection:
        _take_turns(connection)
        config.attributes["connection"] = connection
        command.downgrade(config, revision)


def current(connection: Connection) -> str | None:
    """The revision that a database is at, None when it is empty."""
    return MigrationContext.configure(connection).get_current_revision()


def _take_turns(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":
        connection.execute(text("SET LOCAL lock_timeout = 0"))  # another's migration may take its time
        connection.execute(text(f"SELECT pg_advisory_xact_lock({_LOCK})"))


def _refuse_unknown(revision: str | None, scripts: ScriptDirectory) -> None:
    try:
        scripts.get_revision(revision or "base")
    except CommandError:
        raise SchemaUnknown(
            f"the database is at revision {revision}, which this version of Isthmus does not know",
            hint="Run the version of Isthmus that has used it last, or a later one.",
        ) from None


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(_FOLDER))
    return config
