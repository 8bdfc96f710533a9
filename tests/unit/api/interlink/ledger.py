"""Jobs of pods in memory, moved on by tests."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping
from dataclasses import replace

from isthmus.api.dialects.interlink.jobs import PodJob
from isthmus.errors import NotFound
from isthmus.sites.jobs import Facilities, LogOptions, Partition
from isthmus.work.job import ENDED, ContainerStatus, JobSpec, JobState, Phase, TaskStatus

SITE = Facilities(
    "slurm", "24.11.5",
    (Partition("debug", cpus=4, nodes=1, memory=8 * 1024**3), Partition(
        "main", default=True, nodes=3, cpus=64, memory=64 * 1024**3, gpus={"a100": 4, "mi250": 2})),
    ("apptainer",),
)  # fmt: skip


class Ledger:
    """A :class:`~isthmus.api.dialects.interlink.jobs.PodJobs`; it answers at once what tests wrote into it."""

    def __init__(self) -> None:
        self.specs: dict[str, JobSpec] = {}
        self.names: dict[str, str] = {}
        self.jobs: dict[str, PodJob] = {}
        self.queries: list[frozenset[str]] = []
        self.cancelled: dict[str, float | None] = {}
        self.removed: list[str] = []
        self.lines: dict[tuple[str, str], list[bytes]] = {}
        self.asked: list[tuple[str, str, LogOptions]] = []
        self.troubles: list[Exception] = []
        """Raised by the next calls, one each."""
        self.site: Facilities | Exception = SITE
        self.tripped = asyncio.Event()
        self.news = asyncio.Event()
        self.followers = 0

    def _trip(self) -> None:
        if self.troubles:
            self.tripped.set()
            raise self.troubles.pop(0)

    async def create(self, spec: JobSpec, name: str, key: str) -> str:
        self._trip()
        if key not in self.jobs:
            self.specs[key], self.names[key] = spec, name
            self.jobs[key] = PodJob(str(1001 + len(self.jobs)), JobState.PENDING, TaskStatus(0, JobState.PENDING))
        return self.jobs[key].id

    async def status(self, keys: Collection[str]) -> Mapping[str, PodJob]:
        self.queries.append(frozenset(keys))
        self._trip()
        return {key: self.jobs[key] for key in keys if key in self.jobs}

    async def cancel(self, key: str, grace: float | None) -> None:
        self._trip()
        if key in self.jobs and self.jobs[key].state not in ENDED:
            self.cancelled[key] = grace
            self.move(key, JobState.CANCELLED)

    async def remove(self, key: str) -> None:
        self._trip()
        self.removed.append(key)
        self.jobs.pop(key, None)

    async def log(self, key: str, container: str, options: LogOptions) -> AsyncIterator[bytes]:
        self._trip()
        self.asked.append((key, container, options))
        if key not in self.jobs:
            raise NotFound("There is no such job.")
        lines, told = self.lines.setdefault((key, container), []), 0
        self.followers += 1
        try:
            while True:
                for line in lines[told:]:
                    yield line
                told = len(lines)
                if not options.follow or self.jobs[key].state in ENDED:
                    return
                self.news.clear()
                await self.news.wait()
        finally:
            self.followers -= 1

    async def facilities(self) -> Facilities:
        if isinstance(self.site, Exception):
            raise self.site
        return self.site

    def write(self, key: str, container: str, line: bytes) -> None:
        self.lines.setdefault((key, container), []).append(line)
        self.news.set()

    def move(self, key: str, state: JobState, *containers: ContainerStatus, **task: object) -> None:
        """The job is in this state now, its containers as given."""
        job = self.jobs[key]
        changed = replace(job.task, state=state, containers=containers, **task)  # type: ignore[arg-type]
        self.jobs[key] = PodJob(job.id, state, changed)
        self.news.set()


def running(name: str = "main", **fields: object) -> ContainerStatus:
    return ContainerStatus(name, phase=Phase.RUNNING, started=1_000.0, ready=True, **fields)  # type: ignore[arg-type]


def ended(name: str = "main", code: int = 0, **fields: object) -> ContainerStatus:
    whole = {"phase": Phase.TERMINATED, "exit_code": code, "started": 1_000.0, "ended": 1_005.0, **fields}
    return ContainerStatus(name, **whole)  # type: ignore[arg-type]
