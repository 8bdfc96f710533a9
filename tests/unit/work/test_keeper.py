"""The keeper: jobs are seen when they come, one process keeps a site, and the dead are taken over from."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from isthmus.engine.owners import this_process
from isthmus.store import site_leases
from isthmus.store.blobs import Blobs
from isthmus.store.models import site_leases as site_lease_rows
from isthmus.work.job import Input, JobState
from isthmus.work.keeper import Keeper

from .toy import Desk


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    made = Desk(tmp_path)
    made.toy.look_seconds = 0.01
    made.free()
    yield made
    made.store.close()


@asynccontextmanager
async def keeping(desk: Desk, owner: str = "me", seconds: float = 10.0) -> AsyncIterator[Keeper]:
    sites: Any = desk.sites
    keeper = Keeper(desk.journal, sites, Blobs(desk.folder / "blobs"), owner, seconds)
    task = asyncio.ensure_future(keeper.run())
    try:
        yield keeper
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def until_ended(desk: Desk, job: str, state: str) -> None:
    async with asyncio.timeout(60):
        while desk.job(job).state != state:  # noqa: ASYNC110  what is watched is in a database
            await asyncio.sleep(0.005)


async def test_jobs_are_kept_as_they_come(desk: Desk) -> None:
    async with keeping(desk) as keeper:
        for number in (1, 2):
            job = desk.add(number)
            keeper.wake("toy")
            await until_ended(desk, job, "queued")
            desk.toy.say(f"{job}-1", JobState.SUCCEEDED, exit_code=0, ended=desk.time)
            await until_ended(desk, job, "succeeded")
    with desk.store.read() as c:
        assert site_leases.owners(c) == [], "the lease is given back"


async def test_two_keepers_hand_over_once(desk: Desk) -> None:
    jobs = [desk.add(number) for number in range(1, 30)]
    async with keeping(desk, "one"), keeping(desk, "two"):
        for job in jobs:
            await until_ended(desk, job, "queued")
    assert sorted(desk.toy.handed) == [f"{job}-1" for job in jobs]


async def test_a_dead_process_on_this_host_is_taken_over_from_at_once(desk: Desk) -> None:
    here, _, _ = this_process().partition("/")
    with desk.store.write() as c:
        site_leases.claim(c, "toy", f"{here}/4194300/1", desk.time, 1000.0)
    job = desk.add()
    async with keeping(desk):
        await until_ended(desk, job, "queued")


async def test_a_lease_lasts_while_a_site_takes_its_time(desk: Desk) -> None:
    desk.toy.stuck = asyncio.Event()
    job = desk.add()
    async with keeping(desk, seconds=0.03), asyncio.timeout(60):
        while not desk.toy.looks:  # noqa: ASYNC110
            await asyncio.sleep(0.005)
        before = _expiries(desk)
        desk.time += 5
        while _expiries(desk) == before:  # noqa: ASYNC110
            await asyncio.sleep(0.005)
        assert desk.toy.looks == 1
        desk.toy.stuck.set()
        await until_ended(desk, job, "queued")


def _expiries(desk: Desk) -> list[float]:
    with desk.store.read() as c:
        return [row.expiry for row in c.execute(select(site_lease_rows.c.expiry))]


async def test_a_job_whose_files_are_at_another_server_waits_and_says_so(desk: Desk) -> None:
    job, other = desk.add(1, inputs=(Input("a", "0" * 64),)), desk.add(2)
    async with keeping(desk):
        await until_ended(desk, other, "queued")
    assert desk.job(job).state == "pending"
    assert "is not in" in desk.task(job).words
