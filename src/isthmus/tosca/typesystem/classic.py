"""What is looked at in types of TOSCA 1.x though nothing uses them: defaults, types that they name, operations."""

from __future__ import annotations

from typing import TYPE_CHECKING

from isthmus.tosca.diagnostics import near
from isthmus.tosca.grammar import allowed_keys, check_keys, entries_at
from isthmus.tosca.leniency import allows, complain, is_galaxy
from isthmus.tosca.reading.documents import Map, Node, Seq, text_of
from isthmus.tosca.typesystem.capabilities import type_list
from isthmus.tosca.typesystem.definitions import parse_property
from isthmus.tosca.typesystem.modern import check_values
from isthmus.tosca.typesystem.typedefs import artifact_entries

if TYPE_CHECKING:
    from isthmus.tosca.expressions.values import Converter
    from isthmus.tosca.reading.imports import Document
    from isthmus.tosca.typesystem.typedefs import TypeDef
    from isthmus.tosca.typesystem.types import Types

_LISTS = {
    "relationship": {"valid_target_types": "capability"},
    "capability": {"valid_source_types": "node"},
}
"""Keys that list types, by the kind of type that has them, with the kind that they list."""


def check_classic_definitions(found: TypeDef, converter: Converter) -> None:
    """Check what a type defines once all types are known."""
    for key, kind in _LISTS.get(found.kind, {}).items():
        type_list(found.node, key, kind, found.types, found.document)
    if found.kind == "interface":
        _check_interface(found)
        return
    rootless = found.kind == "data" and found.node.get("derived_from") is None and not found.properties
    if rootless and found.document.normative:
        summary = f"the data type {found.name!r} has neither a parent nor properties"
        complain("stray-keys", "shape", summary, found.at, found.types.problems)
    for definitions in (found.properties, found.attributes):
        check_values({n: d for n, d in definitions.items() if d.at.source is found.node.source}, converter)
    if found.kind == "node":
        for name, node in artifact_entries(found.node).items():
            _check_artifact(name, node, found)


def _check_artifact(name: str, node: Node, found: TypeDef) -> None:
    problems = found.types.problems
    if isinstance(node, Seq):
        problems.error("shape", f"the artifact {name!r} must be a map or the name of a file", node)
    if isinstance(node, Map):
        check_keys(node, "artifact", problems)
        artifact_type(node, found.types, found.document)


def artifact_type(node: Map, types: Types, document: Document) -> TypeDef | None:
    """The type that an artifact tells; the catalogues need not define those of Ansible Galaxy."""
    written = node.get("type")
    if written is None:
        return None
    name = text_of(written)
    if is_galaxy(name) and allows("ansible-galaxy", written, types.problems):
        return types.find("artifact", name, document)
    return types.resolve("artifact", written, document)


def _check_interface(found: TypeDef) -> None:
    """Operations stand under `operations`, or before TOSCA 1.3 beside the other keys (1.3 §3.7.5)."""
    types, node, keys = found.types, found.node, allowed_keys("interface_type")
    known = Map(node.source, node.mark)
    known.entries = {k: n for k, n in node.entries.items() if k in keys}
    check_keys(known, "interface_type", types.problems)
    beside = {k: n for k, n in node.entries.items() if k not in keys}
    for name, body in beside.items():
        # an operation that a type declares has a map or nothing: a text shows that another key was meant
        if text_of(body):
            summary = f"{name!r} is not a key of an interface type"
            complain("stray-keys", "key-unknown", summary, node.keys[name], types.problems, near(name, keys))
    for body in [*entries_at(node, "operations", types.problems).values(), *beside.values()]:
        if isinstance(body, Map):
            check_keys(body, "operation", types.problems)
            _check_inputs(body, found)
    entries_at(node, "notifications", types.problems)
    _check_inputs(node, found)


def _check_inputs(body: Map, found: TypeDef) -> None:
    for name, node in entries_at(body, "inputs", found.types.problems).items():
        if isinstance(node, Map) and "type" in node.entries:
            parse_property(name, node, "parameter", found.types, found.document)
