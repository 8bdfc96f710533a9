"""The pulse: tells who follows a deployment, in any thread of this process, that something is new."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections import defaultdict


class Pulse:
    """Wakes waiters by name. A beat that nobody waits for is forgotten: read first, then wait."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: dict[str, set[tuple[asyncio.AbstractEventLoop, asyncio.Event]]] = defaultdict(set)

    def beat(self, *names: str) -> None:
        """Wake everybody who waits for one of ``names``; from any thread."""
        with self._lock:
            woken = [w for name in names for w in self._waiting.get(name, ())]
        for loop, event in woken:
            with contextlib.suppress(RuntimeError):  # its loop has closed: nobody waits there any more
                loop.call_soon_threadsafe(event.set)

    async def wait(self, name: str, timeout: float) -> bool:
        """Wait for a beat at most ``timeout`` seconds; says whether there was one."""
        waiter = (asyncio.get_running_loop(), asyncio.Event())
        with self._lock:
            self._waiting[name].add(waiter)
        try:
            async with asyncio.timeout(timeout):
                return await waiter[1].wait()
        except TimeoutError:
            return False
        finally:
            with self._lock:
                self._waiting[name].discard(waiter)
                if not self._waiting[name]:
                    del self._waiting[name]
