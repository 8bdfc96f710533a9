"""The use cases of jobs, one method each: what the API, the command line and every dialect call."""

from __future__ import annotations

import asyncio
import re
import secrets as random
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from isthmus import job_portrait as portrait
from isthmus.cursors import read_cursor, write_cursor
from isthmus.engine.pulse import Pulse
from isthmus.errors import Busy, Conflict, Invalid, NotFound
from isthmus.identity import Principal
from isthmus.job_checks import check_request
from isthmus.job_views import FacilitiesView, JobPage, JobView, SandboxFile
from isthmus.placement.jobs import JobWant, Room, choose_for_job
from isthmus.sites.contract import Driver, lends
from isthmus.sites.errors import Permanent, SiteError
from isthmus.sites.jobs import Facilities, Jobs, LogOptions
from isthmus.sites.registry import capabilities
from isthmus.store import Store, deployments, jobs
from isthmus.store.blobs import Blobs
from isthmus.store.database import StoreUnavailable
from isthmus.store.jobs import Job, Task
from isthmus.topology import digest
from isthmus.work import sealing
from isthmus.work.batch_sites import BatchSites, batch_node
from isthmus.work.job import JobSpec, TaskStatus
from isthmus.work.round import FORGET, digests
from isthmus.work.verdict import has_ended

T = TypeVar("T")
WEEK = 7 * 24 * 3600.0
FRESH_SECONDS = 30.0
"""How long what a site told of its facilities is taken for true when a site is chosen."""
POLL_SECONDS = 0.25
"""How soon is seen what another process wrote."""


@dataclass(frozen=True, slots=True)
class JobRequest:
    """A job to be run. ``site`` None lets Isthmus choose among those that have what is in ``needs``.

    ``site`` is the name of a site, or of a deployment that is a batch system. ``after`` names jobs that must
    succeed first. ``retry`` is how often a task that failed is tried again, ``keep`` the seconds that its
    sandbox stays after the end. ``key`` makes the request idempotent.
    """

    spec: JobSpec
    name: str | None = None
    site: str | None = None
    needs: Sequence[str] = ()
    after: Sequence[str] = ()
    retry: int = 0
    keep: float = WEEK
    key: str | None = None


@dataclass(frozen=True, slots=True)
class JobNow:
    """How a job stands, and no more: what is asked often."""

    id: str
    state: str
    tasks: Sequence[TaskStatus]


