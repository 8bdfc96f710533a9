"""Properties, attributes and parameters as declared: their schema, default and fixed value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from isthmus.tosca.grammar import allowed_keys, check_keys
from isthmus.tosca.reading.documents import FALSE, TRUE, Map, Node, text_of
from isthmus.tosca.typesystem.schemas import (
    ANY,
    Schema,
    check_schema,
    parse_schema,
    refine_schema,
)

if TYPE_CHECKING:
    from isthmus.tosca.reading.imports import Document
    from isthmus.tosca.typesystem.types import Types


@dataclass(frozen=True, slots=True, eq=False)
class PropertyDef:
    """A property, an attribute or a parameter as declared (TOSCA 1.3 §3.6.10 to §3.6.14, TOSCA 2.0 §9.4 to §9.8).

    ``fixed`` is a value that can be neither assigned nor refined (TOSCA 2.0 §9.4).
    """

    name: str
    schema: Schema
    required: bool
    default: Node | None
    description: str
    at: Node
    fixed: Node | None = None

    @property
    def reflected(self) -> PropertyDef:
        """The attribute that every property has beside it, which takes the value found (TOSCA 2.0 §9.6)."""
        return replace(self, required=False, default=None, fixed=None)

    @property
    def idle_default(self) -> bool:
        """Whether there is a default that never counts: in TOSCA 2.0 what is not required stays undefined (§9.5)."""
        return not self.required and self.at.source.version == 2


def parse_property(
    name: str, node: Node, place: str, types: Types, document: Document, inherited: PropertyDef | None = None
) -> PropertyDef | None:
    """A definition of a property, an attribute or a parameter; None when it cannot be made sense of.

    What a refinement leaves out is inherited (TOSCA 1.3 §3.6.10.6, TOSCA 2.0 §9.4).
    """
    modern = document.version == 2
    if inherited is not None and inherited.fixed is not None:
        types.problems.error("refinement", f"the value of {name!r} is fixed, and cannot be refined", node)
        return inherited
    if modern and _is_value(node, place, inherited):
        return replace(inherited, fixed=node, at=node) if inherited is not None else _untyped(name, node)
    if not isinstance(node, Map) and inherited is not None:
        summary = f"a value of {name!r} stands where it is defined again; it is taken for the default"
        types.problems.warn("shape", summary, node, suggestion="write 'default: VALUE'; the short form is TOSCA 2.0's")
        return replace(inherited, default=node, at=node)
    if not isinstance(node, Map):
        types.problems.error("shape", f"the definition of {name!r} must be a map", node)
        return None
    check_keys(node, place, types.problems)
    schema = _schema_of(node, place, types, document, inherited)
    if schema is None:
        return None
    default = _value(node, "default")
    if default is None and inherited is not None:
        default = inherited.default
    if default is None and place == "property" and not modern:
        default = node.get("value")
    required = inherited.required if inherited is not None else place != "attribute"
    required = _flag(node, "required", required, types)
    if modern and inherited is not None:
        check_schema(inherited.schema, schema, name, node, types)
        if inherited.required and not required:
            types.problems.error("refinement", f"{name!r} is required, and cannot become optional", node)
    description = text_of(node.get("description")).strip()
    return PropertyDef(name, schema, required, default, description, node, _value(node, "value") if modern else None)


def _value(node: Map, key: str) -> Node | None:
    """The value under a key; in TOSCA 2.0 null is one as well (§9.1.1.6)."""
    return node.entries.get(key) if node.source.version == 2 else node.get(key)


def _is_value(node: Node, place: str, inherited: PropertyDef | None) -> bool:
    """Whether a value stands where a definition could: in a refinement, or for a parameter (TOSCA 2.0 §9.4, §9.8)."""
    if inherited is None and place not in ("parameter", "output"):
        return False
    if inherited is None and isinstance(node, Map) and node.entries.keys() & {"type", "value", "mapping"}:
        return False
    return not isinstance(node, Map) or not node.entries.keys() <= allowed_keys(place, 2)


def _untyped(name: str, node: Node) -> PropertyDef:
    return PropertyDef(name, Schema(ANY, ANY), False, None, "", node, node)


def _schema_of(node: Map, place: str, types: Types, document: Document, inherited: PropertyDef | None) -> Schema | None:
    if node.get("type") is None and inherited is not None:
        return refine_schema(inherited.schema, node, node, types, document)
    if node.get("type") is None and place in ("input", "parameter", "output") and document.version == 2:
        return refine_schema(Schema(ANY, ANY), node, node, types, document)
    return parse_schema(node, types, document, inherited.schema if inherited is not None else None)


def _flag(node: Map, key: str, default: bool, types: Types) -> bool:
    written = node.get(key)
    if written is None:
        return default
    text = text_of(written)
    if text not in TRUE | FALSE:
        types.problems.error("value-type", f"{key!r} must be true or false", written)
    return text in TRUE


def with_reflected(
    properties: Mapping[str, PropertyDef], attributes: Mapping[str, PropertyDef], document: Document
) -> Mapping[str, PropertyDef]:
    """The attributes that can be assigned: in TOSCA 2.0 every property is one too (§9.6, §9.7)."""
    if document.version != 2:
        return attributes
    return {**{name: definition.reflected for name, definition in properties.items()}, **attributes}
