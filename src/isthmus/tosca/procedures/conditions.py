"""Conditions of triggers, preconditions and filters as values that must come out true.

The clauses of TOSCA 1.x (1.3 §3.6.24, §3.6.25) become the same boolean functions that TOSCA 2.0 writes itself
(§10.2.2), so whoever reads a topology meets one form.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from isthmus.topology import Call, Reference, Value
from isthmus.tosca.diagnostics import Problems
from isthmus.tosca.expressions.functions import Functions
from isthmus.tosca.expressions.values import function_of
from isthmus.tosca.procedures.targets import Target
from isthmus.tosca.reading.documents import Map, Node, Scalar, Seq, scalar_value
from isthmus.tosca.resolving.templates import Scope
from isthmus.tosca.typesystem.constraints import Constraint, parse_constraints
from isthmus.tosca.typesystem.schemas import ANY, Schema
from isthmus.tosca.typesystem.typed import BOOLEAN

_DIRECT = ("equal", "greater_than", "greater_or_equal", "less_than", "less_or_equal", "valid_values")
_LENGTHS = {"length": "equal", "min_length": "greater_or_equal", "max_length": "less_or_equal"}
OPERATORS = (*_DIRECT, *_LENGTHS, "in_range", "pattern", "schema")


@dataclass(frozen=True, slots=True, eq=False)
class Conditions:
    """Reads conditions; what is wrong is reported at its place."""

    problems: Problems
    functions: Functions
    _schemas: dict[str, Schema] = field(default_factory=dict)

    def all_of(self, node: Node | None, target: Target, scope: Scope) -> Value:
        """A list of conditions, all of which must hold, or a lone one; None when there is none."""
        if node is None:
            return None
        items = node.items if isinstance(node, Seq) else [node]
        return _joined("and", [self.one(i, target, scope) for i in items])

    def one(self, node: Node, target: Target, scope: Scope) -> Value:
        """A single condition: a boolean function of TOSCA 2.0, or a clause of TOSCA 1.x."""
        if node.source.version == 2:
            return self._function(node, scope)
        if not isinstance(node, Map) or not node.entries:
            self.problems.error("shape", "a condition is a map such as 'state: [ { equal: available } ]'", node)
            return None
        return _joined("and", [self._clause(name, body, target, scope) for name, body in node.entries.items()])

    def _function(self, node: Node, scope: Scope) -> Value:
        written = scalar_value(node) if isinstance(node, Scalar) else None
        call = isinstance(node, Map) and len(node.entries) == 1 and next(iter(node.entries)).startswith("$")
        if call or isinstance(written, bool) or (isinstance(written, str) and written.startswith("$")):
            return self.functions.converter.convert(node, BOOLEAN, scope)
        self.problems.error("shape", "a condition is a boolean function such as { $equal: [ 1, 1 ] }", node)
        return None

    # clauses of TOSCA 1.x --------------------------------------------------------------------

    def _clause(self, name: str, body: Node, target: Target, scope: Scope) -> Value:
        self.problems.spend()
        if name in ("and", "or", "not", "assert"):
            items = body.items if isinstance(body, Seq) else [body]
            parts = [self.one(i, target, scope) for i in items]
            if name == "not":
                return Call("not", (_joined("and", parts),))
            return _joined("or" if name == "or" else "and", parts)
        return self._assertion(name, body, target, scope)

    def _assertion(self, attribute: str, body: Node, target: Target, scope: Scope) -> Value:
        """Constraints on an attribute of the target; one without constraints asks whether it is true at all."""
        subject = Reference(target.name, attribute, own=True)
        if target.relationship:
            subject = Reference(target.name, target.relationship, (attribute,), own=True)
        declared = target.declares(attribute)
        if declared is None and target.entities and target.group is None:
            summary = f"{target.name!r} declares no attribute {attribute!r}, so the condition never holds"
            self.problems.warn("attribute-unknown", summary, body)
        schema = declared.schema if declared is not None else Schema(ANY, ANY)
        items = body.items if isinstance(body, Seq) else [body]
        return _joined("and", [c for i in items for c in self._constraint(i, subject, schema, scope)])

    def _constraint(self, node: Node, subject: Reference, schema: Schema, scope: Scope) -> list[Value]:
        if isinstance(node, Map) and len(node.entries) == 1:
            ((name, operand),) = node.entries.items()
            name = self._named(name, node)
            if name in _DIRECT and isinstance(operand, Map) and function_of(operand, None) is not None:
                return [Call(name, (subject, self.functions.converter.convert(operand, schema, scope)))]
            if name not in node.entries:
                renamed = Map(node.source, node.mark)
                renamed.entries[name] = operand
                renamed.keys[name] = next(iter(node.keys.values()))
                node = renamed
        return [_call(c, subject) for c in parse_constraints([node], schema.base, self.problems)]

    def _named(self, name: str, at: Map) -> str:
        """The operator that a name means: published examples write `equals` for `equal`."""
        if name != "equals":
            return name
        self.problems.warn("constraint-bad", "there is no constraint 'equals'; it is taken for 'equal'", at)
        return "equal"


def _call(constraint: Constraint, subject: Reference) -> Value:
    name, operand = constraint.name, constraint.operand
    if name in _DIRECT:
        return Call(name, (subject, operand))
    if name in _LENGTHS:
        return Call(_LENGTHS[name], (Call("length", (subject,)), operand))
    if name == "in_range":
        bounds = zip(("greater_or_equal", "less_or_equal"), operand, strict=True)
        return _joined("and", [Call(n, (subject, b)) for n, b in bounds if b != "UNBOUNDED"])
    return Call("matches", (subject, f"^(?:{operand})$"))  # a pattern is of the whole text, `matches` searches


def _joined(function: str, parts: list[Value]) -> Value:
    """Several conditions as one; of none, all hold and not one does."""
    if len(parts) == 1:
        return parts[0]
    return Call(function, tuple(parts)) if parts else function == "and"
