"""Values with the type that is known of them, and how types go together (TOSCA 2.0 §10.2)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from isthmus.topology import Call, Reference, Secret, Value
from isthmus.tosca.typesystem.schemas import ANY, Schema

NUMBERS = ("integer", "float")
MAX_LEVELS = 16
"""How deep the entries of lists and maps are looked at: a type may be a list of itself."""

_LITERALS: tuple[tuple[type, str], ...] = (
    (bool, "boolean"), (int, "integer"), (float, "float"), (str, "string"), (list, "list"), (dict, "map"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Typed:
    """A value, plain or known later, and its type where that is known."""

    value: Value
    schema: Schema | None = None


def primitive(base: str, entry: Schema | None = None) -> Schema:
    """The schema of a primitive type alone."""
    return Schema(base, base, entry=entry)


BOOLEAN, STRING, INTEGER, FLOAT = (primitive(b) for b in ("boolean", "string", "integer", "float"))


def is_later(value: Value) -> bool:
    """Whether a value is known only to the running deployment."""
    return isinstance(value, Reference | Secret | Call)


def natural(value: Value) -> Schema | None:
    """The type that a literal has of itself; None for what is empty or known later."""
    found = next((primitive(base) for kind, base in _LITERALS if isinstance(value, kind)), None)
    if found is None or not isinstance(value, list):
        return found
    entries = [natural(v) for v in value]
    same = entries and all(e is not None and entries[0] is not None and e.base == entries[0].base for e in entries)
    return replace(found, entry=entries[0]) if same else found


def bare(schema: Schema) -> Schema:
    """A schema without its conditions: what a value is compared with need not meet them."""
    return replace(schema, constraints=(), validations=())


def dig(schema: Schema | None, path: Sequence[str | int]) -> Schema | None:
    """The type of the part of a value under a path; raises :class:`ValueError` for one that cannot be there."""
    for step in path:
        if schema is None or schema.base == ANY:
            return None
        schema = _part(schema, step)
    return schema


def _part(schema: Schema, step: str | int) -> Schema | None:
    if schema.fields is not None and (schema.fields or schema.entry is None):
        if str(step) in schema.fields:
            return schema.fields[str(step)].schema
        if schema.fields:
            raise ValueError(f"{schema.type} has no {str(step)!r}")
        return None
    if schema.base == "map":
        return schema.entry
    if schema.base == "list":
        if not str(step).isdecimal():
            raise ValueError(f"{step!r} is no index of a list")
        return schema.entry
    if schema.base == "range" and str(step) in ("0", "1"):
        return None
    raise ValueError(f"{step!r} leads into a value of type {schema.type}, which has no parts")


def fits(given: Schema | None, wanted: Schema | None, levels: int = MAX_LEVELS) -> bool:
    """Whether a value of one type can stand where another is declared, as far as the types tell."""
    if given is None or wanted is None or ANY in (given.base, wanted.base) or not levels:
        return True
    if given.base != wanted.base:
        return given.base == "integer" and wanted.base == "float"
    if given.base in ("list", "map") and not (given.fields or wanted.fields):
        return fits(given.entry, wanted.entry, levels - 1)
    if (given.fields and wanted.fields) or given.base == "scalar":
        return _related(given, wanted)
    return True


def _related(one: Schema, other: Schema) -> bool:
    """Whether one type is the other or derives from it."""
    if one.data is None or other.data is None:
        return True
    return one.data.derives(other.data.name) or other.data.derives(one.data.name)


def comparable(one: Schema | None, other: Schema | None) -> bool:
    """Whether values of two types can be compared at all."""
    return fits(one, other) or fits(other, one)


def form_of(schema: Schema | None, levels: int = MAX_LEVELS) -> Any:
    """How values of a type are brought into a form that compares: see :func:`isthmus.topology.comparing.canonical`."""
    if schema is None or not levels:
        return None
    if schema.scalar is not None:
        return {"units": dict(schema.scalar.units)}
    if schema.base in ("version", "timestamp"):
        return schema.base
    if (
        schema.base in ("list", "map")
        and not schema.fields
        and (inner := form_of(schema.entry, levels - 1)) is not None
    ):
        return {"entries": inner}
    return None
