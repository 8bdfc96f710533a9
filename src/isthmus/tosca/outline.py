"""A topology in lines for a person: nodes, what they are made of, and outputs."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from isthmus.topology import Call, Node, Operation, Reference, Requirement, Secret, Topology, Value, describe


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


def _operation(operation: Operation) -> Iterator[Line]:
    where = f" on {_line(operation.on)}" if "/" in operation.name else ""
    timeout = f", {operation.timeout:g} s at most" if operation.timeout is not None else ""
    yield Line(3, operation.name, f"{_line(operation.implementation.path)}{where}{timeout}")
    for artifact in operation.dependencies:
        yield Line(4, "needs", _line(artifact.path))
    for name, value in operation.inputs.items():
        yield Line(4, name, say(value))


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
