"""The JSON form of a topology, and back: versioned, strict when it is read, the same value after both ways.

Records become objects, fields that hold their default are left out. A value is plain JSON, where a
reference is ``{"$reference": {…}}``, a secret ``{"$secret": "name"}``, a function of later values
``{"$call": {…}}``, and a number that JSON lacks ``{"$number": "inf"}``. An object whose only key begins
with ``$`` and is none of these gets one ``$`` more.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Mapping
from enum import Enum
from typing import Any

from isthmus.topology import Topology, Value
from isthmus.tosca.diagnostics import nearest
from isthmus.tosca.tools.integrity import faults
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

MARK = "isthmus"
VERSION = "topology/1"
MAX_DEPTH = 200
"""Levels of objects and arrays in the JSON form."""

_NUMBERS = {"inf": math.inf, "-inf": -math.inf, "nan": math.nan}
_KEYS = {cls: key for key, cls in LATER.items()}


class InterchangeError(ValueError):
    """A document is not the JSON form of a topology; ``pointer`` (RFC 6901) says where it goes wrong."""

    def __init__(self, pointer: str, why: str) -> None:
        super().__init__(f"{pointer or 'the document'}: {why}")
        self.pointer = pointer
        self.why = why


def dumps(topology: Topology, *, indent: int | None = None) -> str:
    """The JSON form as text."""
    return json.dumps(to_json(topology), indent=indent, ensure_ascii=False, allow_nan=False)


def loads(text: str | bytes) -> Topology:
    """The topology that a JSON text holds; raises :class:`InterchangeError`."""
    try:
        document = json.loads(text, object_pairs_hook=_object, parse_constant=_refuse_constant)
    except RecursionError:
        raise InterchangeError("", "nested too deeply") from None
    except InterchangeError:
        raise
    except ValueError as e:
        raise InterchangeError("", f"not JSON: {e}") from None
    return from_json(document)


def to_json(topology: Topology) -> dict[str, Any]:
    """The JSON form of a topology, as plain values; raises :class:`InterchangeError` for one nested too deeply."""
    return {MARK: VERSION, **_write(Record(Topology), topology, 1)}


def from_json(document: Any) -> Topology:
    """The topology that a JSON form stands for; raises :class:`InterchangeError` for anything else."""
    if not isinstance(document, Mapping):
        raise InterchangeError("", f"an object is wanted, not {_kind(document)}")
    if document.get(MARK) != VERSION:
        raise InterchangeError(f"/{MARK}", f"{VERSION!r} is wanted: the form that this version reads")
    body = {k: v for k, v in document.items() if k != MARK}
    topology: Topology = _read(Record(Topology), body, _Place(""))
    for path, why in faults(topology):
        raise InterchangeError("".join(f"/{_escaped(step)}" for step in path), why)
    return topology


# ---------------------------------------------------------------------------------------------
# writing


def _write(shape: Shape, value: Any, depth: int) -> Any:
    if depth > MAX_DEPTH:
        raise InterchangeError("", "nested too deeply")
    match shape:
        case Record(cls):
            return {
                m.name: _write(m.shape, getattr(value, m.name), depth + 1)
                for m in members(cls)
                if not m.is_default(getattr(value, m.name))
            }
        case OneOf():
            return {"is": type(value).__name__, **_write(Record(type(value)), value, depth)}
        case Table(inner):
            return {k: _write(inner, v, depth + 1) for k, v in value.items()}
        case Many(inner):
            return [_write(inner, v, depth + 1) for v in value]
        case Fixed(items):
            return [_write(s, v, depth + 1) for s, v in zip(items, value, strict=True)]
        case Optional(inner):
            return None if value is None else _write(inner, value, depth)
        case Choice():
            return value.value
        case Plain():
            return _write_number(value)
        case Anything():
            return _write_value(value, depth)


def _write_value(value: Value, depth: int) -> Any:
    if depth > MAX_DEPTH:
        raise InterchangeError("", "nested too deeply")
    if isinstance(value, Mapping):
        escape = "$" if len(value) == 1 and str(next(iter(value))).startswith("$") else ""
        return {f"{escape}{k}": _write_value(v, depth + 1) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_write_value(v, depth + 1) for v in value]
    if (key := _KEYS.get(type(value))) is not None:
        return {key: _unwrap(_write(Record(type(value)), value, depth + 1), type(value))}
    if isinstance(value, Enum):
        return value.value
    return _write_number(value)


def _unwrap(written: dict[str, Any], cls: type) -> Any:
    """A record of a single field is that field's value."""
    return written[members(cls)[0].name] if len(members(cls)) == 1 else written


