"""What sbatch is told: a list in which nothing from outside is more than a value."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.sites.slurm.remote.handing import OPTIONS, arguments, launcher, refuse
from isthmus.work.runner.failures import Permanent

MIB = 2**20


def order(**more: Any) -> dict[str, Any]:
    spec = {"resources": {"cpus": 1, "nodes": 1, "tasks": 1}, "grace": 30, "array": None, **more}
    return {"id": "0123456789ab-1", "name": "mine", "indices": spec["array"] or [0], "spec": spec}


def told(
    given: dict[str, Any], longest: dict[str, float | None] | None = None, largest: int | None = None, **defaults: str
) -> list[str]:
    return arguments(given, defaults, "/home/u/.isthmus/submissions/x", longest or {}, {"": largest})


def resources(**asked: Any) -> list[str]:
    return told(order(resources={"cpus": 1, "nodes": 1, "tasks": 1, **asked}))


@pytest.mark.parametrize(
    ("asked", "options"),
    [
        ({"cpus": 2.5}, {"--cpus-per-task=3", "--ntasks=1", "--nodes=1"}),
        ({"memory": 300 * MIB + 1}, {"--mem=365M"}),
        ({"memory": 1}, {"--mem=65M"}),
        ({"tasks": 4, "nodes": 2, "cpus": 2, "memory": 300 * MIB}, {"--ntasks=4", "--nodes=2", "--mem-per-cpu=166M"}),
        ({"gpus": 2, "gpu_type": "a100"}, {"--gres=gpu:a100:2"}),
        ({"gpus": 1}, {"--gres=gpu:1"}),
        ({"gpus": 1, "tasks": 2, "gpu_type": "h100"}, {"--gpus-per-task=h100:1"}),
    ],
)
def test_resources_become_options(asked: dict[str, Any], options: set[str]):
    assert options <= set(resources(**asked))


APPTAINER = [{"name": "main", "image": "alpine"}]


@pytest.mark.parametrize(
    ("more", "asked", "largest", "option"),
    [
        ({}, {}, None, "--mem=164M"),
        ({"containers": APPTAINER}, {}, None, "--mem=228M"),
        ({"containers": APPTAINER * 3}, {}, None, "--mem=356M"),
        ({"containers": [{"image": None}], "init": APPTAINER * 2}, {}, None, "--mem=228M"),
        ({"containers": APPTAINER}, {}, 200 * MIB, "--mem=200M"),
        ({"containers": APPTAINER}, {}, 50 * MIB, "--mem=100M"),
        ({"containers": APPTAINER}, {"tasks": 4}, None, "--mem-per-cpu=132M"),
        ({"containers": APPTAINER, "launch": "each"}, {"tasks": 4}, None, "--mem-per-cpu=180M"),
        ({"containers": APPTAINER, "launch": "each"}, {"tasks": 4, "cpus": 2}, 500 * MIB, "--mem-per-cpu=63M"),
    ],
)
def test_slurm_is_asked_for_what_looks_after_a_job_too_unless_no_node_has_it(
    more: dict[str, Any], asked: dict[str, Any], largest: int | None, option: str
):
    resources = {"cpus": 1, "nodes": 1, "tasks": 1, "memory": 100 * MIB, **asked}

    assert option in told(order(**more, resources=resources), largest=largest)


def test_nothing_is_said_of_memory_and_time_that_was_not_asked():
    assert not [one for one in told(order()) if one.startswith(("--mem", "--time"))]


@pytest.mark.parametrize(
    ("seconds", "grace", "longest", "minutes"),
    [(60, 30, None, 3), (3600, 0, None, 62), (3600, 30, 3600, 60), (3600, 30, 1800, 60), (1, 0, None, 2)],
)
def test_slurms_limit_leaves_the_supervisor_time_unless_the_partition_has_none(
    seconds: float, grace: float, longest: float | None, minutes: int
):
    given = order(resources={"time": seconds, "tasks": 1, "nodes": 1}, grace=grace)

    assert f"--time={minutes}" in told(given, {"": longest})


def test_an_array_has_its_tasks_and_how_many_run_at_once():
    assert "--array=0-3,7%2" in told(order(array=[0, 1, 2, 3, 7], array_limit=2))


def test_a_job_wins_over_the_site():
    given = order(options={"partition": "gpu", "exclusive": "true"})

    options = told(given, partition="main", account="me")

    assert {"--partition=gpu", "--account=me", "--exclusive"} <= set(options)


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ({"options": {"wrap": "id"}}, "no option wrap"),
        ({"options": {"uid": "0"}}, "no option uid"),
        ({"options": {"export": "ALL"}}, "no option export"),
        ({"options": {"partition": "a b"}}, "option partition"),
        ({"options": {"partition": "--wrap=id"}}, "option partition"),
        ({"options": {"nodelist": "/etc/passwd"}}, "option nodelist"),
        ({"options": {"begin": "now; id"}}, "option begin"),
        ({"options": {"account": "a\n#SBATCH --uid=0"}}, "option account"),
        ({"options": {"gres": "gpu:1"}, "resources": {"gpus": 1}}, "option gres"),
        ({"resources": {"nodes": 2, "tasks": 1}}, "resources.nodes"),
        ({"resources": {"cpus": 0}}, "resources.cpus"),
        ({"resources": {"cpus": float("nan")}}, "resources.cpus"),
        ({"resources": {"gpus": 1, "gpu_type": "a,b"}}, "resources.gpu_type"),
    ],
)
def test_what_is_not_honoured_is_refused_by_name(spec: dict[str, Any], words: str):
    with pytest.raises(Permanent, match=words):
        refuse(spec)


@given(st.dictionaries(st.sampled_from(sorted(OPTIONS)), st.text(max_size=60), min_size=1), st.text(max_size=300))
def test_no_value_is_more_than_a_value(options: dict[str, str], name: str):
    given = {**order(options=options), "name": name}
    try:
        made = told(given)
    except Permanent:
        return
    assert all(one.startswith("--") and one.isprintable() for one in made)
    known = {f"--{name}" for name in OPTIONS} | {one.partition("=")[0] for one in told(order())}
    assert {one.partition("=")[0] for one in made} <= known


def test_paths_are_taken_as_they_are():
    made = arguments(order(array=[0]), {}, "/home/a %j/b\\c", {}, {})

    assert "--chdir=/home/a %j/b\\c" in made
    assert "--output=/home/a %%j/b\\c/slurm-%a.out" in made


def test_the_launcher_starts_all_processes_on_all_nodes():
    made = launcher({"resources": {"tasks": 4, "nodes": 2, "cpus": 2}, "options": {"mpi": "pmix"}}, "/opt/slurm/bin/")

    assert made[0] == "/opt/slurm/bin/srun"
    assert {"--ntasks=4", "--nodes=2", "--cpus-per-task=2", "--mpi=pmix"} <= set(made)
