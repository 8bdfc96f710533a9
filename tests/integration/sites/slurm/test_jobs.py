"""Jobs on a real Slurm cluster: how they run, end, wait, and what is told of them."""

from __future__ import annotations

import time

import pytest

from isthmus.sites.errors import Permanent
from isthmus.sites.jobs import Submission
from isthmus.work.job import JobSpec, JobState, Launch, Resources

from ..batch_cluster import new_id, shell
from .conftest import Site

pytestmark = [pytest.mark.engine, pytest.mark.cluster]

SMALL = Resources(memory=64 * 2**20)


def script(text: str, **more: object) -> JobSpec:
    return JobSpec((shell(text),), **{"resources": SMALL, **more})  # type: ignore[arg-type]


async def test_a_job_runs_on_a_node_and_its_output_is_read(site: Site):
    id = await site.hand_over(script("hostname; echo done >&2"))

    [task] = await site.until(id)

    assert (task.state, task.exit_code) == (JobState.SUCCEEDED, 0)
    assert task.host.startswith("worker-")
    assert task.site_id.isdigit()
    assert sorted((await site.log(id)).split()) == ["done", task.host]


async def test_a_failing_job_says_its_exit_code(site: Site):
    task = await site.run(script("exit 7"))

    assert (task.state, task.reason, task.exit_code) == (JobState.FAILED, "Error", 7)


async def test_an_array_of_200_is_one_job_of_slurm(site: Site):
    id = await site.hand_over(script("test $ISTHMUS_TASK != 17", array=tuple(range(200)), array_limit=50))

    tasks = await site.until(id, seconds=240)

    assert [t.index for t in tasks] == list(range(200))
    assert [t.index for t in tasks if t.state is not JobState.SUCCEEDED] == [17]
    assert len({t.site_id.partition("_")[0] for t in tasks}) == 1


async def test_only_the_asked_tasks_of_an_array_are_handed_over(site: Site):
    spec = script("echo $ISTHMUS_TASK", array=(3, 5, 6, 9))
    id = new_id()
    assert await site.driver.submit_jobs([Submission(id, "again", spec, (5, 9))]) == [None]

    tasks = await site.until(id)

    assert [(t.index, t.state) for t in tasks] == [(5, JobState.SUCCEEDED), (9, JobState.SUCCEEDED)]
    assert await site.log(id, 9) == "9\n"


async def test_the_time_limit_is_kept_to_the_second(site: Site):
    task = await site.run(script("sleep 60", resources=Resources(memory=64 * 2**20, time=2), grace=1))

    assert (task.state, task.reason) == (JobState.FAILED, "TimeLimit")
    assert task.started is not None
    assert task.ended is not None
    assert 2 <= task.ended - task.started < 5


async def test_too_much_memory_is_told(site: Site):
    greedy = "import time; x = bytearray(200 << 20); time.sleep(20)"
    container = shell(f'exec python3 -c "{greedy}"', memory=50 * 2**20)

    task = await site.run(JobSpec((container,), resources=SMALL))

    assert (task.state, task.reason, task.exit_code) == (JobState.FAILED, "OutOfMemory", 137)


async def test_a_running_job_is_cancelled_gently(site: Site):
    id = await site.hand_over(script("trap 'echo bye; exit 3' TERM; echo up; while :; do sleep 0.1; done"))
    await site.until(id, {JobState.RUNNING})
    await site.until_log(id, "up")

    for _ in range(2):
        await site.driver.cancel_jobs({id: None}, grace=20)
    [task] = await site.until(id)

    assert (task.state, task.reason) == (JobState.CANCELLED, "Cancelled")
    assert "bye" in (await site.log(id)).split()


async def test_who_does_not_listen_is_killed_after_the_grace(site: Site):
    id = await site.hand_over(script("trap '' TERM; while :; do sleep 0.1; done"))
    await site.until(id, {JobState.RUNNING})
    began = time.monotonic()

    await site.driver.cancel_jobs({id: None}, grace=1)
    [task] = await site.until(id)

    assert task.state is JobState.CANCELLED
    assert time.monotonic() - began < 10


async def test_a_supervisor_that_hangs_is_ended_by_slurm(site: Site):
    id = await site.hand_over(script("kill -STOP $PPID; sleep 100"))
    [task] = await site.until(id, {JobState.RUNNING})

    await site.driver.cancel_jobs({id: None}, grace=0)
    [task] = await site.until(id, seconds=120)

    assert task.state is JobState.CANCELLED


