"""Activities of steps and triggers (TOSCA 1.3 §3.6.23, TOSCA 2.0 §13.2.3): what they name exists, inputs fit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from isthmus.topology import Activity, ActivityKind, Value
from isthmus.tosca.diagnostics import Problems, near
from isthmus.tosca.expressions.functions import Functions
from isthmus.tosca.grammar import check_keys, map_at
from isthmus.tosca.leniency import complain
from isthmus.tosca.procedures.callees import Callees, Parameters
from isthmus.tosca.procedures.targets import Target, required_at
from isthmus.tosca.procedures.workflow_inputs import check_fits, may_be_absent
from isthmus.tosca.reading.documents import Map, Node, Scalar, Seq, is_text, text_of
from isthmus.tosca.resolving.templates import Scope
from isthmus.tosca.typesystem.definitions import PropertyDef

_KINDS = {"delegate": "workflow", "inline": "workflow", "call_operation": "operation"}


@dataclass(frozen=True, slots=True, eq=False)
class Activities:
    """Reads lists of activities; ``workflows`` are the inputs of each workflow of the template, None where
    these are not known.
    """

    problems: Problems
    functions: Functions
    callees: Callees
    workflows: Mapping[str, Mapping[str, PropertyDef]] | None
    inlined: dict[str, dict[str, Node]] = field(default_factory=dict)
    """The workflows that each workflow inlines, and where it says so."""

    def read(
        self, node: Node | None, targets: list[Target], scope: Scope, *, every: bool = True, owner: str = ""
    ) -> tuple[Activity, ...]:
        """The activities of a list, done to targets of which ``every`` one, or else one or more, must know them."""
        if node is not None and not isinstance(node, Seq):
            self.problems.error("shape", "activities are a list of maps with one key each", node)
        items = node.items if isinstance(node, Seq) else []
        found = [self._activity(i, targets, scope, every, owner) for i in items]
        return tuple(a for a in found if a is not None)

    def _activity(self, node: Node, targets: list[Target], scope: Scope, every: bool, owner: str) -> Activity | None:
        self.problems.spend()
        if not isinstance(node, Map) or len(node.entries) != 1:
            self.problems.error("shape", "an activity is a map with one key, such as 'delegate: deploy'", node)
            return None
        ((key, body),) = node.entries.items()
        if key == "set_state":
            return self._set_state(body)
        if key not in _KINDS:
            known = [kind.value for kind in ActivityKind]
            summary = f"there is no activity {key!r}"
            self.problems.error("activity-unknown", summary, node.keys[key], suggestion=near(key, known))
            return None
        named, written = self._parts(key, body)
        if named is None or not text_of(named):
            return None
        if key == "call_operation":
            inputs = self._call(named, written, targets, scope, every)
        elif key == "inline":
            inputs = self._inline(named, written, scope, owner)
        else:
            inputs = self.converted(written, {}, scope)
        return Activity(ActivityKind(key), text_of(named), inputs)

    def _set_state(self, body: Node) -> Activity | None:
        if not text_of(body) or (body.source.version == 2 and not is_text(body)):
            self.problems.error("shape", "'set_state' must be the name of a state", body)
            return None
        return Activity(ActivityKind.SET_STATE, text_of(body))

    def _parts(self, key: str, body: Node) -> tuple[Node | None, Map | None]:
        """What an activity names, and its inputs, in the short form or the long one."""
        if isinstance(body, Map):
            check_keys(body, key, self.problems)
            named = required_at(body, _KINDS[key], f"the activity {key!r}", self.problems)
            return named if isinstance(named, Scalar) else None, map_at(body, "inputs", self.problems)
        if not text_of(body):
            self.problems.error("shape", f"{key!r} must name {_KINDS[key]}", body)
        return body, None

    # operations ------------------------------------------------------------------------------

    def _call(
        self, named: Node, written: Map | None, targets: list[Target], scope: Scope, every: bool
    ) -> Mapping[str, Value]:
        """The inputs of a call, checked against the operation of each entity that is its target."""
        found = [self.callees.find(t, text_of(named)) for t in targets if t.known]
        missing = [t for t, f in zip((t for t in targets if t.known), found, strict=True) if not f.complete]
        if "." not in text_of(named) or (missing and (every or not any(f.parameters for f in found))):
            self._report_missing(named, missing)
            return {}
        inputs: Mapping[str, Value] | None = None
        for parameters in (p for f in found for p in f.parameters):
            self._check(f"the operation {text_of(named)!r}", parameters, written, named, scope)
            if inputs is None:
                inputs = self.converted(written, {n: p.definition for n, p in parameters.items()}, scope)
        return inputs if inputs is not None else self.converted(written, {}, scope)

    def _report_missing(self, named: Node, missing: list[Target]) -> None:
        name = text_of(named)
        if "." not in name:
            summary = f"{name!r} names no operation; write INTERFACE.OPERATION"
        else:
            summary = f"{missing[0].name!r} has no operation {name!r}"
        known = [n for t in missing[:1] for n in self.callees.names(t)]
        self.problems.error("operation-unknown", summary, named, suggestion=near(name, known))

    # workflows -------------------------------------------------------------------------------

    def _inline(self, named: Node, written: Map | None, scope: Scope, owner: str) -> Mapping[str, Value]:
        name = text_of(named)
        if self.workflows is None:
            return self.converted(written, {}, scope)
        definitions = self.workflows.get(name)
        if definitions is None:
            summary = f"there is no workflow {name!r}"
            self.problems.error("workflow-unknown", summary, named, suggestion=near(name, self.workflows))
            return {}
        self.inlined.setdefault(owner, {}).setdefault(name, named)
        parameters = self.callees.declared(definitions)
        self._check(f"the workflow {name!r}", parameters, written, named, scope)
        return self.converted(written, dict(definitions), scope)

    # inputs ----------------------------------------------------------------------------------

    def converted(
        self, written: Map | None, definitions: Mapping[str, PropertyDef | None], scope: Scope
    ) -> Mapping[str, Value]:
        values = {}
        for name, node in written.entries.items() if written is not None else ():
            definition = definitions.get(name)
            schema = definition.schema if definition is not None else None
            values[name] = self.functions.converter.convert(node, schema, scope)
        return values

    def _check(self, what: str, parameters: Parameters, written: Map | None, at: Node, scope: Scope) -> None:
        """Every input is declared, and of its type; every required one is there, whatever happens."""
        self.problems.spend(len(parameters))
        for name, node in written.entries.items() if written is not None else ():
            parameter = parameters.get(name)
            if parameter is None:
                assert written is not None
                summary, nearby = f"{what} has no input {name!r}", near(name, parameters)
                complain("undeclared-names", "input-unknown", summary, written.keys[name], self.problems, nearby)
            elif parameter.definition is not None:
                check_fits(node, parameter.definition.schema, scope, self.problems)
                if parameter.needed and may_be_absent(node, scope):
                    summary = f"{what} requires the input {name!r}, and it may be without a value here"
                    self.problems.error("activity-incomplete", summary, node)
        for name, parameter in parameters.items():
            if parameter.needed and (written is None or written.get(name) is None):
                self.problems.error("activity-incomplete", f"{what} requires the input {name!r}", at)
