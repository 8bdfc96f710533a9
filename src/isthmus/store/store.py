"""The one object through which everything else reaches the database."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection

from isthmus.store.database import Database
from isthmus.store.secrets import Vault


class Store:
    """A database at its newest schema, a vault for secrets, and the clock that both are stamped by."""

    def __init__(self, url: str, key_file: Path, clock: Callable[[], float] = time.time):
        from isthmus.store.migrate import upgrade

        self.database = Database(url)
        self.now = clock
        try:
            upgrade(self.database)
            self.vault = Vault.in_file(key_file)
            with self.read() as connection:
                self.vault.check(connection)
        except BaseException:
            self.close()
            raise

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction that may write. Keep it short; never call a site inside."""
        with self.database.write() as connection:
            yield connection

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A transaction that only reads."""
        with self.database.read() as connection:
            yield connection

    def close(self) -> None:
        self.database.close()
