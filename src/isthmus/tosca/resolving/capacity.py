"""How much of a capability is left: its `occurrences` (TOSCA 1.3 §3.7.2), and allocations (TOSCA 2.0 §8.5.5)."""

from __future__ import annotations

from collections import Counter

from isthmus.topology import Value
from isthmus.tosca.diagnostics import near
from isthmus.tosca.expressions.functions import Functions
from isthmus.tosca.expressions.values import is_later
from isthmus.tosca.reading.documents import Map, Node, Seq, text_of
from isthmus.tosca.resolving.assignments import Assignment
from isthmus.tosca.resolving.templates import NodeTemplate, Relation, Scope
from isthmus.tosca.typesystem.definitions import PropertyDef
from isthmus.tosca.typesystem.scalars import comparable
from isthmus.tosca.typesystem.schemas import Schema

_NUMBERS = ("integer", "float", "scalar")
_SLACK = 1e-9
"""What rounding may add to a sum of floats, as a part of the whole."""


class Capacity:
    """Counts the relationships of capabilities, and what these take of their properties."""

    def __init__(self, functions: Functions) -> None:
        self.functions = functions
        self.problems = functions.problems
        self._uses: Counter[tuple[str, str]] = Counter()
        self._taken = functions.taken

    def lack(self, assignment: Assignment, target: NodeTemplate, capability: str, count: int) -> str:
        """Why a capability cannot take another ``count`` relationships for each source; nothing if it can."""
        if not capability:
            return ""
        most = self._most(target, capability)
        uses = self._uses[target.name, capability] + count * assignment.node.count
        if most is not None and uses > most * target.count:
            return f"the capability {capability!r} of {target.name!r} takes part in {most} relationships already"
        for name, amount in self._amounts(assignment, target, capability).items():
            reason = self._short(target, capability, name, amount, count * assignment.node.count)
            if reason:
                return reason
        return ""

    def _most(self, target: NodeTemplate, capability: str) -> int | None:
        """How many relationships a capability may have: by its type, and in TOSCA 1.3 by the template."""
        most = target.type.capabilities[capability].most
        section = target.node.get("capabilities")
        written = section.get(capability) if isinstance(section, Map) else None
        bounds = written.get("occurrences") if isinstance(written, Map) else None
        upper = text_of(bounds.items[-1]) if isinstance(bounds, Seq) and bounds.items else ""
        own = int(upper[:6]) if upper.isdecimal() else None
        return own if most is None else most if own is None else min(own, most)

    def take(self, assignment: Assignment, relation: Relation) -> None:
        """Count a relationship that is made."""
        target, capability = relation.target, relation.capability
        if not capability:
            return
        times = relation.count * assignment.node.count
        self._uses[target.name, capability] += times
        for name, amount in self._amounts(assignment, target, capability).items():
            key = (target.name, capability, name)
            self._taken[key] = self._taken.get(key, 0) + amount * times

    def check_names(self, assignment: Assignment, target: NodeTemplate, capability: str) -> None:
        """Tell of allocations from properties that the capability has not, or that are no numbers."""
        definitions = target.capabilities[capability].definitions if capability else {}
        for name, node in assignment.allocation.entries.items() if assignment.allocation is not None else ():
            definition = definitions.get(name)
            if definition is None:
                # an allocation that is not valid: the relationship is, so this is no mistake of the document's
                summary = f"the capability {capability!r} of {target.name!r} has no property {name!r} to allocate from"
                self.problems.refuse("allocation", summary, node, suggestion=near(name, definitions))
            elif not _is_number(definition.schema):
                summary = f"{name!r} is a {definition.schema.type}, of which nothing can be allocated"
                self.problems.error("allocation", summary, node)

    def _amounts(self, assignment: Assignment, target: NodeTemplate, capability: str) -> dict[str, float]:
        """What one relationship takes of each property that is a number."""
        definitions = target.capabilities[capability].definitions
        found = {}
        for name, node in assignment.allocation.entries.items() if assignment.allocation is not None else ():
            definition = definitions.get(name)
            if definition is not None and _is_number(definition.schema):
                found[name] = self._amount(node, definition, assignment)
        return found

    def _amount(self, node: Node, definition: PropertyDef, assignment: Assignment) -> float:
        value = self.functions.converter.convert(node, definition.schema, Scope(node=assignment.node))
        if is_later(value):
            summary = "what is allocated must be known before the deployment runs"
            self.problems.refuse("allocation", summary, node)
        return _magnitude(value, definition.schema) or 0.0

    def _short(self, target: NodeTemplate, capability: str, name: str, amount: float, times: int) -> str:
        values = target.capabilities[capability]
        whole = _magnitude(values.get(name), values.definitions[name].schema)
        if whole is None:
            return ""
        taken = self._taken.get((target.name, capability, name), 0.0) + amount * times
        if amount <= whole and taken <= whole * target.count * (1 + _SLACK):
            return ""
        return f"{target.name!r} has {values.get(name)} of {name!r}, which is less than all that is allocated"


def _is_number(schema: Schema) -> bool:
    return schema.base in _NUMBERS or schema.base.startswith("scalar-unit.")


def _magnitude(value: Value, schema: Schema) -> float | None:
    """A number, or a scalar in its canonical unit; None where it is not known."""
    if schema.scalar is not None and isinstance(value, str):
        return schema.scalar.read(value)
    found = comparable(schema.base, value) if isinstance(value, str) else value
    return float(found) if isinstance(found, int | float) and not isinstance(found, bool) else None
