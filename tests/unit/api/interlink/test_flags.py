"""Options of sbatch in an annotation."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.api.dialects.interlink.refusals import Refusals
from isthmus.api.dialects.interlink.slurm_flags import apply_flags, read_flags
from isthmus.errors import Unsupported
from isthmus.work.job import Resources

GIB = 1024**3


def applied(text: str, resources: Resources | None = None) -> tuple[Resources, dict[str, str]]:
    refusals = Refusals()
    found = apply_flags(read_flags(text, "flags", refusals), resources or Resources(), "flags", refusals)
    refusals.check()
    return found


@pytest.mark.parametrize(
    ("text", "changed"),
    [
        ("--nodes=2 --ntasks=4", {"nodes": 2, "tasks": 4}),
        ("-N 3", {"nodes": 3, "tasks": 3}),
        ("-n4 -c 2", {"tasks": 4, "cpus": 2}),
        ("--mem=4G", {"memory": 4 * GIB}),
        ("--mem 4096", {"memory": 4 * GIB}),
        ("--mem=4G -N 2 -n 4", {"memory": 2 * GIB, "nodes": 2, "tasks": 4}),
        ("--mem-per-cpu=1G -c 4", {"memory": 4 * GIB, "cpus": 4}),
        ("--gres=gpu:2", {"gpus": 2}),
        ("--gres=gpu:a100:2", {"gpus": 2, "gpu_type": "a100"}),
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


def test_the_shorter_of_two_times_holds() -> None:
    assert applied("-t 60", Resources(time=60.0))[0].time == 60
    assert applied("-t 1", Resources(time=3600.0))[0].time == 60


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("--array=1-10", "--array"),
        ("--output=/etc/passwd", "--output"),
        ("--wrap='rm -rf /'", "--wrap"),
        ("--uid=0", "--uid"),
        ("--export ALL", "--export"),
        ("script.sh", "script.sh"),
        ("--partition='a b'", "--partition"),
        ("--partition=--wrap=x", "--partition"),
        ("--partition", "--partition"),
        ("--nodes=2-4", "--nodes"),
        ("--ntasks=0", "--ntasks"),
        ("--ntasks=99999999999", "--ntasks"),
        ("--mem=lots", "--mem"),
        ("--time=soon", "--time"),
        ("--time=0", "--time"),
        ("--gres=fpga:1", "--gres"),
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
    for value in options.values():
        assert value.isprintable()
        assert not value.startswith("-")
        assert not set(value) & set(" '\"$`\\;<>\n")
