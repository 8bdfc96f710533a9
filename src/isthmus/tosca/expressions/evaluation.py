"""Who works out a function call of TOSCA 2.0: the graph, the built-in expressions, or a custom function."""

from __future__ import annotations

from functools import partial
from typing import Protocol

from isthmus.topology import Call, Value
from isthmus.tosca.diagnostics import Near, Problems, near, nearest
from isthmus.tosca.expressions.arguments import NOTHING
from isthmus.tosca.expressions.custom import CustomFunction, CustomFunctions
from isthmus.tosca.expressions.folding import Folder
from isthmus.tosca.expressions.operators import Expressions
from isthmus.tosca.expressions.syntax import FunctionCall, call_of
from isthmus.tosca.expressions.values import BROKEN, Converter
from isthmus.tosca.resolving.templates import Scope
from isthmus.tosca.typesystem.schemas import Schema
from isthmus.tosca.typesystem.typed import Typed, dig, fits

QUERIES = (
    "get_input", "get_property", "get_attribute", "get_artifact", "node_index", "relationship_index",
    "available_allocation", "get_secret",
)  # fmt: skip
"""The functions that ask the graph (§10.2.1); `get_secret` is our own."""


class Queries(Protocol):
    """Answers the functions of :data:`QUERIES`."""

    def query(self, call: FunctionCall, scope: Scope) -> Typed: ...


class Evaluation:
    """Works out calls; what is wrong with them is reported."""

    def __init__(self, problems: Problems, queries: Queries, custom: CustomFunctions | None = None) -> None:
        self.problems = problems
        self.queries = queries
        self.custom = custom
        self.folder = Folder(problems)
        self.converter = Converter(problems, lambda name, node, scope: BROKEN, self.answer)
        self.expressions = Expressions(problems, self.converter, self.folder)

    def answer(self, call: FunctionCall, scope: Scope) -> Typed:
        """Value and type of a call."""
        if call.name in QUERIES:
            return self.queries.query(call, scope)
        if call.name == "value":
            return self._value(call, scope)
        if self.expressions.knows(call.name):
            return self.expressions.work_out(call, scope)
        return self._custom(call, scope)

    # $value ----------------------------------------------------------------------------------

    def _value(self, call: FunctionCall, scope: Scope) -> Typed:
        """The value that a validation clause is about, or a part of it (§10.2.1.5)."""
        if scope.value is None:
            return self._wrong("function-arguments", "$value stands only in a validation clause", call)
        path: list[str | int] = []
        for node in call.args:
            found = self.expressions.read(node, scope).value
            if isinstance(found, bool) or not isinstance(found, str | int):
                return self._wrong("function-arguments", "$value wants names and indices that are known", call)
            path.append(found)
        try:
            schema = dig(scope.value.schema, path)
        except ValueError as e:
            return self._wrong("function-arguments", f"$value: {e}", call)
        if not path:
            return scope.value
        return Typed(self.folder.fold("part", (scope.value.value, *path), call.at), schema)

    # custom functions ------------------------------------------------------------------------

    def _custom(self, call: FunctionCall, scope: Scope) -> Typed:
        found = self.custom.find(call.name, call.at.source.file) if self.custom is not None else None
        if found is None:
            return self._unknown(call, scope)
        for signature in found.signatures:
            wanted = signature.parameters(len(call.args))
            if wanted is None:
                continue
            values, wrong = self.problems.attempt(partial(self._arguments, call, wanted, scope))
            if values is not None and not any(d.severity == "error" for d in wrong):
                for diagnostic in wrong:
                    self.problems.keep(diagnostic)
                return Typed(self._refused(call, values), signature.result)
        return self._unfit(call, found, scope)

    def _arguments(self, call: FunctionCall, wanted: tuple[Schema | None, ...], scope: Scope) -> list[Value] | None:
        """The arguments as values of the types that a signature wants; None where one is not of its type."""
        values: list[Value] = []
        for node, schema in zip(call.args, wanted, strict=True):
            if call_of(node) is not None:
                given = self.converter.ask(node, scope)
                if given.value is BROKEN or not fits(given.schema, schema):
                    return None
                values.append(given.value)
            else:
                values.append(self.converter.convert(node, schema, scope))
        return values

    def _unfit(self, call: FunctionCall, found: CustomFunction, scope: Scope) -> Typed:
        broken = any(self.expressions.read(n, scope).value is BROKEN for n in call.args)
        if not broken:
            known = " or ".join(map(str, found.signatures)) or "nothing at all"
            summary = f"${call.name} is not to be called like this: it takes {known}"
            self.problems.error("function-arguments", summary, call.at)
        return NOTHING

    def _unknown(self, call: FunctionCall, scope: Scope) -> Typed:
        """A function that nobody defines: a mistake if its name is near another, else left to other processors."""
        known = [*QUERIES, "value", *self.expressions.names]
        known += self.custom.names(call.at.source.file) if self.custom is not None else []
        values = [self.expressions.read(n, scope).value for n in call.args]
        summary = f"there is no function {call.name!r}"
        if nearest(call.name, known) or "$" in call.name or not call.name:
            return self._wrong("function-unknown", summary, call, near(call.name, known))
        self.problems.refuse("function-unknown", f"{summary} here, and no document defines it", call.at)
        return Typed(self.folder.keep(Call(f"custom:{call.name}", tuple(values))))

    def _refused(self, call: FunctionCall, values: list[Value]) -> Call:
        self.problems.refuse("unsupported", f"nothing here runs the custom function {call.name!r}", call.at)
        return self.folder.keep(Call(f"custom:{call.name}", tuple(values)))

    def _wrong(self, code: str, summary: str, call: FunctionCall, suggestion: str | Near = "") -> Typed:
        self.problems.error(code, summary, call.at, suggestion=suggestion)
        return NOTHING
