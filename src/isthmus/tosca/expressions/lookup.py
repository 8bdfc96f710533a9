"""Finds the property or attribute that a path means, on a node, its capabilities, and what it requires."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, Final

from isthmus.topology import Call, Reference, Secret, Value, follow
from isthmus.tosca.diagnostics import Near, Problems, near
from isthmus.tosca.expressions.values import BROKEN
from isthmus.tosca.leniency import complain
from isthmus.tosca.reading.documents import Node, text_of
from isthmus.tosca.resolving.templates import NodeTemplate, Relation, Values
from isthmus.tosca.typesystem.schemas import Schema
from isthmus.tosca.typesystem.typed import dig

Path = tuple[str | int, ...]


class _Nothing:
    """No such property or attribute here; somewhere else there may be."""


NOTHING: Final[Any] = _Nothing()


class Lookup:
    """Follows paths; what does not exist is reported once, nothing of nodes that are ``broken``."""

    def __init__(self, problems: Problems, broken: set[str]) -> None:
        self.problems = problems
        self.broken = broken

    def climb(self, node: NodeTemplate, climb: bool) -> Iterator[NodeTemplate]:
        """The node, and if asked for all that host it, the nearest first."""
        yield node
        for host in node.hosts() if climb else ():
            self.problems.spend()
            yield host

    # properties ------------------------------------------------------------------------------

    def property(self, node: NodeTemplate, path: Path, at: Node) -> Value:
        """A property of a node, of a capability, or of what meets a requirement; NOTHING when there is none."""
        name, rest = str(path[0]), path[1:]
        if name in node.values.definitions or node.values.assigns(name):
            return self.of(node.values, path, at)
        if not rest:
            return NOTHING
        if name in node.capabilities:
            values = node.capabilities[name]
            if str(rest[0]) in values.definitions or values.assigns(str(rest[0])):
                return self.of(values, rest, at)
            if self._relation(node, name) is None:
                return NOTHING
        relation = self._relation(node, name)
        if relation is None:
            # a requirement that nothing was assigned to has no properties, and that is no mistake
            return None if name in node.type.requirements else NOTHING
        capability = self._capability_met(relation, str(rest[0]))
        if capability is not None:
            return self.of(capability, rest, at)
        return self.property(relation.target, rest, at)

    def _relation(self, node: NodeTemplate, requirement: str) -> Relation | None:
        self.problems.spend(len(node.relations))
        return next((r for r in node.relations if r.name == requirement), None)

    def _capability_met(self, relation: Relation, prop: str) -> Values | None:
        """The capability of the target that a requirement is met by, if it has that property."""
        definition = relation.definition
        wanted = text_of(definition.capability) if definition is not None else ""
        target = relation.target
        for name, capability in target.type.capabilities.items():
            fits = wanted in (name, capability.type.name) or capability.type.derives(wanted)
            if fits and prop in capability.properties:
                return target.capabilities[name]
        return None

    # attributes ------------------------------------------------------------------------------

    def attribute(self, node: NodeTemplate, path: Path, own: bool, at: Node) -> Value:
        """An attribute, or a property that stands for one (TOSCA 1.3 §3.6.12); NOTHING when there is none."""
        name, rest = str(path[0]), path[1:]
        if name in node.type.attributes:
            # The attribute of a node by name is a list where the node has several instances; one's own is not.
            if own and not self.leads(node.type.attributes[name].schema, rest, at):
                return BROKEN
            return Reference(node.name, name, rest, own)
        if name in node.values.definitions:
            return self.dig(node.values.get(name), rest, at)
        if not rest:
            return NOTHING
        if name in node.capabilities:
            found = self._capability_attribute(node, name, rest, own, at)
            if found is not NOTHING:
                return found
        # a requirement may have the name of a capability: both are called `host`
        relation = self._relation(node, name)
        if relation is None:
            return NOTHING
        same = own and relation.target in node.hosts()
        return self.attribute(relation.target, rest, same, at)

    def leads(self, schema: Schema, path: Path, at: Node) -> bool:
        """Whether values of a type have such a part; reported when they have not."""
        try:
            dig(schema, path)
        except ValueError as e:
            return complain("index-of-single", "function-arguments", str(e), at, self.problems)
        return True

    def _capability_attribute(self, node: NodeTemplate, name: str, rest: Path, own: bool, at: Node) -> Value:
        definition = node.type.capabilities[name]
        first = str(rest[0])
        if first in definition.attributes:
            return Reference(node.name, name, rest, own)
        return self.of(node.capabilities[name], rest, at) if first in definition.properties else NOTHING

    # values ----------------------------------------------------------------------------------

    def of(self, values: Values, path: Path, at: Node) -> Value:
        """The value of a property that must be there, and what the rest of the path means in it."""
        name = str(path[0])
        if name not in values.definitions and not values.assigns(name):
            summary = f"{values.what} has no property {name!r}"
            self.problems.error("property-unknown", summary, at, suggestion=near(name, values.definitions))
            return BROKEN
        definition = values.definitions.get(name)
        if definition is not None and not self.leads(definition.schema, path[1:], at):
            return BROKEN
        return self.dig(values.get(name), path[1:], at)

    def dig(self, value: Value, path: Sequence[str | int], at: Node) -> Value:
        """The part of a value under a path, which may lead into what is known later."""
        for i, step in enumerate(path):
            if isinstance(value, Reference):
                return replace(value, path=(*value.path, *path[i:]))
            if value is BROKEN:
                return BROKEN
            if isinstance(value, Secret | Call):
                self.problems.error("function-arguments", f"{step!r} leads into a value that has no parts", at)
                return BROKEN
            if isinstance(value, list) and isinstance(step, int) and step >= len(value):
                summary = (
                    f"the list has no entry {step}: it ends with {len(value) - 1}" if value else "the list is empty"
                )
                self.problems.error("function-arguments", summary, at)
                return BROKEN
            value = follow(value, [step])
        return value

    def _nearby(self, what: str, node: NodeTemplate, path: Path, known: Any) -> Near:
        """What a path that leads nowhere may mean: the step that fails is the first, or the one after a capability."""
        first = str(path[0])
        capability = node.type.capabilities.get(first) if len(path) > 1 else None
        if capability is None:
            return near(first, [*known, *(node.type.capabilities if len(path) > 1 else ())])
        return near(str(path[1]), capability.properties if what == "property" else capability.attributes)

    def unknown(self, code: str, node: NodeTemplate, path: Path, known: Any, at: Node) -> Secret:
        """Report that a node has no such property or attribute, unless the node itself was reported."""
        if node.name not in self.broken:
            name = ".".join(str(p) for p in path)
            what = code.removesuffix("-unknown")
            summary = f"{node.name!r} ({node.type.name}) has no {what} {name!r}"
            self.problems.error(code, summary, at, suggestion=self._nearby(what, node, path, known))
        return BROKEN
