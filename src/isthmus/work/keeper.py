"""The keeper of jobs: hands them to their sites, looks how they stand, ends, retries and clears away.

One task for each site that has jobs; a lease on the site sees to it that no other process keeps the same ones,
so that a scheduler gets one query a tick whatever the number of jobs. What is written here is what a crash at
any instant leaves: a submission is written down before it is handed over, and its site finds it by its id.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from pathlib import Path

import structlog

from isthmus.engine.journal import Journal
from isthmus.engine.owners import is_dead
from isthmus.sites.errors import Temporary
from isthmus.store import LeaseLost, jobs, site_leases
from isthmus.store.blobs import Blobs
from isthmus.store.database import StoreUnavailable
from isthmus.store.site_leases import SiteLease
from isthmus.work.background import LONGEST_PAUSE
from isthmus.work.batch_sites import BatchSites
from isthmus.work.round import Round

log = structlog.get_logger(__name__)
POLL_SECONDS = 0.5
"""How soon jobs are seen that another process took in."""
AT_ONCE = 10_000
"""Jobs of one site that are kept at the same time; more wait."""


class Keeper:
    """Keeps the jobs of all sites until its task is cancelled."""

    def __init__(self, journal: Journal, sites: BatchSites, blobs: Blobs, owner: str, lease_seconds: float):
        self.journal = journal
        self.sites = sites
        self.blobs = blobs
        self.owner = owner
        self.lease_seconds = lease_seconds
        self._wake = asyncio.Event()
        self._loops: dict[str, tuple[asyncio.Task[None], asyncio.Event]] = {}

    def wake(self, site: str | None = None) -> None:
        """Look at the jobs of a site now; in the keeper's own event loop."""
        self._wake.set()
        if site in self._loops:
            self._loops[site][1].set()

    async def run(self) -> None:
        """Keep jobs until cancelled."""
        taken_over = False
        try:
            while True:
                self._wake.clear()
                with _lasting("looking for jobs"):
                    if not taken_over:
                        await self._take_over_from_the_dead()
                        taken_over = True
                    for site in await self.journal.read(lambda c: jobs.sites_due(c, self.journal.store.now())):
                        if site not in self._loops:
                            self._start(site)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._wake.wait(), POLL_SECONDS)
        finally:
            tasks = [task for task, _ in self._loops.values()]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _take_over_from_the_dead(self) -> None:
        held_by = await self.journal.read(site_leases.owners)
        if dead := [owner for owner in held_by if is_dead(owner)]:
            await self.journal.write(lambda c: site_leases.break_leases(c, dead))

    def _start(self, site: str) -> None:
        event = asyncio.Event()
        task = asyncio.ensure_future(self._keep(site, event))
        self._loops[site] = (task, event)
        task.add_done_callback(lambda _: self._loops.pop(site, None))

    async def _keep(self, site: str, event: asyncio.Event) -> None:
        """Keep the jobs of one site while it has any."""
        now = self.journal.store.now
        lease = await self._claim(site)
        if lease is None:
            await asyncio.sleep(POLL_SECONDS)
            return
        one = Round(site, lease, self.lease_seconds, self.journal, self.sites, self._blob, event.set)
        beat = asyncio.ensure_future(self._beat(lease))
        try:
            while True:
                event.clear()
                pause = POLL_SECONDS
                with _lasting("keeping the jobs of " + site):
                    rows = await self.journal.read(lambda c: jobs.due(c, site, now(), AT_ONCE))
                    if not rows:
                        return
                    pause = await one(rows)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(event.wait(), min(pause, LONGEST_PAUSE))
        except LeaseLost:
            log.warning("lease lost", site=site)
        finally:
            beat.cancel()
            await one.close()
            with contextlib.suppress(StoreUnavailable):
                await self.journal.write(lambda c: site_leases.release(c, lease))

    async def _beat(self, lease: SiteLease) -> None:
        """Prolong a lease while a round takes long; one that is lost is found by the round, at its next write."""
        now, seconds = self.journal.store.now, self.lease_seconds
        with contextlib.suppress(LeaseLost):
            while True:
                await asyncio.sleep(seconds / 3)
                with _lasting("prolonging the lease of " + lease.site):
                    await self.journal.write(lambda c: site_leases.guard(c, lease, now(), seconds))

    async def _claim(self, site: str) -> SiteLease | None:
        now, seconds = self.journal.store.now, self.lease_seconds
        with _lasting("claiming " + site):
            return await self.journal.write(lambda c: site_leases.claim(c, site, self.owner, now(), seconds))
        return None

    def _blob(self, owner: str, digest: str) -> Path:
        if not self.blobs.touch(owner, digest):
            raise Temporary(f"the file {digest} is not in {self.blobs.folder} of the server that keeps this site", 10.0)
        return self.blobs.path(owner, digest)


@contextlib.contextmanager
def _lasting(doing: str) -> Iterator[None]:
    """Log what goes wrong in one round of a loop that must go on."""
    try:
        yield
    except LeaseLost:
        raise
    except (StoreUnavailable, TimeoutError) as error:
        log.warning("the store does not answer", doing=doing, error=str(error))
    except Exception:
        log.exception("a defect", doing=doing)
