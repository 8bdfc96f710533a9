"""Jobs on a real HTCondor pool, as people use them and as pools treat them."""

from __future__ import annotations

import asyncio
import hashlib
import time
from pathlib import Path

import pytest

from isthmus.sites.errors import Permanent, Temporary
from isthmus.sites.jobs import LogOptions, Submission
from isthmus.work.job import Container, Input, JobSpec, JobState, Launch, Output, Resources

from ..batch_cluster import Site, new_id, shell

pytestmark = [pytest.mark.engine, pytest.mark.cluster]
MIB = 1024 * 1024


async def test_a_job_runs_on_a_worker_and_its_output_is_here(site: Site) -> None:
    id = await site.hand_over(JobSpec((shell("echo out; echo err >&2; hostname"),)))
    [task] = await site.until(id)
    assert (task.state, task.exit_code, task.reason) == (JobState.SUCCEEDED, 0, "")
    assert task.host.startswith("worker-")
    assert task.queued is not None
    assert task.started is not None
    assert task.ended is not None
    assert sorted((await site.log(id)).splitlines()) == sorted(["out", "err", task.host])
    assert id in await site.driver.list_jobs()
    await site.driver.remove_jobs([id])
    assert id not in await site.driver.list_jobs()


async def test_an_array_of_two_hundred(site: Site) -> None:
    id = await site.hand_over(JobSpec((shell("echo $ISTHMUS_TASK; [ $ISTHMUS_TASK != 150 ]"),), array=range_of(1, 200)))
    tasks = await site.until(id, seconds=300)
    assert [task.index for task in tasks] == list(range(1, 201))
    assert [task.index for task in tasks if task.state is not JobState.SUCCEEDED] == [150]
    assert await site.log(id, 77) == "77\n"


async def test_an_array_with_a_limit_never_has_more_at_once(site: Site) -> None:
    spec = JobSpec((shell("sleep 1"),), array=(3, 5, 7, 9), array_limit=1)
    id = await site.hand_over(spec)
    await site.driver.cancel_jobs({id: [9]}, grace=None)
    deadline = time.monotonic() + 90
    tasks = await site.look(id)
    while any(task.ended is None for task in tasks):
        assert sum(task.state is JobState.RUNNING for task in tasks) <= 1
        assert time.monotonic() < deadline, tasks
        await asyncio.sleep(0.2)
        tasks = await site.look(id)
    assert [task.state.value for task in tasks] == ["succeeded"] * 3 + ["cancelled"]


@pytest.mark.parametrize(
    ("spec", "state", "reason", "code"),
    [
        (JobSpec((shell("exit 7"),)), "failed", "Error", 7),
        (JobSpec((shell("kill -9 $$"),)), "failed", "Error", 137),
        (JobSpec((Container("main", command=("/nowhere",)),)), "failed", "StartError", None),
        (JobSpec((shell("sleep 100"),), resources=Resources(time=2)), "failed", "TimeLimit", 143),
        (
            JobSpec(
                (shell("python3 -c 'x = bytearray(300000000); import time; time.sleep(60)'", memory=100 * MIB),),
                resources=Resources(memory=100 * MIB),
            ),
            "failed", "OutOfMemory", 137,
        ),
    ],
    ids=["exit code", "signal", "no program", "time", "memory"],
)  # fmt: skip
async def test_how_a_job_fails_is_told(site: Site, spec: JobSpec, state: str, reason: str, code: int | None) -> None:
    task = await site.run(spec)
    assert (task.state.value, task.reason) == (state, reason), task
    assert code is None or task.exit_code == code


async def test_memory_that_the_pool_watches(site: Site) -> None:
    """No container has a limit; the job's request is what the pool's policy holds it to."""
    eater = "python3 -c 'x = bytearray(300000000); import time; time.sleep(100)'"
    task = await site.run(JobSpec((shell(eater),), resources=Resources(memory=64 * MIB)))
    assert (task.state, task.reason) == (JobState.FAILED, "OutOfMemory"), task


