"""What a value must be: its type, with the constraints, entries and keys that it adds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from isthmus.tosca.grammar import check_keys, list_at
from isthmus.tosca.leniency import allows, complain
from isthmus.tosca.reading.documents import Map, Node, text_of
from isthmus.tosca.typesystem.constraints import Constraint, parse_constraints
from isthmus.tosca.typesystem.scalars import primitives
from isthmus.tosca.typesystem.validation import Validation, parse_validation

if TYPE_CHECKING:
    from isthmus.tosca.reading.imports import Document
    from isthmus.tosca.typesystem.definitions import PropertyDef
    from isthmus.tosca.typesystem.typedefs import TypeDef
    from isthmus.tosca.typesystem.types import Types
    from isthmus.tosca.typesystem.units import ScalarType

ANY = "any"
"""The base of a schema that any value fits."""
SECRET = "isthmus.datatypes.Secret"  # noqa: S105 - the name of a type
NOTATION = "isthmus.datatypes.Notation"
"""A type whose values are numbers, texts or lists: what they mean is for whoever takes them to tell."""


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
    if data is not None and data.derives(NOTATION):
        base = ANY
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
