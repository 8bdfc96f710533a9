"""Unused files of jobs are removed in time, and never one that a job needs."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from isthmus.store.blobs import MONTH, Blobs
from isthmus.work.job import Input
from isthmus.work.sweep import Sweep

from .toy import Desk

ALICE = "physics/alice"


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    made = Desk(tmp_path)
    made.time = 100 * MONTH
    made.begin()
    yield made
    made.store.close()


@pytest.fixture
def blobs(tmp_path: Path) -> Blobs:
    return Blobs(tmp_path / "blobs")


async def put(blobs: Blobs, data: bytes, used: float) -> str:
    async def chunks() -> AsyncIterator[bytes]:
        yield data

    digest = hashlib.sha256(data).hexdigest()
    await blobs.put(ALICE, digest, chunks())
    os.utime(blobs.path(ALICE, digest), (used, used))
    return digest


async def test_what_nobody_used_for_a_month_goes_and_the_rest_stays(desk: Desk, blobs: Blobs) -> None:
    old = await put(blobs, b"old", desk.time - MONTH - 1)
    fresh = await put(blobs, b"fresh", desk.time - MONTH + 1)
    (left := blobs.path(ALICE, old).with_name(".part")).write_bytes(b"of an upload that broke off")
    os.utime(left, (1.0, 1.0))
    assert await Sweep(desk.journal, blobs).sweep() == 2
    assert not left.exists()
    assert (blobs.path(ALICE, old).exists(), blobs.path(ALICE, fresh).exists()) == (False, True)


async def test_what_a_job_waits_to_use_stays_however_old_it_is(desk: Desk, blobs: Blobs) -> None:
    needed = await put(blobs, b"needed", 1.0)
    ended = await put(blobs, b"needed no more", 1.0)
    desk.add(1, inputs=(Input("a", needed),), after=["f" * 12])
    desk.add(2, inputs=(Input("a", ended),), state="succeeded", ended=2.0)
    assert await Sweep(desk.journal, blobs).sweep() == 1
    assert blobs.missing(ALICE, [needed, ended]) == [ended]


async def test_a_file_that_a_new_job_takes_just_then_stays(
    desk: Desk, blobs: Blobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    digest = await put(blobs, b"data", 1.0)
    rename = Path.rename

    def taken_first(self: Path, target: Path) -> Path:
        if self == blobs.path(ALICE, digest):
            assert blobs.touch(ALICE, digest), "a job is accepted that needs it"
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", taken_first)
    assert await Sweep(desk.journal, blobs).sweep() == 0
    assert blobs.path(ALICE, digest).read_bytes() == b"data"


async def test_it_sweeps_by_itself(desk: Desk, blobs: Blobs) -> None:
    digest = await put(blobs, b"old", 1.0)
    task = asyncio.ensure_future(Sweep(desk.journal, blobs).run())
    async with asyncio.timeout(60):
        while blobs.path(ALICE, digest).exists():  # noqa: ASYNC110  what is watched is a folder
            await asyncio.sleep(0.005)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