async def test_logs_come_while_the_job_runs(site: Site) -> None:
    id = await site.hand_over(JobSpec((shell("for i in 1 2 3 4 5 6; do echo tick $i; sleep 1; done"),)))
    await site.until_log(id, "tick 2")
    [task] = await site.look(id)
    assert task.state is JobState.RUNNING
    assert task.containers[0].ready
    assert "tick 6" not in await site.log(id)
    followed, _ = await asyncio.gather(site.log(id, options=LogOptions(follow=True)), site.until(id))
    assert followed.splitlines() == [f"tick {i}" for i in range(1, 7)]


async def test_files_travel_with_hostile_names(site: Site, tmp_path: Path) -> None:
    data = b"\0binary\xff" * 1000
    digest = hashlib.sha256(data).hexdigest()
    file = tmp_path / "file"
    file.write_bytes(data)
    name = "in put/$(x), y;\n\"'"
    spec = JobSpec(
        (shell("mkdir -p 'out $(y)' && cp \"$FILE\" 'out $(y)/a,b;c\nd' && ln -s /etc/passwd link && touch left",
               env={"FILE": name}),),
        inputs=(Input(name, digest),), outputs=(Output("out*"), Output("link")),
    )  # fmt: skip
    id = await site.hand_over(spec, blobs={digest: file})
    [task] = await site.until(id)
    assert task.state is JobState.SUCCEEDED, (task, await site.log(id))
    [left] = await site.driver.list_files(id)
    assert (left.path, left.size, left.digest) == ("out $(y)/a,b;c\nd", len(data), digest)
    assert b"".join([part async for part in site.driver.read_file(id, left.path)]) == data
    with pytest.raises(Permanent):
        assert [part async for part in site.driver.read_file(id, "../order.json")]


async def test_nothing_escapes_its_argument(site: Site, tmp_path: Path) -> None:
    nasty = "a\"b'c\nqueue 5\n$(HOME) $$(x) `id` $(id) \\ \t;&|%{}"
    spec = JobSpec((Container("main", command=("printf", "%s|", nasty, "-x"), env={"NASTY": nasty}),))
    id = await site.hand_over(spec, name=f"{nasty}\n+Owner = root\n")
    [task] = await site.until(id)
    assert task.state is JobState.SUCCEEDED
    assert await site.log(id) == f"{nasty}|-x|"
    env = await site.hand_over(JobSpec((shell('printf %s "$NASTY"', env={"NASTY": nasty}),)))
    await site.until(env)
    assert await site.log(env) == nasty


async def test_a_running_job_is_cancelled_gently(site: Site) -> None:
    id = await site.hand_over(JobSpec((shell("trap 'echo bye; exit 0' TERM; echo up; while :; do sleep 0.1; done"),)))
    await site.until_log(id, "up")
    await site.driver.cancel_jobs({id: None}, grace=None)
    [task] = await site.until(id)
    assert (task.state, task.reason) == (JobState.CANCELLED, "Cancelled")
    assert "bye" in await site.log(id)


async def test_a_stubborn_job_is_killed_when_its_grace_is_over(site: Site) -> None:
    id = await site.hand_over(JobSpec((shell("trap '' TERM; echo up; while :; do sleep 0.1; done"),), grace=2))
    await site.until_log(id, "up")
    await site.driver.cancel_jobs({id: None}, grace=None)
    [task] = await site.until(id, seconds=30)
    assert (task.state, task.exit_code) == (JobState.CANCELLED, 137)


async def test_a_waiting_job_is_cancelled_and_again_without_harm(site: Site) -> None:
    id = await site.hand_over(JobSpec((shell("true"),), options={"requirements": "nowhere"}))
    await site.until(id, {JobState.QUEUED})
    for _ in range(2):
        await site.driver.cancel_jobs({id: None}, grace=None)
    [task] = await site.until(id, seconds=10)
    assert (task.state, task.started) == (JobState.CANCELLED, None)


