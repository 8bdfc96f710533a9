"""What types declare: properties and attributes with their schema, capabilities, requirements."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from isthmus.tosca.diagnostics import near
from isthmus.tosca.grammar import allowed_keys, check_keys, list_at
from isthmus.tosca.leniency import allows, complain
from isthmus.tosca.reading.documents import FALSE, TRUE, Map, Node, Scalar, Seq, scalar_value, text_of
from isthmus.tosca.typesystem.constraints import Constraint, parse_constraints
from isthmus.tosca.typesystem.scalars import primitives
from isthmus.tosca.typesystem.validation import Validation, parse_validation

if TYPE_CHECKING:
    from isthmus.tosca.reading.imports import Document
    from isthmus.tosca.typesystem.typedefs import TypeDef
    from isthmus.tosca.typesystem.types import Types
    from isthmus.tosca.typesystem.units import ScalarType

ANY = "any"
"""The base of a schema that any value fits."""
SECRET = "isthmus.datatypes.Secret"  # noqa: S105 - the name of a type


@dataclass(frozen=True, slots=True, eq=False)
class Schema:
    """What a value must be (TOSCA 1.3 §3.6.2, TOSCA 2.0 §9.3).

    ``base`` is the built-in type at the root of ``type``.
    """

    type: str
    base: str
    data: TypeDef | None = None
    entry: Schema | None = None
    key: Schema | None = None
    constraints: tuple[Constraint, ...] = ()
    validations: tuple[Validation, ...] = ()
    scalar: ScalarType | None = None

    @property
    def secret(self) -> bool:
        """Whether a value of it must never be seen."""
        return self.data is not None and self.data.derives(SECRET)

    @property
    def fields(self) -> Mapping[str, PropertyDef] | None:
        """The properties of a complex data type; None for anything else."""
        return self.data.properties if self.data is not None and self.data.complex else None

    @property
    def collection(self) -> bool:
        """Whether values are lists or maps of entries that all have one schema."""
        return self.base in ("list", "map") and not (self.data is not None and self.data.complex)


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


@dataclass(frozen=True, slots=True, eq=False)
class RequirementDef:
    """A requirement of a node type (TOSCA 1.3 §3.7.3, TOSCA 2.0 §8.4); types are None where any will do.

    ``interfaces`` and ``properties`` refine those of the relationship's type; ``most`` is None for any number;
    ``filters`` are the node filters of the type and of its ancestors.
    """

    name: str
    capability: Scalar | None
    node: TypeDef | None
    relationship: TypeDef | None
    interfaces: Map | None
    least: int
    document: Document
    at: Node
    most: int | None = None
    properties: Map | None = None
    filters: tuple[Node, ...] = ()


# ---------------------------------------------------------------------------------------------
# schemas


def parse_schema(node: Node, types: Types, document: Document, inherited: Schema | None = None) -> Schema | None:
    """The schema that a definition or an `entry_schema` tells; None when its type is not known.

    In TOSCA 2.0 a refinement that names its type again keeps what is ``inherited`` besides (§9.3).
    """
    written = node.get("type") if isinstance(node, Map) else node
    if written is None:
        types.problems.error("key-missing", "'type' is missing", node)
        return None
    name = text_of(written)
    data = None
    if name not in primitives(document.version):
        unknown = types.find("data", name, document) is None
        if unknown and allows("unknown-data-types", written, types.problems):
            return Schema(name, ANY)
        data = types.resolve("data", written, document)
        if data is None:
            return None
    elif name == "scalar":
        summary = "'scalar' is abstract: a data type derived from it says what units there are"
        types.problems.error("value-type", summary, written)
        return None
    base = data.primitive if data is not None else name
    schema = Schema(data.name if data else name, base, data)
    if data is not None:
        schema = replace(
            schema,
            constraints=data.constraints,
            validations=data.validations,
            scalar=data.scalar,
            entry=data.inner("entry"),
            key=data.inner("key"),
        )
    if inherited is not None and document.version == 2:
        schema = _keep(schema, inherited)
    return refine_schema(schema, node if isinstance(node, Map) else None, written, types, document)


def _keep(schema: Schema, inherited: Schema) -> Schema:
    """A schema with the clauses of the one that it refines, and with its entries and keys where it has none."""
    if schema.base != inherited.base:
        return schema
    return replace(
        schema,
        entry=schema.entry or inherited.entry,
        key=schema.key or inherited.key,
        validations=(*inherited.validations, *(v for v in schema.validations if v not in inherited.validations)),
    )


def refine_schema(schema: Schema, node: Map | None, at: Node, types: Types, document: Document) -> Schema:
    """A schema with the constraints, validation, entry and key schema that ``node`` adds to it."""
    for key in ("entry", "key"):
        inner = node.get(f"{key}_schema") if node is not None else None
        if inner is not None:
            old = schema.entry if key == "entry" else schema.key
            found = parse_inner(key, inner, types, document, old)
            schema = replace(schema, entry=found) if key == "entry" else replace(schema, key=found)
            _check_inner(key, inner, schema, types)
            if document.version == 2:
                check_schema(old, found, key, inner, types)
    # A type whose entries are of the type itself is being read when it is asked for: its entries are not known yet.
    told = schema.data is not None and any(a.node.get("entry_schema") is not None for a in schema.data.ancestors)
    if document.version == 2 and schema.collection and schema.entry is None and not told:
        types.problems.error("key-missing", f"a {schema.base} must tell the schema of its entries: 'entry_schema'", at)
    constraints = parse_constraints(list_at(node, "constraints", types.problems), schema.base, types.problems)
    schema = replace(schema, constraints=schema.constraints + constraints)
    clause = node.get("validation") if node is not None and document.version == 2 else None
    validation = parse_validation(clause, schema, types) if clause is not None else None
    return replace(schema, validations=(*schema.validations, validation)) if validation is not None else schema


def parse_inner(
    key: str, node: Node, types: Types, document: Document, inherited: Schema | None = None
) -> Schema | None:
    """The schema of entries or keys (``key`` is `entry` or `key`); a refinement may leave out its type."""
    if isinstance(node, Map):
        check_keys(node, "schema", types.problems)
        if inherited is not None and node.get("type") is None:
            return refine_schema(inherited, node, node, types, document)
    return parse_schema(node, types, document, inherited)


def check_schema(old: Schema | None, new: Schema | None, what: str, at: Node, types: Types, levels: int = 8) -> None:
    """A schema is refined only to its own type or a derived one, and so are its entries and keys (TOSCA 2.0 §9.3)."""
    if old is None or new is None or ANY in (old.base, new.base) or not levels:
        return
    own, before = new.data, old.data
    if before is not None:
        fits = own is not None and own.derives_from(before)
    else:
        fits = new.type == old.type or (own is not None and not own.complex and own.primitive == old.type)
    if not fits:
        summary = f"{what!r} was declared as {old.type}, and cannot become {new.type}"
        types.problems.error("refinement", summary, at)
        return
    for key, one, other in (("entry_schema", old.entry, new.entry), ("key_schema", old.key, new.key)):
        if one is not other:
            inner = at.get(key) if isinstance(at, Map) else None
            check_schema(one, other, key, inner or at, types, levels - 1)


def _check_inner(key: str, node: Node, schema: Schema, types: Types) -> None:
    """Only lists and maps have entries, only maps have keys, and these are strings (TOSCA 2.0 §9.3)."""
    allowed = ("list", "map") if key == "entry" else ("map",)
    if schema.base not in allowed or not schema.collection:
        complain("stray-keys", "shape", f"a {schema.type} has no {key}_schema", node, types.problems)
    elif key == "key":
        check_key(schema.key, node, types)


def check_key(schema: Schema | None, node: Node, types: Types) -> None:
    """The keys of a map are strings, or of a type that derives from string (TOSCA 2.0 §9.2, §9.3)."""
    if schema is not None and schema.base not in ("string", ANY):
        types.problems.error("value-type", f"the keys of a map are strings, which a {schema.type} is not", node)


# ---------------------------------------------------------------------------------------------
# properties, attributes, parameters


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


# ---------------------------------------------------------------------------------------------
# capabilities and requirements


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
        _bounds(body, "occurrences", (1, None), types)[1],
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


def parse_requirement(
    name: str, node: Node, types: Types, document: Document, inherited: RequirementDef | None
) -> RequirementDef:
    """A requirement definition, short (a capability type) or long, over what the parent type declares."""
    body = node if isinstance(node, Map) else None
    capability = body.get("capability") if body is not None else node
    spoken = body.get("relationship") if body is not None else None
    definition = spoken if isinstance(spoken, Map) else None
    if body is not None:
        check_keys(body, "requirement_definition", types.problems)
    if definition is not None:
        check_keys(definition, "relationship_definition", types.problems)
    if body is not None and document.version == 2 and inherited is None:
        for key, there in (("capability", capability), ("relationship", spoken)):
            if there is None:
                types.problems.error("key-missing", f"the requirement {name!r} has no {key!r}", node)
    relationship = definition.get("type") if definition is not None else spoken
    target = body.get("node") if body is not None else None
    filter_ = body.get("node_filter") if body is not None else None
    old = inherited
    key, default = ("occurrences", (1, 1)) if document.version == 1 else ("count_range", (0, None))
    least, most = _bounds(body, key, (old.least, old.most) if old else default, types)
    found = RequirementDef(
        name,
        capability if isinstance(capability, Scalar) else old.capability if old else None,
        types.resolve("node", target, document) if target is not None else old.node if old else None,
        types.resolve("relationship", relationship, document)
        if relationship is not None
        else (old.relationship if old else None),
        _map(definition, "interfaces") or (old.interfaces if old else None),
        least,
        document,
        node,
        most,
        _map(definition, "properties") or (old.properties if old else None),
        ((*old.filters, filter_) if old else (filter_,)) if filter_ is not None else old.filters if old else (),
    )
    if document.version == 2 and old is not None:
        _check_requirement(old, found, types)
    return found


def _map(node: Map | None, key: str) -> Map | None:
    found = node.get(key) if node is not None else None
    return found if isinstance(found, Map) else None


def _check_requirement(old: RequirementDef, new: RequirementDef, types: Types) -> None:
    """A refinement narrows what the parent's definition asks for (TOSCA 2.0 §8.4.1)."""
    for what, before, after in (
        ("node", old.node, new.node),
        ("relationship", old.relationship, new.relationship),
    ):
        if before is not None and after is not None and not after.derives_from(before):
            summary = f"the {what} of {new.name!r} is a {before.name}, and cannot become a {after.name}"
            types.problems.error("refinement", summary, new.at)
    high = old.most is None or (new.most is not None and new.most <= old.most)
    if new.least < old.least or not high:
        types.problems.error("refinement", f"the count_range of {new.name!r} leaves that of its parent", new.at)


def _bounds(node: Map | None, key: str, default: tuple[int, int | None], types: Types) -> tuple[int, int | None]:
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
