"""The nodes of a template by what they are and by what they offer, so that requirements need not look at all."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property

from isthmus.tosca.diagnostics import Problems
from isthmus.tosca.resolving.templates import NodeTemplate
from isthmus.tosca.typesystem.capabilities import CapabilityDef
from isthmus.tosca.typesystem.typedefs import TypeDef


class Candidates:
    """Looks nodes up by type and by capability; the indices are made when first asked for."""

    def __init__(self, nodes: list[NodeTemplate], problems: Problems) -> None:
        self.nodes = nodes
        self.problems = problems

    def find(self, node: TypeDef | None, capability: str) -> list[NodeTemplate]:
        """The nodes of a type, or else those with a capability of that name or type, in the template's order."""
        if node is not None:
            return self._by_type.get(node.name, [])
        return self._by_capability.get(capability, []) if capability else self.nodes

    @cached_property
    def _by_type(self) -> dict[str, list[NodeTemplate]]:
        found: dict[str, list[NodeTemplate]] = {}
        for node in self.nodes:
            self.problems.spend(len(node.type.names))
            for name in node.type.names:
                found.setdefault(name, []).append(node)
        return found

    @cached_property
    def _by_capability(self) -> dict[str, list[NodeTemplate]]:
        offered: dict[str, frozenset[str]] = {}
        found: dict[str, list[NodeTemplate]] = {}
        for node in self.nodes:
            if node.type.name not in offered:
                offered[node.type.name] = _offered(node.type.capabilities.values())
            self.problems.spend(len(offered[node.type.name]))
            for name in offered[node.type.name]:
                found.setdefault(name, []).append(node)
        return found


def _offered(capabilities: Iterable[CapabilityDef]) -> frozenset[str]:
    """The names of capabilities, and of their types with all ancestors."""
    return frozenset(name for c in capabilities for name in (c.name, *c.type.names))
