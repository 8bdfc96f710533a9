"""The sweep: files that users handed over for jobs go once nothing has used them for long."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial
from itertools import islice

import structlog

from isthmus.engine.journal import Journal
from isthmus.store import jobs
from isthmus.store.blobs import Blobs
from isthmus.store.database import StoreUnavailable
from isthmus.work import sealing
from isthmus.work.round import digests

log = structlog.get_logger(__name__)
DAY = 24 * 3600.0
AT_ONCE = 200
"""Jobs whose specs are held at the same time."""


class Sweep:
    """Removes unused blobs of one home folder until its task is cancelled."""

    def __init__(self, journal: Journal, blobs: Blobs):
        self.journal = journal
        self.blobs = blobs

    async def run(self) -> None:
        """Sweep now and once a day."""
        while True:
            try:
                if gone := await self.sweep():
                    log.info("unused files of jobs are removed", files=gone)
            except StoreUnavailable as error:
                log.warning("the store does not answer", doing="removing unused files", error=str(error))
            except Exception:
                log.exception("a defect", doing="removing unused files")
            await asyncio.sleep(DAY)

    async def sweep(self) -> int:
        """Remove what no job has used for a month and none that goes on may use yet; answers how many files."""
        owners = iter((await self.journal.read(jobs.going_on)).items())
        while part := dict(islice(owners, AT_ONCE)):
            specs = await self.journal.read(partial(jobs.specs, ids=list(part)))
            await asyncio.to_thread(self._use, [(part[id_], sealed) for id_, sealed in specs.items()])
        return await asyncio.to_thread(self.blobs.purge, self.journal.store.now())

    def _use(self, sealed: Sequence[tuple[str, bytes]]) -> None:
        for owner, spec in sealed:
            self.blobs.missing(owner, digests(sealing.unseal(self.journal.store.vault, spec)))
