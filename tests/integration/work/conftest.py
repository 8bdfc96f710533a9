"""A site whose batch system starts processes on this machine, reached by an agent of our own."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from isthmus.sites.batch.channel import ProcessChannel
from isthmus.sites.batch.driver import BatchDriver, refuse_unknown
from isthmus.sites.jobs import LogOptions, Submission
from isthmus.work.job import ENDED, Container, JobSpec, TaskStatus

STUB = "tests.integration.work.stub_batch"


class StubDriver(BatchDriver):
    kind = "stub"

    def check(self, spec: JobSpec) -> None:
        refuse_unknown(spec, {"partition", "slow"})


MakeDriver = Callable[..., StubDriver]


@pytest.fixture
async def make_driver(tmp_path: Path) -> AsyncIterator[MakeDriver]:
    """Drivers of one site below ``tmp_path``; what they started is killed at the end."""
    made: list[StubDriver] = []

    def make(**config: object) -> StubDriver:
        settings = {"settle": 0.0, "lag": 1.0, **config}
        driver = StubDriver(
            "here", ProcessChannel(), STUB, folder=str(tmp_path / "isthmus"), config=settings,
            runtime={"kind": "process"},
        )  # fmt: skip
        made.append(driver)
        return driver

    yield make
    for driver in made:
        await driver.close()
    for file in (tmp_path / "isthmus" / "scheduler").glob("[!.]*"):
        for pid in json.loads(file.read_text()).values():
            with contextlib.suppress(ProcessLookupError):
                os.killpg(pid, signal.SIGKILL)


@pytest.fixture
def driver(make_driver: MakeDriver) -> StubDriver:
    return make_driver()


def shell(script: str, **more: object) -> JobSpec:
    """A job of one plain process."""
    return JobSpec(containers=(Container("main", command=("/bin/sh", "-c", script)),), **more)  # type: ignore[arg-type]


def submission(spec: JobSpec, number: int = 1, **more: object) -> Submission:
    return Submission(f"0123456789ab-{number}", "a job", spec, spec.indices, **more)  # type: ignore[arg-type]


async def until_ended(driver: BatchDriver, id: str, within: float = 60.0) -> list[TaskStatus]:
    """The tasks of a submission when all have ended."""
    end = time.monotonic() + within
    while True:
        tasks = list((await driver.look_at_jobs([id])).get(id, ()))
        if tasks and all(task.state in ENDED for task in tasks):
            return tasks
        assert time.monotonic() < end, tasks
        await asyncio.sleep(0.05)


async def log(driver: BatchDriver, id: str, index: int = 0, **options: object) -> bytes:
    parts = driver.read_log(id, index, "main", LogOptions(**options))  # type: ignore[arg-type]
    return b"".join([part async for part in parts])
