"""Interfaces and operations as types and templates define them, one laid over the other.

A derived type overrides its parent operation by operation, and a template its type; inputs of the
interface, of the operation and of the template are merged (TOSCA 1.3 §3.6.17 to §3.6.20).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from isthmus.tosca.diagnostics import near
from isthmus.tosca.grammar import allowed_keys, check_keys, entries_at
from isthmus.tosca.leniency import complain
from isthmus.tosca.reading.documents import Map, Node, Scalar, text_of

if TYPE_CHECKING:
    from isthmus.tosca.reading.imports import Document
    from isthmus.tosca.typesystem.typedefs import TypeDef
    from isthmus.tosca.typesystem.types import Types

_RESERVED = ("type", "inputs", "operations", "notifications", "description", "metadata")


@dataclass(frozen=True, slots=True, eq=False)
class Input:
    """An input of an operation: its value as written, and its definition where it has one."""

    name: str
    value: Node | None
    definition: Map | None
    document: Document
    at: Node


@dataclass(frozen=True, slots=True, eq=False)
class OperationSpec:
    """An operation with all that types and template say of it."""

    name: str
    at: Node
    implementation: Node | None = None
    inputs: Mapping[str, Input] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class Interface:
    """An interface by the name under which a type or template has it."""

    name: str
    type: TypeDef | None
    inputs: Mapping[str, Input] = field(default_factory=dict)
    operations: Mapping[str, OperationSpec] = field(default_factory=dict)


def overlay_interfaces(
    base: Mapping[str, Interface], node: Node | None, types: Types, document: Document, *, template: bool = False
) -> Mapping[str, Interface]:
    """What `interfaces` of a type, or of a ``template``, makes of those it inherits."""
    if node is None:
        return base
    if not isinstance(node, Map):
        types.problems.error("shape", "'interfaces' must be a map", node)
        return base
    merged = dict(base)
    for key, body in node.entries.items():
        old = _inherited(key, body, node.keys[key], merged, types, document)
        if old is not None and isinstance(body, Map):
            merged[old.name] = _overlay(old, body, types, document, adding=not template and document.version == 1)
    return merged


def _inherited(
    key: str,
    body: Node,
    at: Node,
    known: Mapping[str, Interface],
    types: Types,
    document: Document,
) -> Interface | None:
    """The interface that a key means: of that name, of that type, or a new one with its own type."""
    if key in known:
        return known[key]
    written = body.get("type") if isinstance(body, Map) else None
    if written is not None:
        found = types.resolve("interface", written, document)
        return declared_interface(key, found, document, types) if found is not None else None
    if document.version == 2:
        summary = f"no interface {key!r} is declared"
        empty = isinstance(body, Map) and body.entries.keys() <= {"inputs", "description", "metadata"}
        report = types.problems.warn if empty else types.problems.error
        report("interface-unknown", summary, at, suggestion=near(key, known))
        return None
    found = types.find("interface", key, document)
    if found is not None:
        same = (i for i in known.values() if i.type is not None and i.type.name == found.name)
        return next(same, Interface(key, found))
    summary = f"no interface {key!r} is declared"
    lenient = complain("undeclared-names", "interface-unknown", summary, at, types.problems, near(key, known))
    return Interface(key, None) if lenient else None


def declared_interface(name: str, found: TypeDef, document: Document, types: Types) -> Interface:
    """An interface as its type defines it: in TOSCA 2.0 with the inputs that the type declares (§11.1)."""
    inputs: Mapping[str, Input] = {}
    operations: dict[str, OperationSpec] = {}
    if document.version == 2:
        for ancestor in reversed(found.ancestors):
            inputs = _overlay_inputs(inputs, ancestor.node, types, ancestor.document)
            for operation, written in entries_at(ancestor.node, "operations", types.problems).items():
                spec = operations.get(operation) or OperationSpec(operation, written)
                operations[operation] = _overlay_operation(spec, written, written, types, ancestor.document)
    return Interface(name, found, inputs, operations)


def _overlay(old: Interface, body: Map, types: Types, document: Document, *, adding: bool) -> Interface:
    """One interface over what it was; ``adding`` where operations may be new: in types of TOSCA 1.x."""
    inputs = _overlay_inputs(old.inputs, body, types, document)
    operations = dict(old.operations)
    types.problems.spend(len(operations) + len(body.entries))
    if document.version == 2:
        check_keys(body, "interface", types.problems)
        direct = {}
    else:
        direct = {k: v for k, v in body.entries.items() if k not in _RESERVED}
    for name, written in {**direct, **entries_at(body, "operations", types.problems)}.items():
        at = body.keys.get(name, written)
        if adding or _is_declared(name, old, at, types):
            spec = operations.get(name) or OperationSpec(name, at)
            operations[name] = _overlay_operation(spec, written, at, types, document)
    return replace(old, inputs=inputs, operations=operations)


def _is_declared(name: str, interface: Interface, at: Node, types: Types) -> bool:
    if interface.type is None or name in interface.operations:
        return True
    known = interface.type.operations
    if name in known or (not known and interface.type.kind == "interface"):
        return True
    summary = f"the interface {interface.name!r} has no operation {name!r}"
    return complain("undeclared-names", "operation-unknown", summary, at, types.problems, near(name, known))


def _overlay_operation(old: OperationSpec, written: Node, at: Node, types: Types, document: Document) -> OperationSpec:
    if isinstance(written, Scalar):
        return old if written.null else replace(old, at=at, implementation=written)
    if not isinstance(written, Map):
        types.problems.error("shape", f"the operation {old.name!r} must be a map or a file name", written)
        return old
    check_keys(written, "operation", types.problems)
    if written.get("outputs") is not None:
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
        inputs=_overlay_inputs(old.inputs, written, types, document),
    )


def _overlay_inputs(old: Mapping[str, Input], body: Map, types: Types, document: Document) -> Mapping[str, Input]:
    written = body.get("inputs")
    if written is None:
        return old
    if not isinstance(written, Map):
        types.problems.error("shape", "'inputs' must be a map", written)
        return old
    merged = dict(old)
    types.problems.spend(len(merged) + len(written.entries))
    for name, node in written.entries.items():
        at = written.keys[name]
        if _is_definition(node):
            assert isinstance(node, Map)
            value = node.get("value") or node.get("default")
            merged[name] = Input(name, value, node, document, at)
        else:
            definition = old[name].definition if name in old else None
            owner = old[name].document if definition is not None else document
            merged[name] = Input(name, node, definition, owner, at)
    return merged


def _is_definition(node: Node) -> bool:
    """Whether an input is declared (`type: …`) rather than given a value; the two look alike in TOSCA 1.x."""
    if not isinstance(node, Map) or not node.entries.keys() <= allowed_keys("parameter", node.source.version):
        return False
    return bool(text_of(node.get("type"))) or (node.source.version == 2 and bool(node.entries))
