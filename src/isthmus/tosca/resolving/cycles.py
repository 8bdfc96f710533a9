"""Nodes that require one another in a circle: never for hosts, and otherwise nothing that can be put in order."""

from __future__ import annotations

from collections.abc import Mapping

from isthmus.tosca.circles import find_circle, show_circle
from isthmus.tosca.diagnostics import Problems
from isthmus.tosca.resolving.templates import NodeTemplate


def check_cycles(nodes: Mapping[str, NodeTemplate], problems: Problems) -> None:
    """A host cannot be hosted by what it hosts; of other circles no one can say what is to be made first."""
    found = find_circle({n.name: {r.target.name for r in n.relations} for n in nodes.values()})
    if not found:
        return
    hosts = find_circle({n.name: {r.target.name for r in n.relations if r.hosts} for n in nodes.values()})
    if hosts:
        summary = f"nodes are hosted by one another in a circle: {show_circle(hosts)}"
        problems.error("requirement-cycle", summary, nodes[hosts[0]].at)
    else:
        summary = f"nodes require one another in a circle, so that none can be made first: {show_circle(found)}"
        problems.refuse("requirement-cycle", summary, nodes[found[0]].at)


def leads_to(start: NodeTemplate, goal: NodeTemplate, problems: Problems, *, hosts: bool) -> bool:
    """Whether a node requires another, through any number of nodes; if asked for, as its host only."""
    seen, stack = {start.name}, [start]
    while stack:
        node = stack.pop()
        if node is goal:
            return True
        problems.spend(1 + len(node.relations))
        for relation in node.relations:
            if relation.target.name not in seen and (relation.hosts or not hosts):
                seen.add(relation.target.name)
                stack.append(relation.target)
    return False
