"""Jobs: what is to be run once, and how it stands. Frozen values that drivers, store, API and dialects share.

A job has one task, or with an array one task for each index. All containers of a task run together on the
node that the site chose, after its init containers have run in order: what Kubernetes calls a pod.
Times are seconds since the epoch, durations seconds, sizes bytes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class JobState(StrEnum):
    """Where a job or one of its tasks stands."""

    PENDING = "pending"
    """Accepted, and not at its site yet: it is about to be handed over, waits for another job, or for its next try."""
    QUEUED = "queued"
    """The site has it and will start it."""
    HELD = "held"
    """The site has it and will not start it until somebody there releases it."""
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


ENDED = frozenset({JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED})


class Reason(StrEnum):
    """Why a job stands as it does, whatever its site calls that."""

    ERROR = "Error"
    """The program ended with another code than 0."""
    START_ERROR = "StartError"
    """The program could not be started."""
    IMAGE = "ImageUnavailable"
    TIME_LIMIT = "TimeLimit"
    OUT_OF_MEMORY = "OutOfMemory"
    UNHEALTHY = "Unhealthy"
    """A probe or a hook failed."""
    NODE_FAIL = "NodeFail"
    PREEMPTED = "Preempted"
    LOST = "Lost"
    """The site knows nothing of it any more, and it left no word of its end."""
    HELD = "Held"
    REFUSED = "Refused"
    """The site does not take it; its words say why."""
    QUOTA = "QuotaExceeded"
    STAGE_IN = "StageInFailed"
    STAGE_OUT = "StageOutFailed"
    CANCELLED = "Cancelled"
    DEPENDENCY = "DependencyFailed"
    """A job that it should follow did not succeed."""


TRANSIENT = frozenset({Reason.NODE_FAIL, Reason.PREEMPTED, Reason.LOST})
"""Reasons that lie with the site, not with the job: another try is worth it without being asked for."""
HOPELESS = frozenset({Reason.START_ERROR, Reason.TIME_LIMIT, Reason.OUT_OF_MEMORY, Reason.IMAGE, Reason.REFUSED,
                      Reason.STAGE_IN, Reason.STAGE_OUT, Reason.CANCELLED, Reason.DEPENDENCY})  # fmt: skip
"""Reasons for which another try would end the same way."""


@dataclass(frozen=True, slots=True)
class Resources:
    """What a task needs: ``cpus``, ``memory`` and ``gpus`` of each process, of which ``tasks`` run on ``nodes``."""

    cpus: float = 1
    memory: int | None = None
    gpus: int = 0
    gpu_type: str | None = None
    nodes: int = 1
    tasks: int = 1
    time: float | None = None
    """Seconds that it may run; None for the site's default."""


@dataclass(frozen=True, slots=True)
class File:
    """One file: its path below where it is put, and its bytes or their SHA-256 in the blob store (hex).

    ``content`` is base64; exactly one of ``content`` and ``digest`` is given.
    """

    path: str
    content: str | None = None
    digest: str | None = None
    mode: int = 0o644


@dataclass(frozen=True, slots=True)
class Volume:
    """Something that containers of a task mount: ``files``, else ``host_path`` of the node, else an empty folder."""

    name: str
    files: tuple[File, ...] | None = None
    host_path: str | None = None
    host_path_type: str = ""
    """As Kubernetes has it: ``""``, ``Directory``, ``DirectoryOrCreate``, ``File``, ``FileOrCreate``, …"""
    in_memory: bool = False


@dataclass(frozen=True, slots=True)
class Mount:
    """Where a container has a volume, or what is at ``sub_path`` in it."""

    volume: str
    path: str
    sub_path: str = ""
    read_only: bool = False


@dataclass(frozen=True, slots=True)
class Check:
    """Something to do to a container: run ``command`` in it, ask ``http``, connect to ``tcp_port`` or ``sleep``.

    Exactly one is given. ``http`` is a URL; ``headers`` go with it.
    """

    command: tuple[str, ...] = ()
    http: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    tcp_port: int = 0
    tcp_host: str = ""
    sleep: float = 0


@dataclass(frozen=True, slots=True)
class Probe:
    """A check that is made again and again (Kubernetes core/v1 Probe)."""

    check: Check
    initial_delay: float = 0
    period: float = 10
    timeout: float = 1
    successes: int = 1
    failures: int = 3


