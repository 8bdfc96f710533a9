"""Nodes of a topology, what they require and what runs on them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from isthmus.topology.values import Value


class NodeKind(StrEnum):
    """What a node is to the engine, derived from its type's ancestors."""

    MACHINE = "machine"
    NETWORK = "network"
    VOLUME = "volume"
    SOFTWARE = "software"
    JOB = "job"
    ABSTRACT = "abstract"
    """Takes part in the graph (a port, a policy target) but nothing is made for it."""


@dataclass(frozen=True, slots=True)
class Position:
    """Where something stands in a template: file, line and column, both from 1."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


class ArtifactKind(StrEnum):
    ANSIBLE = "ansible"
    SCRIPT = "script"


@dataclass(frozen=True, slots=True)
class Artifact:
    """A file of the template's own bundle; ``digest`` is the SHA-256 of its content, in hex."""

    path: str
    digest: str
    kind: ArtifactKind


class Stage(StrEnum):
    """When an operation runs. What is installed in CREATE may be baked into an image."""

    CREATE = "create"
    CONFIGURE = "configure"
    START = "start"
    STOP = "stop"
    DELETE = "delete"


@dataclass(frozen=True, slots=True)
class Operation:
    """One interface operation (TOSCA 1.3 §3.6.17) with what it needs to run.

    ``name`` is unique in its node: ``Standard.configure``, or for an operation of a relationship
    ``Configure.post_configure_source/REQUIREMENT`` (TOSCA 1.3 §5.8.4). It runs on the machines that
    host the node ``on``: the node itself, or the source or target of the relationship.
    """

    name: str
    stage: Stage
    implementation: Artifact
    on: str
    dependencies: tuple[Artifact, ...] = ()
    inputs: Mapping[str, Value] = field(default_factory=dict)
    timeout: float | None = None
    """Seconds, or None for the engine's default."""


@dataclass(frozen=True, slots=True)
class Requirement:
    """An edge of the graph: this node needs ``target`` through ``relationship``.

    ``capability`` is the name of the target's capability that is met, where the template asks for one.
    """

    name: str
    target: str
    relationship: str
    properties: Mapping[str, Value] = field(default_factory=dict)
    capability: str = ""


@dataclass(frozen=True, slots=True)
class Scaling:
    """How many instances a machine has: the least, the most, and the count at first."""

    minimum: int = 1
    maximum: int = 1
    default: int = 1


@dataclass(frozen=True, slots=True)
class Node:
    """One vertex of a topology.

    ``ancestors`` begins with the node's own type and ends with the root. ``operations`` stand in the
    order in which they run on the way up, followed by those of the way down (``stop``, ``delete``).
    ``scaling`` is None for a node that can never have more than one instance of its own.
    """

    name: str
    type: str
    kind: NodeKind
    ancestors: tuple[str, ...] = ()
    properties: Mapping[str, Value] = field(default_factory=dict)
    attributes: Mapping[str, Value] = field(default_factory=dict)
    capabilities: Mapping[str, Mapping[str, Value]] = field(default_factory=dict)
    requirements: tuple[Requirement, ...] = ()
    operations: tuple[Operation, ...] = ()
    scaling: Scaling | None = None
    description: str = ""
    directives: tuple[str, ...] = ()
    """Where the node comes from, in the order in which it is tried (TOSCA 2.0 §7.2.1); made here by default."""
    count: int = 1
    """How many nodes the template stands for (TOSCA 2.0 §14.1); for a machine ``scaling`` says the same."""

    def staged(self, *stages: Stage) -> tuple[Operation, ...]:
        """The operations of those stages, in the order in which they run."""
        return tuple(o for o in self.operations if o.stage in stages)


@dataclass(frozen=True, slots=True)
class Output:
    """What a deployment tells its user: a value that may refer to attributes."""

    value: Value
    description: str = ""
