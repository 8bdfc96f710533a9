"""What a real Slurm cluster must survive with us: its controller away, our agent killed at any step."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from pathlib import Path

import pytest

from isthmus.sites.errors import SiteError, Temporary
from isthmus.sites.jobs import Submission
from isthmus.sites.slurm.driver import SlurmDriver
from isthmus.work.job import JobSpec, JobState, Resources

from ..batch_cluster import Cluster, new_id, shell
from .conftest import Site

pytestmark = [pytest.mark.engine, pytest.mark.cluster]

SMALL = Resources(memory=64 * 2**20)


async def test_a_stopped_controller_loses_no_job(site: Site):
    running = await site.hand_over(JobSpec((shell("sleep 8; echo done"),), resources=SMALL))
    await site.until(running, {JobState.RUNNING})
    await asyncio.to_thread(site.cluster.root, "systemctl stop slurmctld")
    try:
        late = Submission(new_id(), "late", JobSpec((shell("true"),), resources=SMALL), (0,))
        [error] = await site.driver.submit_jobs([late])
        assert isinstance(error, Temporary), error
        deadline = time.monotonic() + 12
        while time.monotonic() < deadline:
            # Either nothing is told, or what the task's own report says: never that it is lost.
            with contextlib.suppress(Temporary):
                [task] = await site.look(running)
                assert task.state in (JobState.RUNNING, JobState.SUCCEEDED), task
            await asyncio.sleep(0.5)
    finally:
        await asyncio.to_thread(site.cluster.root, "systemctl start slurmctld")

    deadline = time.monotonic() + 90
    while (await site.driver.submit_jobs([late]))[0] is not None:
        assert time.monotonic() < deadline
        await asyncio.sleep(1)
    await until(site, running)
    await until(site, late.id)
    assert len(await site.jobs_called(late.id)) == 1


async def until(site: Site, id: str) -> None:
    """The job succeeds, whatever Slurm says meanwhile."""
    deadline = time.monotonic() + 90
    while True:
        with contextlib.suppress(Temporary):
            [task] = await site.look(id)
            if task.state is JobState.SUCCEEDED:
                return
            assert task.state in (JobState.QUEUED, JobState.RUNNING), task
        assert time.monotonic() < deadline
        await asyncio.sleep(0.5)


@pytest.mark.parametrize("after", [0.0, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3])
async def test_an_agent_that_is_killed_while_it_hands_over_doubles_nothing(cluster: Cluster, site: Site, after: float):
    """The agent is killed with SIGKILL at some step of handing over ten jobs; then they are handed over again."""
    spec = JobSpec((shell("echo once >>count; sleep 1"),), resources=SMALL)
    jobs = [Submission(new_id(), "twice", spec, (0,)) for _ in range(10)]
    first = SlurmDriver("cluster", cluster.options)
    await first.status()
    pid = first.client.about["pid"]
    handing = asyncio.create_task(first.submit_jobs(jobs))
    killer = asyncio.create_task(site.slurm(f"sleep {after}; kill -KILL {pid}"))
    with contextlib.suppress(SiteError):
        await handing
    await killer
    await first.close()

    deadline = time.monotonic() + 60
    while any(error is not None for error in await site.driver.submit_jobs(jobs)):
        assert time.monotonic() < deadline
        await asyncio.sleep(0.5)

    for job in jobs:
        [task] = await site.until(job.id)
        assert task.state is JobState.SUCCEEDED
    folders = " ".join(f"~/.isthmus/submissions/{job.id}/work/count" for job in jobs)
    assert await site.slurm(f"cat {folders}") == "once\n" * 10
    assert len(await site.jobs_called(*(job.id for job in jobs))) == 10


async def test_a_job_that_left_the_queue_is_known_by_accounting(cluster: Cluster, site: Site):
    """Slurm forgets ended jobs; the task left no report of its own."""
    id = await site.hand_over(JobSpec((shell("sleep 100"),), resources=SMALL))
    [task] = await site.until(id, {JobState.RUNNING})
    await asyncio.to_thread(
        cluster.root,
        f"scontrol update nodename={task.host} state=down reason=test; sleep 1; "
        f"scontrol update nodename={task.host} state=resume; "
        "rm -f /home/*/.isthmus/submissions/" + id + "/tasks/0/status.json",
    )

    [task] = await site.until(id)

    assert (task.state, task.reason) == (JobState.FAILED, "NodeFail"), task


@pytest.mark.skipif("ISTHMUS_TEST_FIGURES" not in os.environ, reason="takes two minutes; set ISTHMUS_TEST_FIGURES")
async def test_figures(cluster: Cluster, site: Site, tmp_path: Path):
    """Submit rate against a bare loop over the same SSH, age of status, cost of a look at 1,000 jobs."""
    spec = JobSpec((shell("true"),), resources=SMALL, options={"begin": "now+1hours"})
    jobs = [Submission(new_id(), "many", spec, (0,)) for _ in range(200)]
    await site.driver.status()
    began = time.monotonic()
    assert await site.driver.submit_jobs(jobs) == [None] * 200
    print(f"\nsubmit of 200: {time.monotonic() - began:.2f} s")
    told = await site.slurm(
        "printf '#!/bin/sh\\n' >~/true.sh; begin=$(date +%s%N); for i in $(seq 200); do "
        "sbatch -Q --parsable --begin=now+1hours --mem=64M ~/true.sh >/dev/null; done; "
        "echo $(( ($(date +%s%N) - begin) / 1000000 ))"
    )
    print(f"bare loop of 200 on the controller itself: {int(told) / 1000:.2f} s")
    for _ in range(4):
        jobs += (more := [Submission(new_id(), "many", spec, (0,)) for _ in range(200)])
        assert await site.driver.submit_jobs(more) == [None] * 200
    for _ in range(3):
        began = time.monotonic()
        found = await site.driver.look_at_jobs([job.id for job in jobs])
        print(f"look at {len(found)}: {time.monotonic() - began:.3f} s")
    await site.driver.cancel_jobs({job.id: None for job in jobs}, grace=0)
    await site.slurm("scancel --me --name=true.sh")
    await site.driver.look_at_jobs([job.id for job in jobs])
    await site.driver.remove_jobs([job.id for job in jobs])
