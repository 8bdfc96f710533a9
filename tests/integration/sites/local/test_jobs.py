"""Plain processes as jobs on this machine, by a real queue process that is killed now and then."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from itertools import pairwise

import pytest

from isthmus.sites.errors import Permanent
from isthmus.sites.jobs import Jobs
from isthmus.sites.local.driver import LocalDriver
from isthmus.sites.local.remote import machine
from isthmus.work.job import ENDED, Container, JobSpec, JobState, Launch, Resources

from .queue_bench import Bench, bench, gone, parent, plain, written

__all__ = ["bench"]


async def test_the_local_driver_takes_jobs(bench: Bench) -> None:
    assert isinstance(bench.driver, Jobs)


async def test_a_script_runs_in_its_sandbox_and_its_output_and_exit_code_are_kept(bench: Bench) -> None:
    id = await bench.submit('echo "task $ISTHMUS_TASK of $ISTHMUS_SUBMISSION in $PWD"; exit 3')
    (task,) = await bench.end(id)
    assert (task.state, task.reason, task.exit_code) == (JobState.FAILED, "Error", 3)
    assert await bench.log(id) == f"task 0 of {id} in {bench.work(id)}\n".encode()
    assert task.queued
    assert task.started
    assert task.ended
    assert task.queued <= task.started <= task.ended


async def test_every_task_of_an_array_runs_once(bench: Bench) -> None:
    id = await bench.submit("echo x >> out.$ISTHMUS_TASK", array=50)
    assert {task.state for task in await bench.end(id)} == {JobState.SUCCEEDED}
    assert sorted(p.read_text() for p in bench.work(id).glob("out.*")) == ["x\n"] * 50


async def test_no_more_runs_at_once_than_fits_and_what_came_first_goes_first(bench: Bench) -> None:
    script = "echo in >> log; sleep 0.2; echo out >> log"
    id = await bench.submit(script, array=5, resources=Resources(cpus=1.5))
    await bench.end(id)
    assert (bench.work(id) / "log").read_text().split() == ["in", "out"] * 5
    large = await bench.submit("sleep 0.3", resources=Resources(cpus=2))
    larger = await bench.submit("true", resources=Resources(cpus=2))
    small = await bench.submit("true", resources=Resources(cpus=0.1))
    (first,), (second,), (third,) = [await bench.end(i) for i in (large, larger, small)]
    assert first.ended
    assert second.started
    assert third.started
    assert first.ended - 0.05 <= second.started <= third.started


async def test_an_array_keeps_to_its_own_limit_and_lets_others_pass(bench: Bench) -> None:
    go = bench.folder / "go"
    id = await bench.submit(f"until test -e {go}; do sleep 0.05; done", array=3, array_limit=1)
    other = await bench.submit("true")
    (passed,) = await bench.end(other)
    go.touch()
    tasks = sorted((t.started or 0, t.ended or 0) for t in await bench.end(id))
    assert all(before[1] - 0.02 <= after[0] for before, after in pairwise(tasks))
    assert (passed.ended or 0) < tasks[-1][0]


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        (plain("true", resources=Resources(nodes=2)), "nodes"),
        (plain("true", resources=Resources(cpus=3)), "CPUs"),
        (plain("true", resources=Resources(memory=2**60)), "memory"),
        (plain("true", resources=Resources(tasks=2), launch=Launch.EACH), "launch"),
        (plain("true", options={"partition": "long"}), "partition"),
    ],
)
async def test_what_can_never_run_here_is_refused_by_name(bench: Bench, spec: JobSpec, words: str) -> None:
    (error,) = await bench.driver.submit_jobs([bench.submission(spec)])
    assert isinstance(error, Permanent)
    assert words in str(error)


@pytest.mark.skipif(bool(machine.gpus()), reason="this machine has GPUs")
async def test_gpus_are_refused_where_there_are_none(bench: Bench) -> None:
    (error,) = await bench.driver.submit_jobs([bench.submission(plain("true", resources=Resources(gpus=1)))])
    assert isinstance(error, Permanent)
    assert "GPU" in str(error)


async def test_cancel_ends_what_runs_and_withdraws_what_waits(bench: Bench) -> None:
    id = await bench.submit("trap 'echo asked; exit 0' TERM; sleep 60 & wait", array=4)
    await bench.until(id, JobState.RUNNING, tasks=2)
    await bench.driver.cancel_jobs({id: None}, grace=5)
    tasks = await bench.end(id)
    assert [(t.state, t.reason) for t in tasks] == [(JobState.CANCELLED, "Cancelled")] * 4
    assert [t.started is None for t in tasks] == [False, False, True, True]


async def test_cancel_of_some_tasks_leaves_the_others(bench: Bench) -> None:
    go = bench.folder / "go"
    id = await bench.submit(f"until test -e {go}; do sleep 0.05; done", array=5)
    await bench.driver.cancel_jobs({id: [0, 4]}, grace=0)
    await bench.until(id, JobState.CANCELLED, tasks=2)
    go.touch()
    assert [t.state for t in await bench.end(id)] == [
        JobState.CANCELLED, *[JobState.SUCCEEDED] * 3, JobState.CANCELLED
    ]  # fmt: skip


async def test_the_time_limit_ends_a_task_to_the_second(bench: Bench) -> None:
    id = await bench.submit("sleep 60", resources=Resources(time=1), grace=1)
    (task,) = await bench.end(id)
    assert (task.state, task.reason) == (JobState.FAILED, "TimeLimit")
    assert task.started
    assert task.ended
    assert 0.9 <= task.ended - task.started < 30


async def test_memory_beyond_the_limit_is_out_of_memory(bench: Bench) -> None:
    eater = "import time; kept = [bytes([1]) * 2**24 for _ in range(40)]; time.sleep(20)"
    id = await bench.submit(f"python3 -c '{eater}'", resources=Resources(memory=100 * 2**20))
    (task,) = await bench.end(id)
    assert (task.state, task.reason) == (JobState.FAILED, "OutOfMemory")


async def test_a_daemon_that_a_task_leaves_behind_is_ended_with_it(bench: Bench) -> None:
    id = await bench.submit(
        "setsid sh -c 'echo $$ > daemon; exec sleep 600' > /dev/null 2>&1 & until test -s daemon; do sleep 0.05; done"
    )
    await bench.end(id)
    await gone(int((bench.work(id) / "daemon").read_text()))


async def test_killing_the_queue_process_at_any_time_loses_no_task_and_doubles_none(bench: Bench) -> None:
    id = await bench.submit("echo x >> out.$ISTHMUS_TASK; sleep 0.02", array=200)
    for _ in range(8):
        await bench.until(id, JobState.RUNNING, *ENDED, tasks=1)
        if pid := bench.queue:
            os.kill(pid, signal.SIGKILL)
            await gone(pid)
        await bench.look(id)
        await asyncio.sleep(0.1)
    assert {task.state for task in await bench.end(id)} == {JobState.SUCCEEDED}
    written = {p.name: p.read_text() for p in bench.work(id).glob("out.*")}
    assert written == {f"out.{i}": "x\n" for i in range(200)}


async def test_a_job_outlives_the_queue_process_the_agent_and_the_server(bench: Bench) -> None:
    go = bench.folder / "go"
    id = await bench.submit(f"until test -e {go}; do sleep 0.05; done; echo done")
    await bench.until(id, JobState.RUNNING)
    os.kill(bench.queue, signal.SIGKILL)
    await bench.driver.close()
    bench.driver = LocalDriver("here", {"jobs": {"folder": str(bench.folder), "cpus": 2}})
    go.touch()
    (task,) = await bench.end(id)
    assert task.state == JobState.SUCCEEDED
    assert await bench.log(id) == b"done\n"


async def test_a_supervisor_that_is_killed_leaves_nothing_running_and_its_task_is_lost(bench: Bench) -> None:
    id = await bench.submit("echo $$ > pid; setsid sleep 600 & sleep 600")
    await bench.until(id, JobState.RUNNING)
    supervisor = parent(await written(bench.work(id) / "pid"))
    started = machine.carrying(id, 0)
    os.kill(supervisor, signal.SIGKILL)
    (task,) = await bench.end(id)
    assert (task.state, task.reason) == (JobState.FAILED, "Lost")
    await gone(*started)


async def test_a_task_that_ran_when_the_machine_was_restarted_is_a_failure_of_the_node(bench: Bench) -> None:
    import sqlite3

    id = await bench.submit("sleep 600")
    (task,) = await bench.until(id, JobState.RUNNING)
    os.kill(pid := bench.queue, signal.SIGKILL)
    await gone(pid)
    left = machine.carrying(id, 0)
    with sqlite3.connect(bench.folder / "queue" / "ledger.db") as ledger:
        ledger.execute("UPDATE tasks SET boot='another boot'")
        ((worker,),) = ledger.execute("SELECT pid FROM tasks").fetchall()
    ledger.close()
    for pid in (worker, *left):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    (task,) = await bench.end(id)
    assert (task.state, task.reason, task.words) == (JobState.FAILED, "NodeFail", "this machine was restarted")


async def test_other_settings_take_over_from_the_queue_process_without_touching_tasks(bench: Bench) -> None:
    go = bench.folder / "go"
    id = await bench.submit(f"until test -e {go}; do sleep 0.05; done; echo done")
    await bench.until(id, JobState.RUNNING)
    before = bench.queue
    await bench.driver.close()
    bench.driver = LocalDriver("here", {"jobs": {"folder": str(bench.folder), "cpus": 4}})
    assert (await bench.look(id))[0].state == JobState.RUNNING
    go.touch()
    (task,) = await bench.end(id)
    assert task.state == JobState.SUCCEEDED
    assert bench.queue != before
    assert (await bench.driver.facilities()).partitions[0].cpus == 4


async def test_a_task_does_not_see_what_the_server_has_in_its_environment(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("A_SECRET_OF_THE_SERVER", "hunter2")
    driver = LocalDriver("here", {"jobs": {"folder": str(bench.folder), "cpus": 1}})
    await bench.driver.close()
    bench.driver = driver
    id = await bench.submit("env")
    await bench.end(id)
    assert b"hunter2" not in await bench.log(id)


async def test_hostile_words_stay_words(bench: Bench) -> None:
    hostile = "'; touch escaped; \"$(touch escaped)\n`touch escaped`\\"
    spec = JobSpec((Container("main", None, ("printf", "%s", hostile), env={"A": hostile}),))
    assert await bench.driver.submit_jobs([bench.submission(spec)]) == [None]
    id = bench.ids[-1]
    assert (await bench.end(id))[0].state == JobState.SUCCEEDED
    assert await bench.log(id) == hostile.encode()
    assert not (bench.work(id) / "escaped").exists()


async def test_a_status_of_any_length_does_not_end_the_queue_process(bench: Bench) -> None:
    spec = JobSpec((Container("main", None, ("a" * 100_000,)),), array=(0, 1, 2))
    others = await bench.submit("sleep 600")
    await bench.until(others, JobState.RUNNING)
    before = bench.queue
    assert await bench.driver.submit_jobs([bench.submission(spec)]) == [None]
    tasks = await bench.end(bench.ids[-1])
    assert [(t.state, t.reason, t.exit_code) for t in tasks] == [(JobState.FAILED, "StartError", 127)] * 3
    many = JobSpec(tuple(Container(f"c{n:0100}", None, ("true",)) for n in range(150)), array=(0,))
    assert await bench.driver.submit_jobs([bench.submission(many)]) == [None]
    (task,) = await bench.end(bench.ids[-1])
    assert (task.state, len(task.containers)) == (JobState.SUCCEEDED, 150)
    assert bench.queue == before


async def test_facilities_name_what_there_is(bench: Bench) -> None:
    id = await bench.submit("sleep 600")
    await bench.until(id, JobState.RUNNING)
    found = await bench.driver.facilities()
    assert found.scheduler == "local"
    (queue,) = found.partitions
    assert (queue.cpus, queue.free_cpus, queue.running, queue.queued) == (2, 1, 1, 0)
