"""A topology in lines for a person: nodes, what they are made of, and outputs."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, is_dataclass
from typing import Any

from isthmus.topology import Call, Node, Operation, Reference, Requirement, Secret, Topology, Value, describe
from isthmus.tosca.tools.shapes import members


@dataclass(frozen=True, slots=True)
class Line:
    """One line: how deep it stands, what it is called, what it is."""

    depth: int
    name: str
    text: str = ""

    def __str__(self) -> str:
        return "  " * self.depth + (f"{_line(self.name)}: {self.text}" if self.text else _line(self.name))


def outline(topology: Topology) -> Iterator[Line]:
    """The lines of a topology, in the template's order."""
    if topology.description:
        yield Line(0, "description", " ".join(topology.description.split()))
    if topology.nodes:
        yield Line(0, "nodes")
    for node in topology.nodes.values():
        yield from _node(node)
    if topology.outputs:
        yield Line(0, "outputs")
    for name, output in topology.outputs.items():
        yield Line(1, name, say(output.value))
    yield from _rest(topology, ("nodes", "outputs", "description"), 0)


def _rest(record: Any, told: Collection[str], depth: int) -> Iterator[Line]:
    """The fields of a record that nothing better is known of, those that hold their default left out."""
    for member in members(record.__class__):
        value = getattr(record, member.name)
        if member.name not in told and not member.is_default(value):
            yield from _any(member.name, value, depth)


def _any(name: str, value: Any, depth: int) -> Iterator[Line]:
    if is_dataclass(value) and not isinstance(value, Reference | Secret | Call):
        yield Line(depth, name)
        yield from _rest(value, ("name",), depth + 1)
    elif isinstance(value, Mapping) and value:
        yield Line(depth, name)
        for key, inner in value.items():
            yield from _any(key, inner, depth + 1)
    elif isinstance(value, tuple) and any(map(is_dataclass, value)):
        yield Line(depth, name)
        for number, inner in enumerate(value):
            yield from _any(getattr(inner, "name", "") or str(number), inner, depth + 1)
    else:
        yield Line(depth, name, say(value))


def _node(node: Node) -> Iterator[Line]:
    yield Line(1, node.name, f"{_line(node.type)} ({node.kind}){_count(node)}")
    yield from _table("properties", node.properties)
    yield from _table("attributes", node.attributes)
    for name, values in node.capabilities.items():
        yield from _table(f"capability {name}", values)
    if node.requirements:
        yield Line(2, "requirements")
    for requirement in node.requirements:
        yield from _requirement(requirement)
    if node.operations:
        yield Line(2, "operations")
    for operation in node.operations:
        yield from _operation(operation)
    yield from _rest(node, _NODE, 2)


_NODE = (
    "name", "type", "kind", "ancestors", "properties", "attributes", "capabilities", "requirements", "operations",
    "scaling", "description",
)  # fmt: skip


def _count(node: Node) -> str:
    scaling = node.scaling
    if scaling is None or (scaling.minimum, scaling.maximum, scaling.default) == (1, 1, 1):
        return ""
    return f", {scaling.default} of them, {scaling.minimum} to {scaling.maximum}"


def _table(title: str, values: Mapping[str, Value]) -> Iterator[Line]:
    some = {name: value for name, value in values.items() if value is not None}
    if some:
        yield Line(2, title)
    for name, value in some.items():
        yield Line(3, name, say(value))


def _requirement(requirement: Requirement) -> Iterator[Line]:
    yield Line(3, requirement.name, f"{_line(requirement.target)}  ({_line(requirement.relationship)})")
    for name, value in requirement.properties.items():
        yield Line(4, name, say(value))
    yield from _rest(requirement, ("name", "target", "relationship", "properties"), 4)


def _operation(operation: Operation) -> Iterator[Line]:
    where = f" on {_line(operation.on)}" if "/" in operation.name else ""
    timeout = f", {operation.timeout:g} s at most" if operation.timeout is not None else ""
    yield Line(3, operation.name, f"{_line(operation.implementation.path)}{where}{timeout}")
    for artifact in operation.dependencies:
        yield Line(4, "needs", _line(artifact.path))
    for name, value in operation.inputs.items():
        yield Line(4, name, say(value))
    yield from _rest(operation, _OPERATION, 4)


_OPERATION = ("name", "stage", "implementation", "on", "dependencies", "inputs", "timeout")


def say(value: Value) -> str:
    """A value in one line: text as it is, what is known later by what it refers to, the rest as JSON."""
    return _line(value) if isinstance(value, str) else _say(value)


def _line(text: str) -> str:
    """Text that cannot pass for more than one line."""
    return text if text and text.isprintable() else json.dumps(text, ensure_ascii=False)


def _say(value: Value) -> str:
    match value:
        case Reference() | Secret():
            return f"<{describe(value)}>"
        case Call(function, args):
            return f"{function}({', '.join(map(_say, args))})"
        case Mapping():
            return "{" + ", ".join(f"{k}: {_say(v)}" for k, v in value.items()) + "}"
        case list() | tuple():
            return "[" + ", ".join(map(_say, value)) + "]"
        case _:
            return json.dumps(value, ensure_ascii=False)
