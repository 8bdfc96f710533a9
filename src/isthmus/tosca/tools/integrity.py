"""What whoever reads a topology relies on: names are those of the keys, edges end at nodes, nothing stands on itself.

:func:`isthmus.tosca.load` makes no other topologies; one that came from elsewhere is checked by this.
"""

from __future__ import annotations

from collections.abc import Iterator

from isthmus.topology import Node, Topology

Path = tuple[str | int, ...]


def faults(topology: Topology) -> Iterator[tuple[Path, str]]:
    """Each thing that is wrong: the path of keys and indexes to it, and why."""
    for name, node in topology.nodes.items():
        if node.name != name:
            yield ("nodes", name, "name"), f"{name!r} is wanted, the key under which the node stands"
        yield from _edges(name, node, topology)
    if all(r.target in topology.nodes for n in topology.nodes.values() for r in n.requirements):
        yield from _hosts(topology)


def _edges(name: str, node: Node, topology: Topology) -> Iterator[tuple[Path, str]]:
    for i, requirement in enumerate(node.requirements):
        if requirement.target not in topology.nodes:
            yield ("nodes", name, "requirements", i, "target"), f"there is no node {requirement.target[:80]!r}"
    for i, operation in enumerate(node.operations):
        if operation.on not in topology.nodes:
            yield ("nodes", name, "operations", i, "on"), f"there is no node {operation.on[:80]!r}"


def _hosts(topology: Topology) -> Iterator[tuple[Path, str]]:
    settled: set[str] = set()
    for name in topology.nodes:
        line: dict[str, None] = {}
        for host in _line(topology, name):
            if host in settled:
                break
            if host in line:
                yield ("nodes", name), "the node is its own host"
                break
            line[host] = None
        settled |= line.keys()


def _line(topology: Topology, name: str | None) -> Iterator[str]:
    """A node, its host, the host of that, and so on."""
    while name is not None:
        yield name
        name = next((r.target for r in topology.nodes[name].requirements if r.name == "host"), None)
