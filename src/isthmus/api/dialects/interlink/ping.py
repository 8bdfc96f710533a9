"""What the node of the cluster is told of the site: resources as quantities, and taints."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from isthmus.api.dialects.interlink.quantity import write_bytes
from isthmus.api.dialects.interlink.wire import Accelerator, NodeResources, PingResponse, Taint
from isthmus.sites.jobs import Facilities, Partition

AMD = ("mi", "radeon", "amd")
NVIDIA, AMD_GPU = "nvidia.com/gpu", "amd.com/gpu"


@dataclass(frozen=True, slots=True)
class NodeFace:
    """What the operator says of the node; what is missing is asked of the site.

    ``partition`` names the one that pods go to. Accelerators are counts by the name of the resource.
    """

    cpu: str | None = None
    memory: str | None = None
    pods: str = "1000"
    accelerators: Mapping[str, str] = field(default_factory=dict)
    taints: Sequence[Taint] = ()
    partition: str | None = None


def answer_ping(face: NodeFace, facilities: Facilities | None, trouble: str = "") -> PingResponse:
    """The answer to a ping. What is not known is left out: the node keeps the value that it has."""
    resources = _of_facilities(face, facilities) if facilities is not None else NodeResources(pods=face.pods)
    stated = {"cpu": face.cpu, "memory": face.memory}
    resources = resources.model_copy(update={k: v for k, v in stated.items() if v is not None})
    if face.accelerators:
        listed = [Accelerator(resource_type=name, available=n) for name, n in sorted(face.accelerators.items())]
        resources = resources.model_copy(update={"accelerators": listed})
    return PingResponse(resources=resources, taints=list(face.taints) or None, message=trouble or None)


def _of_facilities(face: NodeFace, facilities: Facilities) -> NodeResources:
    partition = choose_partition(facilities.partitions, face.partition)
    if partition is None:
        return NodeResources(pods=face.pods)
    memory = partition.memory * (partition.nodes or 1) if partition.memory is not None else None
    return NodeResources(
        cpu=str(partition.cpus) if partition.cpus is not None else None,
        memory=write_bytes(memory) if memory is not None else None,
        pods=face.pods,
        accelerators=_accelerators(partition.gpus) or None,
    )


def choose_partition(partitions: Sequence[Partition], named: str | None) -> Partition | None:
    """The partition that pods go to: the one named, else the default one, else that with most processors.

    Partitions share nodes, so that their sum would promise more than there is.
    """
    if named is not None:
        return next((one for one in partitions if one.name == named), None)
    default = next((one for one in partitions if one.default), None)
    return default or max(partitions, key=lambda one: one.cpus or 0, default=None)


def _accelerators(gpus: Mapping[str, int]) -> list[Accelerator]:
    counts: dict[str, int] = {}
    for kind, count in gpus.items():
        name = AMD_GPU if kind.lower().startswith(AMD) else NVIDIA
        counts[name] = counts.get(name, 0) + count
    return [Accelerator(resource_type=name, available=str(n)) for name, n in sorted(counts.items()) if n]