class JobService:
    """Everything that a user can ask of jobs. Safe to call from one event loop at a time."""

    def __init__(self, store: Store, sites: BatchSites, blobs: Blobs, pulse: Pulse, wake: Callable[[str], None]):
        self.store = store
        self.places = sites
        self.blobs = blobs
        self.pulse = pulse
        self._wake = wake
        self._rooms: dict[str, tuple[float, Room | str]] = {}

    # -- making -----------------------------------------------------------------------------

    async def create(self, who: Principal, request: JobRequest) -> tuple[JobView, bool]:
        """Accept a job; says whether it is new or the one that this key made before."""
        spec = request.spec
        check_request(request.name, spec, request.needs, request.retry, request.keep)
        mark = self.store.vault.fingerprint(digest([sealing.plain(spec), request.name, request.site, request.retry,
                                                    list(request.needs), list(request.after)]))  # fmt: skip
        if request.key is not None and (made := await self._by_key(who, request.key)):
            return await self._repeat(made, mark), False
        if missing := self.blobs.missing(_owner(who), digests(spec)):
            raise Invalid(f"these files were not handed over: {', '.join(missing[:5])}", code="missing-blob")
        after = [(await self._find(who, ref)).id for ref in request.after]
        site, why = await self._place(who, request)
        row, tasks = self._rows(who, request, site, why, after, mark)
        try:
            await self._write(lambda c: jobs.add(c, row, tasks))
        except IntegrityError:
            made = await self._by_key(who, request.key or "")
            if made is None:
                raise
            return await self._repeat(made, mark), False
        self._wake(site)
        return portrait.draw(row, spec, tasks, await self._names([row.site])), True

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
        return (await self._in(lambda c: jobs.by_keys(c, who.vo, who.subject, [key]))).get(key)

    async def _repeat(self, made: Job, mark: str) -> JobView:
        if made.request_digest != mark:
            raise Invalid("this idempotency key was used for another request", code="idempotency-key-reused")
        return await self._draw(made)

    # -- choosing a site --------------------------------------------------------------------

    async def _place(self, who: Principal, request: JobRequest) -> tuple[str, str]:
        """The site of a job, and why."""
        if request.site is not None:
            return await self._named_site(who, request.site), "named by its owner"
        lending = [name for name in self.places.names() if await self._lends(name)]
        if not lending:
            raise Invalid("no site takes jobs", hint="`isthmus sites` shows what each one takes.")
        if len(lending) == 1 and not request.needs:
            return lending[0], "the only site that takes jobs"
        rooms = dict(zip(lending, await asyncio.gather(*map(self._room, lending)), strict=True))
        place = choose_for_job(_want(request), rooms)
        if place.site is None:
            told = "; ".join(f"{site}: {reason}" for site, reason in place.reasons.items())
            raise Invalid(f"no site fits: {told}", code="no-site")
        return place.site, "; ".join(f"{site}: {reason}" for site, reason in place.reasons.items())

    async def check_site(self, who: Principal, site: str) -> None:
        """Raise :class:`Invalid` when there is no such site, or none that takes jobs."""
        await self._named_site(who, site)

    async def _named_site(self, who: Principal, name: str) -> str:
        if name in self.places.names():
            if not await self._lends(name):
                raise Invalid(f"site {name} takes no jobs", hint="`isthmus sites` shows what each one takes.")
            return name
        owner, ref = None if who.admin else who.subject, name.removeprefix(portrait.SITE)
        found = await self._in(lambda c: deployments.find(c, who.vo, owner, ref, who.subject))
        if not found or found[0].phase == "deleted":
            known = ", ".join(self.places.names())
            raise Invalid(f"there is no site {name}, nor a deployment of yours", hint=f"The sites are {known}.")
        try:
            loaded = await asyncio.to_thread(self.places.shelf.load, found[0])
        except SiteError as error:
            raise Conflict(f"{name}: {error}") from error
        if batch_node(loaded.topology) is None:
            raise Invalid(f"deployment {name} is no batch system", hint="Slurm clusters and HTCondor pools are.")
        return f"deployment/{found[0].id}"

    async def _lends(self, site: str) -> bool:
        try:
            return lends(self.places.sites.get(site), Jobs) is not None
        except SiteError:
            return False

    async def _room(self, site: str) -> Room | str:
        now = self.store.now()
        known = self._rooms.get(site)
        if known is None or known[0] < now - FRESH_SECONDS:
            try:
                _, lent = await self.places.get(site)
                known = now, _room_of(await lent.facilities())
            except SiteError as error:
                known = now, str(error)
            self._rooms[site] = known
        return known[1]

    async def facilities(self, who: Principal, site: str) -> FacilitiesView:
        """What a site offers to jobs now; a site that does not answer says why."""
        name = site if site in self.places.names() else await self._named_site(who, site)
        try:
            driver, lent = await self._site(name)
            f = await lent.facilities()
        except SiteError as error:
            return FacilitiesView(site, "", False, str(error), ())
        return FacilitiesView(
            site, driver.kind, True, "", capabilities(driver), f.scheduler, f.version, f.user, f.partitions,
            f.runtimes, f.accounts,
        )  # fmt: skip

    async def _site(self, site: str) -> tuple[Driver, Jobs]:
        return await self.places.get(site)

    # -- looking ----------------------------------------------------------------------------

    async def list(
        self, who: Principal, *, cursor: str | None = None, limit: int = 50, state: str | None = None,
        site: str | None = None,
    ) -> JobPage:  # fmt: skip
        """A page of the jobs that ``who`` may see, the youngest first."""
        after, owner = read_cursor(cursor), None if who.admin else who.subject
        place = await self._named_site(who, site) if site is not None else None

        def query(c: Connection) -> tuple[Sequence[Any], Mapping[str, Mapping[str, int]]]:
            rows = jobs.page(c, who.vo, owner, after=after, limit=limit + 1, state=state, site=place)
            return rows, jobs.counts(c, [row.id for row in rows])

        rows, counts = await self._in(query)
        names = await self._names([row.site for row in rows])
        more = write_cursor(rows[limit - 1].created, rows[limit - 1].id) if len(rows) > limit else None
        return JobPage([portrait.summarize(row, counts.get(row.id, {}), names) for row in rows[:limit]], more)

    async def get(self, who: Principal, ref: str) -> JobView:
        """One job, by id or name (the youngest of that name), with its tasks."""
        return await self._draw(await self._find(who, ref))

    async def of_keys(self, who: Principal, keys: Collection[str]) -> Mapping[str, JobNow]:
        """How the jobs that were made with these keys stand: one query for any number."""

        def query(c: Connection) -> dict[str, JobNow]:
            made = jobs.states_by_keys(c, who.vo, who.subject, keys)
            tasks = jobs.tasks_of(c, [id_ for id_, _ in made.values()])
            return {key: JobNow(id_, state, [portrait.status(t) for t in tasks[id_]]) for key, (id_, state) in
                    made.items()}  # fmt: skip

        return await self._in(query)

    async def wait(self, who: Principal, ref: str, *, version: str | None, seconds: float) -> JobView:
        """The job once it is another than ``version`` (its ETag), has ended, or ``seconds`` are over."""
        row, loop = await self._find(who, ref), asyncio.get_running_loop()
        end = loop.time() + seconds
        while str(row.version) == version and not has_ended(row.state) and loop.time() < end:
            await self.pulse.wait(row.id, min(end - loop.time(), POLL_SECONDS))
            if await self._version(row.id) != row.version:
                row = await self._find(who, row.id)
        return await self._draw(row)

    # -- changing ---------------------------------------------------------------------------

    async def cancel(
        self, who: Principal, ref: str, indices: Collection[int] | None = None, *, grace: float | None = None
    ) -> JobView:
        """Have a job ended, or some tasks of its array; what has ended already stays as it is."""
        row = await self._find(who, ref)
        if not has_ended(row.state):
            now = self.store.now()
            await self._write(lambda c: jobs.ask_cancel(c, row.id, indices, now, grace))
            self._changed(row)
        return await self._draw(await self._find(who, row.id))

    async def delete(self, who: Principal, ref: str) -> None:
        """End a job if need be, remove what it left on its site, and forget it."""
        row = await self._find(who, ref)
        now = self.store.now()

        def write(c: Connection) -> None:
            if row.removed:
                jobs.remove(c, row.id)
                return
            jobs.put_jobs(c, {row.id: {"keep": FORGET, "due": now}})
            if not has_ended(row.state):
                jobs.ask_cancel(c, row.id, None, now, row.grace)

        await self._write(write)
        self._changed(row)

    # -- what it printed and left -----------------------------------------------------------

    async def log(
        self, who: Principal, ref: str, *, index: int, container: str | None, options: LogOptions
    ) -> AsyncIterator[bytes]:
        """What a container of a task printed; with ``follow`` from the first try to the last."""
        row = await self._find(who, ref)
        spec = sealing.unseal(self.store.vault, row.spec)
        names = [c.name for c in (*spec.containers, *spec.init)]
        if container is not None and container not in names:
            raise NotFound(f"{row.name} has no container {container}", hint=f"It has {', '.join(names)}.")
        if index not in spec.indices:
            raise NotFound(f"{row.name} has no task {index}")
        self._refuse_removed(row)
        return self._read_log(row, index, container or names[0], options)

    async def _read_log(self, row: Job, index: int, container: str, options: LogOptions) -> AsyncIterator[bytes]:
        seen = 0
        while True:
            number, ended = await self._in(lambda c: _last_submission(c, row.id, index))
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
            await self.pulse.wait(row.id, POLL_SECONDS)

    async def files(self, who: Principal, ref: str) -> Sequence[SandboxFile]:
        """What the job's outputs name, as it is on its site now."""
        row = await self._find(who, ref)
        self._refuse_removed(row)
        lent = await self._lent(row)
        found: dict[str, SandboxFile] = {}
        try:
            for number in await self._in(lambda c: _handed(c, row.id)):
                found |= {file.path: file for file in await lent.list_files(f"{row.id}-{number}")}
        except SiteError as error:
            raise Busy(f"{row.site}: {error}") from error
        return list(found.values())

    async def read_file(self, who: Principal, ref: str, path: str) -> AsyncIterator[bytes]:
        """The bytes of one file that the job left."""
        row = await self._find(who, ref)
        self._refuse_removed(row)
        lent = await self._lent(row)
        error: SiteError = Permanent(f"there is no file {path}")
        for number in reversed(await self._in(lambda c: _handed(c, row.id))):
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

    async def missing_blobs(self, who: Principal, digests: Collection[str]) -> Sequence[str]:
        """Those of ``digests`` that have to be handed over."""
        return await asyncio.to_thread(self.blobs.missing, _owner(who), list(digests))

    async def put_blob(self, who: Principal, digest: str, chunks: AsyncIterator[bytes]) -> None:
        """Take a file by the SHA-256 of its bytes."""
        await self.blobs.put(_owner(who), digest, chunks)

    # -- inside -----------------------------------------------------------------------------

    async def _find(self, who: Principal, ref: str) -> Job:
        owner = None if who.admin else who.subject
        row = await self._in(lambda c: jobs.find(c, who.vo, owner, ref))
        if row is None or row.keep == FORGET:
            raise NotFound(f"you have no job {ref!r}", hint="`isthmus jobs` shows those that you have.")
        return row

    async def _version(self, id_: str) -> int | None:
        return (await self._in(lambda c: jobs.versions(c, [id_]))).get(id_)

    async def _draw(self, row: Job) -> JobView:
        tasks = await self._in(lambda c: jobs.tasks_of(c, [row.id]))
        spec = sealing.unseal(self.store.vault, row.spec)
        return portrait.draw(row, spec, tasks[row.id], await self._names([row.site]))

    async def _names(self, sites: Collection[str]) -> Mapping[str, str]:
        """The names of the deployments among sites, by id."""
        ids = {site.removeprefix(portrait.SITE) for site in sites if site.startswith(portrait.SITE)}
        return await self._in(lambda c: deployments.names(c, ids)) if ids else {}

    async def _lent(self, row: Job) -> Jobs:
        try:
            return (await self.places.get(row.site))[1]
        except SiteError as error:
            raise Busy(f"{row.site}: {error}") from error

    def _refuse_removed(self, row: Job) -> None:
        if row.removed:
            raise NotFound(f"what {row.name} left was removed from its site", hint="`--keep` says how long it stays.")

    def _changed(self, row: Job) -> None:
        self._wake(row.site)
        self.pulse.beat(row.id)

    async def _in(self, query: Callable[[Connection], T]) -> T:
        try:
            return await self.store.reading(query)
        except StoreUnavailable as error:
            raise Busy(str(error), retry_after=1) from error

    async def _write(self, change: Callable[[Connection], T]) -> T:
        try:
            return await self.store.writing(change)
        except StoreUnavailable as error:
            raise Busy(str(error), retry_after=1) from error


