"""The sites of jobs as users see them: which one a job goes to and why, and what each has to offer."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from sqlalchemy import Connection

from isthmus import job_portrait as portrait
from isthmus.deployment_records import refuse_several
from isthmus.errors import Busy, Conflict, Invalid, NotFound, Unsupported
from isthmus.identity import Principal
from isthmus.job_records import JobRecords
from isthmus.job_rooms import QUIET, Rooms, Silent, want_of
from isthmus.job_views import FacilitiesView
from isthmus.placement.job_fit import Room, refusal
from isthmus.placement.jobs import choose_for_job
from isthmus.sites.contract import lends
from isthmus.sites.errors import Permanent, SiteError
from isthmus.sites.jobs import ChecksJobs, Jobs
from isthmus.sites.registry import capabilities
from isthmus.store import deployments
from isthmus.store.deployments import Deployment
from isthmus.views import SiteView
from isthmus.work.batch_sites import BatchSites, batch_node
from isthmus.work.job import JobSpec

FRESH_SECONDS = 30.0
"""How long what a site told of its facilities is taken for true when a site is chosen."""
LASTING_SECONDS = 3600.0
"""How long it is good enough to accept a job by; to refuse one the site is asked anew."""
ANEW_SECONDS = 1.0
MOST_DEPLOYED = 100
"""Of an owner's deployments, the youngest, that are looked at for batch systems."""
KINDS_KEPT = 10_000
_TELLS = "`isthmus sites show {}` tells what it has; --site names another site, `isthmus sites` lists them."