async def test_a_job_that_somebody_holds_and_releases(site: Site) -> None:
    id = await site.hand_over(JobSpec((shell("echo again; sleep 8"),), options={"requirements": "linux"}))
    await site.until_log(id, "again")
    site.cluster.script(f"condor_hold -reason 'ask me' -constraint 'IsthmusSubmission == \"{id}\"'")
    [task] = await site.until(id, {JobState.HELD})
    assert task.reason == "Held"
    assert "ask me" in task.words
    site.cluster.script(f"condor_release -constraint 'IsthmusSubmission == \"{id}\"'")
    [task] = await site.until(id)
    assert task.state is JobState.SUCCEEDED, task
    assert await site.log(id) == "again\n"
    assert await site.log(id, options=LogOptions(previous=True)) == "again\n"


async def test_a_job_that_somebody_removes_is_cancelled_in_the_words_of_the_pool(site: Site) -> None:
    id = await site.hand_over(JobSpec((shell("echo up; sleep 60"),), grace=1))
    await site.until_log(id, "up")
    site.cluster.script(f"condor_rm -reason 'no such luck' -constraint 'IsthmusSubmission == \"{id}\"'")
    [task] = await site.until(id)
    assert task.state is JobState.CANCELLED
    assert "no such luck" in task.words


async def test_the_schedd_goes_and_comes_back_and_nothing_is_lost(site: Site) -> None:
    id = await site.hand_over(JobSpec((shell("for i in 1 2 3 4 5 6 7 8 9 10; do echo tick $i; sleep 1; done"),)))
    waiting = await site.hand_over(JobSpec((shell("echo later"),)))
    await site.until_log(id, "tick 2")
    site.cluster.root("systemctl kill --signal=KILL condor; systemctl stop condor")
    for ask in (site.look(id), site.hand_over(JobSpec((shell("true"),)))):
        with pytest.raises((Temporary, AssertionError)):
            await ask
    site.cluster.root("systemctl reset-failed condor; systemctl start condor")
    deadline = time.monotonic() + 120
    while True:
        try:
            tasks = [*await site.look(id), *await site.look(waiting)]
            assert all(task.reason != "Lost" for task in tasks)
            if all(task.ended for task in tasks):
                break
        except Temporary:
            pass
        assert time.monotonic() < deadline
        await asyncio.sleep(0.3)
    assert [task.state.value for task in tasks] == ["succeeded"] * 2, tasks
    ticks = (await site.log(id)).split("\n")[:-1]
    assert ticks == [f"tick {i}" for i in range(1, 11)]


async def test_a_submission_is_handed_over_once(site: Site) -> None:
    spec = JobSpec((shell("echo once; sleep 1"),))
    submission = Submission(new_id(), "twice", spec, spec.indices)
    answers = await asyncio.gather(*(site.driver.submit_jobs([submission]) for _ in range(4)))
    assert answers == [[None]] * 4
    await site.until(submission.id)
    assert await site.log(submission.id) == "once\n"
    assert site.cluster.script(count(submission.id)).split() == ["1"]


@pytest.mark.parametrize("how", ["waiting", "ended"])
async def test_a_submission_whose_id_was_not_written_is_found(site: Site, how: str) -> None:
    """As if the agent had died after condor_submit and before it wrote down what that said."""
    options = {"requirements": "nowhere"} if how == "waiting" else {}
    spec = JobSpec((shell("echo once"),), options=options)
    id = await site.hand_over(spec)
    await site.until(id, {JobState.QUEUED, JobState.SUCCEEDED} if how == "waiting" else {JobState.SUCCEEDED})
    folder = f"~/.isthmus/submissions/{id}"
    site.cluster.script(f"cd {folder} && rm -rf site-id condor.json tasks/*/status.json && echo '{{}}' >submitting")
    await site.driver.close()
    await site.hand_over(spec, id=id)
    assert site.cluster.script(count(id)).split() == ["1"]
    if how == "ended":
        [task] = await site.until(id)
        assert task.state is JobState.SUCCEEDED
    else:
        await site.driver.cancel_jobs({id: None}, grace=None)


