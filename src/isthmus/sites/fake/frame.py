"""The frame of every call to a fake site: its fault, its latency, its errors."""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
import sqlite3
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager

from isthmus.sites.contract import Ref
from isthmus.sites.errors import Permanent, QuotaExceeded, Temporary, Unreachable
from isthmus.sites.fake.faults import HALVED, Fault, Kind
from isthmus.sites.fake.options import parse_options
from isthmus.sites.fake.world import World

_SITE = Ref("", "", 0)
"""Stands for the whole site in calls that are about no resource."""


def kill_ourselves() -> None:
    """End this process as ``kill -9`` does: no handler runs, nothing is flushed."""
    os.kill(os.getpid(), signal.SIGKILL)


class Frame:
    """What a fake site is, whatever it is asked. ``options`` are those of :class:`~isthmus.sites.fake.options.Options`.

    Tests may hand it a ``world`` of their own, a ``sleep`` of virtual time, and another ``crash``.
    """

    kind = "fake"

    def __init__(
        self,
        name: str,
        options: Mapping[str, object],
        *,
        world: World | None = None,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
        crash: Callable[[], None] = kill_ourselves,
        clock: Callable[[], float] = time.time,
    ):
        self.name = name
        self.options = parse_options(name, options)
        self.owner = f"{os.getpid()}-{secrets.token_hex(4)}"
        self._sleep = sleep
        self._crash = crash
        self._own = world is None
        try:
            self.world = world or World(self.options.world, clock)
            for fault in self.options.faults:
                self.world.set_fault(fault, once=True)
        except sqlite3.Error as error:
            raise Unreachable(f"world {self.options.world}: {error}") from None

    @asynccontextmanager
    async def _call(self, verb: str, ref: Ref = _SITE) -> AsyncIterator[Fault | None]:
        """The frame of every call: its fault, its latency, its errors."""
        try:
            await asyncio.sleep(0)
            fault = self.world.take_fault(self.name, verb, ref.node, ref.index)
            self._fail_before(fault, verb)
            if verb not in HALVED:
                await self._pause(verb)
            yield fault
        except sqlite3.Error as error:
            raise Unreachable(f"world {self.options.world}: {error}") from None
        if fault and fault.kind is Kind.CRASH_AFTER:
            self._crash()
        if fault and fault.kind is Kind.TIMEOUT:
            raise Unreachable(fault.message or f"{verb} timed out", fault.delay)

    def _fail_before(self, fault: Fault | None, verb: str) -> None:
        match fault:
            case Fault(kind=Kind.CRASH_BEFORE):
                self._crash()
            case Fault(kind=Kind.PERMANENT, message=message):
                raise Permanent(message or f"{verb} is refused")
            case Fault(kind=Kind.QUOTA, message=message, delay=delay):
                raise QuotaExceeded(message or f"{verb}: the quota is used up", delay)
            case Fault(kind=Kind.UNREACHABLE, message=message, delay=delay):
                raise Unreachable(message or f"{verb}: no answer", delay)
            case Fault(kind=Kind.TEMPORARY, message=message, delay=delay):
                raise Temporary(message or f"{verb} failed for now", delay)

    def _halve(self, fault: Fault | None) -> None:
        if fault and fault.kind is Kind.CRASH_DURING:
            self._crash()

    async def _pause(self, verb: str) -> None:
        if pause := self.options.pause(verb):
            await self._sleep(pause)
