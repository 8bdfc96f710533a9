"""The parts of Kubernetes core/v1 Pod that become a job; what else a pod has is kept, and judged by :mod:`.fields`."""

# ruff: noqa: RUF012 -- Pydantic copies its defaults.

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from isthmus.api.dialects.interlink.wire import Label, Metadata, RetrievedContainer, Wire

Mode = Annotated[int, Field(ge=0, le=0o777)]
Seconds = Annotated[float, Field(ge=0, le=10**9)]
Id = Annotated[int, Field(ge=0, le=2**31 - 1)]
Port = Annotated[int, Field(ge=1, le=65535)]
Count = Annotated[int, Field(ge=1, le=10**6)]
Quantity = str | int | float


class EnvVar(Wire):
    name: str
    value: str = ""
    value_from: dict[str, Any] = {}


class HttpHeader(Wire):
    name: str
    value: str = ""


class Exec(Wire):
    command: list[str] = Field(min_length=1)


class HttpGet(Wire):
    path: str = "/"
    port: int | str
    host: str = ""
    scheme: Literal["HTTP", "HTTPS"] = "HTTP"
    http_headers: list[HttpHeader] = []


class TcpSocket(Wire):
    port: int | str
    host: str = ""


class Sleep(Wire):
    seconds: Seconds


class Handler(Wire):
    """Something to do to a container: one of its fields is given."""

    exec: Exec | None = None
    http_get: HttpGet | None = None
    tcp_socket: TcpSocket | None = None
    sleep: Sleep | None = None


class PodProbe(Handler):
    initial_delay_seconds: Seconds = 0
    period_seconds: Seconds = 10
    timeout_seconds: Seconds = 1
    success_threshold: Count = 1
    failure_threshold: Count = 3


class Lifecycle(Wire):
    post_start: Handler | None = None
    pre_stop: Handler | None = None


class Capabilities(Wire):
    add: list[str] = []
    drop: list[str] = []


class SecurityContext(Wire):
    """Of a container; what it says goes over what the pod says."""

    run_as_user: Id | None = None
    run_as_group: Id | None = None
    run_as_non_root: bool | None = None
    allow_privilege_escalation: bool | None = None
    read_only_root_filesystem: bool | None = None
    capabilities: Capabilities = Capabilities()


class PodSecurityContext(Wire):
    run_as_user: Id | None = None
    run_as_group: Id | None = None
    run_as_non_root: bool | None = None
    fs_group: Id | None = None


class Requirements(Wire):
    limits: dict[str, Quantity] = {}
    requests: dict[str, Quantity] = {}


class ContainerPort(Wire):
    name: str = ""
    container_port: Port


class VolumeMount(Wire):
    name: str
    mount_path: str
    sub_path: str = ""
    sub_path_expr: str = ""
    read_only: bool = False


class PodContainer(Wire):
    name: Label
    image: str = ""
    command: list[str] = []
    args: list[str] = []
    working_dir: str = ""
    env: list[EnvVar] = []
    ports: list[ContainerPort] = []
    volume_mounts: list[VolumeMount] = []
    resources: Requirements = Requirements()
    startup_probe: PodProbe | None = None
    readiness_probe: PodProbe | None = None
    liveness_probe: PodProbe | None = None
    lifecycle: Lifecycle = Lifecycle()
    security_context: SecurityContext = SecurityContext()


class KeyToPath(Wire):
    key: str
    path: str
    mode: Mode | None = None


class ConfigMapSource(Wire):
    name: str = ""
    items: list[KeyToPath] = []
    default_mode: Mode = 0o644
    optional: bool = False


class SecretSource(Wire):
    secret_name: str = ""
    items: list[KeyToPath] = []
    default_mode: Mode = 0o644
    optional: bool = False


class ProjectedConfigMap(Wire):
    name: str = ""
    items: list[KeyToPath] = []
    optional: bool = False


class DownwardItem(Wire):
    path: str
    field_ref: dict[str, Any] = {}
    resource_field_ref: dict[str, Any] = {}
    mode: Mode | None = None


class DownwardSource(Wire):
    items: list[DownwardItem] = []


class TokenSource(Wire):
    path: str
    audience: str = ""


class Projection(Wire):
    config_map: ProjectedConfigMap | None = None
    secret: ProjectedConfigMap | None = None
    downward_api: DownwardSource | None = Field(default=None, alias="downwardAPI")
    service_account_token: TokenSource | None = None


class ProjectedSource(Wire):
    sources: list[Projection] = []
    default_mode: Mode = 0o644


class DownwardVolume(Wire):
    items: list[DownwardItem] = []
    default_mode: Mode = 0o644


class EmptyDir(Wire):
    medium: str = ""


class HostPath(Wire):
    path: str
    type: Literal[
        "", "Directory", "DirectoryOrCreate", "File", "FileOrCreate", "Socket", "CharDevice", "BlockDevice"
    ] = ""


class PodVolume(Wire):
    """One of its sources is given; without any it is an empty folder."""

    name: Label
    config_map: ConfigMapSource | None = None
    secret: SecretSource | None = None
    projected: ProjectedSource | None = None
    downward_api: DownwardVolume | None = Field(default=None, alias="downwardAPI")
    empty_dir: EmptyDir | None = None
    host_path: HostPath | None = None


class PodSpec(Wire):
    containers: list[PodContainer] = Field(min_length=1, max_length=100)
    init_containers: list[PodContainer] = Field(default=[], max_length=100)
    volumes: list[PodVolume] = []
    restart_policy: Literal["Always", "OnFailure", "Never"] = "Always"
    termination_grace_period_seconds: Seconds = 30
    active_deadline_seconds: Annotated[float, Field(ge=1, le=10**9)] | None = None
    security_context: PodSecurityContext = PodSecurityContext()
    resources: Requirements = Requirements()
    host_users: bool | None = None


class Pod(Wire):
    metadata: Metadata
    spec: PodSpec


class RetrievedPod(Wire):
    """The body of ``/create`` at the plugin. ``job_config`` is of no use here: it is about the stock plugins."""

    pod: Pod
    container: list[RetrievedContainer] = []
    job_config: dict[str, Any] = {}
    job_script: str = ""
