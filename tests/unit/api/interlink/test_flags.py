"""Options of sbatch in an annotation."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.api.dialects.interlink.refusals import Refusals
from isthmus.api.dialects.interlink.slurm_flags import KNOWN, apply_flags, read_flags
from isthmus.errors import Unsupported
from isthmus.sites.slurm.remote.handing import OPTIONS
from isthmus.work.job import Resources

GIB = 1024**3


def applied(text: str, resources: Resources | None = None) -> tuple[Resources, dict[str, str]]:
    refusals = Refusals()
    found = apply_flags(read_flags(text, "flags", refusals), resources or Resources(), "flags", refusals)
    refusals.check()
    return found


@pytest.mark.parametrize(
    ("text", "resources", "options"),
    [
        (
            "--job-name=test-pod-cfg -t 2800  --ntasks=8 --nodes=1 --mem-per-cpu=2000",
            Resources(tasks=8, nodes=1, memory=2000 * 1024**2, time=168_000),
            {},
        ),
        ("--job-name=test-pod-cfg -t 2800", Resources(time=168_000), {}),
        (
            "--partition=cn-ib --job-name=testsl -t 30  --ntasks=1 --nodes=1",
            Resources(time=1800),
            {"partition": "cn-ib"},
        ),
        ("--partition=cn-ib --job-name=x", Resources(), {"partition": "cn-ib"}),
        (
            "-p gpu --gres=gpu:1 --ntasks-per-node=1 --nodes=1 --time=00:10:00",
            Resources(gpus=1, time=600),
            {"partition": "gpu", "ntasks-per-node": "1"},
        ),
        (
            "-t 100 -A inf24_lhc_1 --gres=gpu:1 --reservation=test_cvmfs -p boost_usr_prod -w lrdn0241",
            Resources(gpus=1, time=6000),
            {"account": "inf24_lhc_1", "reservation": "test_cvmfs", "partition": "boost_usr_prod",
             "nodelist": "lrdn0241"},
        ),
    ],
)  # fmt: skip
def test_flags_that_pods_of_stock_users_have(text: str, resources: Resources, options: dict[str, str]) -> None:
    assert applied(text) == (resources, options)


@pytest.mark.parametrize(
    "text",
    [
        "--job-name=x", "--job-name x", "-J x", "-Jx", "--job-name 'two words'", "--comment='a; b'", "--comment -x",
        "--output=/etc/passwd", "-o slurm-%j.out", "-oslurm.out", "--error=e.log", "-e e.log", "--open-mode=append",
        "--mail-type=END,FAIL", "--mail-user a@b.example", "--export=ALL", "--export ALL", "--export all",
        "--no-requeue", "--parsable", "--quiet", "-Q", "--verbose", "-v", "-vv", "-Qv",
    ],
)  # fmt: skip
def test_flags_that_change_nothing_are_passed_over(text: str) -> None:
    assert applied(f"{text} -n 2") == (Resources(tasks=2), {})
    assert applied(f"-n 2 {text}") == (Resources(tasks=2), {})


def test_a_job_may_say_all_that_slurm_is_told() -> None:
    assert OPTIONS.keys() <= KNOWN


@pytest.mark.parametrize(
    ("text", "options"),
    [
        ("--nice", {"nice": "100"}),
        ("--nice=-5 --exclusive=user", {"nice": "-5", "exclusive": "user"}),
        ("--wckey k --hint=nomultithread", {"wckey": "k", "hint": "nomultithread"}),
        ("-m block:cyclic -S 2", {"distribution": "block:cyclic", "core-spec": "2"}),
        ("--distribution=*:block", {"distribution": "*:block"}),
        ("-b now+1hours --tmp=10G", {"begin": "now+1hours", "tmp": "10G"}),
        ("--begin 2026-11-22T16:00:00", {"begin": "2026-11-22T16:00:00"}),
        ("--threads-per-core=1 --switches=1@10:00", {"threads-per-core": "1", "switches": "1@10:00"}),
        ("-C '[rack1|rack2]' --prefer='(a&b)'", {"constraint": "[rack1|rack2]", "prefer": "(a&b)"}),
        ("--gres=fpga:1,craynetwork:2", {"gres": "fpga:1,craynetwork:2"}),
        ("--mpi=pmix --gpu-bind=none", {"mpi": "pmix", "gpu-bind": "none"}),
    ],
)
def test_what_slurm_is_told_in_its_own_words(text: str, options: dict[str, str]) -> None:
    assert applied(text)[1] == options
    assert all(OPTIONS[name].fullmatch(value) for name, value in options.items())


@pytest.mark.parametrize("text", ["--time=UNLIMITED", "-t infinite", "-tINFINITE", "--time=-1", "--time=0"])
def test_no_limit_of_time_leaves_that_of_the_pod(text: str) -> None:
    assert applied(text)[0].time is None
    assert applied(text, Resources(time=60.0))[0].time == 60


@pytest.mark.parametrize(
    ("text", "changed"),
    [
        ("--nodes=2 --ntasks=4", {"nodes": 2, "tasks": 4}),
        ("-N 3", {"nodes": 3, "tasks": 3}),
        ("--nodes=1-1", {"nodes": 1, "tasks": 1}),
        ("-N 2-2 -n 6", {"nodes": 2, "tasks": 6}),
        ("-n4 -c 2", {"tasks": 4, "cpus": 2}),
        ("--mem=4G", {"memory": 4 * GIB}),
        ("--mem 4096", {"memory": 4 * GIB}),
        ("--mem=4G -N 2 -n 4", {"memory": 2 * GIB, "nodes": 2, "tasks": 4}),
        ("--mem-per-cpu=1G -c 4", {"memory": 4 * GIB, "cpus": 4}),
        ("--gres=gpu:2", {"gpus": 2}),
        ("--gres=gpu:a100:2", {"gpus": 2, "gpu_type": "a100"}),
        ("--gres=gpu", {"gpus": 1, "gpu_type": None}),
        ("--gres gpu:tesla-v100", {"gpus": 1, "gpu_type": "tesla-v100"}),
        ("--gres=gpu:1g.5gb:2", {"gpus": 2, "gpu_type": "1g.5gb"}),
        ("--gres=gpu:2080ti:1", {"gpus": 1, "gpu_type": "2080ti"}),
        ("--gres=gpu:2080ti", {"gpus": 1, "gpu_type": "2080ti"}),
        ("--gres=gpu:4090:2", {"gpus": 2, "gpu_type": "4090"}),
        ("--gpus-per-node=3090:2", {"gpus": 2, "gpu_type": "3090"}),
        ("--gpus=a100:4 -n 2", {"gpus": 2, "gpu_type": "a100", "tasks": 2}),
        ("-G 1", {"gpus": 1}),
        ("--gpus-per-task=1 -n 8", {"gpus": 1, "tasks": 8}),
        ("--time=90", {"time": 5400.0}),
        ("-t 10:30", {"time": 630.0}),
        ("-t 1:00:00", {"time": 3600.0}),
        ("-t 1-12", {"time": 129600.0}),
        ("--time=2-03:04:05", {"time": 183845.0}),
        ("--mem=1G --mem=2G", {"memory": 2 * GIB}),
    ],
)
def test_what_a_job_needs(text: str, changed: dict[str, Any]) -> None:
    found, options = applied(text)
    assert {name: getattr(found, name) for name in changed} == changed
    assert options == {}


def test_what_the_site_is_told() -> None:
    text = "-p gpu --account=phys --qos high -C 'a100&ib' --exclusive --reservation=r1 --licenses=abaqus:2 -x n[1-3]"
    assert applied(text)[1] == {
        "partition": "gpu", "account": "phys", "qos": "high", "constraint": "a100&ib", "exclusive": "true",
        "reservation": "r1", "licenses": "abaqus:2", "exclude": "n[1-3]",
    }  # fmt: skip


def test_tasks_of_a_node_are_counted() -> None:
    found, options = applied("--nodes=2 --ntasks-per-node=4 --mem=8G")
    assert (found.nodes, found.tasks, found.memory) == (2, 8, 2 * GIB)
    assert options == {"ntasks-per-node": "4"}
    assert applied("--nodes=2 --ntasks-per-node=4 -n 5")[0].tasks == 5


def test_the_shorter_of_two_times_holds() -> None:
    assert applied("-t 60", Resources(time=60.0))[0].time == 60
    assert applied("-t 1", Resources(time=3600.0))[0].time == 60


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("--array=1-10", "--array"),
        ("--job-name", "--job-name needs a value"),
        ("--quiet=yes", "--quiet has no value"),
        ("--requeue", "--requeue is not honoured: a job is never run twice"),
        ("-D /tmp", "-D is not honoured"),
        ("--chdir=/tmp", "workingDir"),
        ("--wrap='rm -rf /'", "--wrap"),
        ("--uid=0", "--uid"),
        ("--export=NONE", "--export may be ALL only"),
        ("--export=ALL,LD_PRELOAD=/tmp/x.so", "--export may be ALL only"),
        ("script.sh", "script.sh"),
        ("quiet", "the flag quiet is not honoured"),
        ("partition gpu", "the flag partition is not honoured"),
        ("-", "the flag - is not honoured"),
        ("--", "the flag -- is not honoured"),
        ("--partition='a b'", "--partition"),
        ("--partition=--wrap=x", "--partition"),
        ("--partition", "--partition"),
        ("--nodes=2-4", "--nodes=2-4 leaves open how many; say one number"),
        ("-N 1-2", "--nodes=1-2 leaves open"),
        ("--nodes=0-0", "--nodes=0-0"),
        ("--ntasks-per-node=many", "--ntasks-per-node=many"),
        ("-N 1000 --ntasks-per-node=1000", "--ntasks-per-node=1000"),
        ("--ntasks=0", "--ntasks"),
        ("--ntasks=99999999999", "--ntasks"),
        ("--mem=lots", "--mem"),
        ("--mem=0", "--mem=0, all memory of a node, cannot be asked for"),
        ("--mem-per-cpu 0", "--mem-per-cpu=0, all memory"),
        ("--time=soon", "--time"),
        ("--time=-5", "--time"),
        ("--gres=gpu:1,fpga:1", "--gres=gpu:1,fpga:1 is not understood"),
        ("--gres=gpu:12345", "--gres=gpu:12345 is not understood"),
        ("--gres=gpu:-x:1", "--gres=gpu:-x:1 is not understood"),
        ("--gpus=a100", "--gpus=a100 is not understood"),
        ("--nice=-x", "--nice"),
        ("--hint='no such'", "--hint"),
        ("--gpus=3 -n 2", "--gpus"),
        ("--partition='a", "No closing quotation"),
        ("-p a\n#SBATCH -x", "#SBATCH"),
    ],
)
def test_what_is_not_honoured_is_named(text: str, named: str) -> None:
    with pytest.raises(Unsupported) as refused:
        applied(text)
    assert named in refused.value.detail
    assert "flags:" in refused.value.detail


@given(st.text(max_size=80))
def test_no_text_gets_further_than_options_that_are_known(text: str) -> None:
    try:
        _, options = applied(text)
    except Unsupported:
        return
    for name, value in options.items():
        assert value.isprintable()
        assert not value.startswith("-") or name == "nice"
        assert not set(value) & set(" '\"$`\\;<>\n")
