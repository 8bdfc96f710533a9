"""The journal: events and log lines on their way into the store, and database calls off the event loop."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import TypeVar

from sqlalchemy import Connection

from isthmus.engine.pulse import Pulse
from isthmus.store import Store, history
from isthmus.store.database import StoreUnavailable
from isthmus.views import Event, LogLine

T = TypeVar("T")
FLUSH_SECONDS = 0.1
GONE_SECONDS = 60.0
"""How long a database may be gone before the engine lets go of what it does."""
KEPT_LINES = 10_000
"""How many log lines wait for a database that is gone; of more, the newest."""


class Journal:
    """Writes what happens. One for each engine."""

    def __init__(self, store: Store, pulse: Pulse):
        self.store = store
        self.pulse = pulse
        self._lines: list[LogLine] = []
        self._flushing: asyncio.Task[None] | None = None

    async def write(self, change: Callable[[Connection], T]) -> T:
        """Run ``change`` in a write transaction; waits out a database that is locked or gone for a while.

        Raises :class:`StoreUnavailable` after a minute, and whatever ``change`` raises.
        """
        return await self._persist(self.store.writing, change)

    async def read(self, query: Callable[[Connection], T]) -> T:
        """Run ``query`` in a read transaction, as patient as :meth:`write`."""
        return await self._persist(self.store.reading, query)

    @staticmethod
    async def _persist(
        transact: Callable[[Callable[[Connection], T]], Awaitable[T]], body: Callable[[Connection], T]
    ) -> T:
        waited, delay = 0.0, 0.1
        while True:
            try:
                return await transact(body)
            except StoreUnavailable:
                if waited > GONE_SECONDS:
                    raise
                await asyncio.sleep(delay)
                waited, delay = waited + delay, min(delay * 2, 5.0)

    async def record(self, *events: Event) -> None:
        """Append events and tell followers."""
        await self.write(lambda c: history.add_events(c, events))
        self.pulse.beat(*{e.deployment for e in events})

    def line(self, deployment: str, instance: str, operation: str, text: str) -> None:
        """Append a log line soon: lines that come close together are written together."""
        self._lines.append(LogLine(0, deployment, self.store.now(), instance, operation, text))
        if self._flushing is None or self._flushing.done():
            self._flushing = asyncio.ensure_future(self._flush_soon())

    async def _flush_soon(self) -> None:
        await asyncio.sleep(FLUSH_SECONDS)
        with contextlib.suppress(StoreUnavailable):  # the lines are kept, and written with the next
            await self.flush()

    async def flush(self) -> None:
        """Write the lines that wait."""
        while self._lines:
            lines, self._lines = self._lines, []
            try:
                await self.write(lambda c, lines=lines: history.add_lines(c, lines))  # type: ignore[misc]
            except StoreUnavailable:
                self._lines = (lines + self._lines)[-KEPT_LINES:]
                raise
            self.pulse.beat(*{line.deployment for line in lines})

    async def close(self) -> None:
        await self.flush()
