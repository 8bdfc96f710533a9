"""Operations of nodes and of their relationships, in the order in which they run (TOSCA 1.3 §5.8)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from isthmus.topology import Artifact, Operation, Stage, Value
from isthmus.tosca.diagnostics import Problems
from isthmus.tosca.expressions.functions import Functions
from isthmus.tosca.expressions.values import BROKEN
from isthmus.tosca.grammar import check_keys, list_at
from isthmus.tosca.reading.documents import Map, Node, Scalar, Seq, scalar_value, text_of
from isthmus.tosca.resolving.artifacts import Artifacts
from isthmus.tosca.resolving.templates import NodeTemplate, Relation, Scope
from isthmus.tosca.typesystem.definitions import parse_property
from isthmus.tosca.typesystem.interfaces import Interface, OperationSpec
from isthmus.tosca.typesystem.parameters import Input, all_inputs
from isthmus.tosca.typesystem.scalars import UNITS, comparable
from isthmus.tosca.typesystem.types import Types

STANDARD, CONFIGURE = "Standard", "Configure"

_BEFORE = ("pre_configure_source", "pre_configure_target")
_AFTER = ("post_configure_source", "post_configure_target")
_ADDED = ("add_target", "add_source", "target_changed")
_REMOVED = ("remove_target", "remove_source")
_ON_TARGET = ("pre_configure_target", "post_configure_target", "add_source", "remove_source")


@dataclass(frozen=True, slots=True)
class _Step:
    stage: Stage
    node: str | None = None
    relations: tuple[str, ...] = ()


_ORDER = (
    _Step(Stage.CREATE, node="create"),
    _Step(Stage.CONFIGURE, relations=_BEFORE),
    _Step(Stage.CONFIGURE, node="configure"),
    _Step(Stage.CONFIGURE, relations=_AFTER),
    _Step(Stage.START, node="start"),
    _Step(Stage.START, relations=_ADDED),
    _Step(Stage.STOP, node="stop"),
    _Step(Stage.STOP, relations=_REMOVED),
    _Step(Stage.DELETE, node="delete"),
)


class Operations:
    """Makes the operations of a template's nodes."""

    def __init__(self, types: Types, functions: Functions, artifacts: Artifacts) -> None:
        self.types = types
        self.problems: Problems = types.problems
        self.functions = functions
        self.artifacts = artifacts
        self._implementing: dict[int, tuple[bool, object]] = {}
        """By the identity of interfaces, which are kept so that it stays theirs."""

    def of(self, node: NodeTemplate) -> tuple[Operation, ...]:
        """All operations of a node, and of the relationships of which it is the source."""
        if not self._implements(node.interfaces) and not any(self._implements(r.interfaces) for r in node.relations):
            return ()
        for interface in (*node.interfaces.values(), *(i for r in node.relations for i in r.interfaces.values())):
            self._check_lifecycle(interface)
        self.problems.spend(len(_ORDER) * (1 + len(node.relations)))
        found = [o for step in _ORDER for o in self._step(node, step)]
        extra = tuple(self.artifacts.fetched.get(node.name, {}).values())
        if not extra:
            return tuple(found)
        return tuple(replace(o, dependencies=tuple(dict.fromkeys((*o.dependencies, *extra)))) for o in found)

    def _implements(self, interfaces: Mapping[str, Interface]) -> bool:
        """Whether any operation has an implementation; most nodes share their type's interfaces, which have none."""
        key = id(interfaces)
        if key not in self._implementing:
            found = any(o.implementation is not None for i in interfaces.values() for o in i.operations.values())
            self._implementing[key] = (found, interfaces)
        return self._implementing[key][0]

    def _check_lifecycle(self, interface: Interface) -> None:
        """Operations of other interfaces than the two of the lifecycle are never called, which is told."""
        if _known_as(interface) in (STANDARD, CONFIGURE):
            return
        for spec in interface.operations.values():
            if spec.implementation is not None:
                self.problems.warn("ignored", f"nothing calls the operation {interface.name}.{spec.name}", spec.at)

    def _step(self, node: NodeTemplate, step: _Step) -> Iterator[Operation]:
        if step.node is not None:
            for interface in _named(node.interfaces, STANDARD):
                spec = interface.operations.get(step.node)
                if spec is not None:
                    name = f"{STANDARD}.{step.node}"
                    yield from self._make(name, step.stage, spec, interface, Scope(node=node), node, node.name)
        for relation in node.relations if step.relations else ():
            for interface in _named(relation.interfaces, CONFIGURE):
                for operation in step.relations:
                    spec = interface.operations.get(operation)
                    if spec is not None:
                        yield from self._related(relation, step.stage, spec, interface)

    def _related(
        self, relation: Relation, stage: Stage, spec: OperationSpec, interface: Interface
    ) -> Iterator[Operation]:
        name = f"{CONFIGURE}.{spec.name}/{relation.label}"
        runner = relation.target if spec.name in _ON_TARGET else relation.source
        yield from self._make(name, stage, spec, interface, Scope(relation=relation), relation.source, runner.name)

    def _make(
        self,
        name: str,
        stage: Stage,
        spec: OperationSpec,
        interface: Interface,
        scope: Scope,
        node: NodeTemplate,
        on: str,
    ) -> Iterator[Operation]:
        if spec.implementation is None:
            return
        body = spec.implementation if isinstance(spec.implementation, Map) else None
        if body is not None:
            check_keys(body, "implementation", self.problems)
            if body.get("operation_host") is not None:
                self.problems.refuse("unsupported", "'operation_host' is not supported", body.keys["operation_host"])
        for output in spec.mapped:
            summary = f"the output {output.name!r} of an operation is to set an attribute, which is not supported"
            self.problems.refuse("unsupported", summary, output.at)
        inputs = self._inputs(all_inputs(interface.inputs, spec.inputs), scope)
        primary = self._primary(spec.implementation, node)
        if primary is None:
            return
        dependencies = tuple(self._dependencies(body, node))
        yield Operation(name, stage, primary, on, dependencies, inputs, self._timeout(body))

    # inputs ----------------------------------------------------------------------------------

    def _inputs(self, written: Mapping[str, Input], scope: Scope) -> dict[str, Value]:
        return {name: self._input(given, scope) for name, given in written.items()}

    def _input(self, given: Input, scope: Scope) -> Value:
        definition = given.declared
        if given.definition is not None:
            definition = parse_property(given.name, given.definition, "property", self.types, given.document)
        schema = definition.schema if definition is not None else None
        required = definition is not None and definition.required
        if given.value is not None and not (isinstance(given.value, Scalar) and given.value.null):
            return self.functions.converter.convert(given.value, schema, scope)
        if required:
            self.problems.error("input-missing", f"the input {given.name!r} of an operation has no value", given.at)
            return BROKEN
        return None

    # implementation --------------------------------------------------------------------------

    def _primary(self, written: Node, node: NodeTemplate) -> Artifact | None:
        if isinstance(written, Map):
            primary = written.get("primary") or written.get("file")
            if primary is None:
                report = self.problems.refuse if written.source.version == 2 else self.problems.error
                report("key-missing", "the implementation has no 'primary'", written)
                return None
            written = primary
        return self._artifact(written, node)

    def _artifact(self, written: Node, node: NodeTemplate) -> Artifact | None:
        """A file named by path, by the name of one of the node's artifacts, or as an artifact in place."""
        if isinstance(written, Scalar) and written.text in node.artifacts:
            written = node.artifacts[written.text]
            self.artifacts.used.add(id(written))
        file = written.get("file") if isinstance(written, Map) else written
        if not isinstance(file, Scalar):
            self.problems.error("shape", "an implementation is a file name or an artifact", written)
            return None
        return self.artifacts.find(file)

    def _dependencies(self, body: Map | None, node: NodeTemplate) -> Iterator[Artifact]:
        for item in list_at(body, "dependencies", self.problems):
            found = self._artifact(item, node) if not isinstance(item, Seq) else None
            if found is not None:
                yield found

    def _timeout(self, body: Map | None) -> float | None:
        """Seconds: a bare number, or a scalar-unit.time (TOSCA 1.3 §3.6.16)."""
        written = body.get("timeout") if body is not None else None
        if written is None:
            return None
        value = scalar_value(written) if isinstance(written, Scalar) else None
        if isinstance(value, str):
            value = comparable("scalar-unit.time", value)
        if isinstance(value, bool) or not isinstance(value, int | float) or value <= 0:
            units = ", ".join(UNITS["scalar-unit.time"])
            self.problems.error(
                "value-type", f"{text_of(written)!r} is not a time", written, detail=f"Units are {units}."
            )
            return None
        return float(value)


def _known_as(interface: Interface) -> str:
    """`Standard` or `Configure` for an interface of such a type, under whatever name."""
    if interface.type is not None:
        if interface.type.derives("tosca.interfaces.node.lifecycle.Standard"):
            return STANDARD
        if interface.type.derives("tosca.interfaces.relationship.Configure"):
            return CONFIGURE
    return interface.name


def _named(interfaces: Mapping[str, Interface], name: str) -> Iterator[Interface]:
    """The interface of the lifecycle, in which two of the same type must not both implement one thing."""
    found = [i for i in interfaces.values() if _known_as(i) == name]
    yield from found[:1]