async def test_many_are_handed_over_in_few_commands(site: Site) -> None:
    spec = JobSpec((shell("true"),))
    submissions = [Submission(new_id(), "many", spec, spec.indices) for _ in range(48)]
    begun = time.monotonic()
    assert await site.driver.submit_jobs(submissions) == [None] * 48
    assert time.monotonic() - begun < 10
    deadline = time.monotonic() + 120
    while True:
        seen = await site.driver.look_at_jobs([s.id for s in submissions])
        if all(task.state is JobState.SUCCEEDED for tasks in seen.values() for task in tasks):
            break
        assert time.monotonic() < deadline
        await asyncio.sleep(0.5)
    assert len(seen) == 48


@pytest.mark.parametrize(
    ("spec", "named"),
    [
        (JobSpec((shell("true"),), options={"partition": "x"}), "partition"),
        (JobSpec((shell("true"),), options={"requirements": "true"}), "requirements"),
        (JobSpec((shell("true"),), options={"priority": "1\nqueue 5"}), "priority"),
        (JobSpec((shell("true"),), resources=Resources(nodes=2, tasks=4), launch=Launch.EACH), "nodes"),
        (JobSpec((shell("true"),), resources=Resources(nodes=2, tasks=2), array=(1, 2)), "array"),
        (JobSpec((Container("main", "image"),), resources=Resources(nodes=2, tasks=2)), "image"),
        (JobSpec((shell("true"), Container("two", command=("true",))), resources=Resources(nodes=2)), "containers"),
        (JobSpec((shell("true"),), resources=Resources(tasks=2), launch=Launch.EACH, array=(1,)), "array"),
        (JobSpec((shell("true"),), resources=Resources(gpus=1, gpu_type='x", "')), "gpu_type"),
    ],
)
async def test_what_cannot_be_honoured_is_refused_by_name(site: Site, spec: JobSpec, named: str) -> None:
    [error] = await site.driver.submit_jobs([Submission(new_id(), "refused", spec, spec.indices)])
    assert isinstance(error, Permanent)
    assert named in str(error)


@pytest.mark.xfail(strict=False, reason="HTCondor 23.9's dedicated scheduler loses claims of partitionable slots")
async def test_processes_on_two_nodes_at_once(site: Site) -> None:
    script = "echo rank $_CONDOR_PROCNO of $_CONDOR_NPROCS on $(hostname); echo $_CONDOR_PROCNO >out.$_CONDOR_PROCNO"
    spec = JobSpec(
        (shell(script),),
        resources=Resources(nodes=2, tasks=2, memory=64 * MIB),
        launch=Launch.EACH,
        outputs=(Output("out.*"),),
    )
    id = await site.hand_over(spec)
    try:
        [task] = await site.until(id, seconds=60)
    finally:
        await site.driver.cancel_jobs({id: None}, grace=0)
    assert task.state is JobState.SUCCEEDED, task
    told = sorted((await site.log(id)).splitlines())
    assert [line.split(" on ")[0] for line in told] == ["rank 0 of 2", "rank 1 of 2"]
    assert [file.path for file in await site.driver.list_files(id)] == ["out.0", "out.1"]


async def test_what_the_pool_has(site: Site) -> None:
    facilities = await site.driver.facilities()
    [partition] = facilities.partitions
    assert (facilities.scheduler, partition.name) == ("htcondor", "pool")
    assert partition.nodes == partition.cpus
    assert facilities.version.startswith("23.")
    assert partition.memory
    assert (await site.driver.status()).ready


def range_of(first: int, last: int) -> tuple[int, ...]:
    return tuple(range(first, last + 1))


def count(id: str) -> str:
    """A script that prints how many jobs of a submission there are or were."""
    named = f"-constraint 'IsthmusSubmission == \"{id}\"' -autoformat ClusterId"
    return f"(condor_q {named}; condor_history {named}) | wc -l"
