"""Notifications of interfaces (TOSCA 1.3 §3.6.19, §3.6.20; TOSCA 2.0 §11.6, §11.7): declared, outputs mapped."""

from __future__ import annotations

from collections.abc import Mapping

from isthmus.tosca.diagnostics import near
from isthmus.tosca.grammar import check_keys, entries_at
from isthmus.tosca.leniency import complain
from isthmus.tosca.procedures.mappings import check_attribute, path_of
from isthmus.tosca.reading.documents import Map, Node, Scalar, text_of
from isthmus.tosca.typesystem.interfaces import Interface
from isthmus.tosca.typesystem.typedefs import TypeDef
from isthmus.tosca.typesystem.types import Types


def check_type_notifications(found: TypeDef, types: Types) -> None:
    """What a node or relationship type refines, or an interface type declares."""
    if found.kind == "interface":
        for name, node in entries_at(found.node, "notifications", types.problems).items():
            _check_one(name, node, None, types)
        return
    for interface, body in _bodies(found.node, found.interfaces, types):
        for name, node in entries_at(body, "notifications", types.problems).items():
            if body.source.version == 2:
                _check_declared(name, node, interface, frozenset(), types)
            _check_one(name, node, found, types)


def check_template_notifications(
    node: Map | None, found: TypeDef, interfaces: Mapping[str, Interface], types: Types
) -> None:
    """What a node template, or the relationship of a requirement, assigns to the notifications of its type."""
    if node is None or node.get("interfaces") is None:
        return
    for interface, body in _bodies(node, interfaces, types):
        written = entries_at(body, "notifications", types.problems)
        inherited = _inherited(found, interface, types) if written else frozenset()
        for name, notification in written.items():
            _check_declared(name, notification, interface, inherited, types)
            _check_one(name, notification, found, types)


def _bodies(node: Map, interfaces: Mapping[str, Interface], types: Types) -> list[tuple[Interface, Map]]:
    """Each interface that a type or template writes about, with what it writes."""
    found = []
    for name, body in entries_at(node, "interfaces", types.problems).items():
        interface = interfaces.get(name)
        if interface is not None and isinstance(body, Map):
            found.append((interface, body))
    return found


def _inherited(found: TypeDef, interface: Interface, types: Types) -> frozenset[str]:
    """The notifications that a type and its ancestors name under an interface."""
    names: set[str] = set()
    for ancestor in found.ancestors:
        body = entries_at(ancestor.node, "interfaces", types.problems).get(interface.name)
        names |= entries_at(body if isinstance(body, Map) else None, "notifications", types.problems).keys()
    return frozenset(names)


def _check_declared(name: str, at: Node, interface: Interface, inherited: frozenset[str], types: Types) -> None:
    if interface.type is None or name in inherited:
        return
    known = set(inherited)
    for ancestor in interface.type.ancestors:
        known |= entries_at(ancestor.node, "notifications", types.problems).keys()
    types.problems.spend(len(known))
    if name not in known:
        summary = f"the interface {interface.name!r} has no notification {name!r}"
        complain("undeclared-names", "notification-unknown", summary, at, types.problems, near(name, known))


def _check_one(name: str, node: Node, found: TypeDef | None, types: Types) -> None:
    """The keys of a notification, and the attributes of ``found`` that its outputs are mapped to."""
    problems = types.problems
    if isinstance(node, Scalar):
        return
    if not isinstance(node, Map):
        problems.error("shape", f"the notification {name!r} must be a map or a file name", node)
        return
    check_keys(node, "notification", problems)
    if found is None and node.source.version == 2 and node.get("implementation") is not None:
        summary = "an interface type declares notifications, and cannot implement them"
        problems.error("key-unknown", summary, node.keys["implementation"])
    for output in entries_at(node, "outputs", problems).values():
        mapped = not isinstance(output, Map) or output.get("mapping") is not None
        path = path_of(output, problems) if mapped and not (isinstance(output, Scalar) and not text_of(output)) else ()
        if found is not None and path and path[0] == "SELF":
            check_attribute(found, path[1:], output, problems)
