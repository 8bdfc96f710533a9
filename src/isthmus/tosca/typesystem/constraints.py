"""Constraint clauses of properties and inputs (TOSCA 1.3 §3.6.3)."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from isthmus.topology.patterns import Pattern, PatternError
from isthmus.tosca.diagnostics import Problems, near
from isthmus.tosca.leniency import complain
from isthmus.tosca.reading.documents import Map, Node, Scalar, Seq, plain, text_of
from isthmus.tosca.typesystem.scalars import PRIMITIVES, UNITS, comparable, parse

_COMPARE: dict[str, tuple[Callable[[Any, Any], bool], str]] = {
    "equal": (lambda a, b: a == b, "equal"),
    "greater_than": (lambda a, b: a > b, "be greater than"),
    "greater_or_equal": (lambda a, b: a >= b, "be at least"),
    "less_than": (lambda a, b: a < b, "be less than"),
    "less_or_equal": (lambda a, b: a <= b, "be at most"),
}
_LENGTH: dict[str, tuple[Callable[[int, int], bool], str]] = {
    "length": (lambda a, b: a == b, "have exactly"),
    "min_length": (lambda a, b: a >= b, "have at least"),
    "max_length": (lambda a, b: a <= b, "have at most"),
}
_ORDERED = frozenset({"string", "integer", "float", "timestamp", "version", *UNITS})
_APPLIES: dict[str, tuple[frozenset[str], str]] = {
    **dict.fromkeys(tuple(_COMPARE)[1:], (_ORDERED, "what has an order")),
    **dict.fromkeys(_LENGTH, (frozenset({"string", "list", "map"}), "texts, lists and maps")),
    "in_range": (_ORDERED | {"range"}, "what has an order, and to ranges"),
    "pattern": (frozenset({"string"}), "texts"),
}
"""The primitive types that each clause applies to, and how to call these (TOSCA 1.3 §3.6.3.1)."""
CLAUSES = (*_COMPARE, *_LENGTH, "in_range", "valid_values", "pattern", "schema")
"""The constraints that there are."""


@dataclass(frozen=True, slots=True)
class Constraint:
    """One clause, its operands as plain values; ``base`` is the primitive type that they are of."""

    name: str
    base: str
    operand: Any
    compiled: Any
    """Operands in the form in which they compare, or the compiled pattern."""

    def cost(self, value: Any) -> int:
        """Steps that a check takes, roughly."""
        if isinstance(self.compiled, Pattern):
            return len(str(value)) * self.compiled.states // 10
        return len(self.operand) // 10 if isinstance(self.operand, list) else 0

    def broken_by(self, value: Any) -> str:
        """Why a value breaks the constraint, as the end of a sentence; nothing when it holds."""
        try:
            return self._judge(value)
        except (TypeError, PatternError) as e:
            return f"cannot be checked: {e}"

    def _judge(self, value: Any) -> str:
        if self.name in _COMPARE:
            holds, words = _COMPARE[self.name]
            fits = all(holds(v, self.compiled) for v in self._members(value))
            return "" if fits else f"must {words} {self.operand}"
        if self.name in _LENGTH:
            holds_length, words = _LENGTH[self.name]
            thing = "characters" if isinstance(value, str) else "entries"
            return "" if holds_length(len(value), self.compiled) else f"must {words} {self.operand} {thing}"
        if self.name == "valid_values":
            one_of = ", ".join(str(o) for o in self.operand[:20])
            return "" if comparable(self.base, value) in self.compiled else f"must be one of {one_of}"
        if self.name == "in_range":
            low, high = self.compiled
            fits = all((low is None or v >= low) and (high is None or v <= high) for v in self._members(value))
            return "" if fits else f"must be in the range {self.operand[0]} to {self.operand[1]}"
        return "" if self.compiled.matches(str(value)) else f"must match the pattern {self.operand}"

    def _members(self, value: Any) -> list[Any]:
        """The value itself, or both ends of a range."""
        if self.base != "range":
            return [comparable(self.base, value)]
        return [v for v in value if v != "UNBOUNDED"]


def parse_constraints(nodes: list[Node], base: str, problems: Problems) -> tuple[Constraint, ...]:
    """The clauses of a `constraints` list, each a map with one key; what is wrong is reported."""
    found = []
    for node in nodes:
        entries = list(node.entries.items()) if isinstance(node, Map) else []
        if not entries:
            problems.error("shape", "a constraint is a map such as 'greater_than: 0'", node)
        for name, operand in entries:
            constraint = _parse(name, operand, base, problems)
            if constraint is not None:
                found.append(constraint)
    return tuple(found)


def _parse(name: str, node: Node, base: str, problems: Problems) -> Constraint | None:
    if name not in CLAUSES:
        summary = f"there is no constraint {name!r}"
        complain("unknown-constraints", "constraint-bad", summary, node, problems, near(name, CLAUSES))
        return None
    applies, which = _APPLIES.get(name, (None, ""))
    if applies is not None and base in PRIMITIVES and base not in applies:
        summary = f"{name} applies to {which}, and this is a {base}"
        complain("unknown-constraints", "constraint-bad", summary, node, problems)
        return None
    if name == "schema":
        _check_schema(node, problems)
        return None
    try:
        return Constraint(name, base, *_operands(name, node, base))
    except PatternError as e:
        problems.error("pattern", str(e), node)
    except ValueError as e:
        problems.error("constraint-bad", f"{name}: {e}", node)
    return None


def _check_schema(node: Node, problems: Problems) -> None:
    """A JSON Schema (TOSCA 1.3 §3.6.3.1): it must be one, and nothing here checks values by it."""
    try:
        good = isinstance(json.loads(text_of(node)), dict | bool)
    except (ValueError, RecursionError):
        good = False
    if good:
        problems.refuse("unsupported", "values are not checked by a JSON Schema", node)
    else:
        problems.error("constraint-bad", "schema: the text of a JSON Schema is wanted", node)


def _operands(name: str, node: Node, base: str) -> tuple[Any, Any]:
    if name in _LENGTH:
        length = plain(node)
        if isinstance(length, bool) or not isinstance(length, int) or length < 0:
            raise ValueError("a length is a number from 0")
        return length, length
    if name == "pattern":
        if not isinstance(node, Scalar):
            raise ValueError("a pattern is a text")
        return node.text, Pattern(node.text)
    if name == "valid_values":
        if not isinstance(node, Seq):
            raise ValueError("a list of values is wanted")
        values = [_operand(i, base) for i in node.items]
        return values, [comparable(base, v) for v in values]
    if name == "in_range":
        if not isinstance(node, Seq) or len(node.items) != 2:
            raise ValueError("two bounds are wanted, such as [ 1, 4 ]")
        bounds = [_bound(i, base) for i in node.items]
        low, high = (None if b == "UNBOUNDED" else comparable(base, b) for b in bounds)
        if low is not None and high is not None and low > high:
            raise ValueError("the lower bound is above the upper")
        return bounds, (low, high)
    value = _operand(node, base)
    return value, comparable(base, value)


def _operand(node: Node, base: str) -> Any:
    """An operand under the primitive type of the value; other shapes (lists, maps) as they stand."""
    if isinstance(node, Scalar) and base in PRIMITIVES and base not in ("list", "map", "range", "null"):
        return parse(base, node.text)
    if base in PRIMITIVES and base not in ("list", "map", "range", "null"):
        raise ValueError(f"a value of type {base} is wanted")
    return plain(node)


def _bound(node: Node, base: str) -> Any:
    if isinstance(node, Scalar) and node.text == "UNBOUNDED":
        return node.text
    return _operand(node, "integer" if base == "range" else base)
