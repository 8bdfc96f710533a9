"""What fits on this machine, and what is refused since it never will."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.sites.local.remote.capacity import Capacity
from isthmus.sites.local.remote.want import Want

H200, A100 = "NVIDIA H200", "NVIDIA A100-SXM4-80GB"


def machine() -> Capacity:
    return Capacity(4, 1000, {0: H200, 1: A100, 2: A100})


@pytest.mark.parametrize(
    ("want", "words"),
    [
        (Want(cpus=4, memory=1000, gpus=3), None),
        (Want(cpus=4.5), "asks 4.5 CPUs, this site has 4"),
        (Want(memory=2**40), "asks 1024.0 GiB of memory, this site has 0.0 GiB"),
        (Want(memory=1001), "asks 0.000000932 GiB of memory, this site has 0.000000931 GiB"),
        (Want(gpus=4), "asks 4 GPUs, this machine has 3"),
        (Want(gpus=2, gpu_type="a100"), None),
        (Want(gpus=2, gpu_type="h200"), "asks 2 GPUs of type h200, this machine has 1"),
    ],
)
def test_what_could_never_run_is_told_from_what_has_to_wait(want: Want, words: str | None) -> None:
    assert machine().refusal(want) == words


def test_devices_are_given_by_type_and_to_one_task_at_a_time() -> None:
    here = machine()
    want = Want(cpus=1, gpus=1, gpu_type="A100")
    given = []
    while here.fits(want):
        given.append(here.choose(want))
        here.take(want, given[-1])
    assert given == [(1,), (2,)]
    here.give(want, (1,))
    assert here.choose(want) == (1,)


@given(st.lists(st.builds(Want, cpus=st.sampled_from([0.1, 0.3, 1, 1.7]), memory=st.integers(0, 400))))
def test_what_is_taken_is_never_more_than_there_is_and_all_of_it_comes_back(wants: list[Want]) -> None:
    here = machine()
    taken = []
    for want in wants:
        if here.fits(want):
            here.take(want, ())
            taken.append(want)
    assert sum(want.cpus for want in taken) <= 4 + 1e-6
    assert sum(want.memory for want in taken) <= 1000
    for want in taken:
        here.give(want, ())
    assert here.free_cpus == pytest.approx(4)
    assert here.free_memory == 1000


@pytest.mark.parametrize(
    ("spec", "want"),
    [
        ({"containers": [{"image": None}]}, Want()),
        (
            {"containers": [{"image": None}], "resources": {"cpus": 2, "memory": 10, "gpus": 1, "tasks": 3}},
            Want(cpus=6, memory=30, limit=30, gpus=3),
        ),
        ({"containers": [{"image": "a"}], "resources": {"memory": 10}}, Want(memory=10, engine=True)),
        (
            {"containers": [{"image": None}], "init": [{"image": "a"}], "resources": {"memory": 10}},
            Want(memory=10, engine=True),
        ),
        ({"containers": [{}], "grace": 5, "array_limit": 2}, Want(grace=5, array_limit=2)),
    ],
)
def test_a_spec_asks_for_all_of_its_processes(spec: dict[str, object], want: Want) -> None:
    assert Want.of(spec) == want
