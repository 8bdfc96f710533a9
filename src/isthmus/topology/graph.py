"""The whole: what a template means once inputs are given."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from isthmus.topology.nodes import Node, NodeKind, Output
from isthmus.topology.procedures import Group, Policy, Workflow
from isthmus.topology.substitution import Substitution
from isthmus.topology.values import Value


@dataclass(frozen=True, slots=True)
class Topology:
    """What a template means once inputs are given: nodes by name, in the template's order."""

    nodes: Mapping[str, Node]
    outputs: Mapping[str, Output] = field(default_factory=dict)
    description: str = ""
    metadata: Mapping[str, Value] = field(default_factory=dict)
    groups: Mapping[str, Group] = field(default_factory=dict)
    policies: Mapping[str, Policy] = field(default_factory=dict)
    workflows: Mapping[str, Workflow] = field(default_factory=dict)
    substitution: Substitution | None = None

    def host_of(self, name: str) -> Node | None:
        """The machine under a node, through any number of ``host`` requirements; itself if one."""
        node = self.nodes[name]
        while node.kind is not NodeKind.MACHINE:
            target = next((r.target for r in node.requirements if r.name == "host"), None)
            if target is None:
                return None
            node = self.nodes[target]
        return node

    def of_kind(self, kind: NodeKind) -> Iterator[Node]:
        """The nodes of one kind, in the template's order."""
        return (n for n in self.nodes.values() if n.kind is kind)
