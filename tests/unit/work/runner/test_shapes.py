"""Nodes that have the same are told of once, and no node seems smaller than it is."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from isthmus.work.runner.shapes import MOST, shapes
from isthmus.work.runner.sizes import sizes

GIB = 2**30
NODES = st.tuples(
    st.none() | st.integers(0, 256),
    st.none() | st.integers(0, 2**41),
    st.dictionaries(st.sampled_from(["a100", "v100"]), st.integers(1, 8)),
)


def test_equal_nodes_are_counted_together_and_the_largest_come_first() -> None:
    told = shapes([(4, GIB, {}), (2, GIB, {"v100": 1}), (4, GIB, {}), (8, GIB, {})])
    assert [(n["count"], n["cpus"], n["gpus"]) for n in told] == [(1, 2, {"v100": 1}), (1, 8, {}), (2, 4, {})]


@given(st.lists(NODES, max_size=20))
def test_every_node_is_counted(nodes: list[tuple[int | None, int | None, dict[str, int]]]) -> None:
    told = shapes(nodes)
    assert sum(shape["count"] for shape in told) == len(nodes)
    assert {(n["cpus"], n["memory"]) for n in told} == {(cpus, memory) for cpus, memory, _ in nodes}


def test_machines_that_differ_by_bytes_are_one_shape_which_is_not_smaller() -> None:
    [told] = shapes([(16, 64 * GIB - n, {}) for n in range(MOST + 1)])
    assert told == {"count": MOST + 1, "cpus": 16, "memory": 64 * GIB, "gpus": {}}


@given(st.integers(0, 2**45), st.integers(0, 2**45))
def test_two_sizes_are_told_apart(one: int, other: int) -> None:
    told = sizes(one, other)
    assert (told[0] != told[1]) is (one != other)
