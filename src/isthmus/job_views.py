"""What the service layer answers about jobs: frozen values that API, CLI, web and dialects all show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from isthmus.sites.jobs import Partition as Partition
from isthmus.sites.jobs import SandboxFile as SandboxFile
from isthmus.work.job import ContainerStatus as ContainerStatus


@dataclass(frozen=True, slots=True)
class JobSummary:
    """A job in a list. Times are seconds since the epoch; ``tasks`` counts the tasks in each state.

    ``state`` is that of the job as a whole: `running` while any task runs, `failed` when any failed in the end.
    """

    id: str
    name: str
    state: str
    reason: str
    site: str
    owner: str
    vo: str
    image: str | None
    command: Sequence[str]
    tasks: Mapping[str, int]
    exit_code: int | None
    created: float
    started: float | None
    ended: float | None


@dataclass(frozen=True, slots=True)
class TaskView:
    """One task. ``words`` are its site's own; ``attempt`` counts its tries from 1; ``wait`` and ``run`` are seconds."""

    index: int
    state: str
    reason: str
    words: str
    attempt: int
    exit_code: int | None
    site_id: str
    host: str
    queued: float | None
    started: float | None
    ended: float | None
    wait: float | None
    run: float | None
    cpu_seconds: float | None
    peak_memory: int | None
    containers: Sequence[ContainerStatus] = ()


@dataclass(frozen=True, slots=True)
class JobView(JobSummary):
    """One job whole. ``spec`` is what was asked, without secrets; ``why`` says why it is at this site."""

    spec: Mapping[str, Any] = field(default_factory=dict)
    why: str = ""
    after: Sequence[str] = ()
    retry: int | None = None
    keep: float = 0
    """Seconds that its sandbox stays after the end."""
    removed: bool = False
    """Whether its sandbox is gone: nothing can be fetched any more."""
    details: Sequence[TaskView] = ()
    version: str = ""
    """Another one whenever anything of the view is: the ETag, and what `wait` compares."""


@dataclass(frozen=True, slots=True)
class JobPage:
    """One page of a list; `cursor` asks for the next one, None at the end."""

    items: Sequence[JobSummary]
    cursor: str | None = None


@dataclass(frozen=True, slots=True)
class FacilitiesView:
    """What a site offers to jobs; ``detail`` says why nothing is known of it."""

    site: str
    kind: str
    ready: bool
    detail: str
    capabilities: Sequence[str]
    scheduler: str = ""
    version: str = ""
    user: str = ""
    partitions: Sequence[Partition] = ()
    runtimes: Sequence[str] = ()
    accounts: Sequence[str] = ()
    qos: Sequence[str] = ()
    options: Sequence[str] | None = None
    pool: bool = False
