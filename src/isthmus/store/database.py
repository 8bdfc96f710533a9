"""The database behind the store: one engine for SQLite (WAL) or PostgreSQL, and its transactions."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, ProgrammingError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from isthmus.errors import Busy, Invalid

BUSY_SECONDS = 5.0
"""How long a transaction waits for a locked database before it gives up."""
HUNG_SECONDS = 10.0
"""How long PostgreSQL waits in a transaction in which nothing happens: its process hangs, and others need its locks."""


class StoreUnavailable(Busy):
    """The database is locked, full or gone; what was asked did not happen and may be asked again."""


class SchemaUnknown(Invalid):
    """A later release has been at this database; what it wrote would be misread."""


class Database:
    """Opens transactions. Safe to share between threads."""

    def __init__(self, url: str):
        self.url = make_url(url)
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        self.engine = _open_sqlite(self.url) if self.is_sqlite else _open_server(self.url)
        # SQLite has one writer at a time and waits for it by sleeping; threads queue better here.
        self._writer = threading.Lock()

    def close(self) -> None:
        self.engine.dispose()

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction that may write; raises :class:`StoreUnavailable` when there can be none."""
        if self.is_sqlite and not self._writer.acquire(timeout=BUSY_SECONDS):
            raise StoreUnavailable("the database is busy")
        try:
            with _translated(), self.engine.connect() as plain:
                connection = plain.execution_options(isthmus_write=True)
                with connection.begin():
                    yield connection
        finally:
            if self.is_sqlite:
                self._writer.release()

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A transaction that only reads."""
        with _translated(), self.engine.connect() as connection, connection.begin():
            yield connection


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except (IntegrityError, DataError, ProgrammingError):
        raise  # what was asked is at fault, not the database: asking again would not help
    except (DBAPIError, PoolTimeout) as error:
        raise StoreUnavailable(f"the database does not answer: {_first_line(error)}") from error


def _first_line(error: SQLAlchemyError) -> str:
    """The database's own words, without the statement and its parameters."""
    words = str(error.orig) if isinstance(error, DBAPIError) and error.orig else str(error)
    return words.strip().partition("\n")[0]


def _open_sqlite(url: Any) -> Engine:
    if url.database and url.database != ":memory:":
        try:
            Path(url.database).parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise StoreUnavailable(f"the database cannot be made: {error}") from error
    engine = create_engine(
        url, connect_args={"timeout": BUSY_SECONDS, "check_same_thread": False}, pool_size=16, max_overflow=16
    )

    @event.listens_for(engine, "connect")
    def _prepare(connection: Any, _: Any) -> None:
        connection.isolation_level = None  # transactions are begun below, not by the driver's guess
        _keep_journal(connection)
        for pragma in ("synchronous=NORMAL", "foreign_keys=ON", "cache_size=-16000"):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        # A transaction that will write takes the lock at once: upgrading later could fail half-way.
        writes = connection.get_execution_options().get("isthmus_write", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def _keep_journal(connection: Any) -> None:
    """Turn the write-ahead log on.

    Of several servers that do so at once on a new file, SQLite lets one through and refuses the others
    without waiting, whatever the time-out is: they try again.
    """
    deadline = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.01)


def _open_server(url: Any) -> Engine:
    if url.get_backend_name() == "postgresql" and url.drivername == "postgresql":
        url = url.set(drivername="postgresql+psycopg")
    # A server that went away without a word must be noticed too: by unanswered packets, not by their timeout.
    patience = {"connect_timeout": 5, "tcp_user_timeout": 10_000, "keepalives_idle": 5, "keepalives_interval": 2}
    engine = create_engine(
        url, pool_pre_ping=True, pool_size=16, max_overflow=16, pool_timeout=BUSY_SECONDS, connect_args=patience
    )

    @event.listens_for(engine, "connect")
    def _prepare(connection: Any, _: Any) -> None:
        with connection.cursor() as cursor:
            cursor.execute(f"SET lock_timeout = {int(BUSY_SECONDS * 1000)}")
            cursor.execute(f"SET idle_in_transaction_session_timeout = {int(HUNG_SECONDS * 1000)}")
        connection.commit()

    return engine
