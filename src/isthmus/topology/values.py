"""Values of a topology: plain JSON, or what only the running deployment knows; and what may be done with them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from isthmus.topology import calls

NODE_INDEX = "$node_index"
"""The name under which a :class:`Reference` asks for the index of an instance itself (TOSCA 2.0 §14.2)."""

Value = Any
"""Plain JSON with :class:`Reference`, :class:`Secret` or :class:`Call` anywhere inside."""


@dataclass(frozen=True, slots=True)
class Reference:
    """An attribute or operation output of another node (TOSCA 1.3 §4.5, §4.6).

    ``own`` is true when the template said SELF, HOST, SOURCE or TARGET: then the value is that of
    the instance in whose scope it is asked. Otherwise a node that may have several instances
    answers with the list of all their values, in order of their index.
    """

    node: str
    name: str
    path: tuple[str | int, ...] = ()
    own: bool = False
    operation: str | None = None
    """``Interface.operation`` when this is an operation's output, None for an attribute."""


@dataclass(frozen=True, slots=True)
class Secret:
    """A secret of the deployment, passed by name; made at random when nobody gave it a value."""

    name: str


@dataclass(frozen=True, slots=True)
class Call:
    """A function of values that are known later: one of :data:`isthmus.topology.calls.FUNCTIONS`."""

    function: str
    args: tuple[Value, ...]


class Unknown(Exception):
    """A reference has no answer yet: what it points at does not exist or has not run, or ``why``."""

    def __init__(self, what: Reference | Secret, why: str = ""):
        super().__init__(f"{describe(what)}: {why}" if why else describe(what))
        self.what = what


Lookup = Callable[[Reference | Secret], Any]
"""Answers a reference with plain JSON, or raises :class:`Unknown`."""


def evaluate(value: Value, lookup: Lookup) -> Any:
    """The plain JSON that a value stands for; raises :class:`Unknown` when it is too early."""
    match value:
        case Reference() | Secret():
            return lookup(value)
        case Call(_, args):
            return _finish(value, [evaluate(a, lookup) for a in args])
        case Mapping():
            return {k: evaluate(v, lookup) for k, v in value.items()}
        case list() | tuple():
            return [evaluate(v, lookup) for v in value]
        case _:
            return value


def _finish(made: Call, args: Sequence[Any]) -> Any:
    """A call whose arguments are known by now; one that makes no sense of them waits for others."""
    try:
        return calls.call(made.function, args)
    except calls.CallError as e:
        asked = next(references(made), None)
        if asked is None:
            raise
        raise Unknown(asked, str(e)) from e


def references(value: Value) -> Iterator[Reference | Secret]:
    """Every reference inside a value, in order."""
    match value:
        case Reference() | Secret():
            yield value
        case Call(_, args):
            for a in args:
                yield from references(a)
        case Mapping():
            for v in value.values():
                yield from references(v)
        case list() | tuple():
            for v in value:
                yield from references(v)


def follow(value: Any, path: Sequence[str | int]) -> Any:
    """The part of ``value`` under ``path``.

    An index into something that is not a list answers the thing itself when it is 0: catalogues
    written for the Infrastructure Manager index the addresses of single machines too.
    """
    for step in path:
        if isinstance(value, Mapping):
            value = value.get(step)
        elif isinstance(value, list) and isinstance(step, int | str) and str(step).isdecimal():
            value = value[int(step)] if int(step) < len(value) else None
        elif str(step) != "0":
            return None
    return value


def describe(what: Reference | Secret) -> str:
    """A reference as a person would say it: ``worker.private_address``."""
    if isinstance(what, Secret):
        return f"secret {what.name}"
    middle = f".{what.operation}" if what.operation else ""
    return ".".join([f"{what.node}{middle}", what.name, *map(str, what.path)])


def digest(value: Value) -> str:
    """A stable SHA-256 of a value, references included, in hex."""
    return hashlib.sha256(json.dumps(_canonical(value), sort_keys=True).encode()).hexdigest()


def _canonical(value: Value) -> Any:
    match value:
        case Reference():
            return {"$ref": [value.node, value.operation, value.name, list(value.path), value.own]}
        case Secret(name):
            return {"$secret": name}
        case Call(function, args):
            return {f"${function}": [_canonical(a) for a in args]}
        case Mapping():
            return {str(k): _canonical(v) for k, v in value.items()}
        case list() | tuple():
            return [_canonical(v) for v in value]
        case _:
            return value
