"""Validation clauses of TOSCA 2.0 (§9.11): a boolean expression in which `$value` is the value that is checked.

What can be told without a value (unknown functions, counts and types of arguments, regular expressions) is
told when the clause is parsed; the rest when a value is there.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from isthmus.tosca.documents import Node
from isthmus.tosca.flow import written
from isthmus.tosca.syntax import call_of

if TYPE_CHECKING:
    from isthmus.tosca.definitions import Schema
    from isthmus.tosca.statics import Statics
    from isthmus.tosca.templates import Scope
    from isthmus.tosca.types import Types
    from isthmus.tosca.values import Converter


@dataclass(frozen=True, slots=True, eq=False)
class Validation:
    """One clause, and the type that it was written for: derived types keep the clauses of their parents."""

    node: Node
    schema: Schema
    statics: Statics

    def check(self, value: Any, scope: Scope, converter: Converter) -> str:
        """Why a value breaks the clause, as the end of a sentence; nothing when it holds or cannot be told yet."""
        from isthmus.tosca.typed import BOOLEAN, Typed  # this module is needed to define what they are made of

        reader = converter if converter.answer is not None else self.statics.converter
        found = reader.convert(self.node, BOOLEAN, replace(scope, value=Typed(value, self.schema)))
        return "" if found is not False else f"breaks its validation clause {written(self.node)}"


def parse_validation(node: Node, schema: Schema, types: Types) -> Validation | None:
    """The clause under `validation`, for values of ``schema`` (the schema as it is without this clause).

    What is wrong with the clause is reported in ``types.problems``; None when it is of no use.
    """
    from isthmus.tosca.statics import UNKNOWN, Statics
    from isthmus.tosca.templates import Scope
    from isthmus.tosca.typed import BOOLEAN, Typed, bare
    from isthmus.tosca.values import BROKEN

    problems = types.problems
    if call_of(node) is None:
        summary = "a validation clause is a boolean function such as { $greater_than: [ $value, 0 ] }"
        problems.error("shape", summary, node)
        return None
    subject = Typed(UNKNOWN, bare(schema))
    statics = Statics(problems, types.custom)
    found = statics.converter.convert(node, BOOLEAN, Scope(value=subject))
    return None if found is BROKEN else Validation(node, bare(schema), statics)
