"""Works out a call whose arguments are all known, and keeps one whose arguments are not; bounded in what it makes."""

from __future__ import annotations

from collections.abc import Mapping

from isthmus.topology import Call, Secret, Value
from isthmus.topology.calls import MAX_TEXT, CallError, call
from isthmus.tosca.diagnostics import Located, Problems
from isthmus.tosca.expressions.values import BROKEN, is_later

MAX_NESTED = 40
"""Calls inside calls, counted through properties too."""
_CALL = 20


class Folder:
    """Makes the values of function calls."""

    def __init__(self, problems: Problems) -> None:
        self.problems = problems
        self._measured: dict[int, tuple[Call, int, int]] = {}

    def fold(self, function: str, args: tuple[Value, ...], at: Located, extra: int = 0) -> Value:
        """The value of a function whose arguments are all known, else the call itself; BROKEN is told already.

        ``extra`` is what it makes in characters beyond its arguments.
        """
        if any(a is BROKEN for a in args):
            return BROKEN
        weight, depth = self._measure(args)
        weight += extra
        self.problems.spend(weight // 10)
        if weight > MAX_TEXT:
            return self._refuse("too-large", f"a text of more than {MAX_TEXT:,} characters is put together", at)
        if depth > MAX_NESTED:
            return self._refuse("value-depth", "functions are nested too deeply", at)
        made = Call(function, args)
        if any(_is_open(a) for a in args):
            return self.keep(made, weight, depth)
        try:
            return call(function, args)
        except CallError as e:
            return self._refuse("function-arguments", str(e), at)

    def keep(self, made: Call, weight: int = 0, depth: int = 1) -> Call:
        """A call that is for the running deployment to work out."""
        self._measured[id(made)] = (made, weight + _CALL, depth)
        return made

    def _refuse(self, code: str, summary: str, at: Located) -> Secret:
        self.problems.error(code, summary, at)
        return BROKEN

    def _measure(self, value: Value) -> tuple[int, int]:
        """Characters that a value comes to, roughly, and its depth; calls made before are known."""
        if isinstance(value, str):
            return len(value), 0
        if isinstance(value, Call) and id(value) in self._measured:
            return self._measured[id(value)][1:]
        if isinstance(value, Call):
            value = value.args
        if isinstance(value, Mapping):
            value = [*value, *value.values()]
        if not isinstance(value, list | tuple):
            return _CALL, 0
        parts = [self._measure(v) for v in value]
        return sum(w for w, _ in parts), 1 + max((d for _, d in parts), default=0)


def _is_open(value: Value) -> bool:
    """Whether something that is known later stands in a value."""
    if isinstance(value, list | tuple):
        return any(_is_open(v) for v in value)
    if isinstance(value, Mapping):
        return any(_is_open(v) for v in value.values())
    return is_later(value)
