"""What the node of the cluster is told of the site: resources as quantities, and taints."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from isthmus.api.dialects.interlink.policy import ACCELERATORS, MIG
from isthmus.api.dialects.interlink.quantity import write_bytes
from isthmus.api.dialects.interlink.wire import Accelerator, NodeResources, PingResponse, Taint
from isthmus.sites.jobs import Facilities, Partition

AMD = ("mi", "radeon", "amd")
NVIDIA, AMD_GPU = "nvidia.com/gpu", "amd.com/gpu"
_SLICE = re.compile(r"(?a)\d+g\.\d+gb")
"""What a part of a GPU is called (NVIDIA Multi-Instance GPU)."""


@dataclass(frozen=True, slots=True)
class NodeFace:
    """What the operator says of the node; what is missing is asked of the site.

    ``partition`` names the one that pods go to. Accelerators are counts by the name of the resource; of those that
    are not named the site is asked.
    """

    cpu: str | None = None
    memory: str | None = None
    pods: str = "1000"
    accelerators: Mapping[str, str] = field(default_factory=dict)
    taints: Sequence[Taint] = ()
    partition: str | None = None


def answer_ping(
    face: NodeFace,
    facilities: Facilities | None,
    trouble: str = "",
    *,
    accelerators: Mapping[str, str] = ACCELERATORS,
) -> PingResponse:
    """The answer to a ping. What is not known is left out: the node keeps the value that it has.

    ``accelerators`` says for which type of GPU each resource stands, as :class:`~.policy.Policy` has it.
    """
    partitions = facilities.partitions if facilities is not None else ()
    partition = choose_partition(partitions, face.partition)
    cpu, memory, counts = face.cpu, face.memory, dict(face.accelerators)
    if partition is not None:
        counts = {**count_gpus(partition.gpus, accelerators), **counts}
        if cpu is None and partition.cpus is not None:
            cpu = str(partition.cpus)
        if memory is None and partition.memory is not None:
            memory = write_bytes(partition.memory * (partition.nodes or 1))
    listed = [Accelerator(resource_type=name, available=n) for name, n in sorted(counts.items())]
    resources = NodeResources(cpu=cpu, memory=memory, pods=face.pods, accelerators=listed or None)
    return PingResponse(resources=resources, taints=list(face.taints) or None, message=trouble or None)


def choose_partition(partitions: Sequence[Partition], named: str | None) -> Partition | None:
    """The partition that pods go to: the one named, else the default one, else that with most processors.

    Partitions share nodes, so that their sum would promise more than there is: of several names, which have commas
    between them, the first counts that is there.
    """
    if named is not None:
        known = {one.name: one for one in partitions}
        return next((known[name] for name in named.split(",") if name in known), None)
    default = next((one for one in partitions if one.default), None)
    return default or max(partitions, key=lambda one: one.cpus or 0, default=None)


def count_gpus(gpus: Mapping[str, int], accelerators: Mapping[str, str]) -> dict[str, str]:
    """How many GPUs of a partition, which are given by type, there are of each resource.

    One counts for every resource by which a pod could ask for it. Of resources that the operator named 0 is told
    too, so that it is seen on the node.
    """
    typed = {name: _of_type(gpus, kind) for name, kind in accelerators.items() if kind}
    claimed = {kind for name in typed if name in ACCELERATORS for kind in typed[name]}
    counts = {MIG + kind: count for kind, count in gpus.items() if _SLICE.fullmatch(kind)}
    for name in accelerators:
        if name in typed:
            kinds = typed[name]
        elif name in ACCELERATORS:
            kinds = [kind for kind in gpus if kind not in claimed and _vendor(kind) == name]
        else:
            kinds = list(gpus)
        counts[name] = sum(gpus[kind] for kind in kinds)
    return {name: str(n) for name, n in counts.items() if n or name not in ACCELERATORS}


def _of_type(gpus: Mapping[str, int], wanted: str) -> list[str]:
    """The types that a job gets which asks for one: that very one, else those that have it in their names."""
    exact = [kind for kind in gpus if kind.lower() == wanted.lower()]
    return exact or [kind for kind in gpus if wanted.lower() in kind.lower()]


def _vendor(kind: str) -> str:
    return AMD_GPU if kind.lower().startswith(AMD) else NVIDIA
