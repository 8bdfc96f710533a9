"""The driver of any batch system that has an agent on its login node. A kind of site says only what differs.

    class SlurmDriver(BatchDriver):
        kind = "slurm"

        def __init__(self, name: str, options: Mapping[str, object]):
            o = parse_options(name, options)          # your own; raises Permanent, names what is wrong
            super().__init__(
                name,
                SshChannel(o.ssh),                     # SshOptions of channel.py; or ProcessChannel()
                "isthmus.sites.slurm.remote",          # travels as batch.py; interface: work/runner/scheduler.py
                folder=o.folder,                       # on the site; ~ is the user's home there
                config={"partition": o.partition},     # JSON, for your Batch(config, root) on the site
                runtime={"kind": "apptainer"},         # JSON, for the supervisor: order["runtime"]
                python=o.python,                       # None: found on the site
            )

        def check(self, spec: JobSpec) -> None:        # raise Permanent/Unsupported naming what is not honoured
            refuse_unknown(spec, {"partition", "qos"})

``runtime_for`` may make the runtime depend on the spec (a launcher). ``carried=True`` is for sites whose nodes do
not see the login node's files (the order's blobs lie in the submission's folder), ``stream=True`` for those
where the supervisor's reports come back on its stdout. The agent reads of ``config``: ``python`` (on nodes),
``settle`` (seconds until the scheduler shows what it accepted, 3), ``lag`` (seconds that reports may come late, 5),
``keep`` (seconds that unused blobs are kept, a week), and for inputs and outputs by URL ``fetch_limit`` (bytes),
``fetch_private`` (allow plain HTTP and addresses that are not public).
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import dataclasses
import json
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from isthmus.sites.batch.channel import Channel
from isthmus.sites.batch.client import Client
from isthmus.sites.batch.link import read_error
from isthmus.sites.batch.reading import read_facilities, read_file, read_task
from isthmus.sites.contract import Status
from isthmus.sites.errors import Permanent, SiteError, Unreachable, Unsupported
from isthmus.sites.jobs import Facilities, LogOptions, SandboxFile, Submission
from isthmus.work.job import JobSpec, Reason, TaskStatus
from isthmus.work.program import program
from isthmus.work.runner import frames

ORDERS = 4 * 1024 * 1024
"""Bytes of orders that travel in one request, unless one alone is larger."""
SUBMIT_PATIENCE = 600.0
HASH_PATIENCE = 3600.0
"""Seconds for what reads or sends whole files on the site."""
_PIECE = 1024 * 1024
_ROOM = 64 * 1024


def refuse_unknown(spec: JobSpec, known: Collection[str]) -> None:
    """Raise :class:`Unsupported` for options that a site's kind does not take."""
    if unknown := sorted(set(spec.options) - set(known)):
        told = ", ".join(sorted(known)) or "none"
        raise Unsupported(f"no option {', '.join(unknown)} here; the options are {told}")


