"""The worker: leases deployments that are due, keeps the leases alive, and looks for drift on a tick.

Any number of workers may share a database. A process is disposable: what it held is taken over when its
leases expire, or at once by a worker on the same host that sees it dead.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

import structlog

from isthmus.engine.drift import find_drift
from isthmus.engine.journal import Journal
from isthmus.engine.placing import Sites
from isthmus.store import Lease, LeaseLost, leases
from isthmus.store.database import StoreUnavailable

log = structlog.get_logger()
POLL_SECONDS = 0.25
"""How soon a worker sees what another process wrote; what its own process writes wakes it at once."""


@dataclass(slots=True)
class _Held:
    """A lease in use: the version it was taken at, the task that works, how to stop it."""

    lease: Lease
    task: asyncio.Task[None]
    interrupt: asyncio.Event = field(default_factory=asyncio.Event)
    seen: tuple[int, bool] | None = None


class Worker:
    """Runs until its task is cancelled; then what it does is interrupted and its leases are given back."""

    def __init__(
        self, journal: Journal, sites: Sites, reconcile: Callable[[Lease, asyncio.Event], Awaitable[None]], *,
        deployments_at_once: int, lease_seconds: float, tick_seconds: float,
    ):  # fmt: skip
        self.journal = journal
        self.sites = sites
        self.reconcile = reconcile
        self.deployments_at_once = deployments_at_once
        self.lease_seconds = lease_seconds
        self.tick_seconds = tick_seconds
        self.owner = f"{socket.gethostname()}/{os.getpid()}/{_started(os.getpid())}"
        self._held: dict[str, _Held] = {}
        self._wake = asyncio.Event()

    def wake(self) -> None:
        """Look for due deployments now; call it in the worker's own event loop."""
        self._wake.set()

    async def run(self) -> None:
        """Work until cancelled."""
        await self._take_over_from_the_dead()
        loops = [asyncio.ensure_future(one()) for one in (self._claim_forever, self._beat_forever, self._tick_forever)]
        try:
            await asyncio.gather(*loops)
        finally:
            for loop in loops:
                loop.cancel()
            await self._stop()

    async def drain(self) -> None:
        """Work until nothing is due and nothing is held (for tests and one-shot runs)."""
        await self._take_over_from_the_dead()
        beat = asyncio.ensure_future(self._beat_forever())
        try:
            while await self._claim() or self._held:
                await asyncio.wait([h.task for h in self._held.values()], return_when=asyncio.FIRST_COMPLETED)
        finally:
            beat.cancel()
            await self._stop()

    # -- claiming ---------------------------------------------------------------------------

    async def _claim_forever(self) -> None:
        while True:
            self._wake.clear()
            try:
                if not await self._claim():
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(self._wake.wait(), POLL_SECONDS)
            except StoreUnavailable as error:
                log.warning("the store does not answer", error=str(error))

    async def _claim(self) -> int:
        """Take leases up to the limit; answers how many were taken."""
        free = self.deployments_at_once - len(self._held)
        if free <= 0:
            return 0
        now, owner, seconds = self.journal.store.now(), self.owner, self.lease_seconds
        if not await self.journal.read(lambda c: leases.any_due(c, now)):
            return 0
        taken = await self.journal.write(lambda c: leases.claim_due(c, owner, now, seconds, free))
        for lease in taken:
            interrupt = asyncio.Event()
            task = asyncio.ensure_future(self._work(lease, interrupt))
            self._held[lease.deployment] = _Held(lease, task, interrupt)
        return len(taken)

    async def _work(self, lease: Lease, interrupt: asyncio.Event) -> None:
        try:
            await self.reconcile(lease, interrupt)
        except LeaseLost:
            log.warning("lease lost", deployment=lease.deployment)
        except StoreUnavailable as error:
            log.warning("the store does not answer", deployment=lease.deployment, error=str(error))
        except Exception:
            # A defect of ours must not stop the other deployments. This one is tried again when its lease runs out.
            log.exception("reconciling failed", deployment=lease.deployment)
        finally:
            self._held.pop(lease.deployment, None)
            self._wake.set()

    async def _take_over_from_the_dead(self) -> None:
        held_by = await self.journal.read(leases.owners)
        if dead := [owner for owner in held_by if _is_dead(owner)]:
            await self.journal.write(lambda c: leases.break_leases(c, dead))

    # -- heartbeat --------------------------------------------------------------------------

    async def _beat_forever(self) -> None:
        while True:
            await asyncio.sleep(min(self.lease_seconds / 3, 1.0))
            with contextlib.suppress(StoreUnavailable):
                await self._beat()

    async def _beat(self) -> None:
        """Prolong what is held; interrupt what has changed, cancel what was lost."""
        held = list(self._held.values())
        if not held:
            return
        now = self.journal.store.now()
        alive = await self.journal.write(lambda c: leases.renew(c, [h.lease for h in held], now, self.lease_seconds))
        for one in held:
            state = alive.get(one.lease.deployment)
            if state is None:
                if self._held.get(one.lease.deployment) is one:
                    one.task.cancel()
            elif one.seen is None:
                one.seen = state
            elif one.seen != state:
                one.interrupt.set()

    # -- drift ------------------------------------------------------------------------------

    async def _tick_forever(self) -> None:
        while True:
            await asyncio.sleep(self.tick_seconds)
            for site in self.sites.names():
                try:
                    if await find_drift(site, self.sites, self.journal):
                        self._wake.set()
                except StoreUnavailable as error:
                    log.warning("the store does not answer", error=str(error))

    async def _stop(self) -> None:
        """Interrupt everything, and wait until it has given its leases back."""
        for held in self._held.values():
            held.interrupt.set()
        if tasks := [h.task for h in self._held.values()]:
            _, late = await asyncio.wait(tasks, timeout=self.lease_seconds)
            for task in late:
                task.cancel()
            if late:
                await asyncio.wait(late)
        await self.journal.flush()


def _started(pid: int) -> str:
    """When a process began, in clock ticks since boot: tells apart two that had the same number."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return "0"


def _is_dead(owner: str) -> bool:
    """Whether a worker was a process of this host that is no more."""
    host, _, rest = owner.partition("/")
    pid, _, started = rest.partition("/")
    return host == socket.gethostname() and pid.isdigit() and _started(int(pid)) != started
