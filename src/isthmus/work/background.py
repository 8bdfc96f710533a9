"""What goes on beside the rounds of a keeper, such as files that travel; its answer is for a later round."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

from isthmus.sites.errors import SiteError, Temporary

AT_ONCE = 8
LONGEST_PAUSE = 60.0
"""Seconds between two tries of the same thing, at most."""


class Background:
    """Tasks by name. Each ends with None or with why it could not be done; ``wake`` is called at each end."""

    def __init__(self, wake: Callable[[], None]):
        self._wake = wake
        self._tasks: dict[str, asyncio.Task[SiteError | None]] = {}

    def start(self, name: str, work: Coroutine[Any, Any, SiteError | None]) -> bool:
        """Begin, unless it is under way or too many are; says whether it is under way now."""
        if name in self._tasks or sum(not task.done() for task in self._tasks.values()) >= AT_ONCE:
            work.close()
            return name in self._tasks
        task = asyncio.ensure_future(work)
        task.add_done_callback(lambda _: self._wake())
        self._tasks[name] = task
        return True

    def ended(self, name: str) -> bool:
        """Whether an answer is there to be taken."""
        return name in self._tasks and self._tasks[name].done()

    def take(self, name: str) -> SiteError | None:
        """The answer of one that has ended, which is forgotten; what was unforeseen is worth another try."""
        task = self._tasks.pop(name)
        if task.cancelled():
            return Temporary("it was stopped in the middle")
        if (error := task.exception()) is not None:
            return Temporary(f"{type(error).__name__}: {error}", delay=10.0)
        return task.result()

    def stop(self, name: str) -> None:
        """Stop one whose answer nobody wants any more."""
        if (task := self._tasks.pop(name, None)) is not None:
            task.cancel()
            task.add_done_callback(lambda done: done.cancelled() or done.exception())

    async def close(self) -> None:
        """Stop all of them."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@asynccontextmanager
async def beside(work: Coroutine[Any, Any, None]) -> AsyncIterator[asyncio.Task[None]]:
    """Have ``work`` go on while the body does. It has ended when the body is left, and is stopped when that fails."""
    task = asyncio.ensure_future(work)
    try:
        yield task
        await task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
