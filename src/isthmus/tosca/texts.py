"""`concat`, `join` and `token` (TOSCA 1.3 §4.3): folded when all is known, and bounded in what they make."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from isthmus.topology import Call, Reference, Secret, Value, evaluate, references
from isthmus.tosca.diagnostics import Problems
from isthmus.tosca.documents import Map, Node, Scalar, Seq, text_of
from isthmus.tosca.templates import Scope
from isthmus.tosca.values import BROKEN, Converter

MAX_TEXT = 2**20
"""Characters that one function may put together."""
MAX_NESTED = 40
"""Calls inside calls, counted through properties too."""
_CALL = 20
_MAX_SEPARATORS = 16


class Texts:
    """The functions that make texts of texts."""

    def __init__(self, problems: Problems, converter: Converter) -> None:
        self.problems = problems
        self.converter = converter
        self._measured: dict[int, tuple[Call, int, int]] = {}

    def concat(self, argument: Node, at: Map, scope: Scope) -> Value:
        return self._fold("concat", tuple(self._parts(argument, scope)), at)

    def join(self, argument: Node, at: Map, scope: Scope) -> Value:
        items = argument.items if isinstance(argument, Seq) else []
        if not 1 <= len(items) <= 2 or not isinstance(items[0], Seq | Map):
            return self._misused(at, "join wants a list of texts and a delimiter")
        first = items[0]
        listed = isinstance(first, Seq)
        texts: Value = self._parts(first, scope) if listed else self.converter.convert(first, None, scope)
        delimiter = text_of(items[1]) if len(items) == 2 else ""
        extra = len(delimiter) * len(texts) if isinstance(texts, list) else 0
        return self._fold("join", (texts, delimiter), at, extra)

    def token(self, argument: Node, at: Map, scope: Scope) -> Value:
        args = self._parts(argument, scope)
        if len(args) != 3 or not isinstance(args[1], str) or len(args[1]) > _MAX_SEPARATORS:
            return self._misused(at, "token wants a text, separators and an index")
        index = str(args[2])
        if not index.isdecimal() or len(index) > 6:
            return self._misused(at, "token wants an index from 0")
        return self._fold("token", (args[0], args[1], int(index)), at)

    def _parts(self, argument: Node, scope: Scope) -> list[Value]:
        """Arguments that are texts: a scalar keeps its own text, whatever YAML would make of it."""
        items = argument.items if isinstance(argument, Seq) else []
        return [i.text if isinstance(i, Scalar) else self.converter.convert(i, None, scope) for i in items]

    def _misused(self, at: Node, summary: str) -> Secret:
        self.problems.error("function-arguments", summary, at)
        return BROKEN

    def _fold(self, function: str, args: tuple[Value, ...], at: Node, extra: int = 0) -> Value:
        """The value of a function whose arguments are all known, else the call itself."""
        weight, depth = self._measure(args)
        weight += extra
        self.problems.spend(weight // 10)
        if weight > MAX_TEXT:
            self.problems.error("too-large", f"a text of more than {MAX_TEXT:,} characters is put together", at)
            return BROKEN
        if depth > MAX_NESTED:
            self.problems.error("value-depth", "functions of text are nested too deeply", at)
            return BROKEN
        call = Call(function, args)
        if any(True for _ in references(call)):
            self._measured[id(call)] = (call, weight + _CALL, depth)
            return call
        return evaluate(call, _never)

    def _measure(self, value: Value) -> tuple[int, int]:
        """Characters that a value comes to, roughly, and its depth; calls made before are known."""
        if isinstance(value, str):
            return len(value), 0
        if isinstance(value, Call):
            return self._measured[id(value)][1:]
        if isinstance(value, Mapping):
            value = [*value, *value.values()]
        if not isinstance(value, list | tuple):
            return _CALL, 0
        parts = [self._measure(v) for v in value]
        return sum(w for w, _ in parts), 1 + max((d for _, d in parts), default=0)


def _never(what: Reference | Secret) -> Any:
    raise AssertionError(what)
