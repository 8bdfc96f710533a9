"""Batch jobs on this machine: containers of its engine, or plain processes, in a queue of its own.

The queue outlives the server: it lies in a folder, and a process of its own serves it.
"""

from __future__ import annotations

import sys
import time
from collections.abc import AsyncIterator, Collection, Mapping, Sequence

from isthmus.home import find_home
from isthmus.sites.batch.channel import ProcessChannel
from isthmus.sites.batch.driver import BatchDriver
from isthmus.sites.errors import Permanent, SiteError, Unsupported
from isthmus.sites.jobs import Facilities, LogOptions, SandboxFile, Submission
from isthmus.sites.local.connection import find_socket
from isthmus.sites.local.options import JobsOptions
from isthmus.work.job import JobSpec, Launch, TaskStatus

SOONEST, LATEST = 0.05, 1.0
"""Seconds between two looks at jobs: right after one was handed over, and later."""


class LocalQueue(BatchDriver):
    """The queue of this machine; ``socket`` as :func:`find_socket` takes it."""

    kind = "local"

    def __init__(self, name: str, options: JobsOptions, socket: str | None) -> None:
        self._socket, self._options = socket, options
        self._submitted = 0.0
        folder = (options.folder or find_home() / "jobs").expanduser().absolute()
        super().__init__(
            name,
            ProcessChannel(),
            "isthmus.sites.local.remote",
            folder=str(folder),
            config={
                "cpus": options.cpus, "memory": options.memory, "socket": find_socket(socket),
                "fetch_private": options.private_urls,
                "settle": 0, "lag": 0,  # the queue and its tasks write to the same disk as the agent reads
            },
            runtime={},
            python=sys.executable,
        )  # fmt: skip

    def check(self, spec: JobSpec) -> None:
        """Raise :class:`Permanent` for options, for a launcher, and for containers when the engine is elsewhere."""
        super().check(spec)
        if spec.launch is Launch.EACH and spec.resources.tasks > 1:
            raise Unsupported("launch: this site has no launcher for a job of several processes")
        if any(c.image is not None for c in (*spec.init, *spec.containers)):
            self._engine()

    async def submit_jobs(self, submissions: Sequence[Submission]) -> Sequence[SiteError | None]:
        self._submitted = time.monotonic()
        return await super().submit_jobs(submissions)

    @property
    def look_seconds(self) -> float:
        """Seconds between two looks: a fourth of the time since something was handed over, so short jobs stay short."""
        return min(LATEST, max(SOONEST, (time.monotonic() - self._submitted) / 4))

    def runtime_for(self, spec: JobSpec) -> Mapping[str, object]:
        """The engine for containers; nothing is asked of it before one starts."""
        if all(c.image is None for c in (*spec.init, *spec.containers)):
            return {"kind": "process"}
        return {
            "kind": "engine",
            "socket": self._engine(),
            "network": self._options.network,
            "host_paths": [str(path) for path in self._options.host_paths],
        }

    def _engine(self) -> str:
        url = find_socket(self._socket)
        path = url.removeprefix("unix://")
        if not path.startswith("/"):
            raise Permanent(f"image: containers need an engine on this machine, and {url} is elsewhere")
        return path


class LentJobs:
    """The capability :class:`~isthmus.sites.jobs.Jobs` of a driver, from the queue ``jobs`` that it holds."""

    jobs: LocalQueue

    @property
    def look_seconds(self) -> float:
        return self.jobs.look_seconds

    def check(self, spec: JobSpec) -> None:
        self.jobs.check(spec)

    async def submit_jobs(self, submissions: Sequence[Submission]) -> Sequence[SiteError | None]:
        return await self.jobs.submit_jobs(submissions)

    async def look_at_jobs(self, ids: Collection[str]) -> Mapping[str, Sequence[TaskStatus]]:
        return await self.jobs.look_at_jobs(ids)

    async def cancel_jobs(self, submissions: Mapping[str, Collection[int] | None], *, grace: float | None) -> None:
        await self.jobs.cancel_jobs(submissions, grace=grace)

    def read_log(self, id: str, index: int, container: str, options: LogOptions) -> AsyncIterator[bytes]:
        return self.jobs.read_log(id, index, container, options)

    async def list_files(self, id: str) -> Sequence[SandboxFile]:
        return await self.jobs.list_files(id)

    def read_file(self, id: str, path: str) -> AsyncIterator[bytes]:
        return self.jobs.read_file(id, path)

    async def send_files(self, id: str, targets: Mapping[str, str]) -> None:
        await self.jobs.send_files(id, targets)

    async def remove_jobs(self, ids: Collection[str]) -> None:
        await self.jobs.remove_jobs(ids)

    async def list_jobs(self) -> Sequence[str]:
        return await self.jobs.list_jobs()

    async def facilities(self) -> Facilities:
        return await self.jobs.facilities()
