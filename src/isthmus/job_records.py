"""Jobs in the store as the service layer reads and writes them: whose they are is asked before anything else."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from isthmus import job_portrait as portrait
from isthmus.errors import NotFound
from isthmus.identity import Principal
from isthmus.store import Store, deployments, jobs
from isthmus.store.jobs import Job


class JobRecords:
    """The rows of jobs."""

    def __init__(self, store: Store):
        self.store = store

    async def find(self, who: Principal, ref: str) -> Job:
        """The job of an id, else the youngest of a name, among those that ``who`` may see and has not deleted."""
        owner = None if who.admin else who.subject
        row = await self.store.reading(lambda c: jobs.find(c, who.vo, owner, ref, who.subject))
        if row is None:
            raise NotFound(f"you have no job {ref!r}", hint="`isthmus jobs` shows those that you have.")
        return row

    async def site_names(self, sites: Collection[str]) -> Mapping[str, str]:
        """The names of the deployments among sites, by id."""
        ids = {site.removeprefix(portrait.SITE) for site in sites if site.startswith(portrait.SITE)}
        return await self.store.reading(lambda c: deployments.names(c, ids)) if ids else {}
