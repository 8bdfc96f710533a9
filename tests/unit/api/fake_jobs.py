"""A service of jobs that keeps them in a dict: each look moves a job one state on."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Collection, Sequence
from dataclasses import replace
from typing import Any

from isthmus.errors import Invalid, NotFound
from isthmus.identity import Principal
from isthmus.job_portrait import shown
from isthmus.job_service import JobRequest
from isthmus.job_views import FacilitiesView, JobPage, JobView, Partition, SandboxFile, TaskView
from isthmus.sites.jobs import LogOptions, Nodes
from isthmus.views import SiteView

STATES = ("pending", "queued", "running", "succeeded")
FACILITIES = FacilitiesView(
    "hpc", "slurm", True, "", ("jobs",), "slurm", "24.11", "ada",
    (Partition("short", True, "up", 3, 48, 40, 64 * 2**30, {"a100": 2}, 3600.0, 4, 2, 12.0,
               (Nodes(1, 16, 64 * 2**30, {"a100": 2}), Nodes(2, 16, 32 * 2**30))), Partition("long")),
    ("apptainer",), ("physics",), ("normal", "urgent"), ("account", "partition"),
)  # fmt: skip


class FakeJobs:
    """What the routes of jobs call."""

    def __init__(self) -> None:
        self.sites = self.output = self
        self.jobs: dict[str, JobView] = {}
        self.requests: list[JobRequest] = []
        self.cancelled: list[tuple[str, Collection[int] | None]] = []
        self.waits: list[tuple[str | None, float]] = []
        self.logs: list[tuple[int, str | None, LogOptions]] = []
        self.log_text = b"2026-01-01T00:00:00.000000001Z hello\n2026-01-01T00:00:00.000000002Z world\n"
        self.files_left: dict[str, bytes] = {}
        self.blobs: dict[str, bytes] = {}
        self.keys: dict[str, str] = {}
        self.ends: dict[str, Any] = {"state": "succeeded", "exit_code": 0}
        self.never = asyncio.Event()
        self.endless = False
        self.closed = 0

    async def create(self, who: Principal, request: JobRequest) -> tuple[JobView, bool]:
        if request.key in self.keys:
            return self.jobs[self.keys[request.key]], False
        self.requests.append(request)
        number = f"{len(self.jobs) + 1:012x}"
        spec, first = request.spec, request.spec.containers[0]
        tasks = [
            TaskView(n, "pending", "", "", 1, None, "", "", None, None, None, None, None, None, None)
            for n in spec.indices
        ]
        view = JobView(
            number, request.name or "made-up", "pending", "", request.site or "hpc", who.subject, who.vo, first.image,
            [*first.command, *first.args], {"pending": len(tasks)}, None, 1.0, None, None,
            spec=shown(spec),
            why="the only one", after=request.after, retry=request.retry, keep=request.keep, details=tasks, version="1",
        )  # fmt: skip
        self.jobs[number] = view
        if request.key:
            self.keys[request.key] = number
        return view, True

    async def list(
        self, who: Any, *, cursor: str | None = None, limit: int = 50, state: Any = None, site: Any = None
    ) -> JobPage:
        found = [j for j in self.jobs.values() if state in (None, j.state) and site in (None, j.site)]
        start = int(cursor or 0)
        return JobPage(found[start : start + limit], str(start + limit) if len(found) > start + limit else None)

    async def get(self, who: Any, ref: str) -> JobView:
        for view in self.jobs.values():
            if ref in (view.id, view.name):
                return view
        raise NotFound(f"you have no job {ref!r}")

    async def wait(self, who: Any, ref: str, *, version: str | None, seconds: float) -> JobView:
        self.waits.append((version, seconds))
        view = await self.get(who, ref)
        if self.endless:
            await self.never.wait()
        if view.state not in STATES[:-1]:
            return view
        state = STATES[STATES.index(view.state) + 1]
        changes: dict[str, Any] = {"state": state, "version": str(int(view.version) + 1)}
        if state == "running":
            changes["started"] = 2.0
        if state == "succeeded":
            changes |= {"ended": 5.0, "started": 2.0, **self.ends}
        details = [
            replace(t, state=changes["state"], exit_code=changes.get("exit_code"), wait=1.0, run=3.0, cpu_seconds=2.5,
                    peak_memory=2**20, reason=changes.get("reason", ""))
            for t in view.details
        ]  # fmt: skip
        moved = replace(view, **changes, details=details, tasks={changes["state"]: len(details)})
        self.jobs[view.id] = moved
        return moved

    async def cancel(self, who: Any, ref: str, indices: Collection[int] | None = None) -> JobView:
        view = await self.get(who, ref)
        self.cancelled.append((view.id, indices))
        if indices is None:
            view = replace(view, state="cancelled", reason="Cancelled", version="99")
            self.jobs[view.id] = view
        return view

    async def delete(self, who: Any, ref: str) -> None:
        del self.jobs[(await self.get(who, ref)).id]

    async def log(
        self, who: Any, ref: str, *, index: int, container: str | None, options: LogOptions
    ) -> AsyncIterator[bytes]:
        await self.get(who, ref)
        if container == "nothing":
            raise NotFound("it has no container nothing")
        self.logs.append((index, container, options))
        return self._chunks(options)

    async def _chunks(self, options: LogOptions) -> AsyncIterator[bytes]:
        try:
            for start in range(0, len(self.log_text), 7):
                yield self.log_text[start : start + 7]
            if options.follow and self.endless:
                await self.never.wait()
        finally:
            self.closed += 1

    async def files(self, who: Any, ref: str) -> Sequence[SandboxFile]:
        await self.get(who, ref)
        return [
            SandboxFile(path, len(content), 0o644, hashlib.sha256(content).hexdigest())
            for path, content in self.files_left.items()
        ]

    async def read_file(self, who: Any, ref: str, path: str) -> AsyncIterator[bytes]:
        if path not in self.files_left:
            raise NotFound(f"there is no file {path}")
        return self._pieces(self.files_left[path])

    async def _pieces(self, content: bytes) -> AsyncIterator[bytes]:
        for start in range(0, len(content), 5):
            yield content[start : start + 5]

    async def missing_blobs(self, who: Any, digests: Collection[str]) -> Sequence[str]:
        return [d for d in digests if d not in self.blobs]

    async def put_blob(self, who: Any, digest: str, chunks: AsyncIterator[bytes]) -> None:
        content = b"".join([chunk async for chunk in chunks])
        if hashlib.sha256(content).hexdigest() != digest:
            raise Invalid("these bytes have another digest")
        self.blobs[digest] = content

    async def facilities(self, who: Any, site: str) -> FacilitiesView:
        if site != "hpc":
            raise NotFound(f"there is no site {site}")
        return FACILITIES

    async def deployed(self, who: Any) -> Sequence[SiteView]:
        return [SiteView("mine", "slurm", True, "a deployment of yours", ("jobs",))]
