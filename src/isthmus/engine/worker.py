"""The worker: leases deployments that are due, keeps the leases alive, and looks for drift on a tick.

Any number of workers may share a database. A process is disposable: what it held is taken over when its
leases expire, or at once by a worker on the same host that sees it dead. A worker that could not prolong a
lease until it expired (its database was gone, or it was itself held up) lets go by itself, since somebody
else may be at it.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass

import structlog
from sqlalchemy import Connection

from isthmus.engine.drift import find_drift
from isthmus.engine.journal import Journal
from isthmus.engine.owners import is_dead, this_process
from isthmus.engine.placing import Sites
from isthmus.store import Lease, LeaseLost, leases
from isthmus.store.database import StoreUnavailable

log = structlog.get_logger(__name__)
POLL_SECONDS = 0.25
"""How soon a worker sees what another process wrote; what its own process writes wakes it at once."""


@dataclass(slots=True)
class _Held:
    """A lease in use: the task that works, how to stop it, until when it is ours (seconds of the monotonic clock)."""

    lease: Lease
    task: asyncio.Task[None]
    interrupt: asyncio.Event
    until: float


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
        self.owner = this_process()
        self._held: dict[str, _Held] = {}
        self._wake = asyncio.Event()

    def wake(self) -> None:
        """Look for due deployments now; call it in the worker's own event loop."""
        self._wake.set()

    async def run(self) -> None:
        """Work until cancelled."""
        beat = asyncio.ensure_future(self._beat_forever())
        loops = [asyncio.ensure_future(one()) for one in (self._claim_forever, self._tick_forever)]
        try:
            await asyncio.gather(*loops)
        finally:
            for loop in loops:
                loop.cancel()
            await self._stop()
            beat.cancel()

    async def drain(self) -> None:
        """Work until nothing is due and nothing is held (for tests and one-shot runs)."""
        await self._take_over_from_the_dead()
        beat = asyncio.ensure_future(self._beat_forever())
        try:
            while await self._claim() or self._held:
                await asyncio.wait([h.task for h in self._held.values()], return_when=asyncio.FIRST_COMPLETED)
        finally:
            await self._stop()
            beat.cancel()

    # -- claiming ---------------------------------------------------------------------------

    async def _claim_forever(self) -> None:
        taken_over = False
        while True:
            self._wake.clear()
            taken = 0
            with _lasting("claiming"):
                if not taken_over:
                    await self._take_over_from_the_dead()
                    taken_over = True
                taken = await self._claim()
            if not taken:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._wake.wait(), POLL_SECONDS)

    async def _claim(self) -> int:
        """Take leases up to the limit; answers how many were taken."""
        free = self.deployments_at_once - len(self._held)
        if free <= 0:
            return 0
        clock, busy = self.journal.store.now, tuple(self._held)
        if not await self.journal.read(lambda c: leases.any_due(c, clock())):
            return 0

        # A write may have to wait for its database: only inside the transaction is it known what time it is.
        def claim(c: Connection) -> tuple[float, list[Lease]]:
            until = time.monotonic() + self.lease_seconds
            return until, leases.claim_due(c, self.owner, clock(), self.lease_seconds, free, besides=busy)

        until, taken = await self.journal.write(claim)
        for lease in taken:
            interrupt = asyncio.Event()
            task = asyncio.ensure_future(self._work(lease, interrupt))
            self._held[lease.deployment] = _Held(lease, task, interrupt, until)
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
        if dead := [owner for owner in held_by if is_dead(owner)]:
            await self.journal.write(lambda c: leases.break_leases(c, dead))

    # -- heartbeat --------------------------------------------------------------------------

    async def _beat_forever(self) -> None:
        while True:
            await asyncio.sleep(min(self.lease_seconds / 3, 1.0))
            with _lasting("prolonging leases"):
                first = min((h.until for h in self._held.values()), default=math.inf)
                async with asyncio.timeout(max(0.1, first - time.monotonic())):
                    await self._beat()
            self._let_go()

    async def _beat(self) -> None:
        """Prolong what is held; interrupt what has changed, cancel what was lost."""
        held = list(self._held.values())
        if not held:
            return

        def renew(c: Connection) -> tuple[float, dict[str, tuple[int, bool]]]:
            until = time.monotonic() + self.lease_seconds
            mine = [h.lease for h in held]
            return until, leases.renew(c, mine, self.journal.store.now(), self.lease_seconds)

        until, alive = await self.journal.write(renew)
        for one in held:
            asked = alive.get(one.lease.deployment)
            if asked is None:
                _cancel(one.task)  # what has ended meanwhile does not mind
            else:
                one.until = until
                if asked != (one.lease.version, one.lease.cancelled):
                    one.interrupt.set()

    def _let_go(self) -> None:
        """Cancel what is done under leases that have expired."""
        now = time.monotonic()
        for one in self._held.values():
            if one.until <= now and _cancel(one.task):
                log.warning("lease expired before it could be prolonged", deployment=one.lease.deployment)

    # -- drift ------------------------------------------------------------------------------

    async def _tick_forever(self) -> None:
        while True:
            await asyncio.sleep(self.tick_seconds)
            for site in self.sites.names():
                with _lasting("looking for drift"):
                    if await find_drift(site, self.sites, self.journal):
                        self._wake.set()

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
        with _lasting("writing the last lines"):
            await self.journal.flush()


@contextlib.contextmanager
def _lasting(doing: str) -> Iterator[None]:
    """Log what goes wrong in one round of a loop that must go on: a worker that stopped would leave all undone."""
    try:
        yield
    except (StoreUnavailable, TimeoutError) as error:
        log.warning("the store does not answer", doing=doing, error=str(error))
    except Exception:
        log.exception("a defect", doing=doing)


def _cancel(task: asyncio.Task[None]) -> bool:
    """Cancel a task once: a second time would cut short what it does to end well."""
    return not task.cancelling() and task.cancel()