def _owner(who: Principal) -> str:
    return f"{who.vo}/{who.subject}"


def _name(command: Sequence[str], image: str | None) -> str:
    word = (command[0] if command else image or "job").rpartition("/")[2].partition(":")[0]
    slug = re.sub(r"[^a-z0-9]+", "-", word.lower()).strip("-")[:40] or "job"
    return f"{slug}-{random.token_hex(2)}"


def _want(request: JobRequest) -> JobWant:
    needs, spec = request.spec.resources, request.spec
    images = any(c.image is not None for c in (*spec.containers, *spec.init))
    return JobWant(needs.cpus * needs.tasks, needs.memory, needs.gpus, needs.nodes, images, request.needs)


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


def _last_submission(c: Connection, job: str, index: int) -> tuple[int, bool]:
    """The number of the last submission that had a task (0: none yet), and whether the task has ended."""
    rows = jobs.submissions_of(c, [job])[job]
    task = next((t for t in jobs.tasks_of(c, [job])[job] if t.index == index), None)
    number = max((row.number for row in rows if index in row.indices and row.handed), default=0)
    return number, task is None or has_ended(task.state)


def _handed(c: Connection, job: str) -> list[int]:
    return [row.number for row in jobs.submissions_of(c, [job])[job] if row.handed]


async def _following(first: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    if first:
        yield first
    async for chunk in rest:
        yield chunk
