"""What the fields of a dataclass may hold, read off its type hints: what the JSON form and its schema walk.

A field that is added to :mod:`isthmus.topology` is thereby part of both.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, dataclass, fields, is_dataclass
from enum import Enum
from functools import cache
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from isthmus.topology import Call, Reference, Secret

LATER: Mapping[str, type] = {"$reference": Reference, "$secret": Secret, "$call": Call}
"""What a value may hold beside plain JSON, by the key that marks it."""


@dataclass(frozen=True, slots=True)
class Plain:
    """One of some scalar types."""

    types: tuple[type, ...]


@dataclass(frozen=True, slots=True)
class Choice:
    """A member of an enumeration, written as its value."""

    enum: type[Enum]


@dataclass(frozen=True, slots=True)
class Many:
    """A tuple of any length."""

    item: Shape


@dataclass(frozen=True, slots=True)
class Fixed:
    """A tuple of just these."""

    items: tuple[Shape, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """A map from text."""

    value: Shape


@dataclass(frozen=True, slots=True)
class Record:
    """A dataclass; its fields are asked for when they are needed, since records may hold their like."""

    cls: type


@dataclass(frozen=True, slots=True)
class OneOf:
    """One of several records, told apart by the key `is`, which holds the name of the class."""

    records: tuple[Record, ...]


@dataclass(frozen=True, slots=True)
class Optional:
    """Something, or null."""

    inner: Shape


@dataclass(frozen=True, slots=True)
class Anything:
    """A value of a topology: plain JSON with what is known later anywhere inside."""


Shape = Plain | Choice | Many | Fixed | Table | Record | OneOf | Optional | Anything


@dataclass(frozen=True, slots=True)
class Member:
    """One field of a record; ``default`` makes what it is when it is left out, and is None when it may not be."""

    name: str
    shape: Shape
    default: Callable[[], Any] | None = None

    def is_default(self, value: Any) -> bool:
        """Whether a value says no more than leaving it out would."""
        if self.default is None:
            return False
        default = self.default()
        return type(value) is type(default) and bool(value == default)


@cache
def members(cls: type) -> tuple[Member, ...]:
    """The fields of a dataclass, in their order."""
    hints = get_type_hints(cls)
    return tuple(Member(f.name, shape_of(hints[f.name]), _default(f)) for f in fields(cls) if f.init)


def _default(field: Field[Any]) -> Callable[[], Any] | None:
    if field.default_factory is not MISSING:
        return field.default_factory
    return (lambda: field.default) if field.default is not MISSING else None


def shape_of(hint: Any) -> Shape:
    """The shape of a type hint; raises :class:`TypeError` for one that no frozen value should have."""
    origin, inner = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType):
        return _union(inner)
    if hint is Any:
        return Anything()
    if origin is tuple and len(inner) == 2 and inner[1] is ...:
        return Many(shape_of(inner[0]))
    if origin is tuple:
        return Fixed(tuple(map(shape_of, inner)))
    if isinstance(origin, type) and issubclass(origin, Mapping) and inner[0] is str:
        return Table(shape_of(inner[1]))
    if isinstance(hint, type) and issubclass(hint, Enum):
        return Choice(hint)
    if is_dataclass(hint) and isinstance(hint, type):
        return Record(hint)
    if hint in (str, bool, int, float):
        return Plain((hint,))
    raise TypeError(f"a field of type {hint} has no JSON form")


def _union(inner: tuple[Any, ...]) -> Shape:
    some = [shape_of(i) for i in inner if i is not NoneType]
    records = tuple(s for s in some if isinstance(s, Record))
    if len(some) == 1:
        shape = some[0]
    elif len(records) == len(some):
        shape = OneOf(records)
    elif all(isinstance(s, Plain) for s in some):
        shape = Plain(tuple(t for s in some if isinstance(s, Plain) for t in s.types))
    else:
        raise TypeError(f"a field that may be one of {inner} has no JSON form")
    return Optional(shape) if len(some) < len(inner) else shape