@dataclass(frozen=True, slots=True)
class Container:
    """One program. Without ``image`` it is a plain process of the node, which has to be asked for by name.

    ``command`` takes the place of the image's entrypoint when given, ``args`` that of its arguments
    (Kubernetes core/v1 Container). ``env`` is shown to who may see the job, ``secrets`` never.
    ``sandbox`` mounts the job's folder at ``/work`` and starts the program there. With ``expand``, ``$(NAME)`` in
    command and arguments stands for a variable; on the node, since the command is shown and the variable may not be.
    """

    name: str
    image: str | None = None
    command: tuple[str, ...] = ()
    args: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict)
    workdir: str | None = None
    sandbox: bool = True
    mounts: tuple[Mount, ...] = ()
    cpus: float | None = None
    memory: int | None = None
    """The most that it may use; None for no limit of its own."""
    user: int | None = None
    group: int | None = None
    startup: Probe | None = None
    readiness: Probe | None = None
    liveness: Probe | None = None
    post_start: Check | None = None
    pre_stop: Check | None = None
    runtime_options: tuple[str, ...] = ()
    """More arguments for the container runtime, from the list that the site allows."""
    expand: bool = False


class Restart(StrEnum):
    """When a container that ended is started again in the same task (Kubernetes core/v1 RestartPolicy)."""

    NEVER = "Never"
    ON_FAILURE = "OnFailure"
    ALWAYS = "Always"


class Launch(StrEnum):
    """How a job of several processes begins."""

    ONCE = "once"
    """The command runs once, on the first node, and starts the others itself (``mpirun``)."""
    EACH = "each"
    """The site's launcher runs the command as often as ``tasks`` says, each with its rank."""


@dataclass(frozen=True, slots=True)
class Input:
    """A file to be there before the job starts: ``path`` below the sandbox, from the blob store or from a URL.

    A URL is ``https://…``, which the site fetches, or ``s3://BUCKET/KEY``.
    """

    path: str
    digest: str | None = None
    url: str | None = None
    mode: int = 0o644


@dataclass(frozen=True, slots=True)
class Output:
    """What to keep: ``path`` below the sandbox (a file, a folder, or a pattern of names), and where it goes.

    ``url`` None keeps it for a later fetch; else it is sent there when the job has succeeded: by HTTP PUT to
    ``https://…``, or to ``s3://BUCKET/KEY``. What a folder or a pattern names goes below the URL.
    """

    path: str
    url: str | None = None


@dataclass(frozen=True, slots=True)
class S3Access:
    """How ``s3://BUCKET/KEY`` is reached. ``endpoint`` is a URL; None is that of Amazon. The keys are never shown."""

    access_key: str
    secret_key: str
    session_token: str | None = None
    endpoint: str | None = None
    region: str = "us-east-1"


@dataclass(frozen=True, slots=True)
class JobSpec:
    """All that is to be run, once. ``options`` are those that its site's kind takes (``partition``, ``qos``, …)."""

    containers: tuple[Container, ...]
    init: tuple[Container, ...] = ()
    volumes: tuple[Volume, ...] = ()
    resources: Resources = Resources()
    array: tuple[int, ...] | None = None
    array_limit: int | None = None
    """How many tasks of the array may run at once."""
    launch: Launch = Launch.ONCE
    restart: Restart = Restart.NEVER
    grace: float = 30
    """Seconds between being asked to end and being killed."""
    inputs: tuple[Input, ...] = ()
    outputs: tuple[Output, ...] = ()
    options: Mapping[str, str] = field(default_factory=dict)
    s3: S3Access | None = None
    """For inputs and outputs whose URL is ``s3://BUCKET/KEY``; what runs never sees it."""

    @property
    def indices(self) -> tuple[int, ...]:
        """The tasks of the job: those of its array, or 0 alone."""
        return self.array if self.array is not None else (0,)


class Phase(StrEnum):
    """Where a container stands."""

    WAITING = "waiting"
    RUNNING = "running"
    TERMINATED = "terminated"


@dataclass(frozen=True, slots=True)
class ContainerStatus:
    """One container of a task; ``reason`` is one of :class:`Reason`, ``message`` says more."""

    name: str
    init: bool = False
    phase: Phase = Phase.WAITING
    reason: str = ""
    message: str = ""
    exit_code: int | None = None
    signal: int | None = None
    started: float | None = None
    ended: float | None = None
    ready: bool = False
    restarts: int = 0
    last_exit_code: int | None = None
    """How it ended before it was started again."""
    last_reason: str = ""


@dataclass(frozen=True, slots=True)
class TaskStatus:
    """One task as its site shows it. ``words`` are the site's own for what ``state`` and ``reason`` say in ours."""

    index: int
    state: JobState
    reason: str = ""
    words: str = ""
    exit_code: int | None = None
    site_id: str = ""
    host: str = ""
    queued: float | None = None
    started: float | None = None
    ended: float | None = None
    cpu_seconds: float | None = None
    peak_memory: int | None = None
    containers: tuple[ContainerStatus, ...] = ()
