"""Names that lead to one another in a circle."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from graphlib import CycleError, TopologicalSorter


def find_circle(graph: Mapping[str, Iterable[str]]) -> list[str]:
    """Names each of which leads to the next, the first again at the end; nothing when there is no circle."""
    for name, others in graph.items():
        if name in others:
            return [name, name]
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as e:
        return list(reversed(e.args[1]))
    return []


def show_circle(names: list[str]) -> str:
    """A circle in a message."""
    return " → ".join(names[:20])
