"""What policies, steps and preconditions point at: a node, a relationship, or a group with its members."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import chain

from isthmus.tosca.diagnostics import Problems, near
from isthmus.tosca.expressions.functions import Functions
from isthmus.tosca.procedures.groups import Groups, GroupTemplate
from isthmus.tosca.reading.documents import Map, Node, text_of
from isthmus.tosca.resolving.templates import NodeTemplate, Relation, Scope
from isthmus.tosca.typesystem.definitions import PropertyDef

Entity = NodeTemplate | Relation


@dataclass(frozen=True, slots=True, eq=False)
class Target:
    """One target by name. ``known`` is false where it has been reported, so that nothing more is said of it.

    ``entities`` are the nodes or relationships that it stands for.
    """

    name: str
    entities: tuple[Entity, ...] = ()
    group: GroupTemplate | None = None
    relationship: str = ""
    known: bool = True

    def scope(self, inputs: Mapping[str, PropertyDef] | None = None) -> Scope:
        """Whom SELF means in what is done to the target; nobody where it is a group."""
        entity = self.entities[0] if self.entities and self.group is None else None
        if isinstance(entity, Relation):
            return Scope(relation=entity, inputs=inputs)
        return Scope(node=entity, inputs=inputs)

    def declares(self, attribute: str) -> PropertyDef | None:
        """The attribute or property of that name that the first entity's type declares."""
        for entity in self.entities[:1]:
            found = entity.type.attributes.get(attribute) or entity.type.properties.get(attribute)
            if found is not None:
                return found
        return None


UNKNOWN = Target("", known=False)


@dataclass(frozen=True, slots=True, eq=False)
class Targets:
    """Finds targets by name."""

    problems: Problems
    functions: Functions
    groups: Groups
    _found: dict[tuple[str, str], Target] = field(default_factory=dict)

    def find(self, named: Node | None, requirement: Node | None = None) -> Target:
        """The target that a scalar names, or its relationship through a requirement."""
        key = text_of(named), text_of(requirement)
        if key not in self._found or not self._found[key].known:
            self._found[key] = self._find(named, requirement)
        return self._found[key]

    def _find(self, named: Node | None, requirement: Node | None) -> Target:
        name, functions = text_of(named), self.functions
        if named is None or name in functions.broken or name in self.groups.broken:
            return UNKNOWN
        group = self.groups.templates.get(name)
        if requirement is not None and (group is not None or name in functions.nodes):
            return self._related(name, requirement)
        if group is not None:
            return Target(name, group.nodes, group, known=group.complete)
        entity = functions.nodes.get(name) or functions.relations.get(name)
        if entity is None:
            nearby = near(name, chain(functions.nodes, self.groups.templates, functions.relations))
            self.problems.error("target-unknown", f"there is no node or group {name!r}", named, suggestion=nearby)
            return UNKNOWN
        return Target(name, (entity,))

    def _related(self, name: str, requirement: Node) -> Target:
        node, wanted = self.functions.nodes.get(name), text_of(requirement)
        if node is None:
            self.problems.error("target-mismatch", f"{name!r} is a group, and has no requirements", requirement)
            return UNKNOWN
        relations = tuple(r for r in node.relations if r.name == wanted)
        self.problems.spend(len(node.relations))
        if not relations and wanted not in node.type.requirements:
            summary, known = f"{node.type.name} has no requirement {wanted!r}", node.type.requirements
            self.problems.error("requirement-unknown", summary, requirement, suggestion=near(wanted, known))
            return UNKNOWN
        return Target(name, relations, relationship=wanted)


def required_at(node: Map, key: str, what: str, problems: Problems) -> Node | None:
    """What stands under a key that must be there; in TOSCA 2.0 the check of keys has reported a missing one."""
    found = node.get(key)
    if found is None and node.source.version == 1:
        problems.error("key-missing", f"{what} has no {key!r}", node)
    return found
