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
from isthmus.tosca.tools.integrity import faults
from isthmus.tosca.tools.json_reader import MAX_DEPTH, InterchangeError, Place, escaped, kind_of, read
from isthmus.tosca.tools.shapes import (
    LATER,
    Anything,
    Choice,
    Fixed,
    Many,
    OneOf,
    Optional,
    Plain,
    Record,
    Shape,
    Table,
    members,
)

__all__ = ["MARK", "MAX_DEPTH", "VERSION", "InterchangeError", "dumps", "from_json", "loads", "to_json"]

MARK = "isthmus"
VERSION = "topology/1"
_KEYS = {cls: key for key, cls in LATER.items()}


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
        raise InterchangeError("", f"an object is wanted, not {kind_of(document)}")
    if document.get(MARK) != VERSION:
        raise InterchangeError(f"/{MARK}", f"{VERSION!r} is wanted: the form that this version reads")
    body = {k: v for k, v in document.items() if k != MARK}
    topology: Topology = read(Record(Topology), body, Place(""))
    for path, why in faults(topology):
        raise InterchangeError("".join(f"/{escaped(step)}" for step in path), why)
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


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        [(twice, _)] = Counter(k for k, _ in pairs).most_common(1)
        raise InterchangeError("", f"an object has {twice[:80]!r} twice")
    return found


def _refuse_constant(name: str) -> None:
    raise InterchangeError("", f"{name} is no JSON")