class JobSites:
    """Chooses sites for jobs, and tells of them. In the store a site is its name, or ``deployment/ID``."""

    def __init__(self, records: JobRecords, places: BatchSites):
        self._records = records
        self._places = places
        self._rooms = Rooms(places, records.store.now)
        self._kinds: dict[tuple[str, int], str | None] = {}

    async def place(self, who: Principal, name: str | None, spec: JobSpec, needs: Sequence[str]) -> tuple[str, str]:
        """The site of a job and why; raises when the site that ``who`` names, or each one there is, does not fit."""
        if name is None:
            return await self.choose(spec, needs)
        site = await self.taking(who, name)
        return site, "named by its owner" + await self._check(name, site, spec, needs)

    async def choose(self, spec: JobSpec, needs: Sequence[str]) -> tuple[str, str]:
        """The site where a job starts soonest, and why.

        Raises :class:`Invalid` when none fits, :class:`Busy` when one that does not answer now may.
        """
        lending, closed = self._lending()
        beside = "".join(f"; {site}: {words}" for site, words in closed.items())
        if not lending:
            raise Invalid(f"no site takes jobs{beside}", hint="`isthmus sites` shows what each one takes.")
        if len(lending) == 1:
            [site] = lending
            return site, "the only site that takes jobs" + await self._check(site, site, spec, needs, beside) + beside
        rooms = dict(zip(lending, await asyncio.gather(*(self._room(n, spec) for n in lending)), strict=True))
        place = choose_for_job(want_of(spec, needs), {**rooms, **closed})
        told = "; ".join(f"{site}: {reason}" for site, reason in place.reasons.items())
        if place.site is not None:
            return place.site, told
        if any(isinstance(room, Silent) for room in rooms.values()):
            hint = "--site names one that the job shall wait for."
            raise Busy(f"no site fits now: {told}", retry_after=QUIET, hint=hint)
        raise Invalid(f"no site fits: {told}", code="no-site", hint=_TELLS.format("SITE"))

    async def taking(self, who: Principal, name: str) -> str:
        """The site that ``who`` calls so; raises :class:`Invalid` when there is none, or none that takes jobs."""
        if name not in self._places.names():
            return await self.named(who, name)
        lending, closed = self._lending()
        if words := closed.get(name):
            raise Invalid(f"{name} {words}", code="no-site", hint="`isthmus sites` shows which ones are ready.")
        if name not in lending:
            raise Invalid(f"site {name} takes no jobs", hint="`isthmus sites` shows what each one takes.")
        return name

    async def named(self, who: Principal, name: str) -> str:
        """The site that ``who`` calls so; raises :class:`Invalid` when there is none, or no such batch system."""
        if name in self._places.names():
            return name
        owner, ref = None if who.admin else who.subject, name.removeprefix(portrait.SITE)
        found = await self._records.store.reading(lambda c: deployments.find(c, who.vo, owner, ref, who.subject))
        if not found or found[0].phase == "deleted":
            raise Unknown(
                f"there is no site {name}, nor a deployment of yours", hint=f"The sites are {await self._known(who)}."
            )
        refuse_several(who, ref, found)
        try:
            kind = await asyncio.to_thread(self._kind, found[0])
        except SiteError as error:
            raise Conflict(f"{name}: {error}") from error
        if kind is None:
            raise Unknown(f"deployment {name} is no batch system", hint="Slurm clusters and HTCondor pools are.")
        return f"{portrait.SITE}{found[0].id}"

    async def facilities(self, who: Principal, site: str) -> FacilitiesView:
        """What a site offers to jobs now; a site that does not answer says why."""
        try:
            name = site if site in self._places.names() else await self.named(who, site)
        except Unknown as error:
            raise NotFound(error.detail, hint=error.hint) from None
        try:
            driver, lent = await self._places.get(name)
            f = await lent.facilities()
        except SiteError as error:
            return FacilitiesView(site, "", False, str(error), ())
        return FacilitiesView(
            site, driver.kind, True, "", capabilities(driver), f.scheduler, f.version, f.user, f.partitions,
            f.runtimes, f.accounts, f.qos, f.options, f.pool,
        )  # fmt: skip

    async def deployed(self, who: Principal) -> Sequence[SiteView]:
        """The batch systems that ``who`` has deployed, the youngest first: sites by name, never chosen unasked."""

        def query(c: Connection) -> list[Deployment | None]:
            page = deployments.summaries(c, who.vo, who.subject, after=None, limit=MOST_DEPLOYED, phase=None)
            return [deployments.get(c, row.id) for row in page]

        rows = await self._records.store.reading(query)
        return await asyncio.to_thread(lambda: [view for row in rows if row and (view := self._view(row))])

    def _view(self, row: Deployment) -> SiteView | None:
        """A deployment as a site; None when it is no batch system."""
        try:
            kind = self._kind(row)
        except SiteError:
            return None
        if kind is None:
            return None
        shadowed = row.name in self._places.names()
        ready, detail = row.phase == "running", f"a deployment of yours, {row.phase}; taken by name only"
        return SiteView(f"{portrait.SITE}{row.id}" if shadowed else row.name, kind, ready, detail, ("jobs",))

    def _kind(self, row: Deployment) -> str | None:
        """What batch system a deployment is; None when it is none."""
        mark = row.id, row.version
        if mark not in self._kinds:
            node = batch_node(self._places.shelf.load(row).topology)
            if len(self._kinds) > KINDS_KEPT:
                self._kinds.clear()
            self._kinds[mark] = node.kind if node else None
        return self._kinds[mark]

    async def _known(self, who: Principal) -> str:
        return ", ".join([*self._places.names(), *(site.name for site in await self.deployed(who))])

    def _lending(self) -> tuple[Sequence[str], Mapping[str, str]]:
        """The sites that take jobs; and of those whose settings are wrong, why they cannot be used."""
        lending, closed = [], {}
        for name in self._places.names():
            try:
                if lends(self._places.sites.get(name), Jobs) is not None:
                    lending.append(name)
            except SiteError as error:
                closed[name] = f"cannot be used: {str(error).removeprefix(f'site {name}: ')}"
        return lending, closed

    async def _check(self, name: str, site: str, spec: JobSpec, needs: Sequence[str], beside: str = "") -> str:
        """Raise :class:`Invalid` for what a site could never run; what could not be asked is told for the record.

        A site that does not answer, or is not up yet, has the job wait for it. ``beside`` is what is told of others.
        """
        if words := await self._unhonoured(site, spec):
            raise Unsupported(f"{name}: {words}{beside}", hint=_TELLS.format(name))
        want = want_of(spec, needs)
        for age in (LASTING_SECONDS, ANEW_SECONDS):
            room = await self._rooms.of(site, age)
            if isinstance(room, Silent):
                return f"; it {room}" + (f", so nobody looked whether it has {', '.join(needs)}" if needs else "")
            words = refusal(want, room, ever=True)
            if not words:
                return ""
        raise Invalid(f"{name} {words}{beside}", code="no-site", hint=_TELLS.format(name))

    async def _room(self, site: str, spec: JobSpec) -> Room | str:
        return await self._unhonoured(site, spec) or await self._rooms.of(site, FRESH_SECONDS)

    async def _unhonoured(self, site: str, spec: JobSpec) -> str:
        """What a site's driver says that it never takes, without asking the site."""
        try:
            driver, _ = await self._places.get(site)
        except SiteError:  # there is none yet
            return ""
        try:
            if (checks := lends(driver, ChecksJobs)) is not None:
                checks.check(spec)
        except Permanent as error:
            return str(error)
        return ""


class Unknown(Invalid):
    """A name that means no site."""
