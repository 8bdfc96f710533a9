"""What software needs before its own configuration runs: the graph, and the orders that follow from it. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from heapq import heapify, heappop, heappush

from isthmus.engine.scope import operation_references
from isthmus.topology import Node, NodeKind, Reference, Stage, Topology

UP = (Stage.CREATE, Stage.CONFIGURE, Stage.START)
"""The stages of coming up, in order."""
Graph = Mapping[str, Sequence[str]]
"""Names of software nodes, each with those that it leads to."""


def needs_of(topology: Topology) -> Graph:
    """For each software node, those that must be up before its own configuration runs."""
    needs = {}
    for node in topology.of_kind(NodeKind.SOFTWARE):
        targets = [r.target for r in node.requirements]
        for operation in node.staged(*UP):
            targets += [w.node for w in operation_references(operation) if isinstance(w, Reference)]
        others = [t for t in dict.fromkeys(targets) if topology.nodes[t].kind is NodeKind.SOFTWARE]
        needs[node.name] = [t for t in others if t != node.name]
    return needs


def turned(graph: Graph) -> Graph:
    """The graph with every edge the other way round."""
    back: dict[str, list[str]] = {name: [] for name in graph}
    for name, others in graph.items():
        for other in others:
            back[other].append(name)
    return back


def ends_around(name: str, graph: Graph, ends: Mapping[str, list[str]]) -> list[str]:
    """The actions that end the work on what ``name`` leads to.

    ``ends`` answers for a whole branch, so no further than to the first node that has some: of a chain of
    a thousand nodes, each knows one neighbour.
    """
    found: dict[str, None] = {}
    seen, waiting = {name}, [*graph[name]]
    while waiting:
        other = waiting.pop()
        if other in seen:
            continue
        seen.add(other)
        if other in ends:
            found.update(dict.fromkeys(ends[other]))
        else:  # it comes later, as in a circle
            waiting.extend(graph[other])
    return list(found)


def in_dependency_order(topology: Topology, needs: Graph) -> list[Node]:
    """The software nodes, each after those that it needs; the template's order otherwise, and in a circle."""
    nodes = list(topology.of_kind(NodeKind.SOFTWARE))
    place = {node.name: i for i, node in enumerate(nodes)}
    open_needs = {name: len(others) for name, others in needs.items()}
    dependents = turned(needs)
    ready = [place[name] for name, count in open_needs.items() if count == 0]
    heapify(ready)
    ordered: dict[int, Node] = {}
    remaining = iter(range(len(nodes)))
    while len(ordered) < len(nodes):
        index = heappop(ready) if ready else next(i for i in remaining if i not in ordered)
        if index in ordered:
            continue
        ordered[index] = nodes[index]
        for dependent in dependents[nodes[index].name]:
            open_needs[dependent] -= 1
            if open_needs[dependent] == 0:
                heappush(ready, place[dependent])
    return list(ordered.values())
