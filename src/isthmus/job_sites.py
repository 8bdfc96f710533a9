"""The sites of jobs as users see them: which one a job goes to and why, and what each has to offer."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from isthmus import job_portrait as portrait
from isthmus.errors import Conflict, Invalid
from isthmus.identity import Principal
from isthmus.job_records import JobRecords
from isthmus.job_views import FacilitiesView
from isthmus.placement.jobs import JobWant, Room, choose_for_job
from isthmus.sites.contract import lends
from isthmus.sites.errors import SiteError
from isthmus.sites.jobs import Facilities, Jobs
from isthmus.sites.registry import capabilities
from isthmus.store import deployments
from isthmus.work.batch_sites import BatchSites, batch_node
from isthmus.work.job import JobSpec

FRESH_SECONDS = 30.0
"""How long what a site told of its facilities is taken for true when a site is chosen."""


class JobSites:
    """Chooses sites for jobs, and tells of them. In the store a site is its name, or ``deployment/ID``."""

    def __init__(self, records: JobRecords, places: BatchSites):
        self._records = records
        self._places = places
        self._rooms: dict[str, tuple[float, Room | str]] = {}

    async def choose(self, spec: JobSpec, needs: Sequence[str]) -> tuple[str, str]:
        """The site where a job starts soonest, and why; raises :class:`Invalid` when none fits."""
        lending = [name for name in self._places.names() if self._lends(name)]
        if not lending:
            raise Invalid("no site takes jobs", hint="`isthmus sites` shows what each one takes.")
        if len(lending) == 1 and not needs:
            return lending[0], "the only site that takes jobs"
        rooms = dict(zip(lending, await asyncio.gather(*map(self._room, lending)), strict=True))
        place = choose_for_job(_want(spec, needs), rooms)
        told = "; ".join(f"{site}: {reason}" for site, reason in place.reasons.items())
        if place.site is None:
            raise Invalid(f"no site fits: {told}", code="no-site", hint="`isthmus sites show SITE` tells what it has.")
        return place.site, told

    async def named(self, who: Principal, name: str) -> str:
        """The site that ``who`` calls so; raises :class:`Invalid` when there is none, or none that takes jobs."""
        if name in self._places.names():
            if not self._lends(name):
                raise Invalid(f"site {name} takes no jobs", hint="`isthmus sites` shows what each one takes.")
            return name
        owner, ref = None if who.admin else who.subject, name.removeprefix(portrait.SITE)
        found = await self._records.store.reading(lambda c: deployments.find(c, who.vo, owner, ref, who.subject))
        if not found or found[0].phase == "deleted":
            known = ", ".join(self._places.names())
            raise Invalid(f"there is no site {name}, nor a deployment of yours", hint=f"The sites are {known}.")
        try:
            loaded = await asyncio.to_thread(self._places.shelf.load, found[0])
        except SiteError as error:
            raise Conflict(f"{name}: {error}") from error
        if batch_node(loaded.topology) is None:
            raise Invalid(f"deployment {name} is no batch system", hint="Slurm clusters and HTCondor pools are.")
        return f"{portrait.SITE}{found[0].id}"

    async def facilities(self, who: Principal, site: str) -> FacilitiesView:
        """What a site offers to jobs now; a site that does not answer says why."""
        name = site if site in self._places.names() else await self.named(who, site)
        try:
            driver, lent = await self._places.get(name)
            f = await lent.facilities()
        except SiteError as error:
            return FacilitiesView(site, "", False, str(error), ())
        return FacilitiesView(
            site, driver.kind, True, "", capabilities(driver), f.scheduler, f.version, f.user, f.partitions,
            f.runtimes, f.accounts,
        )  # fmt: skip

    def _lends(self, site: str) -> bool:
        try:
            return lends(self._places.sites.get(site), Jobs) is not None
        except SiteError:
            return False

    async def _room(self, site: str) -> Room | str:
        now = self._records.store.now()
        known = self._rooms.get(site)
        if known is None or known[0] < now - FRESH_SECONDS:
            try:
                _, lent = await self._places.get(site)
                known = now, _room_of(await lent.facilities())
            except SiteError as error:
                known = now, str(error)
            self._rooms[site] = known
        return known[1]


def _want(spec: JobSpec, needs: Sequence[str]) -> JobWant:
    r = spec.resources
    images = any(c.image is not None for c in (*spec.containers, *spec.init))
    return JobWant(r.cpus * r.tasks, r.memory, r.gpus, r.nodes, images, needs)


def _room_of(facilities: Facilities) -> Room:
    """What a site gives at most, over its partitions."""
    parts = [p for p in facilities.partitions if p.state == "up"]
    waits = [p.wait for p in parts if p.wait is not None]
    return Room(
        cpus=max((p.cpus for p in parts if p.cpus is not None), default=None),
        memory=max((p.memory for p in parts if p.memory is not None), default=None),
        gpus=max((sum(p.gpus.values()) for p in parts), default=0),
        containers=bool(facilities.runtimes),
        multi_node=any((p.nodes or 0) > 1 for p in parts),
        wait=min(waits, default=None),
        free_cpus=max((p.free_cpus for p in parts if p.free_cpus is not None), default=None),
    )
