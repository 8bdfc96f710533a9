"""Triggers of policies (TOSCA 1.3 §3.6.21, §3.6.22; TOSCA 2.0 §16.5).

Before 1.3 they were experimental, and systems of that time added keys and words of their own; in documents of
TOSCA 1.0 to 1.2 such things are told as warnings.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from isthmus.topology import Activity, ActivityKind, Trigger, Value
from isthmus.tosca.diagnostics import Problems, near
from isthmus.tosca.grammar import allowed_keys, check_keys, map_at
from isthmus.tosca.procedures.activities import Activities
from isthmus.tosca.procedures.conditions import OPERATORS, Conditions
from isthmus.tosca.procedures.targets import Target, Targets
from isthmus.tosca.reading.documents import Map, Node, Scalar, Seq, plain, scalar_value, text_of
from isthmus.tosca.reading.imports import Document
from isthmus.tosca.resolving.templates import Scope, Values
from isthmus.tosca.typesystem.scalars import comparable, parse
from isthmus.tosca.typesystem.schemas import Schema
from isthmus.tosca.typesystem.typedefs import TypeDef
from isthmus.tosca.typesystem.types import Types

_STRICT = ("tosca_simple_yaml_1_3", "tosca_2_0")
_NOBODY = Target("", known=False)
_TIMES = ("start_time", "end_time")
_MEASURES = ("period", "evaluations", "method")


@dataclass(frozen=True, slots=True, eq=False)
class Triggers:
    """Reads the triggers of policies and of their types."""

    types: Types
    document: Document
    targets: Targets
    conditions: Conditions
    activities: Activities
    owner: Values | None = None
    """The properties of the policy that is read, which are those of SELF where an action is done."""

    def of(self, found: TypeDef, node: Map, targets: list[Target], document: Document) -> Mapping[str, Trigger]:
        """The triggers of a policy: those of its type, and its own."""
        merged = self.of_type(found, targets)
        self._read_all(node, targets, document, merged)
        return merged

    def check(self, found: TypeDef) -> None:
        """The triggers of a type that no policy may be of; what workflows there will be is not known here."""
        make = self.activities.functions.converter
        owner = Values(f"the policy type {found.name!r}", found.properties, None, Scope(), found.node, make)
        replace(self, activities=replace(self.activities, workflows=None), owner=owner).of_type(found, [])

    def of_type(self, found: TypeDef, targets: list[Target]) -> dict[str, Trigger]:
        """The triggers of a policy type, inherited ones too."""
        merged: dict[str, Trigger] = {}
        for ancestor in reversed(found.ancestors):
            self._read_all(ancestor.node, targets, ancestor.document, merged)
        return merged

    @property
    def problems(self) -> Problems:
        return self.types.problems

    def _read_all(self, owner: Map, targets: list[Target], document: Document, merged: dict[str, Trigger]) -> None:
        section = map_at(owner, "triggers", self.problems)
        for name, node in section.entries.items() if section is not None else ():
            if not isinstance(node, Map):
                self.problems.error("shape", f"the trigger {name!r} must be a map", node)
                continue
            if name in merged and node.source.version == 2:
                assert section is not None
                summary = f"the trigger {name!r} is inherited, and cannot be changed"
                self.problems.error("refinement", summary, section.keys[name])
            merged[name] = self._read(name, node, targets, _is_early(node, document))

    def _read(self, name: str, node: Map, targets: list[Target], early: bool) -> Trigger:
        self.problems.spend()
        self._check_keys(node, "trigger", early)
        event = node.get("event") or node.get("event_type")
        if event is None and node.source.version == 1:
            self._report(early, "key-missing", f"the trigger {name!r} has no 'event'", node)
        self._check_schedule(node.get("schedule"), early)
        place = map_at(node, "target_filter", self.problems)
        watched = self._watched(place, early) if place is not None else None
        subject = watched if watched is not None else targets[0] if len(targets) == 1 else _NOBODY
        condition, measures = self._condition(node, subject, early)
        return Trigger(
            name,
            text_of(event.get("type") if isinstance(event, Map) else event),
            self._action(name, node, targets, subject, early),
            condition,
            self._period(measures, early),
            self._evaluations(measures, early),
            text_of(measures.get("method")),
            {k: text_of(n) for k, n in place.entries.items()} if place is not None else {},
            {k: plain(n) for k, n in s.entries.items()} if isinstance(s := node.get("schedule"), Map) else {},
            text_of(node.get("description")).strip(),
        )

    def _check_schedule(self, written: Node | None, early: bool) -> None:
        """When a trigger counts: a TimeInterval (TOSCA 1.3 §3.6.22.1, §5.3.6)."""
        for key, node in written.entries.items() if isinstance(written, Map) else ():
            if key not in _TIMES:
                summary = f"{key!r} is not a key of a time interval"
                self._report(early, "key-unknown", summary, node, near(key, _TIMES))
                continue
            try:
                parse("timestamp", text_of(node))
            except ValueError as e:
                self._report(early, "value-type", str(e), node)

    # what is watched -------------------------------------------------------------------------

    def _watched(self, place: Map, early: bool) -> Target:
        """The node whose events count: a node, or any of a type (TOSCA 1.3 §3.6.21)."""
        self._check_keys(place, "event_filter", early)
        named = place.get("node")
        if named is None:
            self._report(early, "key-missing", "'target_filter' has no 'node'", place)
            return _NOBODY
        name = text_of(named)
        if name in self.targets.functions.nodes:
            return self.targets.find(named)
        if self.types.find("node", name, self.document) is None and name not in self.targets.functions.broken:
            known = self.targets.functions.nodes
            self._report(early, "target-unknown", f"there is no node {name!r}", named, near(name, known))
        return _NOBODY

    # conditions ------------------------------------------------------------------------------

    def _condition(self, node: Map, subject: Target, early: bool) -> tuple[Value, Map]:
        """The condition itself, and the map that tells how it is measured."""
        written = node.get("condition") or node.get("constraint")
        measured = written if isinstance(written, Map) and node.source.version == 1 else None
        if measured is None or not measured.entries.keys() & {"constraint", *_MEASURES}:
            return self._clauses(written, subject), node
        self._check_keys(measured, "trigger_condition", early)
        return self._clauses(measured.get("constraint"), subject), measured

    def _clauses(self, written: Node | None, subject: Target) -> Value:
        if written is None or written.source.version == 2:
            return self.conditions.one(written, subject, subject.scope()) if written is not None else None
        bare = isinstance(written, Scalar) or (isinstance(written, Map) and written.entries.keys() <= set(OPERATORS))
        return plain(written) if bare else self.conditions.all_of(written, subject, subject.scope())

    def _period(self, measures: Map, early: bool) -> float | None:
        written = measures.get("period")
        if written is None:
            return None
        value = scalar_value(written) if isinstance(written, Scalar) else None
        seconds = comparable("scalar-unit.time", value)
        if isinstance(seconds, bool) or not isinstance(seconds, int | float):
            self._report(early, "value-type", f"{text_of(written)!r} is not a time such as '60 s'", written)
            return None
        return float(seconds)

    def _evaluations(self, measures: Map, early: bool) -> int | None:
        written = measures.get("evaluations")
        if written is None:
            return None
        value = self.conditions.functions.converter.convert(written, Schema("integer", "integer"), Scope())
        return value if isinstance(value, int) else None

    # action ----------------------------------------------------------------------------------

    def _action(
        self, name: str, node: Map, targets: list[Target], subject: Target, early: bool
    ) -> tuple[Activity, ...]:
        written = node.get("action")
        if written is None:
            if node.source.version == 1:
                self._report(early, "key-missing", f"the trigger {name!r} has no 'action'", node)
            return ()
        if isinstance(written, Map) and node.source.version == 1:
            return tuple(self._operation(k, n, early) for k, n in written.entries.items())
        if early and isinstance(written, Seq) and any(isinstance(i, Scalar) for i in written.items):
            self.problems.warn(
                "activity-unknown", f"the action of the trigger {name!r} is no list of activities", written
            )
            return ()
        owner = self.owner if node.source.version == 1 else None
        return self.activities.read(written, targets, replace(subject.scope(), owner=owner), every=False)

    def _operation(self, name: str, body: Node, early: bool) -> Activity:
        """An operation that the trigger itself defines, as TOSCA 1.0 to 1.2 have it."""
        if not isinstance(body, Map):
            return Activity(ActivityKind.CALL_OPERATION, name, implementation=text_of(body))
        self._check_keys(body, "operation", early)
        primary = body.get("implementation")
        primary = primary.get("primary") if isinstance(primary, Map) else primary
        inputs = map_at(body, "inputs", self.problems)
        converted = self.activities.converted(inputs, {}, Scope())
        return Activity(ActivityKind.CALL_OPERATION, name, converted, text_of(primary))

    # reports ---------------------------------------------------------------------------------

    def _check_keys(self, node: Map, place: str, early: bool) -> None:
        if not early:
            check_keys(node, place, self.problems)
            return
        allowed = allowed_keys(place)
        for key in (k for k in node.entries if k not in allowed):
            summary = f"{key!r} is not a key of a {place.replace('_', ' ')}, and has no effect"
            self.problems.warn("key-unknown", summary, node.keys[key], suggestion=near(key, allowed))

    def _report(self, early: bool, code: str, summary: str, at: Node, suggestion: object = "") -> None:
        report = self.problems.warn if early else self.problems.error
        report(code, summary, at, suggestion=str(suggestion))


def _is_early(node: Node, document: Document) -> bool:
    """Whether a document is of TOSCA 1.0 to 1.2."""
    version = text_of(document.root.get("tosca_definitions_version"))
    return node.source.version == 1 and version not in _STRICT
