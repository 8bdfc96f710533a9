"""A topology as a picture: Graphviz dot and Mermaid. Names come from strangers, and stay labels."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from isthmus.topology import Node, NodeKind, Topology

_LONGEST = 80
_DOT_SHAPES = {
    NodeKind.MACHINE: "box3d",
    NodeKind.NETWORK: "hexagon",
    NodeKind.VOLUME: "cylinder",
    NodeKind.SOFTWARE: "component",
    NodeKind.JOB: "note",
}
_MERMAID_SHAPES = {
    NodeKind.MACHINE: ("[[", "]]"),
    NodeKind.NETWORK: ("{{", "}}"),
    NodeKind.VOLUME: ("[(", ")]"),
    NodeKind.SOFTWARE: ("[", "]"),
    NodeKind.JOB: ("([", "])"),
}


def dot(topology: Topology) -> str:
    """The graph of nodes and requirements in the language of Graphviz."""
    ids = _ids(topology)
    lines = ["digraph topology {", "  rankdir=BT;", '  node [fontname="sans-serif"];']
    lines.append('  edge [fontname="sans-serif", fontsize=10];')
    for name, node in topology.nodes.items():
        label = r"\n".join(_dot_text(line) for line in _label(node))
        lines.append(f'  {ids[name]} [shape={_DOT_SHAPES.get(node.kind, "ellipse")}, label="{label}"];')
    for source, target, requirement in _edges(topology):
        line = " [penwidth=2, " if requirement == "host" else " ["
        lines.append(f'  {ids[source]} -> {ids[target]}{line}label="{_dot_text(requirement)}"];')
    return "\n".join([*lines, "}", ""])


def mermaid(topology: Topology) -> str:
    """The graph of nodes and requirements as a Mermaid flowchart."""
    ids = _ids(topology)
    lines = ["flowchart BT"]
    for name, node in topology.nodes.items():
        before, after = _MERMAID_SHAPES.get(node.kind, ("(", ")"))
        label = "<br>".join(_mermaid_text(line) for line in _label(node))
        lines.append(f'  {ids[name]}{before}"{label}"{after}')
    for source, target, requirement in _edges(topology):
        arrow = "==>" if requirement == "host" else "-->"
        lines.append(f'  {ids[source]} {arrow}|"{_mermaid_text(requirement)}"| {ids[target]}')
    return "\n".join([*lines, ""])


def _ids(topology: Topology) -> Mapping[str, str]:
    """Names of our own making: those of the template may hold anything."""
    return {name: f"n{i}" for i, name in enumerate(topology.nodes)}


def _edges(topology: Topology) -> Iterator[tuple[str, str, str]]:
    for node in topology.nodes.values():
        for requirement in node.requirements:
            if requirement.target in topology.nodes:
                yield node.name, requirement.target, requirement.name


def _label(node: Node) -> Iterator[str]:
    many = node.scaling is not None and (node.scaling.minimum, node.scaling.maximum) != (1, 1)
    count = f" × {node.scaling.default}" if many and node.scaling is not None else ""
    yield _cut(f"{node.name}{count}")
    yield _cut(node.type)


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def _visible(text: str) -> str:
    return "".join(c if c.isprintable() else "�" for c in text)


def _dot_text(text: str) -> str:
    """Inside a quoted string; a backslash would begin an escape of Graphviz, an `&` an HTML entity."""
    return _visible(_cut(text)).replace("\\", "\\\\").replace('"', '\\"').replace("&", "&amp;")


def _mermaid_text(text: str) -> str:
    """Inside a quoted label: whatever has a meaning to Mermaid, Markdown or HTML stands as its number."""
    return re.sub(r"[^\w .×…:/-]", lambda c: f"#{ord(c[0])};", _visible(_cut(text)))
