"""What crosses between virtual kubelet, API server and plugin, with the casing of the stock programs."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic.alias_generators import to_camel, to_pascal

Uid = Annotated[str, Field(pattern=r"^[0-9A-Za-z](?:[-0-9A-Za-z]{0,126}[0-9A-Za-z])?$")]
"""What Kubernetes calls a pod by; it becomes part of names on sites, so that nothing else may be in it."""
Name = Annotated[str, Field(pattern=r"^[0-9a-z](?:[-.0-9a-z]{0,251}[0-9a-z])?$")]
"""A DNS subdomain (RFC 1123), as names of pods and config maps are."""
Label = Annotated[str, Field(pattern=r"^[0-9a-z](?:[-0-9a-z]{0,61}[0-9a-z])?$")]
"""A DNS label (RFC 1123), as names of containers and volumes are."""


class Wire(BaseModel):
    """Go writes null where nothing is; what is not known is kept, so that it can be refused by name."""

    model_config = ConfigDict(extra="allow", frozen=True, alias_generator=to_camel, populate_by_name=True)

    @model_validator(mode="before")
    @classmethod
    def _drop_nulls(cls, data: Any) -> Any:
        return {k: v for k, v in data.items() if v is not None} if isinstance(data, dict) else data


class Metadata(Wire):
    """Kubernetes meta/v1 ObjectMeta, as far as it is looked at."""

    name: Name
    namespace: Label = "default"
    uid: Uid
    annotations: dict[str, str] = {}
    labels: dict[str, str] = {}
    deletion_grace_period_seconds: float | None = Field(default=None, ge=0)


class NamedContainer(Wire):
    name: Label
    image: str = ""


class AskedSpec(Wire):
    containers: list[NamedContainer] = []
    init_containers: list[NamedContainer] = []
    restart_policy: Literal["Always", "OnFailure", "Never"] = "Always"
    termination_grace_period_seconds: float | None = Field(default=None, ge=0)


class AskedStatus(Wire):
    container_statuses: list[NamedContainer] = []


class AskedPod(Wire):
    """A pod that is asked about or deleted: its shape matters, what it runs no more."""

    metadata: Metadata
    spec: AskedSpec = AskedSpec()
    status: AskedStatus = AskedStatus()


class ObjectName(Wire):
    name: str


class Contents(Wire):
    """A ConfigMap or Secret; ``data`` of a secret and ``binary_data`` are base64."""

    metadata: ObjectName
    data: dict[str, str] = {}
    binary_data: dict[str, str] = {}
    string_data: dict[str, str] = {}


class RetrievedContainer(Wire):
    """What one container's volumes hold."""

    name: str
    config_maps: list[Contents] = []
    projected_volume_maps: list[Contents] = Field(default=[], alias="projectedvolumemaps")
    secrets: list[Contents] = []
    empty_dirs: list[Any] = []


class PodLogOptions(Wire):
    """``Bytes`` is what the stock programs write, ``LimitBytes`` what the plugin SDK's model has."""

    model_config = ConfigDict(alias_generator=to_pascal)
    tail: int = Field(default=0, ge=0)
    bytes: int = Field(default=0, ge=0)
    limit_bytes: int = Field(default=0, ge=0)
    timestamps: bool = False
    follow: bool = False
    previous: bool = False
    since_seconds: int = Field(default=0, ge=0)
    since_time: datetime | None = None


class LogRequest(Wire):
    """The body of ``/getLogs``."""

    model_config = ConfigDict(alias_generator=to_pascal)
    namespace: str = ""
    pod_uid: Uid = Field(alias="PodUID")
    pod_name: str = ""
    container_name: str = ""
    opts: PodLogOptions = PodLogOptions()


class CreateRequest(Wire):
    """What the virtual kubelet sends to create a pod."""

    pod: dict[str, Any]
    configmaps: list[dict[str, Any]] = []
    secrets: list[dict[str, Any]] = []
    projectedvolumesmaps: list[dict[str, Any]] = []
    jobscript_url: str = Field(default="", alias="jobscriptURL")


class JobIds(BaseModel):
    """The answer to ``/create``: one object, never a list."""

    PodUID: str
    PodJID: str


class Accelerator(Wire):
    resource_type: str
    available: str


class NodeResources(Wire):
    """Quantities as text; what is left out keeps the value that the node has."""

    cpu: str | None = None
    memory: str | None = None
    pods: str | None = None
    accelerators: list[Accelerator] | None = None


class Taint(Wire):
    key: str
    value: str = ""
    effect: str


class PingResponse(Wire):
    """The answer to ``/status`` with an empty list."""

    status: str = "ok"
    resources: NodeResources | None = None
    taints: list[Taint] | None = None
    message: str | None = None


class PodStatus(BaseModel):
    """How one pod stands; ``containers`` hold Kubernetes core/v1 ContainerStatus."""

    name: str
    UID: str
    namespace: str
    JID: str
    containers: list[dict[str, Any]]
    initContainers: list[dict[str, Any]]
