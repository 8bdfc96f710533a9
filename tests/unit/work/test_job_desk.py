"""Jobs of deployments: what a node's properties mean, and how they become a job like any other."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from isthmus.engine.job_nodes import JobOrder
from isthmus.engine.pulse import Pulse
from isthmus.identity import Principal
from isthmus.job_desk import ServedJobDesk, job_of
from isthmus.job_service import WEEK, JobRequest, JobService
from isthmus.sites.errors import Permanent
from isthmus.store.blobs import Blobs
from isthmus.work import sealing
from isthmus.work.job import Container, Input, JobSpec, Launch, Output, Resources, S3Access

from .test_job_service import Places
from .toy import Desk

ALICE = Principal("alice", "physics")
LEAST = {"image": "i", "cpus": 1.0, "nodes": 1, "each": False}
SCRIPT = b"#!/bin/sh\necho 42\n"
DIGEST = hashlib.sha256(SCRIPT).hexdigest()
MAIN = Container("main", "i")


def resources(**values: Any) -> JobSpec:
    return JobSpec((MAIN,), resources=Resources(**values))


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ({}, JobSpec((MAIN,))),
        ({"image": None, "container": False, "command": ["x", 1, True]},
         JobSpec((Container("main", command=("x", "1", "true")),))),
        ({"args": ["a"], "workdir": "/d", "env": {"A": 1}, "secrets": {"B": "s"}},
         JobSpec((replace(MAIN, args=("a",), workdir="/d", env={"A": "1"}, secrets={"B": "s"}),))),
        ({"env": {"A": "x", "B": "has hidden in it"}},
         JobSpec((replace(MAIN, env={"A": "x"}, secrets={"B": "has hidden in it"}),))),
        ({"gpus": 2}, resources(gpus=2)),
        ({"gpus": "a100:2"}, resources(gpus=2, gpu_type="a100")),
        ({"cpus": 1.5, "memory": "2 GiB", "time": "90 m", "nodes": 2}, resources(
            cpus=1.5, memory=2 * 2**30, time=5400, nodes=2, tasks=2)),
        ({"nodes": 2, "tasks": 8, "each": True},
         replace(resources(nodes=2, tasks=8), launch=Launch.EACH)),
        ({"array": [1, 4]}, JobSpec((MAIN,), array=(1, 2, 3, 4))),
        ({"array": "0-8:4%2"}, JobSpec((MAIN,), array=(0, 4, 8), array_limit=2)),
        ({"array": 0}, JobSpec((MAIN,), array=(0,))),
        ({"inputs": [{"from": "run.sh", "to": "in/run.sh", "mode": "0755", "digest": DIGEST}]},
         JobSpec((MAIN,), inputs=(Input("in/run.sh", DIGEST, mode=0o755),))),
        ({"inputs": [{"from": "https://h/a/b.txt?q", "to": "in/"}]},
         JobSpec((MAIN,), inputs=(Input("in/b.txt", url="https://h/a/b.txt?q"),))),
        ({"outputs": [{"from": "out/"}, {"from": "*.txt", "to": "https://h/up/"}]},
         JobSpec((MAIN,), outputs=(Output("out"), Output("*.txt", "https://h/up/")))),
        ({"s3": {"access_key": "a", "secret_key": "b"}, "inputs": [{"from": "s3://b/k"}]},
         JobSpec((MAIN,), inputs=(Input("k", url="s3://b/k"),), s3=S3Access("a", "b"))),
        ({"env": {"A": None}}, JobSpec((replace(MAIN, env={"A": ""}),))),
        ({"options": {"partition": "short"}}, JobSpec((MAIN,), options={"partition": "short"})),
    ],
)  # fmt: skip
def test_what_properties_mean(said: dict[str, Any], meant: JobSpec) -> None:
    assert job_of({**LEAST, **said}, frozenset({"hidden"})) == meant


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({"image": None, "command": ["x"]}, "container: false"),
        ({"container": False}, "container: false is for what has no image"),
        ({"gpus": "lots of"}, "no number of GPUs"),
        ({"array": [0, 10**8]}, "10000 tasks at most"),
        ({"array": [0, 10**15]}, "no range"),
        ({"array": [1, "UNBOUNDED"]}, "the first and the last"),
        ({"inputs": [{"from": "run.sh"}]}, "no https://"),
        ({"outputs": [{"from": "../x"}]}, "must not have"),
        ({"time": "soon"}, "time: "),
    ],
)
def test_what_comes_out_as_no_job_once_all_is_known_is_refused(said: dict[str, Any], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        job_of({**LEAST, **said}, frozenset())


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("image", "i:a-long-secret"),
        ("command", ["x", "--key=a-long-secret"]),
        ("args", ["a-long-secret"]),
        ("options", {"account": "a-long-secret"}),
        ("outputs", [{"from": "x", "to": "https://h/?key=a-long-secret"}]),
    ],
)
def test_a_secret_that_comes_by_an_attribute_is_not_put_where_it_is_shown(name: str, value: Any) -> None:
    with pytest.raises(ValueError, match=f"^{name} is shown to whoever sees the job, and holds a secret") as caught:
        job_of({**LEAST, name: value}, frozenset({"a-long-secret"}))
    assert "a-long-secret" not in str(caught.value)
    job_of({**LEAST, name: value}, frozenset({"long"}))


class Served:
    """The job desk over a service whose site is a toy."""

    def __init__(self, desk: Desk, folder: Path):
        places: Any = Places(desk.toy)
        self.blobs = Blobs(folder / "blobs")
        self.service = JobService(desk.store, places, self.blobs, Pulse(), lambda site: None)
        self.desk = ServedJobDesk(self.service)
        self.store = desk.store

    async def submit(self, files: dict[str, bytes] | None = None, **said: Any) -> str:
        order = JobOrder("alice", "physics", "d/w/1", "w", None, {**LEAST, **said}, frozenset(), files or {})
        return await self.desk.submit(order)


@pytest.fixture
def served(tmp_path: Path):
    desk = Desk(tmp_path)
    yield Served(desk, tmp_path)
    desk.store.close()


INPUT = {"from": "run.sh", "to": "run.sh", "mode": "0755", "digest": DIGEST}


async def test_files_of_a_template_are_handed_over_before_its_job_is_made(served: Served) -> None:
    job = await served.submit({DIGEST: SCRIPT}, inputs=[INPUT], outputs=[{"from": "out"}])
    row = await served.service.records.find(ALICE, job)
    assert sealing.unseal(served.store.vault, row.spec).inputs == (Input("run.sh", DIGEST, mode=0o755),)
    assert served.blobs.path("physics/alice", DIGEST).read_bytes() == SCRIPT
    assert await served.submit({DIGEST: SCRIPT}, inputs=[INPUT]) == job, "whoever comes after a crash finds it"


async def test_what_a_node_says_of_tries_and_keeping_is_passed_on(served: Served) -> None:
    row = await served.service.records.find(ALICE, await served.submit(retry=3, keep="2 h", needs=[]))
    assert (row.retry, row.keep) == (3, 7200)


async def test_what_it_does_not_say_is_as_for_any_other_job(served: Served) -> None:
    row = await served.service.records.find(ALICE, await served.submit())
    assert (row.retry, row.keep) == (JobRequest(JobSpec((MAIN,))).retry, WEEK)


async def test_what_is_no_job_is_refused_by_the_name_of_its_node(served: Served) -> None:
    with pytest.raises(Permanent, match="w: it has no image"):
        await served.submit(image=None, command=["x"])
