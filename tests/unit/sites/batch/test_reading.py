"""What an agent told of a site's facilities is read with what it leaves out, and refused when it is none."""

from __future__ import annotations

from typing import Any

import pytest

from isthmus.sites.batch.reading import read_facilities
from isthmus.sites.errors import Permanent
from isthmus.sites.jobs import Facilities, Nodes, Partition

TOLD: dict[str, Any] = {"scheduler": "slurm", "version": "24", "partitions": [{"name": "main", "nodes": 2}]}


def test_what_an_older_agent_does_not_tell_is_unknown() -> None:
    assert read_facilities(TOLD) == Facilities("slurm", "24", (Partition("main", nodes=2),))
    [partition] = read_facilities(TOLD).partitions
    assert partition.shapes == ()


def test_nodes_are_read_by_what_each_has() -> None:
    shape = {"count": 2, "cpus": 1.5, "memory": None, "gpus": {"a100": 4}, "colour": "blue"}
    told = {**TOLD, "partitions": [{"name": "main", "shapes": [shape]}], "qos": ["long"], "pool": True}
    found = read_facilities(told)
    assert found.partitions[0].shapes == (Nodes(2, 1.5, None, {"a100": 4}),)
    assert (found.qos, found.pool, found.exact_types) == (("long",), True, False)


def test_nodes_of_which_nothing_is_told_are_not_nodes_without_gpus() -> None:
    shapes = [{"count": 2, "cpus": None, "memory": None, "gpus": None}, {"count": 1}]
    [partition] = read_facilities({**TOLD, "partitions": [{"name": "main", "shapes": shapes}]}).partitions
    assert partition.shapes == (Nodes(2, gpus=None), Nodes(1, gpus={}))


@pytest.mark.parametrize(
    "partition",
    [
        {},
        {"name": "x", "cpus": "many"},
        {"name": "x", "wait": True},
        {"name": "x", "memory": float("inf")},
        {"name": "x", "gpus": ["a100"]},
        {"name": "x", "gpus": {"a100": 10**400}},
        {"name": "x", "shapes": [{"cpus": 10**400}]},
        {"name": "x", "nodes": -(10**400)},
        {"name": "x", "gpus": {"a100": "four"}},
        {"name": "x", "shapes": [3]},
        {"name": "x", "shapes": [{"cpus": [2]}]},
    ],
)  # fmt: skip
def test_what_is_no_partition_is_refused(partition: dict[str, Any]) -> None:
    with pytest.raises(Permanent, match="told facilities that cannot be read"):
        read_facilities({**TOLD, "partitions": [partition]})
