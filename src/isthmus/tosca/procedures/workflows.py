"""Imperative workflows (TOSCA 1.3 §3.8.7, TOSCA 2.0 §13.2): steps, what they act on, and their order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from isthmus.topology import Call, Parameter, Precondition, Step, Workflow
from isthmus.tosca.circles import find_circle, show_circle
from isthmus.tosca.diagnostics import Problems, near
from isthmus.tosca.grammar import check_keys, entries_at, list_at, map_at
from isthmus.tosca.procedures.activities import Activities
from isthmus.tosca.procedures.conditions import Conditions
from isthmus.tosca.procedures.mappings import Path, check_attribute, path_of
from isthmus.tosca.procedures.targets import UNKNOWN, Targets, required_at
from isthmus.tosca.reading.documents import Map, Node, Scalar, Seq, text_of
from isthmus.tosca.reading.imports import Document
from isthmus.tosca.resolving.templates import Scope
from isthmus.tosca.typesystem.definitions import PropertyDef, parse_property
from isthmus.tosca.typesystem.implementations import check_implementation
from isthmus.tosca.typesystem.typed import Typed
from isthmus.tosca.typesystem.types import Types

_HOSTS = ("SELF", "HOST", "SOURCE", "TARGET", "ORCHESTRATOR")

_INSTANCE = Typed(Call("value", ()))
"""What `$value` means in the filter of a step (TOSCA 2.0 §13.2.2): the instance that it judges."""

WorkflowInputs = dict[str, Mapping[str, PropertyDef]]


def declare_workflows(section: Map | None, types: Types, document: Document) -> WorkflowInputs:
    """The inputs of every workflow, so that others can inline it before it is read."""
    found: WorkflowInputs = {}
    for name, node in entries_at(section, "workflows", types.problems).items():
        if not isinstance(node, Map):
            types.problems.error("shape", f"the workflow {name!r} must be a map", node)
            continue
        check_keys(node, "workflow", types.problems)
        inputs = {}
        for key, written in entries_at(node, "inputs", types.problems).items():
            definition = parse_property(key, written, "input", types, document)
            if definition is not None:
                inputs[key] = definition
        found[name] = inputs
    return found


@dataclass(frozen=True, slots=True, eq=False)
class Workflows:
    """Reads workflows whose inputs are declared. Nothing runs them, which is told."""

    problems: Problems
    targets: Targets
    conditions: Conditions
    activities: Activities
    inputs: WorkflowInputs
    document: Document

    def read(self, section: Map | None) -> dict[str, Workflow]:
        """Every workflow of a template, checked."""
        written = map_at(section, "workflows", self.problems)
        if written is None or section is None:
            return {}
        found = {}
        for name, node in written.entries.items():
            if isinstance(node, Map):
                found[name] = self._workflow(name, node, self.inputs[name])
        if found:
            self.problems.warn("ignored", "workflows are checked, and not run", section.keys["workflows"])
        self._check_inlined()
        return found

    def _workflow(self, name: str, node: Map, inputs: Mapping[str, PropertyDef]) -> Workflow:
        implementation = node.get("implementation")
        if implementation is not None and node.get("steps") is not None and node.source.version == 2:
            summary = "a workflow has 'steps' or an 'implementation', not both"
            self.problems.error("shape", summary, node.keys["implementation"])
        return Workflow(
            name,
            self._steps(name, node, inputs),
            {k: self._parameter(d) for k, d in inputs.items()},
            self._preconditions(node, inputs),
            {k: self._output(n) for k, n in entries_at(node, "outputs", self.problems).items()},
            self._implementation(implementation),
            text_of(node.get("description")).strip(),
        )

    def _parameter(self, definition: PropertyDef) -> Parameter:
        default = None
        if definition.default is not None:
            default = self.conditions.functions.converter.convert_default(
                definition.default, definition.schema, Scope()
            )
        return Parameter(definition.schema.type, definition.required, default, definition.description)

    def _preconditions(self, node: Map, inputs: Mapping[str, PropertyDef]) -> tuple[Precondition, ...]:
        if node.source.version == 2:
            written = node.get("precondition")
            scope = Scope(inputs=inputs)
            return (Precondition(self.conditions.one(written, UNKNOWN, scope)),) if written is not None else ()
        section = node.get("preconditions")
        found = []
        for item in section.items if isinstance(section, Seq) else [section] if section is not None else []:
            if not isinstance(item, Map):
                self.problems.error("shape", "a precondition is a map with a target and conditions", item)
                continue
            check_keys(item, "precondition", self.problems)
            target = self.targets.find(
                required_at(item, "target", "a precondition", self.problems), item.get("target_relationship")
            )
            condition = self.conditions.all_of(item.get("condition"), target, target.scope(inputs))
            found.append(Precondition(condition, text_of(item.get("target")), text_of(item.get("target_relationship"))))
        return tuple(found)

    def _implementation(self, written: Node | None) -> str:
        if written is not None and written.source.version == 2:
            check_implementation(written, "workflow", self.activities.callees.types, self.document)
            primary = written.get("primary") if isinstance(written, Map) else written
            return text_of(primary.get("file") if isinstance(primary, Map) else primary)
        if isinstance(written, Map):
            check_keys(written, "implementation", self.problems)
            written = written.get("primary") or written.get("file")
            written = written.get("file") if isinstance(written, Map) else written
        if written is not None and not isinstance(written, Scalar):
            self.problems.error("shape", "an implementation is a file name or an artifact", written)
        return text_of(written)

    def _output(self, node: Node) -> Path:
        """The attribute into which an output is stored; the path begins with a node, a relationship or a group."""
        if isinstance(node, Map) and node.get("mapping") is None:
            check_keys(node, "output", self.problems)
            return ()
        path = path_of(node, self.problems)
        if path:
            written = node.get("mapping") if isinstance(node, Map) else node
            assert isinstance(written, Seq)
            target = self.targets.find(written.items[0])
            for entity in target.entities[:1] if target.group is None else ():
                check_attribute(entity.type, path[1:], written, self.problems)
        return path

    # steps -----------------------------------------------------------------------------------

    def _steps(self, workflow: str, node: Map, inputs: Mapping[str, PropertyDef]) -> Mapping[str, Step]:
        section = map_at(node, "steps", self.problems)
        steps = {}
        for name, written in section.entries.items() if section is not None else ():
            if not isinstance(written, Map):
                self.problems.error("shape", f"the step {name!r} must be a map", written)
                continue
            check_keys(written, "step", self.problems)
            steps[name] = self._step(workflow, name, written, inputs)
        if section is not None:
            self._check_order(section, steps)
        return steps

    def _step(self, workflow: str, name: str, node: Map, inputs: Mapping[str, PropertyDef]) -> Step:
        what = f"the step {name!r}"
        named = required_at(node, "target", what, self.problems)
        target = self.targets.find(named, node.get("target_relationship"))
        activities = node.get("activities")
        if activities is None:
            required_at(node, "activities", what, self.problems)
        scope = target.scope(inputs)
        return Step(
            name,
            text_of(named),
            self.activities.read(activities, [target], scope, owner=workflow),
            text_of(node.get("target_relationship")),
            self.conditions.all_of(node.get("filter"), target, replace(scope, value=_INSTANCE)),
            self._names(node, "on_success"),
            self._names(node, "on_failure"),
            self._host(node.get("operation_host")),
        )

    def _names(self, node: Map, key: str) -> tuple[str, ...]:
        return tuple(dict.fromkeys(text_of(n) for n in list_at(node, key, self.problems)))

    def _host(self, written: Node | None) -> str:
        name = text_of(written)
        if written is not None and name not in _HOSTS:
            self.targets.find(written)
        return name

    def _check_order(self, section: Map, steps: Mapping[str, Step]) -> None:
        """The steps that follow exist, and none follows itself: one that waits for itself would never start."""
        graph: dict[str, list[str]] = {}
        for name, step in steps.items():
            self.problems.spend(1 + len(step.on_success) + len(step.on_failure))
            graph[name] = [*step.on_success, *step.on_failure]
            for key in ("on_success", "on_failure"):
                body = section.entries[name]
                for written in list_at(body if isinstance(body, Map) else None, key, self.problems):
                    if text_of(written) not in section.entries:
                        summary, known = f"there is no step {text_of(written)!r}", section.entries
                        self.problems.error("step-unknown", summary, written, suggestion=near(text_of(written), known))
        circle = find_circle(graph)
        if circle:
            summary = f"steps follow one another in a circle: {show_circle(circle)}"
            # Nothing forbids it: a step may be tried again until it works.
            self.problems.warn("workflow-cycle", summary, section.keys.get(circle[0], section))

    # the whole -------------------------------------------------------------------------------

    def _check_inlined(self) -> None:
        """A workflow that inlines itself has no end. OASIS publishes one for TOSCA 2.0, so there it is a warning."""
        inlined = {k: v for k, v in self.activities.inlined.items() if k}
        circle = find_circle({name: list(others) for name, others in inlined.items()})
        if circle:
            at = inlined[circle[0]][circle[1]]
            report = self.problems.warn if at.source.version == 2 else self.problems.error
            report("workflow-cycle", f"workflows inline one another in a circle: {show_circle(circle)}", at)
