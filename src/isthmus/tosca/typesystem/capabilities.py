"""Capabilities of a node type, and lists of the types that may use them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from isthmus.tosca.diagnostics import near
from isthmus.tosca.grammar import check_keys, list_at
from isthmus.tosca.leniency import allows, complain
from isthmus.tosca.reading.documents import Map, Node, Scalar, Seq, scalar_value, text_of
from isthmus.tosca.typesystem.definitions import PropertyDef, parse_property

if TYPE_CHECKING:
    from isthmus.tosca.reading.imports import Document
    from isthmus.tosca.typesystem.typedefs import TypeDef
    from isthmus.tosca.typesystem.types import Types


@dataclass(frozen=True, slots=True, eq=False)
class CapabilityDef:
    """A capability of a node type (TOSCA 1.3 §3.7.2, TOSCA 2.0 §8.2).

    ``sources`` and ``relationships`` are the types that may use it, None where any may; ``most`` is how many
    relationships may use it at once, None for any number.
    """

    name: str
    type: TypeDef
    properties: Mapping[str, PropertyDef]
    attributes: Mapping[str, PropertyDef]
    at: Node
    sources: tuple[TypeDef, ...] | None = None
    relationships: tuple[TypeDef, ...] | None = None
    most: int | None = None


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
    if document.version == 2 and inherited is not None and not found.derives_from(inherited.type):
        summary = f"the capability {name!r} is a {inherited.type.name}, and cannot become a {found.name}"
        types.problems.error("refinement", summary, node)
    same = inherited is not None and inherited.type is found
    properties = dict(inherited.properties if same and inherited else found.properties)
    attributes = dict(inherited.attributes if same and inherited else found.attributes)
    for key, place, into in (("properties", "property", properties), ("attributes", "attribute", attributes)):
        for p, definition in _entries(body, key).items():
            if document.version == 2 and p not in into:
                summary = f"{found.name} has no {place} {p!r}, and a capability adds none"
                types.problems.error(f"{place}-unknown", summary, definition, suggestion=near(p, into))
                continue
            parsed = parse_property(p, definition, place, types, document, into.get(p))
            if parsed is not None:
                into[p] = parsed
    old = "valid_source_types" if document.version == 1 else "valid_source_node_types"
    return CapabilityDef(
        name,
        found,
        properties,
        attributes,
        node,
        _narrowed(found, body, "node", old, types, document),
        _narrowed(found, body, "relationship", "valid_relationship_types", types, document),
        bounds_of(body, "occurrences", (1, None), types)[1],
    )


def _narrowed(
    found: TypeDef, body: Map | None, kind: str, key: str, types: Types, document: Document
) -> tuple[TypeDef, ...] | None:
    """The types that a capability's definition lists, which in TOSCA 2.0 are among those of its type (§8.2)."""
    allowed = found.valid(kind, key)
    own = type_list(body, key, kind, types, document)
    if own is None or body is None:
        return allowed
    if document.version == 2:
        check_narrower(own, allowed, body.entries[key], types)
    return own


def check_narrower(own: tuple[TypeDef, ...], allowed: tuple[TypeDef, ...] | None, at: Node, types: Types) -> None:
    """A list of types may only be narrowed: each is one of those before, or derives from one (TOSCA 2.0 §7.3, §8)."""
    for one in own:
        if allowed is not None and not any(one.derives_from(before) for before in allowed):
            names = ", ".join(b.name for b in allowed)
            summary = f"{one.name!r} is none of those that are allowed: {names}"
            types.problems.error("refinement", summary, at)


def type_list(node: Map | None, key: str, kind: str, types: Types, document: Document) -> tuple[TypeDef, ...] | None:
    """The types that a list of names means; None when there is no list."""
    if node is None or node.get(key) is None:
        return None
    found = (_named(kind, item, types, document) for item in list_at(node, key, types.problems))
    return tuple(f for f in found if f is not None)


def _named(kind: str, item: Node, types: Types, document: Document) -> TypeDef | None:
    found = types.find(kind, text_of(item), document)
    if found is None and allows("unknown-valid-types", item, types.problems):
        return None
    return found or types.resolve(kind, item, document)


def _entries(node: Map | None, key: str) -> Mapping[str, Node]:
    found = node.get(key) if node is not None else None
    return found.entries if isinstance(found, Map) else {}


def bounds_of(node: Map | None, key: str, default: tuple[int, int | None], types: Types) -> tuple[int, int | None]:
    """The least and the most of a range such as `[ 0, UNBOUNDED ]`, whose most is None."""
    written = node.get(key) if node is not None else None
    if written is None:
        return default
    items = written.items if isinstance(written, Seq) else []
    low, high = [scalar_value(i) if isinstance(i, Scalar) else None for i in items] if len(items) == 2 else (None, None)
    whole = type(low) is int and low >= 0
    if not whole or not (high == "UNBOUNDED" or (type(high) is int and isinstance(low, int) and high >= low)):
        summary = f"{key!r} is two bounds such as [ 0, UNBOUNDED ]"
        if isinstance(written, Scalar) and text_of(written).isdecimal() and written.source.version == 1:
            types.problems.warn("value-type", summary, written)
        else:
            complain("stray-keys", "value-type", summary, written, types.problems)
        return default
    assert isinstance(low, int)
    return low, high if isinstance(high, int) else None
