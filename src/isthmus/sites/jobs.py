"""The part of the driver contract for batch jobs: what a site lends that takes work.

A submission is one hand-over of a job, or of some tasks of its array, to a site. Its id
(``<job>-<number>``) is what the driver finds it by: it is in the name of what the scheduler holds, and names
a folder on the site. The rules of :mod:`isthmus.sites.contract` hold here too.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, runtime_checkable

from isthmus.sites.errors import SiteError
from isthmus.work.job import JobSpec, TaskStatus


@dataclass(frozen=True, slots=True)
class Submission:
    """What to hand over: the tasks ``indices`` of ``spec``; ``name`` is for people who look at the site's queue.

    ``blobs`` holds, for each digest that the spec names, the file that has its bytes here.
    """

    id: str
    name: str
    spec: JobSpec
    indices: tuple[int, ...]
    blobs: Mapping[str, Path] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class LogOptions:
    """Which part of a log (Kubernetes core/v1 PodLogOptions): the last ``tail`` lines, what came since a time.

    ``since`` is seconds since the epoch; ``limit`` is bytes; ``previous`` reads the run before the last restart.
    ``timestamps`` puts RFC 3339 times before lines; ``follow`` goes on until the container has ended.
    """

    tail: int | None = None
    since: float | None = None
    limit: int | None = None
    timestamps: bool = False
    follow: bool = False
    previous: bool = False


@dataclass(frozen=True, slots=True)
class SandboxFile:
    """A file that a submission left in its sandbox."""

    path: str
    size: int
    mode: int
    digest: str


@dataclass(frozen=True, slots=True)
class Nodes:
    """So many nodes of a partition that have the same. What the site does not tell is None."""

    count: int | None = None
    cpus: float | None = None
    memory: int | None = None
    gpus: Mapping[str, int] | None = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Partition:
    """A queue of a site. What the site does not tell is None; ``wait`` estimates seconds until a small job starts."""

    name: str
    default: bool = False
    state: str = "up"
    nodes: int | None = None
    cpus: int | None = None
    free_cpus: int | None = None
    memory: int | None = None
    """Bytes of the largest node."""
    gpus: Mapping[str, int] = field(default_factory=dict)
    time_limit: float | None = None
    queued: int | None = None
    running: int | None = None
    wait: float | None = None
    shapes: tuple[Nodes, ...] = ()
    """Its nodes by what each one has; empty when the site does not tell."""


@dataclass(frozen=True, slots=True)
class Facilities:
    """What a site offers to jobs. ``runtimes`` names what runs containers there; none means plain processes only.

    ``options`` names those that jobs may have there, None where that is not known. In a ``pool`` machines come and
    go: what fits none waits for one, and several nodes of a job may be on one machine. ``exact_types`` says that a type
    of GPU is asked for by its whole name there, where elsewhere a part of it does.
    """

    scheduler: str
    version: str
    partitions: tuple[Partition, ...]
    runtimes: tuple[str, ...] = ()
    accounts: tuple[str, ...] = ()
    user: str = ""
    qos: tuple[str, ...] = ()
    options: tuple[str, ...] | None = None
    pool: bool = False
    exact_types: bool = False


@runtime_checkable
class Jobs(Protocol):
    """A site that takes batch work."""

    async def submit_jobs(self, submissions: Sequence[Submission]) -> Sequence[SiteError | None]:
        """Find or hand over each submission; for each None, or why it was not taken.

        A :class:`~isthmus.sites.errors.Permanent` says that it never will be. Raises when nothing was asked.
        """

    async def look_at_jobs(self, ids: Collection[str]) -> Mapping[str, Sequence[TaskStatus]]:
        """How the tasks of submissions stand, from one query of the scheduler whatever their number.

        A submission that was never handed over is left out. A task that the scheduler does not know any more
        and that left no word of its end is ``FAILED`` with the reason ``Lost``.
        """

    async def cancel_jobs(self, submissions: Mapping[str, Collection[int] | None], *, grace: float | None) -> None:
        """End tasks (None: all of a submission), gently for ``grace`` seconds (None: what the spec says).

        Returns when the site was told, not when they have ended; telling it again does no harm.
        """

    def read_log(self, id: str, index: int, container: str, options: LogOptions) -> AsyncIterator[bytes]:
        """A container's output; empty when there is none (yet). Chunks end anywhere.

        A log that is followed ends once somebody has looked at the job after its end.
        """

    async def list_files(self, id: str) -> Sequence[SandboxFile]:
        """What the submission's outputs name, as it is in its sandbox now."""

    def read_file(self, id: str, path: str) -> AsyncIterator[bytes]:
        """The bytes of one file of the sandbox. Raises :class:`~isthmus.sites.errors.Permanent` if there is none."""

    async def send_files(self, id: str, targets: Mapping[str, str]) -> None:
        """Send files of the sandbox from the site to URLs (HTTP PUT), by path; sending them again changes nothing."""

    async def remove_jobs(self, ids: Collection[str]) -> None:
        """Remove what submissions that have ended left on the site; what is not there stays so."""

    async def list_jobs(self) -> Sequence[str]:
        """The ids of all submissions that have something on the site, so that nothing is left behind."""

    async def facilities(self) -> Facilities:
        """What the site offers to jobs now."""


@runtime_checkable
class ChecksJobs(Protocol):
    """A site that knows, without asking anybody, what it would never take."""

    def check(self, spec: JobSpec) -> None:
        """Raise :class:`~isthmus.sites.errors.Permanent`, naming what this kind of site does not honour."""