def _write_number(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return {"$number": str(value)}
    return value


# ---------------------------------------------------------------------------------------------
# reading


def _escaped(key: str | int) -> str:
    return str(key).replace("~", "~0").replace("/", "~1")


class _Place:
    """Where reading stands: the pointer is put together only when something is wrong."""

    __slots__ = ("depth", "key", "parent")

    def __init__(self, key: str | int, parent: _Place | None = None) -> None:
        self.key = key
        self.parent = parent
        self.depth: int = 1 if parent is None else parent.depth + 1

    def at(self, key: str | int) -> _Place:
        place = _Place(key, self)
        if place.depth > MAX_DEPTH + 1:
            raise InterchangeError("", "nested too deeply")
        return place

    def __str__(self) -> str:
        if self.parent is None:
            return ""
        return f"{self.parent}/{_escaped(self.key)}"

    def wrong(self, why: str) -> InterchangeError:
        return InterchangeError(str(self), why)


def _read(shape: Shape, found: Any, place: _Place) -> Any:
    match shape:
        case Record(cls):
            return _read_record(cls, found, place)
        case OneOf(records):
            return _read_one_of(records, found, place)
        case Table(inner):
            return {k: _read(inner, v, place.at(k)) for k, v in _want(found, dict, place).items()}
        case Many(inner):
            return tuple(_read(inner, v, place.at(i)) for i, v in enumerate(_want(found, list, place)))
        case Fixed(items):
            if len(_want(found, list, place)) != len(items):
                raise place.wrong(f"{len(items)} entries are wanted, not {len(found)}")
            return tuple(_read(s, v, place.at(i)) for i, (s, v) in enumerate(zip(items, found, strict=True)))
        case Optional(inner):
            return None if found is None else _read(inner, found, place)
        case Choice(enum):
            return _read_choice(enum, found, place)
        case Plain(types):
            return _read_plain(types, found, place)
        case Anything():
            return _read_value(found, place)


def _read_record(cls: type, found: Any, place: _Place) -> Any:
    entries = _want(found, dict, place)
    known = {m.name: m for m in members(cls)}
    for key in entries:
        if key not in known:
            near = nearest(key, known)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise place.at(key).wrong(f"a {cls.__name__} has no {key[:80]!r}{hint}")
    return cls(**{m.name: _read_member(m, entries, cls, place) for m in known.values()})


def _read_member(member: Member, entries: Mapping[str, Any], cls: type, place: _Place) -> Any:
    if member.name in entries:
        return _read(member.shape, entries[member.name], place.at(member.name))
    if member.default is None:
        raise place.wrong(f"a {cls.__name__} needs {member.name!r}")
    return member.default()


def _read_one_of(records: tuple[Record, ...], found: Any, place: _Place) -> Any:
    entries = _want(found, dict, place)
    classes = {r.cls.__name__: r.cls for r in records}
    name = entries.get("is")
    if not isinstance(name, str) or name not in classes:
        raise place.at("is").wrong(f"one of {', '.join(classes)} is wanted")
    return _read_record(classes[name], {k: v for k, v in entries.items() if k != "is"}, place)


def _read_choice(enum: type[Enum], found: Any, place: _Place) -> Enum:
    for member in enum:
        if isinstance(found, str) and member.value == found:
            return member
    raise place.wrong(f"one of {', '.join(str(m.value) for m in enum)} is wanted, not {_kind(found)}")


def _read_plain(types: tuple[type, ...], found: Any, place: _Place) -> Any:
    if float in types and isinstance(found, dict) and found.keys() == {"$number"}:
        return _read_number(found["$number"], place.at("$number"))
    if type(found) in types or (float in types and type(found) is int):
        return found
    wanted = " or ".join(_NAMES[t] for t in types)
    raise place.wrong(f"{wanted} is wanted, not {_kind(found)}")


def _read_value(found: Any, place: _Place) -> Value:
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


def _read_marked(key: str, inner: Any, place: _Place) -> Value:
    if key.startswith("$$"):
        return {key[1:]: _read_value(inner, place.at(key))}
    if key == "$number":
        return _read_number(inner, place.at(key))
    cls = LATER.get(key)
    if cls is None:
        raise place.at(key).wrong(f"one of {', '.join([*LATER, '$number'])} is wanted; other keys begin with '$$'")
    if len(members(cls)) == 1:
        return cls(_read(members(cls)[0].shape, inner, place.at(key)))
    return _read_record(cls, inner, place.at(key))


def _read_number(text: Any, place: _Place) -> float:
    if not isinstance(text, str) or text not in _NUMBERS:
        raise place.wrong(f"one of {', '.join(_NUMBERS)} is wanted")
    return _NUMBERS[text]


def _want(found: Any, kind: type, place: _Place) -> Any:
    if not isinstance(found, kind):
        raise place.wrong(f"{_NAMES[kind]} is wanted, not {_kind(found)}")
    return found


_NAMES: dict[type, str] = {
    str: "a text", bool: "true or false", int: "a whole number", float: "a number", dict: "an object", list: "an array",
}  # fmt: skip


def _kind(found: Any) -> str:
    if isinstance(found, str | int | float):
        return repr(found)[:80]
    return "null" if found is None else _NAMES.get(type(found), type(found).__name__)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        [(twice, _)] = Counter(k for k, _ in pairs).most_common(1)
        raise InterchangeError("", f"an object has {twice[:80]!r} twice")
    return found


def _refuse_constant(name: str) -> None:
    raise InterchangeError("", f"{name} is no JSON")
