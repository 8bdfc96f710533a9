"""Groups and their types: members that exist and are allowed (TOSCA 1.3 §3.7.11, §3.8.5; TOSCA 2.0 §16.1, §16.2)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain

from isthmus.topology import Group
from isthmus.tosca.diagnostics import Problems, near
from isthmus.tosca.expressions.functions import Functions
from isthmus.tosca.grammar import check_keys, entries_at, list_at, map_at
from isthmus.tosca.leniency import complain
from isthmus.tosca.reading.documents import Map, Node, Scalar, Seq, text_of
from isthmus.tosca.reading.imports import Document
from isthmus.tosca.resolving.templates import NodeTemplate, Scope, Values
from isthmus.tosca.typesystem.interfaces import Interface, overlay_interfaces
from isthmus.tosca.typesystem.parameters import Place
from isthmus.tosca.typesystem.typedefs import TypeDef
from isthmus.tosca.typesystem.types import Types


@dataclass(eq=False, slots=True)
class GroupTemplate:
    """One group of a template; ``nodes`` are all its members, those of groups in it included.

    ``complete`` is false when a member has been reported.
    """

    name: str
    type: TypeDef
    node: Map
    at: Node
    members: tuple[str, ...]
    values: Values
    attributes: Values
    interfaces: Mapping[str, Interface]
    nodes: tuple[NodeTemplate, ...] = ()
    complete: bool = True

    def value(self) -> Group:
        """The group as a topology has it."""
        description = text_of(self.node.get("description")).strip()
        return Group(self.name, self.type.name, self.members, self.values.all(), self.attributes.all(), description)


@dataclass(eq=False, slots=True)
class Groups:
    """The groups of a template; ``broken`` are names of those that have been reported as unusable."""

    templates: dict[str, GroupTemplate] = field(default_factory=dict)
    broken: set[str] = field(default_factory=set)

    def values(self) -> dict[str, Group]:
        return {name: group.value() for name, group in self.templates.items()}


def read_groups(section: Map | None, types: Types, document: Document, functions: Functions) -> Groups:
    """Every group of a template, its members resolved and checked."""
    groups = Groups()
    for name, node in entries_at(section, "groups", types.problems).items():
        found = _read(name, node, types, document, functions)
        if found is None:
            groups.broken.add(name)
        else:
            groups.templates[name] = found
    for group in groups.templates.values():
        _check_members(group, groups, functions)
    for group in groups.templates.values():
        group.nodes = tuple(_nodes_of(group, groups, functions))
    for group in groups.templates.values():
        _check_types(group, functions.problems)
    return groups


def _read(name: str, node: Node, types: Types, document: Document, functions: Functions) -> GroupTemplate | None:
    found = read_typed("group", name, node, types, document)
    if found is None:
        return None
    assert isinstance(node, Map)
    members = node.get("members")
    if node.source.version == 2 and isinstance(members, Seq) and not members.items:
        types.problems.error("shape", f"the group {name!r} must have one member or more", members)
    interfaces = overlay_interfaces(found.interfaces, node.get("interfaces"), types, document, Place.TEMPLATE)
    if node.get("interfaces") is not None:
        types.problems.warn("ignored", "operations of a group are never called", node.keys["interfaces"])
    properties = values_of("group", name, "properties", found, node, functions)
    attributes = values_of("group", name, "attributes", found, node, functions)
    names = dict.fromkeys(text_of(m) for m in list_at(node, "members", types.problems))
    return GroupTemplate(name, found, node, node, tuple(names), properties, attributes, interfaces)


def read_typed(kind: str, name: str, node: Node, types: Types, document: Document) -> TypeDef | None:
    """The type of a group or policy, its keys checked; None when there is nothing more to check."""
    if not isinstance(node, Map):
        types.problems.error("shape", f"the {kind} {name!r} must be a map", node)
        return None
    check_keys(node, kind, types.problems)
    written = node.get("type")
    if written is None:
        if node.source.version == 1:
            types.problems.error("key-missing", f"the {kind} {name!r} has no type", node)
        return None
    return types.resolve(kind, written, document)


def values_of(kind: str, name: str, key: str, found: TypeDef, node: Map, functions: Functions) -> Values:
    """The properties or attributes of a group or policy, checked."""
    definitions = found.properties if key == "properties" else found.attributes
    assigned = map_at(node, key, functions.problems)
    values = Values(f"the {kind} {name!r}", definitions, assigned, Scope(), node, functions.converter)
    values.check()
    values.all()
    return values


# ---------------------------------------------------------------------------------------------
# members


def _check_members(group: GroupTemplate, groups: Groups, functions: Functions) -> None:
    for member in list_at(group.node, "members", functions.problems):
        name = text_of(member)
        if isinstance(member, Scalar) and (name in functions.nodes or name in groups.templates):
            continue
        group.complete = False
        if name not in functions.broken and name not in groups.broken:
            nearby = near(name, chain(functions.nodes, groups.templates))
            functions.problems.error("target-unknown", f"there is no node {name!r}", member, suggestion=nearby)


def _nodes_of(group: GroupTemplate, groups: Groups, functions: Functions) -> Iterator[NodeTemplate]:
    """The nodes of a group and of all groups in it, each once."""
    seen, queue = {group.name}, list(reversed(group.members))
    while queue:
        name = queue.pop()
        functions.problems.spend()
        if name == group.name:
            functions.problems.error("group-cycle", f"the group {group.name!r} is a member of itself", group.at)
        if name in seen:
            continue
        seen.add(name)
        if name in functions.nodes:
            yield functions.nodes[name]
        elif name in groups.templates:
            queue.extend(reversed(groups.templates[name].members))


def _check_types(group: GroupTemplate, problems: Problems) -> None:
    """Members must be of a node type that the group's type allows, or derive from one."""
    allowed = allowed_types(group.type, "members", ("node",))
    if allowed is None:
        return
    places = {text_of(m): m for m in list_at(group.node, "members", problems)}
    for node in group.nodes:
        problems.spend(len(allowed))
        if not any(node.of(t.name) for t in allowed):
            names = " or ".join(t.name for t in allowed[:5])
            summary = f"{node.name!r} is a {node.type.name}; members of a {group.type.name} are {names}"
            complain("unchecked-targets", "target-mismatch", summary, places.get(node.name, group.at), problems)


