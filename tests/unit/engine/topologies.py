"""Small topologies, as the language would make them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from isthmus.topology import (
    Artifact,
    ArtifactKind,
    Node,
    NodeKind,
    Operation,
    Reference,
    Requirement,
    Scaling,
    Secret,
    Stage,
    Topology,
    digest,
)


def machine(name: str, count: int = 1, most: int = 1, **host: Any) -> Node:
    capabilities = {"host": {"num_cpus": 1, "mem_size": "1 GiB", **host}}
    return Node(name, "tosca.nodes.Compute", NodeKind.MACHINE, capabilities=capabilities,
                scaling=Scaling(0, max(count, most), count))  # fmt: skip


def volume(name: str, size: str = "1 GiB", shared: bool = False) -> Node:
    type_ = "isthmus.nodes.SharedVolume" if shared else "tosca.nodes.Storage.BlockStorage"
    return Node(name, type_, NodeKind.VOLUME, (type_,), {"size": size})


def attached(node: Node, volume: str, location: str = "/data") -> Node:
    relationship = "tosca.relationships.AttachesTo"
    requirement = Requirement("local_storage", volume, relationship, {"location": location})
    return replace(node, requirements=(*node.requirements, requirement))


def operation(node: str, stage: Stage, code: str = "1", **inputs: Any) -> Operation:
    script = Artifact(f"{node}-{stage}.sh", digest(code), ArtifactKind.SCRIPT)
    return Operation(f"Standard.{stage}", stage, script, node, inputs=inputs)


def software(name: str, host: str, *operations: Operation, needs: tuple[str, ...] = ()) -> Node:
    requirements = [Requirement("host", host, "tosca.relationships.HostedOn")]
    requirements += [Requirement("dependency", n, "tosca.relationships.DependsOn") for n in needs]
    return Node(name, "tosca.nodes.SoftwareComponent", NodeKind.SOFTWARE, requirements=tuple(requirements),
                operations=operations)  # fmt: skip


def topology(*nodes: Node) -> Topology:
    return Topology({node.name: node for node in nodes})


def cluster(workers: int = 2, *, greeting: str = "hello", code: str = "1", **host: Any) -> Topology:
    """A controller that must know its workers, and workers that must know their controller."""
    addresses = Reference("worker", "private_address")
    controller = Reference("controller", "private_address")
    return topology(
        machine("controller"),
        machine("worker", workers, 10, **host),
        software(
            "master", "controller",
            operation("master", Stage.CREATE, code),
            operation("master", Stage.CONFIGURE, workers=addresses, key=Secret("key"), greeting=greeting),
            operation("master", Stage.START),
            operation("master", Stage.STOP),
        ),
        software(
            "slave", "worker",
            operation("slave", Stage.CREATE, "2"),
            operation("slave", Stage.CONFIGURE, master=controller, key=Secret("key")),
            operation("slave", Stage.START),
            operation("slave", Stage.STOP),
            operation("slave", Stage.DELETE),
        ),
    )  # fmt: skip


FILES: Mapping[str, bytes] = {
    f"{node}-{stage}.sh": b"#!/bin/sh\n" for node in ("master", "slave", "app") for stage in Stage
}
