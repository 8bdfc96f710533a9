"""The operations that an activity may call on its target, with all inputs that types and templates declare."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from isthmus.tosca.diagnostics import Problems
from isthmus.tosca.grammar import entries_at
from isthmus.tosca.procedures.targets import Target
from isthmus.tosca.reading.documents import Map, Node
from isthmus.tosca.reading.imports import Document
from isthmus.tosca.typesystem.definitions import PropertyDef, parse_property
from isthmus.tosca.typesystem.interfaces import Interface
from isthmus.tosca.typesystem.parameters import Input, all_inputs
from isthmus.tosca.typesystem.types import Types


@dataclass(frozen=True, slots=True, eq=False)
class Parameter:
    """An input of an operation or workflow; ``definition`` is None for one that is only given a value.

    ``needed`` is whether a caller must give a value.
    """

    definition: PropertyDef | None
    needed: bool


Parameters = Mapping[str, Parameter]


@dataclass(frozen=True, slots=True, eq=False)
class Callee:
    """What an operation's name means on a target: the inputs on each entity that has it.

    ``complete`` is whether all of them have it.
    """

    parameters: tuple[Parameters, ...]
    complete: bool


@dataclass(frozen=True, slots=True, eq=False)
class Callees:
    """Finds operations by `INTERFACE.OPERATION`, the interface told by its name or its type's."""

    problems: Problems
    types: Types
    _found: dict[tuple[str, str, str], Callee] = field(default_factory=dict)
    _definitions: dict[int, PropertyDef | None] = field(default_factory=dict)
    _parameters: dict[tuple[int, int, str], Parameters] = field(default_factory=dict)

    def find(self, target: Target, name: str) -> Callee:
        """The operation of that name on a target."""
        key = target.name, target.relationship, name
        if key not in self._found:
            self._found[key] = self._find(target, name)
        return self._found[key]

    def _find(self, target: Target, name: str) -> Callee:
        own = self._on(target.group.interfaces, name) if target.group is not None else None
        if own is not None:
            return Callee((own,), True)
        self.problems.spend(len(target.entities))
        found = [self._on(e.interfaces, name) for e in target.entities]
        return Callee(_distinct(p for p in found if p is not None), None not in found)

    def names(self, target: Target) -> Iterator[str]:
        """The operations that there are on a target's first entity."""
        for entity in target.entities[:1]:
            for interface in entity.interfaces.values():
                yield from (f"{interface.name}.{o}" for o in _operations(interface))

    def declared(self, definitions: Mapping[str, PropertyDef]) -> Parameters:
        """The inputs that a workflow declares."""
        return {n: Parameter(d, d.required and d.default is None) for n, d in definitions.items()}

    def _on(self, interfaces: Mapping[str, Interface], name: str) -> Parameters | None:
        wanted, _, operation = name.rpartition(".")
        interface = interfaces.get(wanted)
        if interface is None:
            interface = next((i for i in interfaces.values() if _is_of(i, wanted)), None)
        if interface is None or operation not in _operations(interface):
            return None
        key = id(interface), id(interface.operations.get(operation)), operation
        if key not in self._parameters:
            self._parameters[key] = self._merged(interface, operation)
        return self._parameters[key]

    # inputs ----------------------------------------------------------------------------------

    def _merged(self, interface: Interface, operation: str) -> Parameters:
        merged: dict[str, Parameter] = {}
        for ancestor in reversed(interface.type.ancestors) if interface.type is not None else ():
            body = entries_at(ancestor.node, "operations", self.problems).get(operation, ancestor.node.get(operation))
            for node in (ancestor.node, body):
                for name, written in entries_at(
                    node if isinstance(node, Map) else None, "inputs", self.problems
                ).items():
                    merged[name] = self._parameter(name, None, written, ancestor.document, merged.get(name))
        spec = interface.operations.get(operation)
        for given in all_inputs(interface.inputs, spec.inputs if spec is not None else {}).values():
            merged[given.name] = self._given(given, merged.get(given.name))
        self.problems.spend(len(merged))
        return merged

    def _given(self, given: Input, old: Parameter | None) -> Parameter:
        if given.declared is not None:
            return Parameter(given.declared, given.declared.required and given.value is None)
        if given.definition is None:
            return Parameter(old.definition if old is not None else None, given.value is None)
        return self._parameter(given.name, given.value, given.definition, given.document, old)

    def _parameter(
        self, name: str, value: Node | None, written: Node, document: Document, old: Parameter | None
    ) -> Parameter:
        if not isinstance(written, Map):
            return Parameter(old.definition if old is not None else None, needed=False)
        if id(written) not in self._definitions:
            inherited = old.definition if old is not None else None
            self._definitions[id(written)] = parse_property(name, written, "parameter", self.types, document, inherited)
        definition = self._definitions[id(written)]
        given = value is not None or written.get("value") is not None
        needed = definition is not None and definition.required and definition.default is None and not given
        return Parameter(definition, needed)


def _is_of(interface: Interface, wanted: str) -> bool:
    """Whether an interface is of a type of that name, in full or its last part."""
    name = interface.type.name if interface.type is not None else ""
    return bool(wanted) and wanted in (name, name.rsplit(".", 1)[-1], name.rsplit(":", 1)[-1])


def _operations(interface: Interface) -> frozenset[str]:
    declared = interface.type.operations if interface.type is not None else frozenset[str]()
    return declared | interface.operations.keys()


def _distinct(found: Iterator[Parameters]) -> tuple[Parameters, ...]:
    return tuple({id(p): p for p in found}.values())
