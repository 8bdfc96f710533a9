"""The functions of TOSCA 2.0 that ask the graph (§10.2.1): inputs, properties, attributes, artifacts, indices."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import takewhile
from typing import TYPE_CHECKING

from isthmus.topology import NODE_INDEX, Call, Reference, Secret, Value
from isthmus.tosca.diagnostics import Located, Near, near
from isthmus.tosca.expressions.arguments import NOTHING
from isthmus.tosca.expressions.asking import Asking
from isthmus.tosca.expressions.syntax import FunctionCall
from isthmus.tosca.expressions.tosca_path import Place, Step
from isthmus.tosca.expressions.values import BROKEN
from isthmus.tosca.resolving.templates import NodeTemplate, Scope
from isthmus.tosca.typesystem.definitions import PropertyDef
from isthmus.tosca.typesystem.typed import INTEGER, STRING, Typed

if TYPE_CHECKING:
    from isthmus.tosca.expressions.functions import Functions

_ALLOCATED = ("integer", "float", "scalar")


class GraphQueries(Asking):
    """Answers from the nodes, relationships and inputs that ``functions`` holds."""

    def __init__(self, functions: Functions) -> None:
        super().__init__(functions)
        self._table = {
            "get_input": self._get_input,
            "get_property": self._get_property,
            "get_attribute": self._get_attribute,
            "get_artifact": self._get_artifact,
            "node_index": self._node_index,
            "relationship_index": self._relationship_index,
            "available_allocation": self._available_allocation,
            "get_secret": self._get_secret,
        }

    def query(self, call: FunctionCall, scope: Scope) -> Typed:
        """Value and type of a call; what is wrong with it is reported."""
        return self._table[call.name](call, scope)

    # inputs and secrets ----------------------------------------------------------------------

    def _get_input(self, call: FunctionCall, scope: Scope) -> Typed:
        steps = self.steps(call, scope, 1)
        inputs = self.functions.inputs
        if steps is None or inputs is None:
            return NOTHING
        name = str(steps[0])
        if scope.inputs is not None and name in scope.inputs:
            # its type is compared where the workflow is read, with that of the operation's input
            return Typed(Call("get_input", tuple(steps)))
        if not inputs.declares(name):
            summary = f"the template declares no input {name!r}"
            return self.wrong("input-unknown", summary, call.args[0], near(name, inputs.names()))
        inputs.used.add(name)
        definition = inputs.definitions.get(name)
        found = Typed(inputs.get(name), definition.schema if definition is not None else None)
        return self.part(found, steps[1:], call.at)

    def _get_secret(self, call: FunctionCall, scope: Scope) -> Typed:
        steps = self.steps(call, scope, 1)
        if steps is None:
            return NOTHING
        if len(steps) > 1 or not isinstance(steps[0], str) or steps[0].startswith("input:"):
            return self.wrong("function-arguments", "$get_secret wants the name of a secret", call.at)
        return Typed(Secret(steps[0]), STRING)

    # properties ------------------------------------------------------------------------------

    def _get_property(self, call: FunctionCall, scope: Scope) -> Typed:
        found = self.walk(call, scope, "a property")
        if found is None:
            return NOTHING
        walk, rest = found
        return self.many(walk, [self._property(p, rest, call) for p in walk.places])

    def _property(self, place: Place, rest: list[Value], call: FunctionCall) -> Typed:
        values, name = place.values, _declared(str(rest[0]), place.values.definitions)
        definition = values.definitions.get(name)
        if definition is None and not values.assigns(name):
            return self._unknown("property", name, place, values.definitions, call)
        schema = definition.schema if definition is not None else None
        value = values.get(name)
        if value is None and place.node is not None and place.node.selected:
            value = self.functions.folder.keep(Call("get_property", (place.node.name, *rest)))
            return Typed(value, self.part(Typed(None, schema), rest[1:], call.at).schema)
        if place.index is not None and place.node is not None and place.node.count != 1:
            value = self._of_index(value, place.node, place.index, call.at)
        return self.part(Typed(value, schema), rest[1:], call.at)

    def _of_index(self, value: Value, node: NodeTemplate, index: int, at: Located) -> Value:
        """A property as one of the nodes that a template stands for has it."""
        match value:
            case Reference() if value.node == node.name and value.own:
                if value.name == NODE_INDEX:
                    return index
                return replace(value, own=False, path=(index, *value.path))
            case Call(function, args):
                inner = tuple(self._of_index(a, node, index, at) for a in args)
                return self.functions.folder.fold(function, inner, at)
            case Mapping():
                return {k: self._of_index(v, node, index, at) for k, v in value.items()}
            case list():
                return [self._of_index(v, node, index, at) for v in value]
            case _:
                return value

    def _unknown(
        self, what: str, name: str, place: Place, known: Mapping[str, PropertyDef], call: FunctionCall
    ) -> Typed:
        node = place.node or (place.relation.source if place.relation is not None else None)
        if node is not None and node.name in self.functions.broken:
            return NOTHING
        suggestion: str | Near = near(name, known)
        if place.node is not None and place.capability is None:
            word = next((w for w, names in _ways(place.node) if name in names), "")
            suggestion = f"write {word}, {name} to go on from there" if word else suggestion
        return self.wrong(f"{what}-unknown", f"{place.name} has no {what} {name!r}", call.at, suggestion)

    # attributes ------------------------------------------------------------------------------

    def _get_attribute(self, call: FunctionCall, scope: Scope) -> Typed:
        found = self.walk(call, scope, "an attribute")
        if found is None:
            return NOTHING
        walk, rest = found
        return self.many(walk, [self._attribute(p, rest, call) for p in walk.places])

    def _attribute(self, place: Place, rest: list[Value], call: FunctionCall) -> Typed:
        """An attribute, or a property that stands for one (§9.5)."""
        known = _attributes_of(place)
        name = _declared(str(rest[0]), known)
        if name not in known:
            if name in place.values.definitions:
                return self._property(place, rest, call)
            return self._unknown("attribute", name, place, {**known, **place.values.definitions}, call)
        schema = known[name].schema
        if place.relation is not None:
            self.problems.refuse("unsupported", "attributes of a relationship are not kept", call.at)
            asked = self.functions.folder.keep(Call("get_attribute", (place.name, name)))
            return self.part(Typed(asked, schema), rest[1:], call.at)
        assert place.node is not None
        first: tuple[Step, ...] = (place.capability, name) if place.capability is not None else (name,)
        indexed = place.index is not None and place.node.count != 1
        index = (place.index,) if indexed and place.index is not None else ()
        return self.part(
            Typed(Reference(place.node.name, str(first[0]), (*index, *first[1:]), place.own), schema), rest[1:], call.at
        )

    # artifacts -------------------------------------------------------------------------------

    def _get_artifact(self, call: FunctionCall, scope: Scope) -> Typed:
        found = self.walk(call, scope, "an artifact")
        if found is None:
            return NOTHING
        walk, rest = found
        if len(rest) > 1:
            return self.wrong("function-arguments", "nothing follows the name of the artifact", call.at)
        return self.many(walk, [self._artifact(p, str(rest[0]), call, scope) for p in walk.places])

    def _artifact(self, place: Place, name: str, call: FunctionCall, scope: Scope) -> Typed:
        node = place.node
        if node is None or place.capability is not None:
            return self.wrong("function-arguments", f"{place.name} has no artifacts: a node has", call.at)
        written = node.artifacts.get(name)
        if written is None:
            summary = f"{node.name!r} has no artifact {name!r}"
            return self.wrong("artifact-unknown", summary, call.at, near(name, node.artifacts))
        user = scope.node or (scope.relation.source if scope.relation is not None else None)
        file = self.functions.artifacts.fetch(written, user.name if user is not None else "")
        return Typed(file.path if file is not None else BROKEN, STRING)

    # indices ---------------------------------------------------------------------------------

    def _node_index(self, call: FunctionCall, scope: Scope) -> Typed:
        node = scope.node or (scope.relation.source if scope.relation is not None else None)
        if call.args:
            return self.wrong("function-arguments", "$node_index takes no arguments", call.at)
        if node is None:
            return self.wrong("function-arguments", "$node_index: there is no node here", call.at)
        return Typed(0 if node.count == 1 else Reference(node.name, NODE_INDEX, own=True), INTEGER)

    def _relationship_index(self, call: FunctionCall, scope: Scope) -> Typed:
        relation = scope.relation
        if call.args:
            return self.wrong("function-arguments", "$relationship_index takes no arguments", call.at)
        if relation is None:
            return self.wrong("function-arguments", "$relationship_index: there is no relationship here", call.at)
        if relation.count != 1:
            summary = f"the index of one of the {relation.count} relationships {relation.label!r} is not told"
            self.problems.refuse("unsupported", summary, call.at)
            return Typed(self.functions.folder.keep(Call("relationship_index", ())), INTEGER)
        before = takewhile(lambda r: r is not relation, relation.source.relations)
        return Typed(sum(r.count for r in before if r.name == relation.name), INTEGER)

    # allocations -----------------------------------------------------------------------------

    def _available_allocation(self, call: FunctionCall, scope: Scope) -> Typed:
        found = self.walk(call, scope, "a property")
        if found is None:
            return NOTHING
        walk, rest = found
        if len(rest) > 1:
            return self.wrong("function-arguments", "nothing follows the name of the property", call.at)
        return self.many(walk, [self._available(p, rest, call) for p in walk.places])

    def _available(self, place: Place, rest: list[Value], call: FunctionCall) -> Typed:
        """What relationships that are made by now have left of a property of a capability."""
        if place.node is None or place.capability is None:
            summary = f"$available_allocation wants the path of a capability, and {place.name} is reached"
            return self.wrong("function-arguments", summary, call.at)
        whole = self._property(place, rest, call)
        schema = whole.schema
        if schema is not None and schema.base not in _ALLOCATED:
            summary = f"{rest[0]!r} is a {schema.type}, of which nothing can be allocated"
            return self.wrong("value-type", summary, call.at)
        taken = self.functions.taken.get((place.node.name, place.capability, str(rest[0])), 0.0)
        if not taken or whole.value is BROKEN:
            return whole
        fold, expressions = self.functions.folder.fold, self.functions.evaluation.expressions
        left = fold("difference", (expressions.comparing(whole, call.at), taken / place.node.count), call.at)
        if schema is not None and schema.scalar is not None:
            left = fold("with_unit", (left, schema.scalar.canonical), call.at)
        elif schema is not None and schema.base == "integer":
            left = fold("floor", (left,), call.at)
        return Typed(left, schema)


def _declared(name: str, known: Mapping[str, object]) -> str:
    """The name under which something is declared: one that begins with a dollar sign is declared with `$$`."""
    return f"${name}" if name.startswith("$") and name not in known and f"${name}" in known else name


def _attributes_of(place: Place) -> dict[str, PropertyDef]:
    if place.relation is not None:
        return dict(place.relation.type.attributes)
    assert place.node is not None
    if place.capability is not None:
        return dict(place.node.type.capabilities[place.capability].attributes)
    return dict(place.node.type.attributes)


def _ways(node: NodeTemplate) -> tuple[tuple[str, Mapping[str, object]], ...]:
    return (("CAPABILITY", node.capabilities), ("RELATIONSHIP", node.type.requirements))
