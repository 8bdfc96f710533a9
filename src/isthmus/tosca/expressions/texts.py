"""`concat`, `join` and `token` of TOSCA 1.x (1.3 §4.3)."""

from __future__ import annotations

from isthmus.topology import Secret, Value
from isthmus.tosca.diagnostics import Problems
from isthmus.tosca.expressions.folding import Folder
from isthmus.tosca.expressions.values import BROKEN, Converter
from isthmus.tosca.reading.documents import Map, Node, Scalar, Seq, text_of
from isthmus.tosca.resolving.templates import Scope

_MAX_SEPARATORS = 16


class Texts:
    """The functions that make texts of texts."""

    def __init__(self, problems: Problems, converter: Converter, folder: Folder) -> None:
        self.problems = problems
        self.converter = converter
        self.fold = folder.fold

    def concat(self, argument: Node, at: Map, scope: Scope) -> Value:
        parts = self._parts(argument, scope)
        return self.fold("concat", tuple(parts), at) if parts else self._misused(at, "concat wants one text or more")

    def join(self, argument: Node, at: Map, scope: Scope) -> Value:
        items = argument.items if isinstance(argument, Seq) else []
        if not 1 <= len(items) <= 2 or not isinstance(items[0], Seq | Map):
            return self._misused(at, "join wants a list of texts and a delimiter")
        first = items[0]
        listed = isinstance(first, Seq)
        texts: Value = self._parts(first, scope) if listed else self.converter.convert(first, None, scope)
        delimiter: Value = ""
        if len(items) == 2:
            last = items[1]
            delimiter = text_of(last) if isinstance(last, Scalar) else self.converter.convert(last, None, scope)
        extra = len(delimiter) * len(texts) if isinstance(texts, list) and isinstance(delimiter, str) else 0
        return self.fold("join", (texts, delimiter), at, extra)

    def token(self, argument: Node, at: Map, scope: Scope) -> Value:
        args = self._parts(argument, scope)
        if len(args) != 3 or not isinstance(args[1], str) or len(args[1]) > _MAX_SEPARATORS:
            return self._misused(at, "token wants a text, separators and an index")
        index = str(args[2])
        if not index.isdecimal() or len(index) > 6:
            return self._misused(at, "token wants an index from 0")
        known = args[0] if isinstance(args[0], str) else None
        if known is not None and int(index) > sum(known.count(c) for c in set(args[1])):
            return self._misused(at, f"token: {known[:60]!r} has no part {index}")
        return self.fold("token", (args[0], args[1], int(index)), at)

    def _parts(self, argument: Node, scope: Scope) -> list[Value]:
        """Arguments that are texts: a scalar keeps its own text, whatever YAML would make of it."""
        items = argument.items if isinstance(argument, Seq) else []
        return [i.text if isinstance(i, Scalar) else self.converter.convert(i, None, scope) for i in items]

    def _misused(self, at: Node, summary: str) -> Secret:
        self.problems.error("function-arguments", summary, at)
        return BROKEN
