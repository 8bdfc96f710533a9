"""What types and templates of TOSCA 2.0 say of interfaces, checked whether or not anything calls it (chapter 11).

An interface type tells what there is, types of nodes and relationships how it is done, templates with which values.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from isthmus.tosca.diagnostics import near
from isthmus.tosca.expressions.functions import Functions
from isthmus.tosca.expressions.syntax import call_of
from isthmus.tosca.expressions.values import BROKEN, Converter
from isthmus.tosca.grammar import entries_at
from isthmus.tosca.reading.documents import Map, Node, Scalar, Seq, text_of, walk
from isthmus.tosca.reading.imports import Document
from isthmus.tosca.resolving.templates import NodeTemplate, Scope
from isthmus.tosca.typesystem.definitions import PropertyDef
from isthmus.tosca.typesystem.implementations import check_implementation
from isthmus.tosca.typesystem.interfaces import Interface, OperationSpec, declared_interface
from isthmus.tosca.typesystem.modern import check_values
from isthmus.tosca.typesystem.parameters import Input, Output, all_inputs
from isthmus.tosca.typesystem.typed import fits
from isthmus.tosca.typesystem.typedefs import TypeDef
from isthmus.tosca.typesystem.types import Types

_MEMBERS = (("operation", "operations"), ("notification", "notifications"))
_GRAPH = ("get_property", "get_attribute", "get_artifact", "available_allocation")
_HERE = ("node_index", "relationship_index")


@dataclass(frozen=True, slots=True, eq=False)
class InterfaceChecks:
    """Checks what documents of TOSCA 2.0 write about interfaces."""

    types: Types
    functions: Functions

    # types -----------------------------------------------------------------------------------

    def check_type(self, found: TypeDef) -> None:
        """What an interface type, or a type of nodes or relationships, says itself."""
        if found.kind != "interface":
            self.check_section(found.node.get("interfaces"), found.interfaces, found, found.document)
            return
        made = declared_interface(found.name, found, found.document, self.types)
        self._check_written(found.node, made, None, found.document)

    def check_section(
        self, written: Node | None, known: Mapping[str, Interface], found: TypeDef, document: Document
    ) -> None:
        """The `interfaces` of a type, or of a requirement's definition, where inputs are declared and refined."""
        for name, body in written.entries.items() if isinstance(written, Map) else ():
            if name in known and isinstance(body, Map):
                self._check_written(body, known[name], found, document)

    def _check_written(self, body: Map, made: Interface, found: TypeDef | None, document: Document) -> None:
        self._check_inputs(body, made.inputs, found)
        for what, spec, written in _written(body, made, self.types):
            if isinstance(written, Map):
                self._check_inputs(written, spec.inputs, found)
                self._check_outputs(written, spec, found)
            self._check_implementation(what, written, found is None, document)

    def _check_inputs(self, body: Map, inputs: Mapping[str, Input], found: TypeDef | None) -> None:
        """Defaults and fixed values fit, and ask only what there is where they stand (§11.4)."""
        own = entries_at(body, "inputs", self.types.problems)
        declared = {n: i.declared for n, i in inputs.items() if n in own and i.declared is not None}
        check_values(declared, Converter(self.types.problems, lambda name, node, scope: BROKEN))
        for definition in declared.values():
            for value in (definition.default, definition.fixed):
                if value is not None:
                    self._check_calls(value, found)

    def _check_calls(self, value: Node, found: TypeDef | None) -> None:
        for node in walk(value):
            call = call_of(node)
            if call is None or call.name not in (*_GRAPH, *_HERE):
                continue
            if found is None:
                summary = f"${call.name} has no node to ask in an interface type"
                self.types.problems.error("function-arguments", summary, node)
            elif call.name in _GRAPH and call.args and text_of(call.args[0]) != "SELF":
                summary = f"${call.name} begins with SELF in a type, which knows no other node"
                self.types.problems.error("function-arguments", summary, call.args[0])

    # templates -------------------------------------------------------------------------------

    def check_node(self, template: NodeTemplate) -> None:
        """What a node template, and its requirements for their relationships, assign."""
        if template.document.version != 2 or template.selected:
            return
        scope = Scope(node=template)
        self._check_assigned(template.node, template.interfaces, template.type, scope, template.document)
        for relation in template.relations:
            spoken = relation.at.get("relationship") if isinstance(relation.at, Map) else None
            body = spoken if isinstance(spoken, Map) else None
            self._check_assigned(body, relation.interfaces, relation.type, Scope(relation=relation), template.document)

    def _check_assigned(
        self, node: Map | None, known: Mapping[str, Interface], found: TypeDef, scope: Scope, document: Document
    ) -> None:
        section = node.get("interfaces") if node is not None else None
        for name, body in section.entries.items() if isinstance(section, Map) else ():
            if name not in known or not isinstance(body, Map):
                continue
            made = known[name]
            self._convert(body, made.inputs, scope)
            for what, spec, written in _written(body, made, self.types):
                if isinstance(written, Map):
                    self._convert(written, all_inputs(made.inputs, spec.inputs), scope)
                    self._check_outputs(written, spec, found)
                self._check_implementation(what, written, False, document)

    def _convert(self, body: Map, inputs: Mapping[str, Input], scope: Scope) -> None:
        for name, node in entries_at(body, "inputs", self.types.problems).items():
            given = inputs.get(name)
            schema = given.declared.schema if given is not None and given.declared is not None else None
            self.functions.converter.convert(node, schema, scope)

    # outputs ---------------------------------------------------------------------------------

    def _check_outputs(self, written: Map, spec: OperationSpec, found: TypeDef | None) -> None:
        """Outputs are mapped to attributes of the node or relationship itself (§9.9, §11.4)."""
        own = entries_at(written, "outputs", self.types.problems)
        for output in (o for n, o in spec.outputs.items() if n in own):
            if output.mapping is None:
                continue
            if found is None:
                summary = "an interface type declares outputs, and cannot map them to attributes"
                self.types.problems.error("shape", summary, output.mapping)
                continue
            path = _path(output.mapping)
            if path is None:
                summary = "an output is mapped to an attribute, such as [ SELF, address ]"
                self.types.problems.error("shape", summary, output.mapping)
            elif path[0] != "SELF":
                summary = f"an output is mapped to an attribute of SELF, and not of {path[0]!r}"
                self.types.problems.error("target-unknown", summary, output.mapping)
            else:
                self._check_attribute(path, output, found)

    def _check_attribute(self, path: list[str], output: Output, found: TypeDef) -> None:
        name, known = path[1], found.attributes
        if name in ("CAPABILITY", "RELATIONSHIP", "SOURCE", "TARGET") and name not in known:
            return
        definition: PropertyDef | None = known.get(name) or found.properties.get(name)
        assert output.mapping is not None
        if definition is None:
            summary = f"{found.name} has no attribute {name!r}"
            self.types.problems.error("attribute-unknown", summary, output.mapping, suggestion=near(name, known))
        elif len(path) == 2 and output.declared is not None and not fits(output.declared.schema, definition.schema):
            summary = f"a {output.declared.schema.type} is mapped to {name!r}, which is a {definition.schema.type}"
            self.types.problems.error("value-type", summary, output.mapping)

    # implementations -------------------------------------------------------------------------

    def _check_implementation(self, what: str, written: Node, in_interface: bool, document: Document) -> None:
        body = written.get("implementation") if isinstance(written, Map) else written
        if body is None or (isinstance(body, Scalar) and body.null):
            return
        if in_interface:
            self.types.problems.error("shape", f"an interface type declares its {what}s, and implements none", body)
            return
        check_implementation(body, what, self.types, document)


def _written(body: Map, made: Interface, types: Types) -> Iterator[tuple[str, OperationSpec, Node]]:
    """The operations and notifications about which a body says something, that there are."""
    for what, key in _MEMBERS:
        specs = made.operations if what == "operation" else made.notifications
        for name, written in entries_at(body, key, types.problems).items():
            types.problems.spend()
            if name in specs:
                yield what, specs[name], written


def _path(written: Node) -> list[str] | None:
    """The steps of a mapping; None for what is none."""
    items = written.items if isinstance(written, Seq) else []
    steps = [text_of(i) for i in items]
    return steps if len(steps) > 1 and all(steps) else None
