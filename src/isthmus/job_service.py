"""The use cases of jobs, one method each: what the API, the command line and every dialect call."""

from __future__ import annotations

import asyncio
import re
import secrets as random
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from isthmus import job_portrait as portrait
from isthmus.cursors import read_cursor, write_cursor
from isthmus.engine.pulse import Pulse
from isthmus.errors import Busy, Invalid, NotFound
from isthmus.identity import Principal
from isthmus.job_checks import check_request
from isthmus.job_output import JobOutput
from isthmus.job_records import JobRecords
from isthmus.job_sites import JobSites
from isthmus.job_views import JobPage, JobView
from isthmus.store import Store, jobs
from isthmus.store.blobs import Blobs
from isthmus.store.jobs import FORGET, Job, Task
from isthmus.topology import digest
from isthmus.work import sealing
from isthmus.work.batch_sites import BatchSites
from isthmus.work.job import JobSpec, TaskStatus
from isthmus.work.round import digests
from isthmus.work.verdict import has_ended

WEEK = 7 * 24 * 3600.0
POLL_SECONDS = 0.25
"""How soon is seen what another process wrote."""


@dataclass(frozen=True, slots=True)
class JobRequest:
    """A job to be run. ``site`` None lets Isthmus choose among those that have what is in ``needs``.

    ``site`` is the name of a site, or of a deployment that is a batch system. ``after`` names jobs that must
    succeed first. ``retry`` is how often a task that failed is tried again (None: twice when its site failed it),
    ``keep`` the seconds that its sandbox stays after the end. ``key`` makes the request idempotent.
    """

    spec: JobSpec
    name: str | None = None
    site: str | None = None
    needs: Sequence[str] = ()
    after: Sequence[str] = ()
    retry: int | None = None
    keep: float = WEEK
    key: str | None = None


@dataclass(frozen=True, slots=True)
class JobNow:
    """How a job stands, and no more: what is asked often."""

    id: str
    state: str
    tasks: Sequence[TaskStatus]