async def test_a_waiting_job_is_cancelled(site: Site):
    id = await site.hand_over(script("true", options={"begin": "now+1hours"}))
    [task] = await site.look(id)
    assert (task.state, task.words) == (JobState.QUEUED, "PENDING (BeginTime)")

    await site.driver.cancel_jobs({id: None}, grace=None)
    [task] = await site.until(id)

    assert (task.state, task.reason, task.started) == (JobState.CANCELLED, "Cancelled", None)


async def test_some_tasks_of_an_array_are_cancelled_and_the_others_go_on(site: Site):
    id = await site.hand_over(script("sleep 1", array=tuple(range(6)), array_limit=1))

    await site.driver.cancel_jobs({id: [1, 3, 4]}, grace=1)
    tasks = await site.until(id)

    assert [t.index for t in tasks if t.state is JobState.CANCELLED] == [1, 3, 4]
    assert [t.index for t in tasks if t.state is JobState.SUCCEEDED] == [0, 2, 5]


async def test_a_held_job_is_shown_held_and_runs_when_released(site: Site):
    id = await site.hand_over(script("true", options={"begin": "now+5"}))
    [task] = await site.look(id)
    await site.slurm(f"scontrol hold {task.site_id}")

    [task] = await site.look(id)
    assert (task.state, task.reason, task.words) == (JobState.HELD, "Held", "PENDING (JobHeldUser)")

    await site.slurm(f"scontrol release {task.site_id}")
    [task] = await site.until(id)
    assert task.state is JobState.SUCCEEDED


async def test_srun_starts_one_process_for_each_task_over_two_nodes(site: Site):
    resources = Resources(nodes=2, tasks=4, memory=50 * 2**20)
    id = await site.hand_over(script("echo $SLURM_PROCID $(hostname)", resources=resources, launch=Launch.EACH))

    [task] = await site.until(id)

    assert task.state is JobState.SUCCEEDED, task
    lines = [line.split() for line in (await site.log(id)).splitlines()]
    assert sorted(rank for rank, _ in lines) == ["0", "1", "2", "3"]
    assert len({host for _, host in lines}) == 2


async def test_a_job_that_somebody_cancels_in_slurm_is_told(site: Site):
    id = await site.hand_over(script("sleep 100"))
    [task] = await site.until(id, {JobState.RUNNING})

    await site.slurm(f"scancel {task.site_id}")
    [task] = await site.until(id, seconds=90)

    assert (task.state, task.reason) == (JobState.CANCELLED, "Cancelled")


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        (script("true", options={"partition": "nope"}), "partition"),
        (script("true", resources=Resources(memory=10**14)), "emory specification can not be satisfied"),
        (script("true", options={"constraint": "quantum"}), "feature"),
        (script("true", resources=Resources(gpus=2, gpu_type="a100")), "gres"),
        (script("true", options={"nodelist": "no-such-host"}), "node name"),
        (script("true", options={"qos": "../gold"}), "option qos"),
        (script("true", options={"wrap": "id"}), "option wrap"),
    ],
)
async def test_what_slurm_never_takes_is_refused_in_its_words(site: Site, spec: JobSpec, words: str):
    [error] = await site.driver.submit_jobs([Submission(new_id(), "wrong", spec, spec.indices)])

    assert isinstance(error, Permanent)
    assert words in str(error)


@pytest.mark.parametrize(
    "name", ["a'b\"c", "$(touch /tmp/owned)", "x\n#SBATCH --hold", "%j %x", "--uid=0", "é" * 300, "`id`;id"]
)
async def test_a_hostile_name_and_argument_stay_what_they_are(site: Site, name: str):
    spec = JobSpec((shell('printf %s "$1$TEXT"', args=("sh", name), env={"TEXT": name}),), resources=SMALL)
    id = await site.hand_over(spec, name=name)

    [task] = await site.until(id)

    assert task.state is JobState.SUCCEEDED
    assert await site.log(id) == name * 2
    assert await site.slurm("test -e /tmp/owned || echo no") == "no\n"


async def test_facilities_tell_what_is_free(site: Site):
    told = await site.driver.facilities()

    [partition] = told.partitions
    assert told.scheduler == "slurm"
    assert told.version[:2].isdigit()
    assert (partition.name, partition.default, partition.nodes, partition.cpus) == ("main", True, 3, 6)
    assert partition.free_cpus is not None
    assert partition.memory is not None
    assert partition.memory > 500 * 2**20
