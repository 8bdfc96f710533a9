"""Brings a database to the newest schema with Alembic; quick when it is there already."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from isthmus.store.database import Database

_FOLDER = Path(__file__).parent / "migrations"
_LOCK = 0x1574A05  # one number for PostgreSQL's advisory lock: two servers that start at once take turns


def upgrade(database: Database, revision: str = "head") -> None:
    """Run the migrations up to ``revision``."""
    config = _config()
    with database.write() as connection:
        if not database.is_sqlite:
            connection.execute(text(f"SELECT pg_advisory_xact_lock({_LOCK})"))
        if revision == "head" and current(connection) == ScriptDirectory.from_config(config).get_current_head():
            return
        config.attributes["connection"] = connection
        command.upgrade(config, revision)


def current(connection: Connection) -> str | None:
    """The revision that a database is at, None when it is empty."""
    return MigrationContext.configure(connection).get_current_revision()


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(_FOLDER))
    return config
