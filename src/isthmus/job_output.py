"""What jobs printed and left, read from their sites for who may see it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from sqlalchemy import Connection

from isthmus.engine.pulse import Pulse
from isthmus.errors import Busy, NotFound
from isthmus.identity import Principal
from isthmus.job_records import JobRecords
from isthmus.job_views import SandboxFile
from isthmus.sites.errors import Permanent, SiteError
from isthmus.sites.jobs import Jobs, LogOptions
from isthmus.store import jobs
from isthmus.store.jobs import Job
from isthmus.work import sealing
from isthmus.work.batch_sites import BatchSites
from isthmus.work.verdict import has_ended

POLL_SECONDS = 0.25
"""How soon a follower sees what another process wrote."""


class JobOutput:
    """The logs and the files of jobs."""

    def __init__(self, records: JobRecords, places: BatchSites, pulse: Pulse):
        self._records = records
        self._places = places
        self._pulse = pulse

    async def log(
        self, who: Principal, ref: str, *, index: int, container: str | None, options: LogOptions
    ) -> AsyncIterator[bytes]:
        """What a container of a task printed; with ``follow`` from the first try to the last."""
        row = await self._records.find(who, ref)
        spec = sealing.unseal(self._records.store.vault, row.spec)
        names = [c.name for c in (*spec.containers, *spec.init)]
        if container is not None and container not in names:
            raise NotFound(f"{row.name} has no container {container}", hint=f"It has {', '.join(names)}.")
        if index not in spec.indices:
            raise NotFound(f"{row.name} has no task {index}")
        _refuse_removed(row)
        return self._read_log(row, index, container or names[0], options)

    async def _read_log(self, row: Job, index: int, container: str, options: LogOptions) -> AsyncIterator[bytes]:
        seen = 0
        while True:
            number, ended = await self._records.store.reading(lambda c: _last_submission(c, row.id, index))
            if number > seen:
                seen = number
                lent = await self._lent(row)
                try:
                    async for chunk in lent.read_log(f"{row.id}-{number}", index, container, options):
                        yield chunk
                except SiteError as error:
                    raise Busy(f"{row.site}: {error}") from error
            elif not options.follow or ended:
                return
            if not options.follow:
                return
            await self._pulse.wait(row.id, POLL_SECONDS)

    async def files(self, who: Principal, ref: str) -> Sequence[SandboxFile]:
        """What the job's outputs name, as it is on its site now."""
        row = await self._records.find(who, ref)
        _refuse_removed(row)
        lent = await self._lent(row)
        found: dict[str, SandboxFile] = {}
        try:
            for number in await self._records.store.reading(lambda c: _handed(c, row.id)):
                found |= {file.path: file for file in await lent.list_files(f"{row.id}-{number}")}
        except SiteError as error:
            raise Busy(f"{row.site}: {error}") from error
        return list(found.values())

    async def read_file(self, who: Principal, ref: str, path: str) -> AsyncIterator[bytes]:
        """The bytes of one file that the job left."""
        row = await self._records.find(who, ref)
        _refuse_removed(row)
        lent = await self._lent(row)
        error: SiteError = Permanent(f"there is no file {path}")
        for number in reversed(await self._records.store.reading(lambda c: _handed(c, row.id))):
            stream = lent.read_file(f"{row.id}-{number}", path)
            try:
                first = await anext(stream, b"")
            except Permanent as missing:
                error = missing
                continue
            except SiteError as failed:
                raise Busy(f"{row.site}: {failed}") from failed
            return _following(first, stream)
        raise NotFound(str(error))

    async def _lent(self, row: Job) -> Jobs:
        try:
            return (await self._places.get(row.site))[1]
        except SiteError as error:
            raise Busy(f"{row.site}: {error}") from error


def _refuse_removed(row: Job) -> None:
    if row.removed:
        raise NotFound(f"what {row.name} left was removed from its site", hint="`--keep` says how long it stays.")


def _last_submission(c: Connection, job: str, index: int) -> tuple[int, bool]:
    """The number of the last submission that had a task (0: none yet), and whether the task has ended."""
    rows, state = jobs.submissions_of(c, [job])[job], jobs.task_state(c, job, index)
    number = max((row.number for row in rows if index in row.indices and row.handed), default=0)
    return number, state is None or has_ended(state)


def _handed(c: Connection, job: str) -> list[int]:
    return [row.number for row in jobs.submissions_of(c, [job])[job] if row.handed]


async def _following(first: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    if first:
        yield first
    async for chunk in rest:
        yield chunk
