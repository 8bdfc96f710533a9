"""What types declare: properties and attributes with their schema, capabilities, requirements."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from isthmus.tosca.constraints import Constraint, parse_constraints
from isthmus.tosca.documents import FALSE, TRUE, Map, Node, Scalar, Seq, text_of
from isthmus.tosca.grammar import check_keys, list_at
from isthmus.tosca.leniency import allows
from isthmus.tosca.scalars import PRIMITIVES

if TYPE_CHECKING:
    from isthmus.tosca.imports import Document
    from isthmus.tosca.typedefs import TypeDef
    from isthmus.tosca.types import Types

ANY = "any"
"""The base of a schema that any value fits."""
SECRET = "isthmus.datatypes.Secret"  # noqa: S105 - the name of a type


@dataclass(frozen=True, slots=True, eq=False)
class Schema:
    """What a value must be (TOSCA 1.3 §3.6.2): ``base`` is the primitive type at the root of ``type``."""

    type: str
    base: str
    data: TypeDef | None = None
    entry: Schema | None = None
    key: Schema | None = None
    constraints: tuple[Constraint, ...] = ()

    @property
    def secret(self) -> bool:
        """Whether a value of it must never be seen."""
        return self.data is not None and self.data.derives(SECRET)

    @property
    def fields(self) -> Mapping[str, PropertyDef] | None:
        """The properties of a complex data type; None for anything else."""
        return self.data.properties if self.data is not None and self.base == "map" else None


@dataclass(frozen=True, slots=True, eq=False)
class PropertyDef:
    """A property, an attribute or an input as declared (TOSCA 1.3 §3.6.10, §3.6.12, §3.6.14)."""

    name: str
    schema: Schema
    required: bool
    default: Node | None
    description: str
    at: Node


@dataclass(frozen=True, slots=True, eq=False)
class CapabilityDef:
    """A capability of a node type (TOSCA 1.3 §3.7.2); ``assigned`` are property values that it sets."""

    name: str
    type: TypeDef
    properties: Mapping[str, PropertyDef]
    attributes: Mapping[str, PropertyDef]
    at: Node


@dataclass(frozen=True, slots=True, eq=False)
class RequirementDef:
    """A requirement of a node type (TOSCA 1.3 §3.7.3); types are None where any will do."""

    name: str
    capability: Scalar | None
    node: TypeDef | None
    relationship: TypeDef | None
    interfaces: Map | None
    least: int
    document: Document
    at: Node


def parse_schema(node: Node, types: Types, document: Document) -> Schema | None:
    """The schema that a definition or an `entry_schema` tells; None when its type is not known."""
    written = node.get("type") if isinstance(node, Map) else node
    if written is None:
        types.problems.error("key-missing", "'type' is missing", node)
        return None
    return _typed(written, node if isinstance(node, Map) else None, types, document)


def _typed(written: Node, node: Map | None, types: Types, document: Document) -> Schema | None:
    name = text_of(written)
    data = None
    if name not in PRIMITIVES:
        unknown = types.find("data", name, document) is None
        if unknown and allows("unknown-data-types", written, types.problems):
            return Schema(name, ANY)
        data = types.resolve("data", written, document)
        if data is None:
            return None
    base = data.primitive if data is not None else name
    inherited = data.constraints if data is not None else ()
    own = parse_constraints(list_at(node, "constraints", types.problems), base, types.problems)
    schema = Schema(data.name if data else name, base, data, constraints=inherited + own)
    for key in ("entry", "key"):
        inner = node.get(f"{key}_schema") if node is not None else None
        if inner is None and data is not None:
            inner = next((n for a in data.ancestors if (n := a.node.get(f"{key}_schema"))), None)
        if inner is not None:
            if isinstance(inner, Map):
                check_keys(inner, "schema", types.problems)
            found = parse_schema(inner, types, document)
            schema = replace(schema, entry=found) if key == "entry" else replace(schema, key=found)
    return schema


def parse_property(
    name: str, node: Node, place: str, types: Types, document: Document, inherited: PropertyDef | None = None
) -> PropertyDef | None:
    """A definition of a property, an attribute or an input; None when it cannot be made sense of.

    What a refinement leaves out is inherited (TOSCA 1.3 §3.6.10.6).
    """
    if not isinstance(node, Map):
        types.problems.error("shape", f"the definition of {name!r} must be a map", node)
        return None
    check_keys(node, place, types.problems)
    schema = inherited.schema if inherited is not None and node.get("type") is None else None
    if schema is None:
        schema = parse_schema(node, types, document)
    if schema is None:
        return None
    default = node.get("default")
    if default is None and inherited is not None:
        default = inherited.default
    if default is None and place == "property":
        default = node.get("value")
    required = inherited.required if inherited is not None else place != "attribute"
    required = _flag(node, "required", required, types)
    return PropertyDef(name, schema, required, default, text_of(node.get("description")).strip(), node)


def _flag(node: Map, key: str, default: bool, types: Types) -> bool:
    written = node.get(key)
    if written is None:
        return default
    text = text_of(written)
    if text not in TRUE | FALSE:
        types.problems.error("value-type", f"{key!r} must be true or false", written)
    return text in TRUE


def parse_capability(
    name: str, node: Node, types: Types, document: Document, inherited: CapabilityDef | None
) -> CapabilityDef | None:
    """A capability definition of a node type, short or long, over what the parent type declares."""
    body = node if isinstance(node, Map) else None
    if body is not None:
        check_keys(body, "capability_definition", types.problems)
    written = body.get("type") if body is not None else node
    if written is None and inherited is not None:
        found: TypeDef | None = inherited.type
    elif written is None:
        types.problems.error("key-missing", f"capability {name!r} has no type", node)
        return None
    else:
        found = types.resolve("capability", written, document)
    if found is None:
        return None
    properties, attributes = dict(found.properties), dict(found.attributes)
    for key, place, into in (("properties", "property", properties), ("attributes", "attribute", attributes)):
        for p, definition in _entries(body, key).items():
            parsed = parse_property(p, definition, place, types, document, into.get(p))
            if parsed is not None:
                into[p] = parsed
    return CapabilityDef(name, found, properties, attributes, node)


def _entries(node: Map | None, key: str) -> Mapping[str, Node]:
    found = node.get(key) if node is not None else None
    return found.entries if isinstance(found, Map) else {}


def parse_requirement(
    name: str, node: Node, types: Types, document: Document, inherited: RequirementDef | None
) -> RequirementDef:
    """A requirement definition, short (a capability type) or long, over what the parent type declares."""
    body = node if isinstance(node, Map) else None
    capability = body.get("capability") if body is not None else node
    relationship = body.get("relationship") if body is not None else None
    interfaces = relationship.get("interfaces") if isinstance(relationship, Map) else None
    if body is not None:
        check_keys(body, "requirement_definition", types.problems)
    if isinstance(relationship, Map):
        relationship = relationship.get("type")
    target = body.get("node") if body is not None else None
    old = inherited
    return RequirementDef(
        name,
        capability if isinstance(capability, Scalar) else old.capability if old else None,
        types.resolve("node", target, document) if target is not None else old.node if old else None,
        types.resolve("relationship", relationship, document)
        if relationship is not None
        else (old.relationship if old else None),
        interfaces if isinstance(interfaces, Map) else old.interfaces if old else None,
        _least(body, old.least if old else 1),
        document,
        node,
    )


def _least(node: Map | None, default: int) -> int:
    bounds = node.get("occurrences") if node is not None else None
    if isinstance(bounds, Seq) and bounds.items and text_of(bounds.items[0]).isdecimal():
        return int(text_of(bounds.items[0])[:6])
    return default
