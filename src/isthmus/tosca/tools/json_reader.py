"""Reads the JSON form of a topology strictly: what is wrong is told with the place where it stands."""

from __future__ import annotations

import math
from collections.abc import Mapping
from enum import Enum
from typing import Any

from isthmus.topology import Value
from isthmus.tosca.diagnostics import nearest
from isthmus.tosca.tools.shapes import (
    LATER,
    Anything,
    Choice,
    Fixed,
    Many,
    Member,
    OneOf,
    Optional,
    Plain,
    Record,
    Shape,
    Table,
    members,
)

MAX_DEPTH = 200
"""Levels of objects and arrays in the JSON form."""

_NUMBERS = {"inf": math.inf, "-inf": -math.inf, "nan": math.nan}


class InterchangeError(ValueError):
    """A document is not the JSON form of a topology; ``pointer`` (RFC 6901) says where it goes wrong."""

    def __init__(self, pointer: str, why: str) -> None:
        super().__init__(f"{pointer or 'the document'}: {why}")
        self.pointer = pointer
        self.why = why


def escaped(key: str | int) -> str:
    return str(key).replace("~", "~0").replace("/", "~1")


class Place:
    """Where reading stands: the pointer is put together only when something is wrong."""

    __slots__ = ("depth", "key", "parent")

    def __init__(self, key: str | int, parent: Place | None = None) -> None:
        self.key = key
        self.parent = parent
        self.depth: int = 1 if parent is None else parent.depth + 1

    def at(self, key: str | int) -> Place:
        place = Place(key, self)
        if place.depth > MAX_DEPTH + 1:
            raise InterchangeError("", "nested too deeply")
        return place

    def __str__(self) -> str:
        if self.parent is None:
            return ""
        return f"{self.parent}/{escaped(self.key)}"

    def wrong(self, why: str) -> InterchangeError:
        return InterchangeError(str(self), why)


def read(shape: Shape, found: Any, place: Place) -> Any:
    """The value of a shape that stands at a place; raises :class:`InterchangeError`."""
    match shape:
        case Record(cls):
            return _read_record(cls, found, place)
        case OneOf(records):
            return _read_one_of(records, found, place)
        case Table(inner):
            return {k: read(inner, v, place.at(k)) for k, v in _want(found, dict, place).items()}
        case Many(inner):
            return tuple(read(inner, v, place.at(i)) for i, v in enumerate(_want(found, list, place)))
        case Fixed(items):
            if len(_want(found, list, place)) != len(items):
                raise place.wrong(f"{len(items)} entries are wanted, not {len(found)}")
            return tuple(read(s, v, place.at(i)) for i, (s, v) in enumerate(zip(items, found, strict=True)))
        case Optional(inner):
            return None if found is None else read(inner, found, place)
        case Choice(enum):
            return _read_choice(enum, found, place)
        case Plain(types):
            return _read_plain(types, found, place)
        case Anything():
            return _read_value(found, place)


def _read_record(cls: type, found: Any, place: Place) -> Any:
    entries = _want(found, dict, place)
    known = {m.name: m for m in members(cls)}
    for key in entries:
        if key not in known:
            near = nearest(key, known)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise place.at(key).wrong(f"a {cls.__name__} has no {key[:80]!r}{hint}")
    return cls(**{m.name: _read_member(m, entries, cls, place) for m in known.values()})


def _read_member(member: Member, entries: Mapping[str, Any], cls: type, place: Place) -> Any:
    if member.name in entries:
        return read(member.shape, entries[member.name], place.at(member.name))
    if member.default is None:
        raise place.wrong(f"a {cls.__name__} needs {member.name!r}")
    return member.default()


def _read_one_of(records: tuple[Record, ...], found: Any, place: Place) -> Any:
    entries = _want(found, dict, place)
    classes = {r.cls.__name__: r.cls for r in records}
    name = entries.get("is")
    if not isinstance(name, str) or name not in classes:
        raise place.at("is").wrong(f"one of {', '.join(classes)} is wanted")
    return _read_record(classes[name], {k: v for k, v in entries.items() if k != "is"}, place)


def _read_choice(enum: type[Enum], found: Any, place: Place) -> Enum:
    for member in enum:
        if isinstance(found, str) and member.value == found:
            return member
    raise place.wrong(f"one of {', '.join(str(m.value) for m in enum)} is wanted, not {kind_of(found)}")


def _read_plain(types: tuple[type, ...], found: Any, place: Place) -> Any:
    if float in types and isinstance(found, dict) and found.keys() == {"$number"}:
        return _read_number(found["$number"], place.at("$number"))
    if type(found) in types or (float in types and type(found) is int):
        return found
    wanted = " or ".join(_NAMES[t] for t in types)
    raise place.wrong(f"{wanted} is wanted, not {kind_of(found)}")


def _read_value(found: Any, place: Place) -> Value:
    if isinstance(found, dict):
        if len(found) == 1:
            [(key, inner)] = found.items()
            if key.startswith("$"):
                return _read_marked(key, inner, place)
        return {k: _read_value(v, place.at(k)) for k, v in found.items()}
    if isinstance(found, list):
        return [_read_value(v, place.at(i)) for i, v in enumerate(found)]
    if found is None or isinstance(found, bool | int | float | str):
        return found
    raise place.wrong(f"JSON has no {type(found).__name__}")


def _read_marked(key: str, inner: Any, place: Place) -> Value:
    if key.startswith("$$"):
        return {key[1:]: _read_value(inner, place.at(key))}
    if key == "$number":
        return _read_number(inner, place.at(key))
    cls = LATER.get(key)
    if cls is None:
        raise place.at(key).wrong(f"one of {', '.join([*LATER, '$number'])} is wanted; other keys begin with '$$'")
    if len(members(cls)) == 1:
        return cls(read(members(cls)[0].shape, inner, place.at(key)))
    return _read_record(cls, inner, place.at(key))


def _read_number(text: Any, place: Place) -> float:
    if not isinstance(text, str) or text not in _NUMBERS:
        raise place.wrong(f"one of {', '.join(_NUMBERS)} is wanted")
    return _NUMBERS[text]


def _want(found: Any, kind: type, place: Place) -> Any:
    if not isinstance(found, kind):
        raise place.wrong(f"{_NAMES[kind]} is wanted, not {kind_of(found)}")
    return found


_NAMES: dict[type, str] = {
    str: "a text", bool: "true or false", int: "a whole number", float: "a number", dict: "an object", list: "an array",
}  # fmt: skip


def kind_of(found: Any) -> str:
    if isinstance(found, str | int | float):
        return repr(found)[:80]
    return "null" if found is None else _NAMES.get(type(found), type(found).__name__)
