"""Interfaces and operations as types and templates define them, one laid over the other.

A derived type overrides its parent operation by operation, and a template its type; inputs of the
interface, of the operation and of the template are merged (TOSCA 1.3 §3.6.17 to §3.6.20).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from isthmus.tosca.diagnostics import near
from isthmus.tosca.grammar import check_keys, entries_at
from isthmus.tosca.leniency import complain
from isthmus.tosca.reading.documents import Map, Node, Scalar, is_text
from isthmus.tosca.typesystem.parameters import Input, Output, Place, overlay_inputs, overlay_outputs

if TYPE_CHECKING:
    from isthmus.tosca.reading.imports import Document
    from isthmus.tosca.typesystem.typedefs import TypeDef
    from isthmus.tosca.typesystem.types import Types

_RESERVED = ("type", "inputs", "operations", "notifications", "description", "metadata")


@dataclass(frozen=True, slots=True, eq=False)
class OperationSpec:
    """An operation with all that types and template say of it."""

    name: str
    at: Node
    implementation: Node | None = None
    inputs: Mapping[str, Input] = field(default_factory=dict)
    outputs: Mapping[str, Output] = field(default_factory=dict)

    @property
    def mapped(self) -> list[Output]:
        """The outputs that are stored in attributes."""
        return [o for o in self.outputs.values() if o.mapping is not None]


@dataclass(frozen=True, slots=True, eq=False)
class Interface:
    """An interface by the name under which a type or template has it.

    Its notifications are read only in TOSCA 2.0, where they are like operations (§11.6).
    """

    name: str
    type: TypeDef | None
    inputs: Mapping[str, Input] = field(default_factory=dict)
    operations: Mapping[str, OperationSpec] = field(default_factory=dict)
    notifications: Mapping[str, OperationSpec] = field(default_factory=dict)


def overlay_interfaces(
    base: Mapping[str, Interface], node: Node | None, types: Types, document: Document, place: Place = Place.TYPE
) -> Mapping[str, Interface]:
    """What `interfaces` of a type, a requirement definition or a template makes of those it inherits."""
    if node is None:
        return base
    if not isinstance(node, Map):
        types.problems.error("shape", "'interfaces' must be a map", node)
        return base
    merged = dict(base)
    for key, body in node.entries.items():
        old = _inherited(key, body, node.keys[key], merged, types, document, place)
        if old is not None and isinstance(body, Map):
            merged[old.name] = _overlay(old, body, types, document, place)
        elif old is not None and (document.version == 2 or not isinstance(body, Scalar) or not body.null):
            types.problems.error("shape", f"the interface {key!r} must be a map", body)
    return merged


def _inherited(
    key: str,
    body: Node,
    at: Node,
    known: Mapping[str, Interface],
    types: Types,
    document: Document,
    place: Place,
) -> Interface | None:
    """The interface that a key means: of that name, of that type, or a new one with its own type."""
    if document.version == 2 and (key in known or place is not Place.TYPE):
        return _modern(key, body, at, known, types, document, place)
    written = body.get("type") if isinstance(body, Map) else None
    if key in known:
        if written is not None:
            types.resolve("interface", written, document)
        return known[key]
    if written is not None:
        found = types.resolve("interface", written, document)
        return declared_interface(key, found, document, types) if found is not None else None
    if document.version == 2:
        types.problems.error("key-missing", f"the interface {key!r} has no type", at)
        return None
    found = types.find("interface", key, document)
    if found is not None:
        same = (i for i in known.values() if i.type is not None and i.type.name == found.name)
        return next(same, Interface(key, found))
    summary = f"no interface {key!r} is declared"
    lenient = complain("undeclared-names", "interface-unknown", summary, at, types.problems, near(key, known))
    return Interface(key, None) if lenient else None


def _modern(
    key: str, body: Node, at: Node, known: Mapping[str, Interface], types: Types, document: Document, place: Place
) -> Interface | None:
    """An interface of TOSCA 2.0 that is refined or assigned to; only a type may change its type (§11.2, §11.3)."""
    if key not in known:
        empty = isinstance(body, Map) and body.entries.keys() <= {"inputs", "description", "metadata"}
        # the specification's own examples give inputs to interfaces that their types do not show
        report = types.problems.warn if empty and place is Place.TEMPLATE else types.problems.error
        report("interface-unknown", f"no interface {key!r} is declared", at, suggestion=near(key, known))
        return None
    written = body.get("type") if isinstance(body, Map) else None
    if written is None:
        return known[key]
    if place is Place.TEMPLATE:
        types.problems.error("key-unknown", f"the type of the interface {key!r} is told where it is declared", written)
        return known[key]
    old, found = known[key], types.resolve("interface", written, document)
    if found is None or old.type is None or found is old.type:
        return old
    if not found.derives_from(old.type):
        summary = f"the interface {key!r} is a {old.type.name}, and cannot become a {found.name}"
        types.problems.error("refinement", summary, written)
        return old
    new = declared_interface(key, found, document, types)
    return replace(
        new,
        inputs={**new.inputs, **old.inputs},
        operations=_kept(new.operations, old.operations),
        notifications=_kept(new.notifications, old.notifications),
    )


def _kept(new: Mapping[str, OperationSpec], old: Mapping[str, OperationSpec]) -> dict[str, OperationSpec]:
    """The operations of a derived interface type, with what was said of those of its parent."""
    merged = dict(new)
    for name, spec in old.items():
        under = new.get(name, spec)
        inputs, outputs = {**under.inputs, **spec.inputs}, {**under.outputs, **spec.outputs}
        merged[name] = replace(spec, inputs=inputs, outputs=outputs)
    return merged


def declared_interface(name: str, found: TypeDef, document: Document, types: Types) -> Interface:
    """An interface as its type defines it: in TOSCA 2.0 with all that the type declares (§11.1)."""
    made = Interface(name, found)
    if document.version == 2:
        for ancestor in reversed(found.ancestors):
            inputs = overlay_inputs(made.inputs, ancestor.node, types, ancestor.document, Place.TYPE)
            made = replace(made, inputs=inputs)
            made = _overlay_members(made, ancestor.node, types, ancestor.document)
    return made


def _overlay_members(made: Interface, body: Map, types: Types, document: Document) -> Interface:
    """The operations and notifications that an interface type adds or refines."""
    operations, notifications = dict(made.operations), dict(made.notifications)
    for what, specs in (("operation", operations), ("notification", notifications)):
        for name, written in entries_at(body, f"{what}s", types.problems).items():
            spec = specs.get(name) or OperationSpec(name, written)
            specs[name] = _overlay_operation(spec, written, written, types, document, Place.TYPE, what)
    return replace(made, operations=operations, notifications=notifications)


def _overlay(old: Interface, body: Map, types: Types, document: Document, place: Place) -> Interface:
    """One interface over what it was; operations may be new in types of TOSCA 1.x."""
    inputs = overlay_inputs(old.inputs, body, types, document, place)
    operations = dict(old.operations)
    types.problems.spend(len(operations) + len(body.entries))
    adding = place is Place.TYPE and document.version == 1
    notifications = dict(old.notifications)
    if document.version == 2:
        check_keys(body, "interface", types.problems)
        direct = {}
        for name, written in entries_at(body, "notifications", types.problems).items():
            if name in notifications:  # any other is reported where notifications are checked
                spec = notifications[name]
                notifications[name] = _overlay_operation(spec, written, written, types, document, place, "notification")
    else:
        direct = {k: v for k, v in body.entries.items() if k not in _RESERVED}
    for name, written in {**direct, **entries_at(body, "operations", types.problems)}.items():
        at = body.keys.get(name, written)
        if adding or _is_declared(name, old, at, types):
            spec = operations.get(name) or OperationSpec(name, at)
            operations[name] = _overlay_operation(spec, written, at, types, document, place)
    return replace(old, inputs=inputs, operations=operations, notifications=notifications)


def _is_declared(name: str, interface: Interface, at: Node, types: Types) -> bool:
    if interface.type is None or name in interface.operations:
        return True
    known = interface.type.operations
    if name in known or (not known and interface.type.kind == "interface"):
        return True
    summary = f"the interface {interface.name!r} has no operation {name!r}"
    return complain("undeclared-names", "operation-unknown", summary, at, types.problems, near(name, known))


def _overlay_operation(
    old: OperationSpec,
    written: Node,
    at: Node,
    types: Types,
    document: Document,
    place: Place,
    what: str = "operation",
) -> OperationSpec:
    if isinstance(written, Scalar):
        if document.version == 2 and not written.null and not is_text(written):
            types.problems.error("shape", f"the {what} {old.name!r} must be a map or the name of an artifact", written)
        return old if written.null else replace(old, at=at, implementation=written)
    if not isinstance(written, Map):
        types.problems.error("shape", f"the {what} {old.name!r} must be a map or a file name", written)
        return old
    check_keys(written, what, types.problems)
    outputs = old.outputs
    if document.version == 2:
        outputs = overlay_outputs(outputs, written, types, document, place)
    elif written.get("outputs") is not None:
        types.problems.refuse(
            "unsupported",
            "'outputs' of an operation that set attributes are not supported",
            written.keys["outputs"],
            suggestion="read them where they are needed with get_operation_output",
        )
    return replace(
        old,
        at=at,
        implementation=written.get("implementation") or old.implementation,
        inputs=overlay_inputs(old.inputs, written, types, document, place),
        outputs=outputs,
    )
