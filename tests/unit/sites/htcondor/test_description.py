"""What gets into a submit description: ids, numbers and names of a strict alphabet, whatever is asked for."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.sites.htcondor.remote.description import describe, lay_out
from isthmus.work.job import Container, JobSpec, Launch, Output, Resources
from isthmus.work.runner.failures import Permanent

ROOT = Path("/home/u/.isthmus")
COMMAND = ["/usr/bin/python3", "/home/u/.isthmus/programs/runner-ab12.pyz", "run", "--submission", "x"]
CONFIG = {"requirements": {"big": "TARGET.Memory > 1000", "linux": 'TARGET.OpSys == "LINUX"'}}
MIB = 1024 * 1024
TEXT = st.text(max_size=40)


def description(spec: JobSpec, **config: object) -> dict[str, str]:
    """The lines of a description by their names."""
    text = describe(json.loads(json.dumps(dataclasses.asdict(spec))), COMMAND, {**CONFIG, **config}, ROOT)
    lines = [line.partition(" = ") for line in text.splitlines()]
    assert len({name for name, _, _ in lines}) == len(lines)
    return {name: value for name, _, value in lines}


def job(resources: Resources | None = None, **more: object) -> JobSpec:
    return JobSpec((Container("main", command=("true",)),), resources=resources or Resources(), **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("spec", "name", "value"),
    [
        (job(), "request_cpus", "1"),
        (job(Resources(cpus=0.5, tasks=3)), "request_cpus", "2"),
        (job(), "request_memory", None),
        (job(Resources(memory=100 * MIB)), "request_memory", "164"),
        (job(Resources(memory=100 * MIB + 1, tasks=2)), "request_memory", "265"),
        (job(Resources(gpus=2)), "request_gpus", "2"),
        (job(Resources(gpus=2)), "require_gpus", None),
        (job(Resources(gpus=1, gpu_type="A100 v1.2")), "require_gpus", 'regexp("A100 v1[.]2", DeviceName, "i")'),
        (job(grace=30), "job_max_vacate_time", "45"),
        (
            job(Resources(time=59.5), grace=10),
            "periodic_remove",
            "JobStatus == 2 && time() - JobCurrentStartExecutingDate > 190",
        ),
        (job(), "periodic_remove", None),
        (job(Resources(tasks=2)), "universe", "vanilla"),
        (job(Resources(tasks=3), launch=Launch.EACH), "universe", "parallel"),
        (job(Resources(tasks=3), launch=Launch.EACH), "machine_count", "3"),
        (job(Resources(tasks=3), launch=Launch.EACH), "My.ParallelShutdownPolicy", '"WAIT_FOR_ALL"'),
        (job(Resources(nodes=2, tasks=4)), "universe", "parallel"),
        (job(Resources(nodes=2, tasks=4)), "machine_count", "2"),
        (job(Resources(nodes=2, tasks=4)), "request_cpus", "2"),
        (job(Resources(nodes=2, tasks=4)), "My.WantIOProxy", "true"),
        (job(Resources(nodes=2, tasks=4)), "My.ParallelShutdownPolicy", '"WAIT_FOR_ALL"'),
        (job(Resources(tasks=3), launch=Launch.EACH), "My.WantIOProxy", None),
        (job(array=(1, 2), array_limit=1), "max_materialize", "1"),
        (job(options={"accounting_group": "cms.prod"}), "accounting_group", "cms.prod"),
        (job(options={"priority": "-5"}), "priority", "-5"),
        (job(options={"disk": "10GiB"}), "request_disk", "10G"),
        (job(options={"requirements": "big,linux"}), "requirements",
         '(TARGET.Memory > 1000) && (TARGET.OpSys == "LINUX")'),
    ],
)  # fmt: skip
def test_what_is_asked_of_the_pool(spec: JobSpec, name: str, value: str | None) -> None:
    assert description(spec).get(name) == value


@pytest.mark.parametrize(
    ("spec", "named"),
    [
        (job(Resources(nodes=2), array=(1, 2)), "array"),
        (job(Resources(tasks=2), launch=Launch.EACH, array=(1, 2)), "array"),
        (job(Resources(gpus=1, gpu_type='"')), "gpu_type"),
        (job(options={"priority": "1\nqueue"}), "priority"),
        (job(options={"priority": "1.5"}), "priority"),
        (job(options={"disk": "1"}), "disk"),
        (job(options={"accounting_group": "a b"}), "accounting_group"),
        (job(options={"accounting_group": "$(x)"}), "accounting_group"),
        (job(options={"requirements": "big,small"}), "small"),
        (job(options={"rank": "1"}), "rank"),
    ],
)
def test_what_cannot_be_is_refused_by_name(spec: JobSpec, named: str) -> None:
    with pytest.raises(Permanent, match=named):
        description(spec)


@given(TEXT, TEXT, TEXT, TEXT)
def test_the_text_of_people_is_nowhere_in_it(command: str, name: str, value: str, path: str) -> None:
    plain = description(JobSpec((Container("main", command=("true",)),)))
    container = Container("main", command=(command,), env={name: value}, secrets={name: value}, workdir=path)
    assert description(JobSpec((container,), outputs=(Output(path),))) == plain


@given(st.dictionaries(st.sampled_from(["accounting_group", "priority", "disk", "requirements", "x\ny"]), TEXT))
def test_options_never_add_a_line_or_a_macro(options: dict[str, str]) -> None:
    known = set(description(job())) | {"accounting_group", "priority", "request_disk", "requirements"}
    try:
        found = description(job(options=options))
    except Permanent:
        return
    assert set(found) <= known
    for name in set(found) - set(description(job())):
        assert "$" not in found[name]
        assert '"' not in found[name] or name == "requirements"


@pytest.mark.parametrize("program", ["/a b/r.pyz", "/a$(x)/r.pyz", "/a,b/r.pyz", "r.pyz"])
def test_a_folder_that_a_submit_file_cannot_hold_is_refused(program: str) -> None:
    with pytest.raises(Permanent, match="submit file"):
        describe(dataclasses.asdict(job()), ["python3", program], {}, ROOT)


def test_what_is_sent_lies_in_the_folder_even_if_there_is_nothing(tmp_path: Path) -> None:
    lay_out(tmp_path, {"indices": [3, 5], "spec": {"array_limit": 1}})
    lay_out(tmp_path, {"indices": [3, 5], "spec": {"array_limit": 1}})
    left = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*")}
    assert left == {"blobs", "outputs.tar", "limited", "tasks", "tasks/3", "tasks/3/log", "tasks/5", "tasks/5/log"}
