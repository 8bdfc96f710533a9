"""An agent in a process of its own, a batch system of a test, and the supervisor: the whole way of a job."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import signal
import time
from pathlib import Path

import pytest

from isthmus.sites.batch.channel import ProcessChannel
from isthmus.sites.errors import Permanent, Temporary, Unreachable, Unsupported
from isthmus.sites.jobs import Jobs, LogOptions
from isthmus.work.job import Input, JobState, Output, Reason

from .conftest import STUB, MakeDriver, StubDriver, log, shell, submission, until_ended

ONE = "0123456789ab-1"
OLD_PYTHON = Path.home() / ".pyenv/versions/3.8.18/bin/python3.8"


async def test_a_job_runs_and_its_log_is_read(driver: StubDriver) -> None:
    """Handed over, ended, read."""
    assert isinstance(driver, Jobs)
    assert await driver.submit_jobs([submission(shell("echo hello; echo there >&2; exit 3"))]) == [None]
    (task,) = await until_ended(driver, ONE)
    assert (task.state, task.exit_code, task.reason) == (JobState.FAILED, 3, Reason.ERROR)
    assert task.site_id
    assert sorted((await log(driver, ONE)).split()) == [b"hello", b"there"]
    assert await log(driver, ONE, tail=0) == b""
    assert await log(driver, ONE, index=5) == b""


async def test_inputs_and_outputs(driver: StubDriver, tmp_path: Path) -> None:
    """Blobs go there in pieces, once; what the outputs name comes back."""
    data = os.urandom(3_000_000)
    (tmp_path / "blob").write_bytes(data)
    digest = hashlib.sha256(data).hexdigest()
    spec = shell("mkdir out; cp in/data out/copy; ln -s /etc/passwd out/link",
                 inputs=(Input("in/data", digest),), outputs=(Output("out"),))  # fmt: skip
    jobs = [submission(spec, n, blobs={digest: tmp_path / "blob"}) for n in (1, 2)]
    assert await driver.submit_jobs(jobs) == [None, None]
    assert (await until_ended(driver, ONE))[0].state == JobState.SUCCEEDED
    (file,) = await driver.list_files(ONE)
    assert (file.path, file.size, file.digest) == ("out/copy", len(data), digest)
    assert b"".join([part async for part in driver.read_file(ONE, "out/copy")]) == data
    for path in ("out/link", "../order.json", "none"):
        with pytest.raises(Permanent):
            _ = [part async for part in driver.read_file(ONE, path)]
    await until_ended(driver, "0123456789ab-2")
    assert sorted(await driver.list_jobs()) == [ONE, "0123456789ab-2"]
    await driver.remove_jobs([ONE, "0123456789ab-7"])
    assert await driver.list_jobs() == ["0123456789ab-2"]
    assert await driver.look_at_jobs([ONE]) == {}
    with pytest.raises(Permanent, match="nothing of it is here"):
        await driver.list_files(ONE)


async def test_what_a_site_refuses(driver: StubDriver) -> None:
    """Each by itself, in the scheduler's words; an option that it does not have by name."""
    closed, unknown, fine = await driver.submit_jobs([
        submission(shell("true", options={"partition": "closed"}), 1),
        submission(shell("true", options={"colour": "red"}), 2),
        submission(shell("true"), 3),
    ])  # fmt: skip
    assert isinstance(closed, Permanent)
    assert str(closed) == "sbatch: error: the partition is closed"
    assert isinstance(unknown, Unsupported)
    assert "colour" in str(unknown)
    assert fine is None
    lacking = await driver.submit_jobs([submission(shell("true", inputs=(Input("x", "0" * 64),)), 4)])
    assert isinstance(lacking[0], Permanent)


async def test_a_silent_scheduler(make_driver: MakeDriver) -> None:
    """Its words, and nothing is taken for lost."""
    await make_driver().submit_jobs([submission(shell("exec sleep 60"))])
    with pytest.raises(Temporary, match="Unable to contact slurm controller"):
        await make_driver(deaf=True).look_at_jobs([ONE])
    with pytest.raises(Permanent, match="Invalid user"):
        await make_driver(refuses=True).look_at_jobs([ONE])


async def test_cancelling(driver: StubDriver) -> None:
    """One task of an array, then all; what is not there stays so."""
    await driver.submit_jobs([submission(shell("exec sleep 60", array=(0, 1)))])
    await asyncio.sleep(0.3)
    await driver.cancel_jobs({ONE: [1], "0123456789ab-9": None}, grace=1)
    end = time.monotonic() + 60
    while True:
        first, second = (await driver.look_at_jobs([ONE]))[ONE]
        if second.state == JobState.CANCELLED:
            break
        assert time.monotonic() < end
        await asyncio.sleep(0.05)
    assert first.state in (JobState.RUNNING, JobState.QUEUED)
    await driver.cancel_jobs({ONE: None}, grace=None)
    await driver.cancel_jobs({ONE: None}, grace=None)
    assert [task.state for task in await until_ended(driver, ONE)] == [JobState.CANCELLED] * 2


