"""Jobs of topologies: run once, after what they need, anew when they failed or changed, and forgotten at the end."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from isthmus.engine.job_nodes import JobEnd
from isthmus.engine.state import Health
from isthmus.store import resources
from isthmus.topology import Node, NodeKind, Output, Reference, Requirement, Stage, Topology

from .harness import Harness
from .topologies import FILES, machine, operation, software, topology

FAILED = JobEnd(True, False, 3, "it failed: Error: exit code 3")


@pytest.fixture
def harness(tmp_path: Path) -> Harness:
    return Harness(tmp_path)


def job(name: str, *needs: str, batch: str | None = None, **properties: Any) -> Node:
    requirements = [Requirement("dependency", n, "tosca.relationships.DependsOn") for n in needs]
    if batch is not None:
        requirements.append(Requirement("batch", batch, "tosca.relationships.DependsOn"))
    values = {"command": ["true"], "cpus": 1.0, "gpus": 0, "nodes": 1, "each": False, "retry": 0, **properties}
    type_ = "isthmus.nodes.Job"
    return Node(name, type_, NodeKind.JOB, (type_,), values, requirements=tuple(requirements))


def names(harness: Harness) -> list[str]:
    return [order.name for order in harness.desk.submitted]


def states(harness: Harness, d: str) -> dict[str, str]:
    return {row.node: row.state for row in harness.resources(d) if row.kind == NodeKind.JOB}


async def test_jobs_run_in_order_and_once(harness: Harness) -> None:
    d = harness.create(topology(job("third", "second"), job("first"), job("second", "first")))
    await harness.settle()
    assert names(harness) == ["first", "second", "third"]
    assert harness.row(d).phase == "running"
    harness.change(d)
    await harness.settle()
    assert len(harness.desk.submitted) == 3


async def test_a_job_runs_on_the_batch_system_of_its_deployment_once_that_is_up(harness: Harness) -> None:
    master = software("master", "head", operation("master", Stage.START))
    d = harness.create(topology(machine("head"), master, job("run", batch="master"), job("other", site="lab")))
    await harness.settle()
    events = harness.events(d)
    started = next(i for i, e in enumerate(events) if e.startswith("action.done master start"))
    ran = next(i for i, e in enumerate(events) if e == "action.started job run")
    assert started < ran
    sites = {order.name: order.site for order in harness.desk.submitted}
    assert sites == {"run": f"deployment/{d}", "other": "lab"}


async def test_a_job_that_failed_fails_its_deployment_and_runs_anew_when_that_is_resumed(harness: Harness) -> None:
    harness.desk.ends["first"] = FAILED
    d = harness.create(topology(job("first"), job("second", "first")))
    await harness.settle()
    assert harness.row(d).phase == "failed"
    assert "exit code 3" in harness.row(d).reason
    assert names(harness) == ["first"]
    del harness.desk.ends["first"]
    harness.change(d, phase="deploying")
    await harness.settle()
    assert names(harness) == ["first", "first", "second"]
    assert len({order.key for order in harness.desk.submitted}) == 3
    assert states(harness, d) == {"first": Health.RUNNING, "second": Health.RUNNING}


async def test_a_job_that_was_submitted_before_a_crash_is_found_again(harness: Harness) -> None:
    d = harness.create(topology(job("first")))
    await harness.settle()
    with harness.store.write() as c:
        row = resources.get(c, d, "first", 0)
        assert row is not None
        resources.put(c, replace(row, state=Health.PENDING))
    harness.change(d)
    await harness.settle()
    assert names(harness) == ["first"], "it has the same key"
    assert states(harness, d) == {"first": Health.RUNNING}


async def test_a_job_whose_template_changed_runs_anew(harness: Harness) -> None:
    d = harness.create(topology(job("first")))
    await harness.settle()
    harness.change(d, topology(job("first", command=["false"])))
    await harness.settle()
    assert [order.properties["command"] for order in harness.desk.submitted] == [["true"], ["false"]]
    harness.change(d, power="absent")
    await harness.settle()
    assert len(harness.desk.removed) == 2, "the job that ran before is forgotten too"


async def test_a_job_is_handed_the_files_of_its_template_that_it_has_as_inputs(harness: Harness) -> None:
    path = next(iter(FILES))
    given = {"from": path, "to": "in", "digest": "d" * 64}
    d = harness.create(topology(job("first", inputs=[given, {"from": "https://h/x"}])))
    await harness.settle()
    assert harness.desk.submitted[0].files == {"d" * 64: FILES[path]}
    harness.change(d, topology(job("first", inputs=[{**given, "digest": "e" * 64}])))
    await harness.settle()
    assert harness.desk.submitted[1].files == {"e" * 64: FILES[path]}, "another content is another job"


async def test_jobs_are_forgotten_when_nobody_wants_them(harness: Harness) -> None:
    d = harness.create(topology(job("first"), job("second")))
    await harness.settle()
    harness.change(d, topology(job("second")))
    await harness.settle()
    assert [removed.split("/")[1] for removed in harness.desk.removed] == ["first"]
    harness.change(d, power="absent")
    await harness.settle()
    assert harness.row(d).phase == "deleted"
    assert [removed.split("/")[1] for removed in harness.desk.removed] == ["first", "second"]


async def test_what_became_of_a_job_can_be_asked(harness: Harness) -> None:
    after = job("second", env={"BEFORE": Reference("first", "job")})
    nodes = topology(job("first"), after)
    d = harness.create(Topology(nodes.nodes, outputs={"code": Output(Reference("second", "exit_code"))}))
    await harness.settle()
    assert str(harness.desk.submitted[1].properties["env"]["BEFORE"]).startswith("job-")
    assert harness.row(d).outputs == {"code": 0}


async def test_what_follows_a_job_in_a_circle_still_runs(harness: Harness) -> None:
    d = harness.create(topology(job("a", "b"), job("b", "a")))
    await harness.settle()
    assert sorted(names(harness)) == ["a", "b"]
    assert harness.row(d).phase == "running"
