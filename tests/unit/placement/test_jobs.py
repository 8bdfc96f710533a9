"""Where a job goes: what each site could never give, in words, and among the others the shortest wait."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.placement.job_fit import JobWant, Nodes, Queue, Room, refusal
from isthmus.placement.jobs import choose_for_job

GIB = 2**30
HOUR, DAY = 3600.0, 86400.0
SMALL = Room((Queue("main", (Nodes(4, 16, 64 * GIB, {"v100": 1}),), True, time_limit=HOUR, free_cpus=64),), True)
LARGE = Room((Queue("big", (Nodes(8, 64, 512 * GIB, {"a100": 4}),), True, time_limit=30 * DAY, wait=900.0),), True)
LAPTOP = Room((Queue("local", (Nodes(1, 2, 8 * GIB),), True),))
PARTED = Room(
    (
        Queue("short", (Nodes(4, 16, 64 * GIB),), True, time_limit=HOUR),
        Queue("gpu", (Nodes(2, 16, 64 * GIB, {"a100": 4}),), time_limit=DAY),
        Queue("old", (Nodes(2, 8, 16 * GIB, {"k80": 2}),), state="down"),
    )
)
TYPED = Room((Queue("gpu", (Nodes(2, 16, 64 * GIB, {"a100_80gb": 4}),), True),), exact_types=True)
CLOUD = Room((Queue("cloud", (Nodes(1, 16, 64 * GIB), Nodes(3, gpus=None)), True),), exact_types=True)
POOL = Room((Queue("pool", (Nodes(3, 8, 16 * GIB), Nodes(1, 4, 64 * GIB)), True),), pool=True)


@pytest.mark.parametrize(
    "want",
    [
        JobWant(gpus=2, gpu_type="a100"),
        JobWant(gpus=1, gpu_type="a100"),
        JobWant(gpus=4),
        JobWant(time=10 * DAY),
        JobWant(cpus=40),
        JobWant(cpus=10, tasks=4),
        JobWant(memory=100 * GIB),
        JobWant(nodes=6, tasks=6),
        JobWant(nodes=2, tasks=8, gpus=1),
        JobWant(cpus=16, tasks=5, nodes=4),
    ],
)
def test_a_site_with_room_now_is_passed_over_for_one_that_fits(want: JobWant) -> None:
    place = choose_for_job(want, {"small": SMALL, "large": LARGE})
    assert place.site == "large", place.reasons
    assert place.reasons["large"] == "chosen: would start it in about 900 s"


def test_of_those_that_fit_the_shortest_wait_decides_and_then_their_order() -> None:
    assert choose_for_job(JobWant(), {"large": LARGE, "small": SMALL}).site == "small"
    assert choose_for_job(JobWant(), {"b": SMALL, "a": SMALL}).site == "b"
    assert choose_for_job(JobWant(), {"laptop": LAPTOP, "large": LARGE}).site == "large"


def test_a_site_that_has_the_gpu_by_another_name_is_passed_over_where_names_are_whole() -> None:
    place = choose_for_job(JobWant(gpus=1, gpu_type="a100"), {"typed": TYPED, "large": LARGE})
    assert place.site == "large"
    assert choose_for_job(JobWant(gpus=1, gpu_type="a100_80gb"), {"typed": TYPED, "large": LARGE}).site == "typed"


def test_an_image_from_a_file_goes_where_it_can_run() -> None:
    engine = Room((Queue("local", (Nodes(1, 2, 8 * GIB),)),), containers=True, image_files=False)
    want = JobWant(containers=True, image_files=True)
    place = choose_for_job(want, {"engine": engine, "large": LARGE})
    assert (place.site, "no files or folders" in place.reasons["engine"]) == ("large", True)
    assert "no files" in refusal(want, engine, ever=True)
    assert not refusal(JobWant(containers=True), engine)


def test_a_site_that_cannot_be_used_says_why() -> None:
    place = choose_for_job(JobWant(gpus=1), {"away": "did not answer within 3 s", "laptop": LAPTOP})
    assert (place.site, place.reasons) == (None, {"away": "did not answer within 3 s", "laptop": "has no GPU"})


@pytest.mark.parametrize(
    ("want", "room", "words"),
    [
        (JobWant(cpus=40), SMALL, "has 16 CPUs on a node, not 40"),
        (JobWant(cpus=0.5, tasks=4), LAPTOP, ""),
        (JobWant(cpus=1, tasks=3), LAPTOP, "has 2 CPUs on a node, not 3"),
        (JobWant(memory=2**40), LAPTOP, "has 8.0 GiB of memory on a node, not 1024.0 GiB"),
        (JobWant(memory=8 * GIB + 1), LAPTOP, "has 8.000000000 GiB of memory on a node, not 8.000000001 GiB"),
        (JobWant(gpus=2), SMALL, "has 1 GPU on a node, not 2"),
        (JobWant(gpus=1, gpu_type="a100"), SMALL, "has no GPU of type a100, it has v100"),
        (JobWant(gpus=1, gpu_type="80GB"), replace(TYPED, exact_types=False), ""),
        (JobWant(gpus=1, gpu_type="a100_80gb"), TYPED, ""),
        (JobWant(gpus=1, gpu_type="a100"), TYPED, "has no GPU of type a100, it has a100_80gb"),
        (JobWant(gpus=1, gpu_type="A100_80GB"), TYPED, "has no GPU of type A100_80GB, it has a100_80gb"),
        (JobWant(gpus=5, gpu_type="a100_80gb"), TYPED, "has 4 GPUs of type a100_80gb on a node, not 5"),
        (JobWant(gpus=2, gpu_type="a100", nodes=3, tasks=3, cpus=99, memory=2**40, needs=("gpu",)), CLOUD, ""),
        (JobWant(gpus=2, nodes=4, tasks=4), CLOUD, "has not 4 nodes with room for 4 x 1 CPUs, 2 GPUs"),
        (JobWant(nodes=5, tasks=5), CLOUD, "has 4 nodes, not 5"),
        (JobWant(gpus=5, gpu_type="A100"), LARGE, "has 4 GPUs of type A100 on a node, not 5"),
        (JobWant(time=2 * HOUR), SMALL, "lets a job run for 1 h, not 2 h"),
        (JobWant(time=HOUR), SMALL, ""),
        (JobWant(nodes=5, tasks=5), SMALL, "has 4 nodes, not 5"),
        (JobWant(nodes=2, tasks=2), LAPTOP, "runs no jobs over several nodes"),
        (JobWant(needs=("mpi",)), LAPTOP, "runs no jobs over several nodes"),
        (JobWant(needs=("gpu",)), LAPTOP, "has no GPU"),
        (JobWant(needs=("gpu", "mpi", "containers")), SMALL, ""),
        (JobWant(containers=True), LAPTOP, "runs no containers"),
        (JobWant(needs=("containers",)), LAPTOP, "runs no containers"),
        (JobWant(partitions=("gpu",)), SMALL, "has no partition gpu, it has main"),
        (JobWant(partitions=("gpu",), gpus=4, time=DAY), PARTED, ""),
        (JobWant(partitions=("short", "gpu"), time=2 * HOUR), PARTED, ""),
        (JobWant(partitions=("old",)), PARTED, "its partition old is down"),
        (JobWant(gpus=1), PARTED, "partition short has no GPU, but gpu would do: --option partition=gpu"),
        (JobWant(gpus=2, gpu_type="k80"), PARTED, "partition short has no GPU"),
        (JobWant(), Room((Queue("q", (Nodes(0, 0),)),)), "has no nodes"),
        (JobWant(cpus=8, tasks=4), POOL, "has 8 CPUs on a node, not 32"),
        (JobWant(cpus=8, tasks=3, each=True), POOL, ""),
        (JobWant(cpus=4, nodes=7, tasks=7), POOL, ""),
        (JobWant(cpus=4, nodes=8, tasks=8), POOL, "has 4 nodes, not 8"),
        (JobWant(cpus=8, memory=20 * GIB), POOL, "has not a node with room for 1 x 8 CPUs, 20.0 GiB"),
        (JobWant(memory=64 * GIB, beside=2**26), POOL, "has not a node with room for 1 x 1 CPUs, 64.0 GiB"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_told_with_what_there_is(want: JobWant, room: Room, words: str) -> None:
    assert refusal(want, room) == words


@pytest.mark.parametrize(
    "want",
    [
        JobWant(partitions=("hidden",), gpus=1),
        JobWant(partitions=("old",), gpus=2),
        JobWant(containers=True),
    ],
)
def test_what_may_be_there_another_time_does_not_speak_against_a_site_that_was_named(want: JobWant) -> None:
    assert refusal(want, PARTED)
    assert refusal(want, PARTED, ever=True) == ""


def test_a_pool_that_was_named_has_whatever_fits_no_machine_wait_for_one() -> None:
    assert refusal(JobWant(cpus=100), POOL)
    assert refusal(JobWant(cpus=100), POOL, ever=True) == ""
    assert refusal(JobWant(needs=("gpu",)), POOL, ever=True) == "has no GPU"
    assert refusal(JobWant(cpus=100), SMALL, ever=True) == "has 16 CPUs on a node, not 100"


def test_of_a_pool_whose_machines_are_yet_to_come_nothing_is_known() -> None:
    empty = Room((Queue("pool", (Nodes(0),), state="down"),), pool=True)
    assert refusal(JobWant(), empty) == "its partition pool is down"
    assert refusal(JobWant(needs=("gpu", "mpi")), empty, ever=True) == ""


WANTS: Any = st.builds(
    lambda nodes, more, **rest: JobWant(nodes=nodes, tasks=nodes + more, **rest),
    nodes=st.integers(1, 4), more=st.integers(0, 6), cpus=st.sampled_from([0.5, 1, 3, 17]),
    memory=st.none() | st.integers(1, 2**37), gpus=st.integers(0, 3), each=st.booleans(),
    gpu_type=st.sampled_from([None, "a100", "v100"]), time=st.none() | st.sampled_from([60.0, DAY]),
)  # fmt: skip
NODES = st.builds(
    Nodes, st.integers(1, 4), st.integers(1, 32), st.integers(GIB, 2**38),
    st.dictionaries(st.sampled_from(["a100", "v100"]), st.integers(1, 4)),
)  # fmt: skip
ROOMS: Any = st.builds(
    lambda nodes, limit, pool: Room((Queue("q", tuple(nodes), True, time_limit=limit),), pool=pool),
    st.lists(NODES, min_size=1, max_size=4), st.none() | st.just(HOUR), st.booleans(),
)  # fmt: skip


@given(WANTS)
def test_what_is_not_told_never_speaks_against_a_site(want: JobWant) -> None:
    gpus = {"a100": 99, "v100": 99}
    assert refusal(want, Room()) == ""
    assert refusal(want, Room((Queue(nodes=(Nodes(gpus=gpus),)),))) == ""


@given(WANTS, ROOMS, NODES)
def test_more_nodes_never_make_a_site_fit_less(want: JobWant, room: Room, more: Nodes) -> None:
    [queue] = room.queues
    larger = replace(room, queues=(replace(queue, nodes=(*queue.nodes, more)),))
    if not refusal(want, room):
        assert refusal(want, larger) == ""


@given(WANTS, ROOMS)
def test_what_fits_now_fits_ever(want: JobWant, room: Room) -> None:
    if not refusal(want, room):
        assert refusal(want, room, ever=True) == ""


@given(WANTS, ROOMS)
def test_on_a_cluster_a_job_fits_when_its_processes_can_be_laid_out(want: JobWant, room: Room) -> None:
    """Against a search that puts one process after the other where there is room."""
    room = replace(room, pool=False)
    [queue] = room.queues
    holds = []
    for node in queue.nodes:
        of_type = sum(n for kind, n in node.gpus.items() if want.gpu_type in (None, kind))
        most = 0
        while (
            (most + 1) * want.cpus <= (node.cpus or 0)
            and (most + 1) * (want.memory or 0) <= (node.memory or 0)
            and (most + 1) * want.gpus <= of_type
            and most < want.tasks
        ):
            most += 1
        holds += [most] * (node.count or 0)
    used = sorted(holds, reverse=True)[: want.nodes]
    fits = len(used) == want.nodes and min(used) >= 1 and sum(used) >= want.tasks
    in_time = want.time is None or queue.time_limit is None or want.time <= queue.time_limit
    assert (refusal(want, room) == "") is (fits and in_time)