async def test_an_agent_that_dies_is_replaced(driver: StubDriver) -> None:
    """Requests go on; a log that was being followed says so."""
    await driver.submit_jobs([submission(shell("echo begun; exec sleep 60"))])
    following = driver.read_log(ONE, 0, "main", LogOptions(follow=True))
    assert await anext(following) == b"begun\n"
    os.kill(driver.client.about["pid"], signal.SIGKILL)
    with pytest.raises(Unreachable):
        await anext(following)
    assert (await driver.look_at_jobs([ONE]))[ONE][0].state == JobState.RUNNING


async def test_agents_that_die_while_they_hand_over(driver: StubDriver) -> None:
    """Killed again and again in the middle: each job starts once."""
    jobs = [submission(shell("echo x >> runs", options={"slow": "0.02"}), n) for n in range(1, 25)]
    for n in range(6):
        submitting = asyncio.create_task(driver.submit_jobs(jobs))
        while not driver.client.about or driver.client.about.get("killed"):  # noqa: ASYNC110
            await asyncio.sleep(0.005)
        await asyncio.sleep(0.03 * n)
        with contextlib.suppress(ProcessLookupError):
            os.kill(driver.client.about["pid"], signal.SIGKILL)
        driver.client.about["killed"] = True
        with contextlib.suppress(Temporary):
            await submitting
    assert list(await driver.submit_jobs(jobs)) == [None] * 24
    for job in jobs:
        assert [task.state for task in await until_ended(driver, job.id)] == [JobState.SUCCEEDED]
        runs = Path(driver.client.about["root"]) / "submissions" / job.id / "work" / "runs"
        assert runs.read_text() == "x\n"


async def test_a_hundred_followers_and_a_slow_one(driver: StubDriver) -> None:
    """Who does not read stalls nobody, and holds a window of bytes at most."""
    spec = shell("i=0; while [ $i -lt 60000 ]; do echo 0123456789012345678901234567890123456789; i=$((i+1)); done; "
                 "sleep 1; echo end")  # fmt: skip
    await driver.submit_jobs([submission(spec)])
    slow = driver.read_log(ONE, 0, "main", LogOptions(follow=True))
    first = await anext(slow)
    async with asyncio.timeout(600):  # 240 MB through one thread: a quarter of a minute on two idle processors
        logs = await asyncio.gather(*(log(driver, ONE, follow=True) for _ in range(100)))
        assert {len(text) for text in logs} == {60000 * 41 + 4}
        assert all(text.endswith(b"\nend\n") for text in logs)
        rest = b"".join([part async for part in slow])
    assert first + rest == logs[0]


async def test_following_ends_when_it_is_left(driver: StubDriver) -> None:
    """Streams that nobody reads any more do not pile up."""
    await driver.submit_jobs([submission(shell("echo a; exec sleep 60"))])
    for _ in range(600):
        async for part in driver.read_log(ONE, 0, "main", LogOptions(follow=True)):
            assert part == b"a\n"
            break
    assert (await driver.status()).ready


async def test_a_request_that_takes_too_long(make_driver: MakeDriver) -> None:
    """It ends, and the session goes on."""
    driver = make_driver()
    await driver.prepare(lambda line: None)
    spec = shell("true", options={"slow": "1.5"})
    order = {**(await driver._order(submission(spec), {}) or {})}
    with pytest.raises(Unreachable, match=r"no answer to submit in 0\.2 s"):
        await driver.client.request("submit", orders=[order], within=0.2)
    pid = driver.client.about["pid"]
    assert await driver.submit_jobs([submission(spec)]) == [None]
    assert driver.client.about["pid"] == pid


async def test_what_the_site_offers(driver: StubDriver) -> None:
    """In the values of the contract."""
    facilities = await driver.facilities()
    assert (facilities.scheduler, facilities.partitions[0].name) == ("stub", "all")
    status = await driver.status()
    assert status.ready


@pytest.mark.skipif(not OLD_PYTHON.exists(), reason="no Python 3.8 here")
async def test_python_3_8(tmp_path: Path) -> None:
    """The oldest one that is promised runs the agent and the supervisor."""
    driver = StubDriver("old", ProcessChannel(), STUB, folder=str(tmp_path / "isthmus"), config={},
                        runtime={"kind": "process"}, python=str(OLD_PYTHON))  # fmt: skip
    try:
        assert await driver.submit_jobs([submission(shell("echo old"))]) == [None]
        assert (await until_ended(driver, ONE))[0].state == JobState.SUCCEEDED
        assert driver.client.about["python"] == "3.8.18"
        assert await log(driver, ONE) == b"old\n"
    finally:
        await driver.close()


@pytest.mark.parametrize(
    ("ids", "verb"), [(["../../x"], "look"), (["../../x"], "remove"), (["x"], "standing"), ([None], "look")]
)
async def test_ids_are_checked_there_too(driver: StubDriver, ids: list[str], verb: str) -> None:
    """The agent trusts no caller."""
    with pytest.raises(Permanent, match="not the id"):
        await driver.client.request(verb, ids=ids)


@pytest.mark.parametrize(
    ("container", "index", "words"),
    [("../main", 0, "container"), ("", 0, "container"), ("main", -1, "index"), ("main", True, "index")],
)
async def test_logs_of_hostile_names(driver: StubDriver, container: str, index: int, words: str) -> None:
    """Refused by name."""
    with pytest.raises(Permanent, match=words):
        _ = [part async for part in driver.read_log(ONE, index, container, LogOptions())]
