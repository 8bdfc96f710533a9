"""What this dialect needs of the service: jobs of one site, each known by the uid of its pod."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping
from dataclasses import dataclass
from typing import Protocol

from isthmus.sites.jobs import Facilities, LogOptions
from isthmus.work.job import JobSpec, JobState, TaskStatus


@dataclass(frozen=True, slots=True)
class PodJob:
    """The job of a pod: its id, where it stands over all tries, and its one task in the last of them."""

    id: str
    state: JobState
    task: TaskStatus


class PodJobs(Protocol):
    """Jobs of one site for one cluster. What it raises are :class:`~isthmus.errors.IsthmusError`."""

    async def create(self, spec: JobSpec, name: str, key: str) -> str:
        """Store a job and answer its id, that of the one there is if ``key`` has one already.

        Raises :class:`~isthmus.errors.Busy` when another try is worth it, Invalid or Unsupported when not.
        """

    async def status(self, keys: Collection[str]) -> Mapping[str, PodJob]:
        """The jobs of these keys, in one query; a key that has none is left out."""

    async def cancel(self, key: str, grace: float | None) -> None:
        """Ask the job to end within ``grace`` seconds (None: what its spec says). No job, or an ended one: nothing."""

    async def remove(self, key: str) -> None:
        """Let go what is kept of the job, as soon as it has ended. No job: nothing."""

    def log(self, key: str, container: str, options: LogOptions) -> AsyncIterator[bytes]:
        """A container's output, of the first one if ``container`` is empty.

        Raises :class:`~isthmus.errors.NotFound` at the first chunk if there is no such job or container.
        """

    async def facilities(self) -> Facilities:
        """What the site offers now."""
