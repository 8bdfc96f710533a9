"""The files that a document mentions: artifacts and implementations (TOSCA 1.3 §3.6.7, §3.6.16; 2.0 §13, §14),
and inputs of jobs.
"""

from __future__ import annotations

from collections.abc import Iterator

from isthmus.tosca.reading.documents import Map, Node, Scalar, Seq, walk

_NOT_OPERATIONS = {"type", "description", "inputs", "metadata", "operations", "notifications"}


def named_files(root: Node) -> Iterator[Scalar]:
    """Every scalar of a document that names an artifact or an implementation; names of artifacts are among them."""
    for node in walk(root):
        if not isinstance(node, Map):
            continue
        for artifact in _values(node.get("artifacts")):
            yield from _file_of(artifact)
        for interface in _values(node.get("interfaces")):
            yield from _interface(interface)
        for signature in _items(node.get("signatures")):
            yield from _implementation(signature)


def job_inputs(root: Node) -> Iterator[Scalar]:
    """Every scalar of a document that names a file or a folder which a job has as input."""
    for node in walk(root):
        properties = node.get("properties") if isinstance(node, Map) else None
        inputs = properties.get("inputs") if isinstance(properties, Map) else None
        if isinstance(inputs, Map):  # of a type
            inputs = inputs.get("value") or inputs.get("default")
        for item in _items(inputs):
            named = item.get("from") if isinstance(item, Map) else None
            if isinstance(named, Scalar):
                yield named


def _interface(interface: Node) -> Iterator[Scalar]:
    if not isinstance(interface, Map):
        return
    direct = [v for k, v in interface.entries.items() if k not in _NOT_OPERATIONS]
    for operation in (*direct, *_values(interface.get("operations")), *_values(interface.get("notifications"))):
        yield from _implementation(operation)


def _implementation(operation: Node) -> Iterator[Scalar]:
    if not isinstance(operation, Map):
        yield from _file_of(operation)
        return
    implementation = operation.get("implementation")
    for holder in (operation, implementation):
        if isinstance(holder, Map):
            yield from _file_of(holder.get("primary"))
            for dependency in _items(holder.get("dependencies")):
                yield from _file_of(dependency)
    yield from _file_of(implementation)


def _file_of(node: Node | None) -> Iterator[Scalar]:
    found = node.get("file") if isinstance(node, Map) else node
    if isinstance(found, Scalar) and not found.null:
        yield found


def _items(node: Node | None) -> list[Node]:
    return node.items if isinstance(node, Seq) else []


def _values(node: Node | None) -> list[Node]:
    """The values of a map, or of every map of a list (artifacts may be written as either)."""
    if isinstance(node, Seq):
        return [v for item in node.items for v in _values(item)]
    return list(node.entries.values()) if isinstance(node, Map) else []
