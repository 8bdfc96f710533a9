"""Jobs in containers of this machine's engine."""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from isthmus.sites.jobs import LogOptions, Submission
from isthmus.sites.local.connection import Connection
from isthmus.sites.local.driver import LocalDriver
from isthmus.sites.local.image import MachineImage
from isthmus.sites.local.options import LocalOptions
from isthmus.sites.local.remote.door import Door
from isthmus.work.job import ENDED, Container, JobSpec, JobState, Resources, TaskStatus

pytestmark = pytest.mark.engine
PATIENCE = 300.0
ID = f"{secrets.token_hex(6)}-1"


@pytest.fixture
def image(docker_socket: str) -> str:
    connection = Connection(docker_socket, 60)
    try:
        return MachineImage(connection, LocalOptions()).reference
    finally:
        connection.close()


@pytest.fixture
async def driver(tmp_path: Path, docker_socket: str) -> AsyncIterator[LocalDriver]:
    driver = LocalDriver("here", {"socket": docker_socket, "jobs": {"folder": str(tmp_path)}})
    yield driver
    await driver.cancel_jobs(dict.fromkeys(await driver.list_jobs()), grace=0)
    for id in await driver.list_jobs():
        await end(driver, id)
    await driver.close()
    door = Door(tmp_path / "queue")
    if known := door.who():
        os.kill(known["pid"], signal.SIGTERM)
    deadline = time.monotonic() + PATIENCE
    while door.who():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)


async def submit(driver: LocalDriver, spec: JobSpec) -> None:
    assert await driver.submit_jobs([Submission(ID, "a job", spec, spec.indices)]) == [None]


async def end(driver: LocalDriver, id: str = ID) -> TaskStatus:
    deadline = time.monotonic() + PATIENCE
    while True:
        (task,) = (await driver.look_at_jobs([id]))[id]
        if task.state in ENDED:
            return task
        assert time.monotonic() < deadline, task
        await asyncio.sleep(0.05)


async def log(driver: LocalDriver) -> bytes:
    return b"".join([part async for part in driver.read_log(ID, 0, "main", LogOptions())])


async def test_a_container_has_the_sandbox_and_only_its_own_environment(
    driver: LocalDriver, image: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = "cat /etc/os-release | grep -c ^ID=debian; pwd; echo made > file; env | grep -c HUNTER"
    monkeypatch.setenv("HUNTER", "2")
    await submit(driver, JobSpec((Container("main", image, ("sh", "-c"), (script,)),)))
    task = await end(driver)
    assert (task.state, task.exit_code) == (JobState.FAILED, 1)
    assert await log(driver) == b"1\n/work\n0\n"
    assert (tmp_path / "submissions" / ID / "work" / "file").read_text() == "made\n"


async def test_an_image_that_cannot_be_had_is_told_in_the_words_of_the_engine(driver: LocalDriver) -> None:
    await submit(driver, JobSpec((Container("main", "localhost/isthmus-test/there-is-no:1", ("true",)),)))
    task = await end(driver)
    assert (task.state, task.reason) == (JobState.FAILED, "ImageUnavailable")
    assert "localhost" in task.words


async def test_a_container_over_its_memory_is_out_of_memory(driver: LocalDriver, image: str) -> None:
    eater = "kept = [bytes([1]) * 2**24 for _ in range(40)]; import time; time.sleep(60)"
    container = Container("main", image, ("python3", "-c", eater), memory=100 * 2**20)
    await submit(driver, JobSpec((container,), resources=Resources(memory=100 * 2**20)))
    task = await end(driver)
    assert (task.state, task.reason) == (JobState.FAILED, "OutOfMemory")


async def test_a_supervisor_that_is_killed_leaves_no_container(
    driver: LocalDriver, image: str, tmp_path: Path, docker_socket: str
) -> None:
    import sqlite3

    await submit(driver, JobSpec((Container("main", image, ("sh", "-c", "echo up; sleep 600")),)))
    deadline = time.monotonic() + PATIENCE
    while await log(driver) != b"up\n":
        assert time.monotonic() < deadline
        await asyncio.sleep(0.05)
    with sqlite3.connect(tmp_path / "queue" / "ledger.db") as ledger:
        ((worker,),) = ledger.execute("SELECT pid FROM tasks").fetchall()
    ledger.close()
    os.kill(worker, signal.SIGKILL)
    task = await end(driver)
    assert (task.state, task.reason) == (JobState.FAILED, "Lost")
    connection = Connection(docker_socket, 60)
    try:
        while connection.api.containers(all=True, filters={"label": [f"isthmus.submission={ID}"]}):
            assert time.monotonic() < deadline
            await asyncio.sleep(0.1)
    finally:
        connection.close()
