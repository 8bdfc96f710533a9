"""How a template can stand for a node of another."""

from __future__ import annotations

from dataclasses import dataclass

from isthmus.topology.values import Value


@dataclass(frozen=True, slots=True)
class Mapped:
    """One entry of a substitution mapping (TOSCA 2.0 chapter 15).

    ``name`` is what the replaced node has: a name, or a path that begins with CAPABILITY or RELATIONSHIP.
    ``target`` is what stands for it: an input, an output or a workflow, or a node and what it has. Of a
    requirement ``count`` go there, None for all that are left.
    """

    name: tuple[str, ...]
    target: tuple[str, ...]
    count: int | None = 1


@dataclass(frozen=True, slots=True)
class Substitution:
    """The type of node that a template may replace, and what stands for what then.

    ``filter`` is the condition that a node must pass, as written.
    """

    node_type: str
    properties: tuple[Mapped, ...] = ()
    attributes: tuple[Mapped, ...] = ()
    capabilities: tuple[Mapped, ...] = ()
    requirements: tuple[Mapped, ...] = ()
    interfaces: tuple[Mapped, ...] = ()
    filter: Value = None
