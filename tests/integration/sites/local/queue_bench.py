"""A queue of plain processes of a test's own, and what tests ask of it."""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from isthmus.sites.jobs import LogOptions, Submission
from isthmus.sites.local.driver import LocalDriver
from isthmus.sites.local.remote import machine
from isthmus.sites.local.remote.door import Door
from isthmus.work.job import ENDED, Container, JobSpec, JobState, TaskStatus

PATIENCE = 300.0


@dataclass(slots=True)
class Bench:
    """A queue of the test's own."""

    folder: Path
    driver: LocalDriver
    count: int = 0
    job: str = field(default_factory=lambda: secrets.token_hex(6))
    """Of this test alone: tasks are found by their environment, among all processes of the machine."""
    ids: list[str] = field(default_factory=list)

    async def submit(self, script: str, array: int | None = None, **more: object) -> str:
        """Hand over a script, which must be taken; the submission's id."""
        spec = plain(script, array, **more)
        (error,) = await self.driver.submit_jobs([self.submission(spec)])
        assert error is None, error
        return self.ids[-1]

    def submission(self, spec: JobSpec) -> Submission:
        self.count += 1
        self.ids.append(f"{self.job}-{self.count}")
        return Submission(self.ids[-1], "a job", spec, spec.indices)

    async def look(self, id: str) -> Sequence[TaskStatus]:
        return (await self.driver.look_at_jobs([id]))[id]

    async def until(self, id: str, *states: JobState, tasks: int | None = None) -> Sequence[TaskStatus]:
        """Wait until that many tasks (None: all) are in one of the states."""
        deadline = time.monotonic() + PATIENCE
        while True:
            found = await self.look(id)
            if sum(task.state in states for task in found) >= (len(found) if tasks is None else tasks):
                return found
            assert time.monotonic() < deadline, found
            await asyncio.sleep(0.02)

    async def end(self, id: str) -> Sequence[TaskStatus]:
        return await self.until(id, *ENDED)

    async def log(self, id: str, index: int = 0) -> bytes:
        return b"".join([part async for part in self.driver.read_log(id, index, "main", LogOptions())])

    def work(self, id: str) -> Path:
        return self.folder / "submissions" / id / "work"

    @property
    def queue(self) -> int:
        """The queue process; 0 when there is none."""
        return int(Door(self.folder / "queue").who().get("pid", 0))


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    folder = tmp_path / "jobs"
    driver = LocalDriver("here", {"jobs": {"folder": str(folder), "cpus": 2}})
    made = Bench(folder, driver)
    yield made
    await driver.cancel_jobs(dict.fromkeys(await driver.list_jobs()), grace=0)
    for id in await driver.look_at_jobs(await driver.list_jobs()):
        await made.end(id)
    await driver.close()
    if pid := made.queue:
        os.kill(pid, signal.SIGTERM)
        await gone(pid)


def plain(script: str, array: int | None = None, **more: object) -> JobSpec:
    container = Container("main", None, ("sh", "-c", script))
    return JobSpec((container,), array=None if array is None else tuple(range(array)), **more)  # type: ignore[arg-type]


async def written(path: Path) -> int:
    """The number that a task writes to a file."""
    deadline = time.monotonic() + PATIENCE
    while not (text := await asyncio.to_thread(lambda: path.read_text() if path.exists() else "")).strip():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)
    return int(text)


def parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


async def gone(*pids: int) -> None:
    deadline = time.monotonic() + PATIENCE
    while any(machine.born(pid) for pid in pids):
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)
