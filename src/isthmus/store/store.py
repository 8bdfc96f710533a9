"""The one object through which everything else reaches the database."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TypeVar

from sqlalchemy import Connection

from isthmus.store.database import BUSY_SECONDS, Database, StoreUnavailable
from isthmus.store.secrets import Vault

T = TypeVar("T")


class Store:
    """A database at its newest schema, a vault for secrets, and the clock that both are stamped by."""

    def __init__(self, url: str, key_file: Path, clock: Callable[[], float] = time.time):
        from isthmus.store.migrate import upgrade

        self.database = Database(url)
        self.now = clock
        # SQLite has one writer at a time: more threads would only take turns, at twice the cost of the work.
        few = self.database.is_sqlite
        self._writers = ThreadPoolExecutor(1 if few else 8, thread_name_prefix="store-write")
        self._readers = ThreadPoolExecutor(2 if few else 8, thread_name_prefix="store-read")
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

    async def writing(self, change: Callable[[Connection], T]) -> T:
        """Run ``change`` in a write transaction, off the event loop; raises :class:`StoreUnavailable`."""
        return await self._off(self._writers, self.write, change)

    async def reading(self, query: Callable[[Connection], T]) -> T:
        """Run ``query`` in a read transaction, off the event loop; raises :class:`StoreUnavailable`."""
        return await self._off(self._readers, self.read, query)

    async def _off(
        self,
        threads: ThreadPoolExecutor,
        transaction: Callable[[], AbstractContextManager[Connection]],
        body: Callable[[Connection], T],
    ) -> T:
        asked = time.monotonic()

        def call() -> T:
            # Those who queue behind one that found the database locked need not each find out anew.
            if time.monotonic() - asked > BUSY_SECONDS:
                raise StoreUnavailable("the database is busy")
            with transaction() as connection:
                return body(connection)

        return await asyncio.get_running_loop().run_in_executor(threads, call)

    def close(self) -> None:
        for threads in (self._writers, self._readers):
            threads.shutdown(wait=True)
        self.database.close()
