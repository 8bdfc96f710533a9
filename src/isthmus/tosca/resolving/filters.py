"""Node filters: which nodes may meet a requirement (TOSCA 1.3 §3.6.5 and §3.6.6, TOSCA 2.0 §8.6).

In TOSCA 1.x a filter lists constraints on properties of a node and of its capabilities; in TOSCA 2.0 it is
a condition that is asked of the relationship which would come about.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from isthmus.tosca.diagnostics import Diagnostic, Problems, near
from isthmus.tosca.expressions.functions import Functions
from isthmus.tosca.expressions.statics import Statics
from isthmus.tosca.expressions.syntax import call_of
from isthmus.tosca.expressions.values import BROKEN, function_of, is_later
from isthmus.tosca.reading.documents import FLOAT, Map, Node, Scalar, Seq, plain, walk
from isthmus.tosca.resolving.templates import NodeTemplate, Relation, Scope, Values
from isthmus.tosca.typesystem.constraints import CLAUSES, parse_constraints
from isthmus.tosca.typesystem.definitions import PropertyDef
from isthmus.tosca.typesystem.scalars import UNITS, comparable
from isthmus.tosca.typesystem.typed import BOOLEAN
from isthmus.tosca.typesystem.typedefs import TypeDef
from isthmus.tosca.typesystem.types import Types

_KEYS = ("properties", "capabilities")
_JUDGE = 10
"""Steps of work that asking a filter of one node means, beside those of its values."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a node passes a filter, None where only the running deployment can tell; and why not."""

    holds: bool | None
    reason: str = ""


PASSED = Verdict(True)


# ---------------------------------------------------------------------------------------------
# shape


def check_filter(node: Node, types: Types) -> bool:
    """Report a filter that is not built as the grammar has it."""
    problems = types.problems
    if node.source.version == 2:
        return _check_condition(node, types)
    if not isinstance(node, Map):
        problems.error("shape", "a node filter is a map with 'properties' and 'capabilities'", node)
        return False
    fine = True
    for key in (k for k in node.entries if k not in _KEYS):
        summary = f"{key!r} is not a key of a node filter"
        problems.error("key-unknown", summary, node.keys[key], suggestion=near(key, _KEYS))
        fine = False
    for name, body in _listed(node, "capabilities", problems):
        if not isinstance(body, Map):
            problems.error("node-filter", f"the filter of the capability {name!r} must be a map", body or node)
            fine = False
            continue
        for key in (k for k in body.entries if k != "properties"):
            summary = f"{key!r} is not a key of a node filter's capability"
            problems.error("key-unknown", summary, body.keys[key], suggestion=near(key, ("properties",)))
            fine = False
    for name, clauses in _all_properties(node, problems):
        fine = _check_clauses(name, clauses, problems) and fine
    return fine


def _check_condition(node: Node, types: Types) -> bool:
    """A condition of TOSCA 2.0 is a boolean function, whatever the graph answers to what it asks (§8.6)."""
    if call_of(node) is None:
        types.problems.error("node-filter", "a node filter is a condition such as '$greater_or_equal: [ …, … ]'", node)
        return False
    return Statics(types.problems, types.custom).converter.convert(node, BOOLEAN, Scope()) is not BROKEN


def _all_properties(node: Map, problems: Problems) -> Iterator[tuple[str, Node]]:
    yield from _listed(node, "properties", problems)
    for _, body in _listed(node, "capabilities", problems):
        if isinstance(body, Map):
            yield from _listed(body, "properties", problems)


def _check_clauses(name: str, node: Node, problems: Problems) -> bool:
    """Every clause is a map with the name of one constraint; operands are judged with the property's type."""
    clauses = node.items if isinstance(node, Seq) else [node]
    if not all(isinstance(c, Map) and len(c.entries) == 1 for c in clauses):
        problems.error("node-filter", f"{name!r} is filtered by constraints such as 'greater_than: 0'", node)
        return False
    fine = True
    for clause in (c for c in clauses if isinstance(c, Map)):
        for operator in (o for o in clause.entries if o not in CLAUSES):
            summary = f"there is no constraint {operator!r}"
            problems.error("constraint-bad", summary, clause.keys[operator], suggestion=near(operator, CLAUSES))
            fine = False
    return fine


def _listed(node: Map, key: str, problems: Problems) -> Iterator[tuple[str, Node]]:
    """The entries of a list of maps with one key each; properties may be one map, as catalogues have it."""
    written = node.get(key)
    if isinstance(written, Map) and key == "properties":
        yield from written.entries.items()
    elif written is not None and not isinstance(written, Seq):
        problems.error("shape", f"{key!r} of a node filter must be a list", written)
    for item in written.items if isinstance(written, Seq) else []:
        if isinstance(item, Map) and len(item.entries) == 1:
            yield from item.entries.items()
        else:
            problems.error("node-filter", f"{key!r} of a node filter is a list of maps with one key each", item)


def check_filter_names(node: Node, wanted: TypeDef, problems: Problems) -> None:
    """Report properties and capabilities in a filter of TOSCA 1.x which no node of a type can have."""
    if not isinstance(node, Map) or node.source.version == 2:
        return
    for name, at in _listed(node, "properties", problems):
        if name not in wanted.properties:
            summary = f"{wanted.name} has no property {name!r}"
            problems.error("property-unknown", summary, at, suggestion=near(name, wanted.properties))
    for name, at in _listed(node, "capabilities", problems):
        known = wanted.capabilities
        if name not in known and not any(c.type.derives(name) for c in known.values()):
            summary = f"{wanted.name} has no capability {name!r}"
            problems.error("capability-unknown", summary, at, suggestion=near(name, known))


# ---------------------------------------------------------------------------------------------
# judgement


