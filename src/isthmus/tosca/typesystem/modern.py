"""What TOSCA 2.0 asks of types beyond TOSCA 1.x: shapes, derivation, and values that fit what they are declared as."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING

from isthmus.tosca.grammar import check_keys, entries_at
from isthmus.tosca.reading.documents import Map, text_of
from isthmus.tosca.typesystem.capabilities import check_narrower
from isthmus.tosca.typesystem.scalars import MODERN_PRIMITIVES
from isthmus.tosca.typesystem.units import KEYS as SCALAR_KEYS
from isthmus.tosca.typesystem.units import check_scalar_refinement

if TYPE_CHECKING:
    from isthmus.tosca.expressions.values import Converter
    from isthmus.tosca.typesystem.definitions import PropertyDef
    from isthmus.tosca.typesystem.typedefs import TypeDef

_VALID = {
    "relationship": {
        "valid_capability_types": "capability",
        "valid_target_node_types": "node",
        "valid_source_node_types": "node",
    },
    "capability": {"valid_source_node_types": "node", "valid_relationship_types": "relationship"},
}
"""Keys that list types, by the kind of type that has them, with the kind that they list."""


def check_modern_type(found: TypeDef) -> None:
    """Check the keys of a type definition, and what must be there, before anything is worked out."""
    problems = found.types.problems
    check_keys(found.node, f"{found.kind}_type", problems)
    if found.kind == "data":
        _check_data(found)
    if found.kind == "interface":
        for name, operation in entries_at(found.node, "operations", problems).items():
            if isinstance(operation, Map) and operation.get("implementation") is not None:
                at = operation.keys["implementation"]
                problems.error("shape", f"an interface type does not implement its operation {name!r}", at)
    if found.kind == "node":
        names = Counter(n for n, _ in found.types.requirement_entries(found.node))
        for name in (n for n, times in names.items() if times > 1):
            problems.error("shape", f"the requirement {name!r} is defined twice", found.node.entries["requirements"])


def _check_data(found: TypeDef) -> None:
    """A data type has a parent or properties (§9.2); which other keys it may have depends on its root."""
    problems, node = found.types.problems, found.node
    if found.name in MODERN_PRIMITIVES:
        problems.error("type-redefined", f"{found.name!r} is a built-in type", found.at)
    properties = node.get("properties")
    if node.get("derived_from") is None and properties is None:
        problems.error("shape", f"the data type {found.name!r} has neither a parent nor properties", found.at)
    if isinstance(properties, Map) and not properties.entries:
        problems.error("shape", "'properties' is empty", node.keys["properties"])


def _check_root(found: TypeDef) -> None:
    problems, node = found.types.problems, found.node
    root = text_of(found.ancestors[-1].node.get("derived_from"))
    built_in = root in MODERN_PRIMITIVES
    if built_in and node.get("properties") is not None:
        problems.error("shape", f"a type that derives from {root} has no properties", node.keys["properties"])
    for key, roots in (("entry_schema", ("list", "map")), ("key_schema", ("map",))):
        if node.get(key) is not None and root not in roots:
            problems.error("shape", f"{key!r} is for types that derive from {' or '.join(roots)}", node.keys[key])
    for key in SCALAR_KEYS:
        if node.get(key) is not None and root != "scalar":
            problems.error("shape", f"{key!r} is for types that derive from scalar", node.keys[key])
    _ = found.inner("entry"), found.inner("key")
    if root == "scalar":
        _ = found.scalar
        check_scalar_refinement(found)
    elif root in ("list", "map") and found.inner("entry") is None and node.get("entry_schema") is None:
        problems.error("key-missing", f"the data type {found.name!r} has no entry_schema", found.at)


def check_modern_definitions(found: TypeDef, converter: Converter) -> None:
    """Check what a type defines once all types are known: its root, lists of types, defaults and fixed values."""
    if found.kind == "data":
        _check_root(found)
        _ = found.validations
    for key, kind in _VALID.get(found.kind, {}).items():
        _check_list(found, key, kind)
    if found.kind == "interface":
        return
    for definitions in (found.properties, found.attributes):
        check_values({n: d for n, d in definitions.items() if d.at.source is found.node.source}, converter)
    if found.kind == "node":
        _check_node(found, converter)


def _check_node(found: TypeDef, converter: Converter) -> None:
    from isthmus.tosca.resolving.artifact_checks import check_definition  # what resolves nodes needs their types

    for capability in found.capabilities.values():
        if capability.at.source is found.node.source:
            for definitions in (capability.properties, capability.attributes):
                check_values(definitions, converter)
    for name, node in entries_at(found.node, "artifacts", found.types.problems).items():
        check_definition(f"the artifact {name!r} of {found.name}", node, found.types, found.document, converter)


def check_values(definitions: Mapping[str, PropertyDef], converter: Converter) -> None:
    """Defaults and fixed values must be of the declared type; those that call functions are checked when used."""
    from isthmus.tosca.resolving.templates import Scope

    for definition in definitions.values():
        for value in (definition.default, definition.fixed):
            if value is not None:
                converter.convert_default(value, definition.schema, Scope())


def _check_list(found: TypeDef, key: str, kind: str) -> None:
    """A derived type may only narrow such a list (§7.3, §8.1)."""
    own = found.valid(kind, key)
    before = found.base.valid(kind, key) if found.base is not None else None
    if own is None or before is None or found.node.get(key) is None:
        return
    check_narrower(own, before, found.node.entries[key], found.types)
