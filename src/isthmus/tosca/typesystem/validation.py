"""Validation clauses of TOSCA 2.0 (§9.11): a boolean expression in which `$value` is the value that is checked.

What can be told without a value (unknown functions, counts and types of arguments, regular expressions) is
told though nothing has the type; the rest when a value is there.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from isthmus.topology.calls import FUNCTIONS
from isthmus.tosca.expressions.syntax import call_of
from isthmus.tosca.reading.documents import Node, walk
from isthmus.tosca.reading.flow import written

if TYPE_CHECKING:
    from isthmus.tosca.expressions.statics import Statics
    from isthmus.tosca.expressions.values import Converter
    from isthmus.tosca.resolving.templates import Scope
    from isthmus.tosca.typesystem.schemas import Schema
    from isthmus.tosca.typesystem.types import Types


_MAX_TOLD = 1_000


class Validation:
    """One clause, and the type that it was written for: derived types keep the clauses of their parents.

    It is looked into only when it is first asked, since the type that it is about may contain itself.
    """

    def __init__(self, node: Node, schema: Schema, types: Types) -> None:
        self.node = node
        self.schema = schema
        self.types = types
        self._told: dict[tuple[type, Any], bool] = {}
        """Whether the clause is broken, by plain values that it was asked for."""

    def check(self, value: Any, scope: Scope, converter: Converter) -> str:
        """Why a value breaks the clause, as the end of a sentence; nothing when it holds or cannot be told yet."""
        if not self.sound:
            return ""
        broken = self._is_broken(value, scope, converter)
        return f"breaks its validation clause {written(self.node)}" if broken else ""

    def _is_broken(self, value: Any, scope: Scope, converter: Converter) -> bool:
        reader = converter if converter.answer is not None else self._statics.converter
        if not isinstance(value, str | int | float) or not self._is_local:
            return self._ask(value, scope, reader) is False
        key = (type(value), value)
        if key not in self._told:
            if len(self._told) >= _MAX_TOLD:
                self._told.clear()
            self._told[key] = self._ask(value, scope, reader) is False
        return self._told[key]

    @cached_property
    def _is_local(self) -> bool:
        """Whether the answer depends on the value alone, so that many nodes with the same one ask once."""
        called = (_called(n) for n in walk(self.node))
        return all(name in FUNCTIONS or name == "value" for name in called if name)

    @cached_property
    def sound(self) -> bool:
        """Whether the clause makes sense whatever the value; what is wrong with it is reported."""
        from isthmus.tosca.expressions.statics import UNKNOWN  # this module is needed to define what those are made of
        from isthmus.tosca.expressions.values import BROKEN
        from isthmus.tosca.resolving.templates import Scope

        return self._ask(UNKNOWN, Scope(), self._statics.converter) is not BROKEN

    def _ask(self, value: Any, scope: Scope, converter: Converter) -> Any:
        from isthmus.tosca.typesystem.typed import BOOLEAN, Typed, bare

        subject = Typed(value, bare(self.schema))
        return converter.convert(self.node, BOOLEAN, replace(scope, value=subject))

    @cached_property
    def _statics(self) -> Statics:
        from isthmus.tosca.expressions.statics import Statics

        return Statics(self.types.problems, self.types.custom)


def _called(node: Node) -> str:
    """The function that a node calls; nothing for any other node."""
    found = call_of(node)
    return found.name if found is not None else ""


def parse_validation(node: Node, schema: Schema, types: Types) -> Validation | None:
    """The clause under `validation`, for values of ``schema`` (the schema as it is without this clause).

    Whether it makes sense is told by ``Types.check_all``; None when it is no expression.
    """
    if call_of(node) is None:
        summary = "a validation clause is a boolean function such as { $greater_than: [ $value, 0 ] }"
        types.problems.error("shape", summary, node)
        return None
    found = Validation(node, schema, types)
    types.clauses.append(found)
    return found