class BatchDriver:
    """Implements :class:`~isthmus.sites.contract.Driver` and :class:`~isthmus.sites.jobs.Jobs`."""

    kind: ClassVar[str]
    takes: ClassVar[tuple[str, ...]] = ()
    """The names of the options that jobs may have."""

    def __init__(
        self, name: str, channel: Channel, batch: str, *, folder: str = "~/.isthmus", config: Mapping[str, object],
        runtime: Mapping[str, object], python: str | None = None, carried: bool = False, stream: bool = False,
        timeout: float = 60.0,
    ):  # fmt: skip
        self.name = name
        config = {**config, "python": config.get("python") or python}
        self.client = Client(channel, program(batch), folder=folder, config=config, python=python, timeout=timeout)
        self._runtime = dict(runtime)
        self._carried = carried
        self._stream = stream
        self._putting: dict[str, asyncio.Lock] = {}

    def check(self, spec: JobSpec) -> None:
        """Raise :class:`Permanent` for what this kind of site does not honour."""
        refuse_unknown(spec, self.takes)

    def runtime_for(self, spec: JobSpec) -> Mapping[str, object]:
        """What the supervisor is told of the site for this job."""
        return self._runtime

    async def status(self) -> Status:
        """Whether the agent and its scheduler answer."""
        try:
            await self.facilities()
        except SiteError as error:
            return Status(False, str(error))
        about = self.client.about
        return Status(True, f"{about.get('user', '?')} on {about.get('host', '?')}")

    async def prepare(self, progress: Callable[[str], None]) -> None:
        """Put the agent's program in place, and connect."""
        progress(f"connecting to {self.client.channel.place}")
        await self.client.connect()

    async def close(self) -> None:
        """End the session; jobs go on."""
        await self.client.close()

    async def submit_jobs(self, submissions: Sequence[Submission]) -> Sequence[SiteError | None]:
        """Find or hand over each submission."""
        answers: dict[str, SiteError | None] = {}
        fresh = []
        standing = set((await self._each("standing", [s.id for s in submissions]))["standing"])
        for submission in submissions:
            if submission.id in standing:
                answers[submission.id] = None
                continue
            try:
                self.check(submission.spec)
                fresh.append(submission)
            except SiteError as error:
                answers[submission.id] = error
        answers.update(await self._bring(fresh))
        orders = {s.id: order for s in fresh if s.id not in answers and (order := await self._order(s, answers))}
        for group in _groups(orders):
            header = await self.client.request("submit", orders=[orders[id] for id in group], within=SUBMIT_PATIENCE)
            told = header.get("answers")
            if not isinstance(told, list) or len(told) != len(group):
                raise Permanent(f"{self.client.channel.place}: the agent answered for other submissions")
            answers.update((id, None if one is None else read_error(one)) for id, one in zip(group, told, strict=True))
        return [answers[s.id] for s in submissions]

    async def look_at_jobs(self, ids: Collection[str]) -> Mapping[str, Sequence[TaskStatus]]:
        """How the tasks of submissions stand."""
        if not ids:
            return {}
        found = (await self.client.request("look", ids=list(ids))).get("tasks")
        if not isinstance(found, dict):
            raise Permanent(f"{self.client.channel.place}: the agent's answer cannot be read")
        wanted = set(ids)
        return {id: [read_task(task) for task in tasks] for id, tasks in found.items() if id in wanted}

    async def cancel_jobs(self, submissions: Mapping[str, Collection[int] | None], *, grace: float | None) -> None:
        """End tasks."""
        tasks = {id: None if indices is None else list(indices) for id, indices in submissions.items()}
        if tasks:
            await self.client.request("cancel", tasks=tasks, grace=grace, within=SUBMIT_PATIENCE)

    async def read_log(self, id: str, index: int, container: str, options: LogOptions) -> AsyncIterator[bytes]:
        """A container's output."""
        parts = self.client.stream(
            "log", id_of=id, index=index, container=container, options=dataclasses.asdict(options)
        )
        async with contextlib.aclosing(parts):
            async for part in parts:
                if part:
                    yield part

    async def list_files(self, id: str) -> Sequence[SandboxFile]:
        """What the submission's outputs name."""
        header = await self.client.request("files", id_of=id, within=HASH_PATIENCE)
        return [read_file(file) for file in header.get("files") or ()]

    async def read_file(self, id: str, path: str) -> AsyncIterator[bytes]:
        """The bytes of one file of the sandbox."""
        parts = self.client.stream("read", id_of=id, path=path)
        async with contextlib.aclosing(parts):
            async for part in parts:
                yield part

    async def send_files(self, id: str, targets: Mapping[str, str]) -> None:
        """Send files of the sandbox to URLs, from the site."""
        await self.client.request("push", id_of=id, targets=dict(targets), within=HASH_PATIENCE)

    async def remove_jobs(self, ids: Collection[str]) -> None:
        """Remove what submissions left on the site."""
        if ids:
            await self._each("remove", list(ids), within=SUBMIT_PATIENCE)

    async def list_jobs(self) -> Sequence[str]:
        """The ids of all submissions that have something on the site."""
        return [str(id) for id in (await self.client.request("list")).get("ids") or ()]

    async def facilities(self) -> Facilities:
        """What the site offers to jobs now."""
        told = read_facilities((await self.client.request("facilities")).get("facilities"))
        return dataclasses.replace(told, options=self.takes)

    async def _each(self, verb: str, ids: list[str], within: float | None = None) -> dict[str, Any]:
        return await self.client.request(verb, ids=ids, within=within)

    async def _order(self, submission: Submission, answers: dict[str, SiteError | None]) -> dict[str, Any] | None:
        try:
            spec = dataclasses.asdict(submission.spec)
            spec["inputs"] = [await self._pulled(given) for given in spec["inputs"]]
        except SiteError as error:
            answers[submission.id] = error
            return None
        order = {
            "id": submission.id,
            "name": submission.name,
            "indices": list(submission.indices),
            "spec": spec,
            "blobs": "blobs" if self._carried else "",
            "runtime": dict(self.runtime_for(submission.spec)),
            "stream": self._stream,
        }
        if (size := len(json.dumps(order))) > frames.HEADER_LIMIT - _ROOM:
            answers[submission.id] = Permanent(f"a job of {size} bytes is too large; files are better given as inputs")
            return None
        return order

    async def _pulled(self, given: dict[str, Any]) -> dict[str, Any]:
        """An input by its digest; one with a URL alone is fetched by the site first."""
        if given["digest"] is not None or given["url"] is None:
            return given
        try:
            header = await self.client.request("pull", url=given["url"], within=HASH_PATIENCE)
        except SiteError as error:
            if not isinstance(error, Unreachable):
                error.reason = Reason.STAGE_IN
            raise
        return {**given, "digest": header.get("digest"), "url": None}

    async def _bring(self, submissions: Sequence[Submission]) -> dict[str, SiteError | None]:
        """Put the blobs there that are not; for submissions that cannot have theirs, why."""
        sources: dict[str, Path] = {}
        failed: dict[str, SiteError | None] = {}
        needs: dict[str, set[str]] = {}
        for submission in submissions:
            needs[submission.id] = _digests(submission.spec)
            if absent := needs[submission.id] - submission.blobs.keys():
                failed[submission.id] = Permanent(f"no bytes are given for {', '.join(sorted(absent))}")
            sources.update((d, submission.blobs[d]) for d in needs[submission.id] & submission.blobs.keys())
        errors: dict[str, SiteError] = {}
        digests = sorted(sources)
        for start in range(0, len(digests), 10_000):
            header = await self.client.request("missing", digests=digests[start : start + 10_000])
            for digest in header.get("missing") or ():
                if digest in sources:
                    try:
                        await self._put(digest, sources[digest])
                    except (Permanent, OSError) as error:
                        errors[digest] = Permanent(f"input {digest}: {error}")
                        errors[digest].reason = Reason.STAGE_IN
        for id, needed in needs.items():
            if wrong := sorted(needed & errors.keys()):
                failed[id] = errors[wrong[0]]
        return failed

    async def _put(self, digest: str, source: Path) -> None:
        lock = self._putting.setdefault(digest, asyncio.Lock())
        try:
            async with lock:
                if (await self.client.request("missing", digests=[digest])).get("missing"):
                    await self._send(digest, source)
        finally:
            if not lock.locked():
                self._putting.pop(digest, None)

    async def _send(self, digest: str, source: Path) -> None:
        size, offset = (await asyncio.to_thread(source.stat)).st_size, 0
        with await asyncio.to_thread(source.open, "rb") as file:
            while True:
                piece = await asyncio.to_thread(file.read, _PIECE)
                last = offset + len(piece) >= size or not piece
                await self.client.request("put", piece, digest=digest, offset=offset, last=last)
                offset += len(piece)
                if last:
                    return


def _digests(spec: JobSpec) -> set[str]:
    """What a spec names of the blob store."""
    files = [file for volume in spec.volumes for file in volume.files or ()]
    for file in files:
        if file.content is not None:
            with contextlib.suppress(ValueError):
                base64.b64decode(file.content, validate=True)
                continue
            raise Permanent(f"file {file.path}: its content is not base64")
    named: Iterable[str | None] = [given.digest for given in spec.inputs] + [file.digest for file in files]
    return {digest for digest in named if digest is not None}


def _groups(orders: Mapping[str, Mapping[str, Any]]) -> Iterable[list[str]]:
    """Ids of orders that travel together."""
    group: list[str] = []
    size = 0
    for id, order in orders.items():
        length = len(json.dumps(order))
        if group and size + length > ORDERS:
            yield group
            group, size = [], 0
        group.append(id)
        size += length
    if group:
        yield group


assert frames.BODY_LIMIT >= _PIECE