class Filters:
    """Judges nodes by filters whose shape has been checked."""

    def __init__(self, types: Types, functions: Functions) -> None:
        self.types = types
        self.functions = functions
        self.problems = functions.problems

    def judge(self, node: Node, relation: Relation) -> Verdict:
        """Whether the target of a relation passes the filter of its requirement."""
        self.problems.spend(_JUDGE)
        scope = Scope(relation=relation)
        if node.source.version == 2:
            return self._ask(node, scope)
        return self.constrain(node, relation.target, scope)

    def check_selection(self, node: NodeTemplate) -> None:
        """Report what makes no sense in the filter by which a node is selected; no node is looked for."""
        written = node.node.get("node_filter")
        if written is None or not check_filter(written, self.types):
            return
        if written.source.version == 2:
            self._ask(written, Scope(node=node))
        else:
            check_filter_names(written, node.type, self.problems)

    # TOSCA 2.0 -------------------------------------------------------------------------------

    def _ask(self, node: Node, scope: Scope) -> Verdict:
        """The answer of a condition. A path that leads nowhere from this node says that it does not pass."""
        value, wrong = self.problems.attempt(lambda: self.functions.converter.convert(node, None, scope))
        inside = self._keep_others(node, wrong)
        if any(d.code == "value-type" for d in inside):
            return Verdict(False, f"its filter makes no sense of it: {inside[0].summary}")
        if inside:
            return Verdict(None, f"its filter cannot be asked: {inside[0].summary}")
        if is_later(value):
            return Verdict(None, "its filter asks what is known only when the deployment runs")
        if isinstance(value, bool):
            return PASSED if value else Verdict(False, "it does not pass the filter")
        return Verdict(None, "its filter is neither true nor false")

    def _keep_others(self, node: Node, wrong: tuple[Diagnostic, ...]) -> list[Diagnostic]:
        """What is wrong in the filter for this node; what is wrong for any, or elsewhere, is recorded."""
        places = {n.position for n in walk(node)} if wrong else set()
        for diagnostic in wrong:
            if diagnostic.position not in places or diagnostic.code == "function-unknown":
                self.problems.keep(diagnostic)
        return [d for d in wrong if d.position in places and d.severity != "warning"]

    # TOSCA 1.x -------------------------------------------------------------------------------

    def constrain(self, node: Node, target: NodeTemplate, scope: Scope) -> Verdict:
        """Whether a node passes the constraints of a filter."""
        if not isinstance(node, Map):
            return PASSED
        verdict = self._pass(node, target.values, scope)
        for name, body in _listed(node, "capabilities", self.problems):
            if verdict.holds is not True:
                break
            verdict = self._pass_any(name, body, target, scope)
        return verdict

    def _pass_any(self, name: str, body: Node, target: NodeTemplate, scope: Scope) -> Verdict:
        """Whether a capability of that name, or else one of that type, passes."""
        known = target.type.capabilities
        named = [name] if name in known else [n for n, c in known.items() if _is_of(c.type, name)]
        verdict = Verdict(False, f"it has no capability {name!r}")
        for capability in named:
            verdict = self._pass(body, target.capabilities[capability], scope) if isinstance(body, Map) else PASSED
            if verdict.holds:
                break
        return verdict

    def _pass(self, node: Map, values: Values, scope: Scope) -> Verdict:
        for name, clauses in _listed(node, "properties", self.problems):
            definition = values.definitions.get(name)
            if definition is None:
                return Verdict(False, f"{values.what} has no property {name!r}")
            verdict = self._hold(clauses, definition, values, scope)
            if verdict.holds is not True:
                return verdict
        return PASSED

    def _hold(self, clauses: Node, definition: PropertyDef, values: Values, scope: Scope) -> Verdict:
        name, base = definition.name, definition.schema.base
        value = values.get(name)
        if value is None:
            return Verdict(False, f"{name!r} of {values.what} has no value")
        if is_later(value):
            return Verdict(None, f"{name!r} of {values.what} is known only when the deployment runs")
        nodes = [self._settle(c, scope) for c in (clauses.items if isinstance(clauses, Seq) else [clauses])]
        if base in UNITS and all(_is_bare(n) for n in nodes):
            value, base = comparable(base, value), "float"
        for constraint in parse_constraints(nodes, base, self.problems):
            self.problems.spend(1 + constraint.cost(value))
            broken = constraint.broken_by(value)
            if broken:
                return Verdict(False, f"{name!r} of {values.what} {broken}")
        return PASSED

    def _settle(self, node: Node, scope: Scope) -> Node:
        """A clause with the values of its functions in their place."""
        if isinstance(node, Map) and function_of(node, None) is not None:
            value = self.functions.converter.convert(node, None, scope)
            return Scalar(node.source, node.mark, str(value), plain=not isinstance(value, str))
        if isinstance(node, Map):
            settled = Map(node.source, node.mark)
            settled.keys = node.keys
            settled.entries = {k: self._settle(v, scope) for k, v in node.entries.items()}
            return settled
        if isinstance(node, Seq):
            return Seq(node.source, node.mark, [self._settle(i, scope) for i in node.items])
        return node


def _is_of(found: TypeDef, name: str) -> bool:
    """Whether a capability type is told by a name, full or short."""
    return any(n == name or n.rsplit(".", 1)[-1] == name for n in found.names)


def _is_bare(clause: Node) -> bool:
    """Whether the operands of a clause are numbers without unit, which stand for bytes, seconds or hertz."""
    scalars = [n for n in walk(clause) if isinstance(n, Scalar)]
    return bool(scalars) and all(FLOAT.fullmatch(n.text) is not None for n in scalars if plain(n) != "UNBOUNDED")
