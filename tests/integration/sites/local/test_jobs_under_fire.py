"""Arrays of short tasks, of which workers have some in advance, while what runs them is killed again and again."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import signal
from collections import Counter
from pathlib import Path

import pytest

from isthmus.sites.local.remote import machine
from isthmus.work.job import JobState
from isthmus.work.runner.processes import children

from .queue_bench import Bench, bench

__all__ = ["bench"]

TASKS = 600
SHOTS = 12
NOTE = "echo $ISTHMUS_TASK >> ran"
"""One write of a few bytes to a file that is appended to: whole, and never lost among those of others."""


def ran(bench: Bench, id: str) -> Counter[int]:
    """How often each task ran."""
    return Counter(map(int, (bench.work(id) / "ran").read_text().split()))


async def pause(chance: random.Random, bench: Bench, id: str) -> None:
    """Let some tasks run: the one wait here that is for its own sake. A look has a new queue process started."""
    await asyncio.sleep(chance.uniform(0, 0.25))
    await bench.look(id)


def shoot(what: str, bench: Bench, chance: random.Random) -> bool:
    """Kill the queue process, ask it to leave, or kill one of its workers; false if there was none."""
    queue = bench.queue
    targets = children(queue) if what == "worker" and queue else [queue]
    targets = [pid for pid in targets if pid and machine.born(pid)]
    if not targets:
        return False
    with contextlib.suppress(ProcessLookupError):
        os.kill(chance.choice(targets), signal.SIGTERM if what == "leave" else signal.SIGKILL)
        return True
    return False


@pytest.mark.parametrize("weapons", [("queue",), ("leave",), ("worker",), ("queue", "leave", "worker")], ids="+".join)
async def test_each_task_runs_once_whatever_is_killed(bench: Bench, weapons: tuple[str, ...]) -> None:
    chance = random.Random(7)
    id = await bench.submit(NOTE, array=TASKS)
    workers = 0
    for _ in range(SHOTS):
        await pause(chance, bench, id)
        weapon = chance.choice(weapons)
        workers += shoot(weapon, bench, chance) and weapon == "worker"
    tasks = await bench.end(id)
    count = ran(bench, id)
    succeeded = {index for index, task in enumerate(tasks) if task.state == JobState.SUCCEEDED}
    lost = [task for index, task in enumerate(tasks) if index not in succeeded]
    assert {index for index, times in count.items() if times > 1} == set()
    assert succeeded <= count.keys()
    assert {(task.state, task.reason) for task in lost} <= {(JobState.FAILED, "Lost")}
    assert len(lost) <= workers
    assert all(task.containers for task in tasks if task.state == JobState.SUCCEEDED)


async def test_what_is_cancelled_meanwhile_does_not_run_and_the_rest_does_once(bench: Bench) -> None:
    chance = random.Random(11)
    id = await bench.submit(NOTE, array=TASKS)
    asked: set[int] = set()
    for shot in range(SHOTS):
        await pause(chance, bench, id)
        some = chance.sample(range(TASKS), 20)
        asked |= set(some)
        await bench.driver.cancel_jobs({id: some}, grace=0)
        if shot % 3 == 0:
            shoot("queue", bench, chance)
    tasks = await bench.end(id)
    count = ran(bench, id)
    assert max(count.values()) == 1
    states = {index: task.state for index, task in enumerate(tasks)}
    assert {index for index, state in states.items() if state == JobState.CANCELLED} <= asked
    assert all(index in count for index, state in states.items() if state == JobState.SUCCEEDED)
    assert set(states.values()) <= {JobState.SUCCEEDED, JobState.CANCELLED}


async def test_journals_do_not_pile_up(bench: Bench) -> None:
    id = await bench.submit("true", array=200)
    chance = random.Random(3)
    for _ in range(4):
        await pause(chance, bench, id)
        shoot("queue", bench, chance)
    await bench.end(id)
    assert len(journals(bench)) <= 2 * len(os.sched_getaffinity(0)) + 2


def journals(bench: Bench) -> list[Path]:
    return list((bench.folder / "queue" / "journals").iterdir())