# ---------------------------------------------------------------------------------------------
# types


def allowed_types(found: TypeDef, key: str, kinds: tuple[str, ...]) -> list[TypeDef] | None:
    """What `members` of a group type or `targets` of a policy type allows; None for anything.

    Nothing is restricted either where one of the names is not known, which is reported at the type.
    """
    for ancestor in found.ancestors:
        if ancestor.node.get(key) is None:
            continue
        types = [_named(ancestor, text_of(n), kinds) for n in list_at(ancestor.node, key, found.types.problems)]
        known = [t for t in types if t is not None]
        return known if known and len(known) == len(types) else None
    return None


def _named(owner: TypeDef, name: str, kinds: tuple[str, ...]) -> TypeDef | None:
    found = (owner.types.find(kind, name, owner.document) for kind in kinds)
    return next((t for t in found if t is not None), None)


def check_allowed(found: TypeDef, key: str, kinds: tuple[str, ...]) -> None:
    """The types that a group or policy type allows exist, and are among those that its parent allows."""
    if found.node.get(key) is None:
        return
    problems = found.types.problems
    inherited = allowed_types(found.base, key, kinds) if found.base is not None else None
    for written in list_at(found.node, key, problems):
        name = text_of(written)
        wanted = _named(found, name, kinds)
        if wanted is None:
            found.types.resolve(kinds[0], written, found.document)
            continue
        problems.spend(len(inherited or ()))
        if inherited is not None and not any(wanted.derives(t.name) for t in inherited):
            summary = f"{name!r} is not among the {key} that {found.base.name if found.base else ''} allows"
            complain("free-refinement", "refinement", summary, written, problems)
