"""What is desired and what was observed: the two frozen values between which a plan leads."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from isthmus.topology import Node, NodeKind, Topology, quantity

NETWORK = ".network"
"""The node name of the network that each deployment has of its own; no template can use it."""

SHARED_VOLUME = "isthmus.nodes.SharedVolume"
"""The type of a volume that there is once, however many instances of machines attach it."""


@dataclass(frozen=True, slots=True, order=True)
class Key:
    """One instance of a node: ``worker[1]``."""

    node: str
    index: int = 0

    def __str__(self) -> str:
        return f"{self.node}[{self.index}]"


class Power(StrEnum):
    """What a deployment's owner wants of it as a whole."""

    RUNNING = "running"
    STOPPED = "stopped"
    ABSENT = "absent"


class Health(StrEnum):
    """What was observed of one resource. ``PENDING`` is there but not yet usable."""

    RUNNING = "running"
    PENDING = "pending"
    STOPPED = "stopped"
    ERROR = "error"
    MISSING = "missing"


@dataclass(frozen=True, slots=True)
class Done:
    """That an operation ran to its end: the digest of what it ran with, and of each input."""

    digest: str
    inputs: Mapping[str, str] = field(default_factory=dict)
    outputs: Mapping[str, Any] = field(default_factory=dict)


OperationKey = tuple[str, str]
"""A software node and the name of one of its operations."""


@dataclass(frozen=True, slots=True)
class Resource:
    """One real thing as observed. ``spec`` is what it was made from, ``done`` what has run on it."""

    key: Key
    kind: NodeKind
    health: Health
    attributes: Mapping[str, Any] = field(default_factory=dict)
    spec: Mapping[str, Any] = field(default_factory=dict)
    done: Mapping[OperationKey, Done] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Observed:
    """Every resource of a deployment, whether the topology still knows it or not."""

    resources: Mapping[Key, Resource] = field(default_factory=dict)

    def get(self, key: Key) -> Resource | None:
        return self.resources.get(key)

    def running(self, key: Key) -> Resource | None:
        found = self.resources.get(key)
        return found if found is not None and found.health is Health.RUNNING else None


@dataclass(frozen=True, slots=True)
class Desired:
    """What its owner wants a deployment to be.

    ``instances`` holds the indices of each machine node. ``bake_keys`` holds, for machine nodes whose
    installation can be kept as an image, the key of that image; ``baked`` says which of those keys the
    site has already; ``network`` whether the site lends networks. ``marks`` tells apart the values that a
    secret had, without telling any of them.
    """

    topology: Topology
    instances: Mapping[str, tuple[int, ...]]
    power: Power = Power.RUNNING
    bake_keys: Mapping[str, str] = field(default_factory=dict)
    baked: frozenset[str] = frozenset()
    network: bool = True
    marks: Mapping[str, str] = field(default_factory=dict)

    def keys_of(self, node: str) -> tuple[Key, ...]:
        """The instances that a machine node shall have."""
        return tuple(Key(node, i) for i in self.instances.get(node, ()))

    def machines(self) -> Iterator[tuple[Node, Key]]:
        """Every machine that shall exist, in the template's order."""
        for node in self.topology.of_kind(NodeKind.MACHINE):
            for key in self.keys_of(node.name):
                yield node, key


def machine_spec(topology: Topology, node: Node) -> dict[str, Any]:
    """What a machine is made from, as its template asks: sizes, image, mounts. Changing it remakes it."""
    host, system = node.capabilities.get("host", {}), node.capabilities.get("os", {})
    spec = {
        "num_cpus": host.get("num_cpus"),
        "mem_size": host.get("mem_size"),
        "disk_size": host.get("disk_size"),
        "num_gpus": host.get("num_gpus"),
        "instance_type": host.get("instance_type"),
        "image": system.get("image"),
        "os": {k: str(system[k]) for k in ("type", "distribution", "version", "architecture") if system.get(k)},
        "mounts": volume_mounts(topology, node),
        "shared": [v for v in volume_mounts(topology, node) if is_shared(topology.nodes[v])],
        "nested_containers": host.get("nested_containers") is True,
    }
    return {k: v for k, v in spec.items() if v not in (None, "", 0, {}, [])}  # False is 0


def volume_mounts(topology: Topology, node: Node) -> dict[str, str]:
    """The volumes that a machine attaches, each with its path; those of size 0 are not wanted."""
    mounts = {}
    for requirement in node.requirements:
        target = topology.nodes[requirement.target]
        if target.kind is NodeKind.VOLUME and quantity(target.properties.get("size") or 0) > 0:
            mounts[target.name] = str(requirement.properties.get("location") or f"/mnt/{target.name}")
    return mounts


def is_shared(volume: Node) -> bool:
    """Whether all that attach a volume have the same one; of any other, each instance has one of its own."""
    return SHARED_VOLUME in volume.ancestors


def volume_key(topology: Topology, volume: str, machine: Key) -> Key:
    """The instance of a volume that one instance of a machine attaches."""
    return Key(volume, 0 if is_shared(topology.nodes[volume]) else machine.index)


def first_instances(topology: Topology) -> dict[str, list[int]]:
    """The indices that each machine node begins with."""
    return {
        node.name: list(range(node.scaling.default if node.scaling else 1))
        for node in topology.of_kind(NodeKind.MACHINE)
    }