class JobService:
    """Everything that a user can ask of jobs; ``sites`` and ``output`` tell of their sites and of what they left.

    Safe to call from one event loop at a time.
    """

    def __init__(self, store: Store, sites: BatchSites, blobs: Blobs, pulse: Pulse, wake: Callable[[str], None]):
        self.store = store
        self.records = JobRecords(store)
        self.sites = JobSites(self.records, sites)
        self.output = JobOutput(self.records, sites, pulse)
        self.blobs = blobs
        self.pulse = pulse
        self._wake = wake

    # -- making -----------------------------------------------------------------------------

    async def create(self, who: Principal, request: JobRequest) -> tuple[JobView, bool]:
        """Accept a job; says whether it is new or the one that this key made before."""
        spec = request.spec
        await asyncio.to_thread(check_request, request.name, spec, request.needs, request.retry, request.keep)
        asked = [sealing.plain(spec), request.name, request.site, request.retry, request.keep, list(request.needs),
                 list(request.after)]  # fmt: skip
        mark = self.store.vault.fingerprint(digest(asked))
        if request.key is not None and (made := await self._by_key(who, request.key)):
            return await self._repeat(made, mark), False
        if missing := await self.missing_blobs(who, digests(spec)):
            raise Invalid(f"these files were not handed over: {', '.join(missing[:5])}", code="missing-blob")
        after = [(await self.records.find(who, ref)).id for ref in request.after]
        site, why = await self.sites.place(who, request.site, spec, request.needs)
        row, tasks = self._rows(who, request, site, why, after, mark)
        try:
            await self.store.writing(lambda c: jobs.add(c, row, tasks))
        except IntegrityError:
            made = await self._by_key(who, request.key or "")
            if made is None:
                raise
            return await self._repeat(made, mark), False
        self._wake(site)
        return portrait.draw(row, spec, tasks, await self.records.site_names([row.site])), True

    def _rows(
        self, who: Principal, request: JobRequest, site: str, why: str, after: Sequence[str], mark: str
    ) -> tuple[Job, list[Task]]:
        now, first = self.store.now(), request.spec.containers[0]
        row = Job(
            id=random.token_hex(6), name=request.name or _name(first.command or first.args, first.image),
            owner=who.subject, vo=who.vo, site=site, why=why, spec=sealing.seal(self.store.vault, request.spec),
            image=first.image, command=portrait.words_of(first), after=after, retry=request.retry, keep=request.keep,
            sends=any(kept.url is not None for kept in request.spec.outputs), grace=None, state="pending", reason="",
            exit_code=None, version=1, due=now, removed=False, key=request.key, request_digest=mark, created=now,
            started=None, ended=None,
        )  # fmt: skip
        return row, [Task(row.id, index, due=now) for index in request.spec.indices]

    async def _by_key(self, who: Principal, key: str) -> Job | None:
        return (await self.store.reading(lambda c: jobs.by_keys(c, who.vo, who.subject, [key]))).get(key)

    async def _repeat(self, made: Job, mark: str) -> JobView:
        if made.request_digest != mark:
            raise Invalid("this idempotency key was used for another request", code="idempotency-key-reused")
        if made.keep == FORGET:
            raise Busy("the job that this idempotency key made is being deleted")
        return await self._draw(made)

    # -- looking ----------------------------------------------------------------------------

    async def list(
        self, who: Principal, *, cursor: str | None = None, limit: int = 50, state: str | None = None,
        site: str | None = None,
    ) -> JobPage:  # fmt: skip
        """A page of the jobs that ``who`` may see, the youngest first."""
        after, owner = read_cursor(cursor), None if who.admin else who.subject
        place = await self.sites.named(who, site) if site is not None else None

        def query(c: Connection) -> tuple[Sequence[Any], Mapping[str, Mapping[str, int]]]:
            rows = jobs.page(c, who.vo, owner, after=after, limit=limit + 1, state=state, site=place)
            return rows, jobs.counts(c, [row.id for row in rows])

        rows, counts = await self.store.reading(query)
        names = await self.records.site_names([row.site for row in rows])
        more = write_cursor(rows[limit - 1].created, rows[limit - 1].id) if len(rows) > limit else None
        return JobPage([portrait.summarize(row, counts.get(row.id, {}), names) for row in rows[:limit]], more)

    async def get(self, who: Principal, ref: str) -> JobView:
        """One job, by id or name (the youngest of that name), with its tasks."""
        return await self._draw(await self.records.find(who, ref))

    async def of_keys(self, who: Principal, keys: Collection[str]) -> Mapping[str, JobNow]:
        """How the jobs that were made with these keys stand: one query for any number."""

        def query(c: Connection) -> dict[str, JobNow]:
            made = jobs.states_by_keys(c, who.vo, who.subject, keys)
            tasks = jobs.tasks_of(c, [id_ for id_, _ in made.values()])
            return {key: JobNow(id_, state, [portrait.status(t) for t in tasks[id_]]) for key, (id_, state) in
                    made.items()}  # fmt: skip

        return await self.store.reading(query)

    async def wait(self, who: Principal, ref: str, *, version: str | None, seconds: float) -> JobView:
        """The job once it is another than ``version`` (its ETag), has ended, or ``seconds`` are over."""
        row, loop = await self.records.find(who, ref), asyncio.get_running_loop()
        end = loop.time() + seconds
        while str(row.version) == version and not has_ended(row.state) and loop.time() < end:
            await self.pulse.wait(row.id, min(end - loop.time(), POLL_SECONDS))
            if await self._version(row.id) != row.version:
                row = await self.records.find(who, row.id)
        return await self._draw(row)

    # -- changing ---------------------------------------------------------------------------

    async def cancel(
        self, who: Principal, ref: str, indices: Collection[int] | None = None, *, grace: float | None = None
    ) -> JobView:
        """Have a job ended, or some tasks of its array; what has ended already stays as it is."""
        row = await self.records.find(who, ref)
        if indices is not None:
            known = {task.index for task in (await self.store.reading(lambda c: jobs.tasks_of(c, [row.id])))[row.id]}
            if unknown := sorted(set(indices) - known):
                raise NotFound(f"{row.name} has no task {unknown[0]}", hint="`isthmus show JOB --tasks` lists them.")
        if not has_ended(row.state):
            now = self.store.now()
            await self.store.writing(lambda c: jobs.ask_cancel(c, row.id, indices, now, grace))
            self._changed(row)
        return await self._draw(await self.records.find(who, row.id))

    async def delete(self, who: Principal, ref: str) -> None:
        """End a job if need be, remove what it left on its site, and forget it."""
        row = await self.records.find(who, ref)
        now = self.store.now()

        def write(c: Connection) -> None:
            if row.removed:
                jobs.remove(c, row.id)
                return
            jobs.put_jobs(c, {row.id: {"keep": FORGET, "due": now}})
            if not has_ended(row.state):
                jobs.ask_cancel(c, row.id, None, now, row.grace)

        await self.store.writing(write)
        self._changed(row)

    # -- files on their way ------------------------------------------------------------------

    async def missing_blobs(self, who: Principal, digests: Collection[str]) -> Sequence[str]:
        """Those of ``digests`` that have to be handed over."""
        return await asyncio.to_thread(self.blobs.missing, _owner(who), list(digests))

    async def put_blob(self, who: Principal, digest: str, chunks: AsyncIterator[bytes]) -> None:
        """Take a file by the SHA-256 of its bytes."""
        await self.blobs.put(_owner(who), digest, chunks)

    # -- inside -----------------------------------------------------------------------------

    async def _version(self, id_: str) -> int | None:
        return (await self.store.reading(lambda c: jobs.versions(c, [id_]))).get(id_)

    async def _draw(self, row: Job) -> JobView:
        tasks = await self.store.reading(lambda c: jobs.tasks_of(c, [row.id]))
        spec = sealing.unseal(self.store.vault, row.spec)
        return portrait.draw(row, spec, tasks[row.id], await self.records.site_names([row.site]))

    def _changed(self, row: Job) -> None:
        self._wake(row.site)
        self.pulse.beat(row.id)


def _owner(who: Principal) -> str:
    return f"{who.vo}/{who.subject}"


def _name(command: Sequence[str], image: str | None) -> str:
    word = (command[0] if command else image or "job").rpartition("/")[2].partition(":")[0]
    slug = re.sub(r"[^a-z0-9]+", "-", word.lower()).strip("-")[:40] or "job"
    return f"{slug}-{random.token_hex(2)}"
