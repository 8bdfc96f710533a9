"""Keeping the jobs of a site: nothing is lost, nothing is handed over twice, and what a site says is believed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from isthmus.sites.errors import Permanent, QuotaExceeded, SiteError, Temporary, Unreachable
from isthmus.sites.jobs import Submission
from isthmus.store import LeaseLost, jobs, site_leases
from isthmus.store.jobs import Job
from isthmus.work.batch_sites import Gone
from isthmus.work.job import Input, JobState, Output, Reason

from .toy import Desk


class Killed(BaseException):
    """The process ends here, as far as a round can tell."""


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    made = Desk(tmp_path)
    yield made
    made.store.close()


async def test_a_job_from_its_start_to_its_end(desk: Desk) -> None:
    job = desk.add()
    await desk.keep()
    assert desk.toy.handed == [f"{job}-1"]
    assert (desk.job(job).state, desk.task(job).site_id) == ("queued", "77")
    desk.toy.say(f"{job}-1", JobState.RUNNING, started=1001.0, host="n1")
    await desk.keep()
    assert (desk.job(job).state, desk.job(job).started) == ("running", 1001.0)
    desk.toy.say(f"{job}-1", JobState.SUCCEEDED, exit_code=0, ended=1002.0, cpu_seconds=0.5, peak_memory=10)
    await desk.keep()
    row, task = desk.job(job), desk.task(job)
    assert (row.state, row.exit_code, row.ended, row.due) == ("succeeded", 0, 1002.0, 1100.0)
    assert (task.host, task.cpu_seconds, task.peak_memory) == ("n1", 0.5, 10)


async def test_one_query_a_round_whatever_the_number_of_jobs(desk: Desk) -> None:
    for number in range(1, 51):
        desk.add(number)
    await desk.keep()
    assert len(desk.toy.handed) == 50
    assert desk.toy.looks == 1


async def test_a_round_ends_though_more_is_to_be_handed_over(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("isthmus.work.round.HANDED_AT_ONCE", 2)
    monkeypatch.setattr("isthmus.work.round.HAND_SECONDS", 0)
    for number in range(1, 5):
        desk.add(number)
    desk.toy.look_seconds = 60.0
    assert await desk.keep() == 0, "the rest is to be handed over at once"
    assert (len(desk.toy.handed), desk.toy.looks) == (2, 1)
    assert await desk.keep() > 0
    assert (len(desk.toy.handed), desk.toy.looks) == (4, 1), "the site was asked a moment ago"


async def test_an_end_is_seen_while_others_are_handed_over(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    job = desk.add(1)
    await desk.keep()
    desk.toy.say(f"{job}-1", JobState.SUCCEEDED, exit_code=0, ended=1000.0)
    desk.add(2)
    submit, seen = desk.toy.submit_jobs, []

    async def slowly(submissions: Sequence[Submission]) -> Sequence[SiteError | None]:
        for _ in range(1000):
            if desk.job(job).state == "succeeded":
                seen.append(job)
                break
            await asyncio.sleep(0.01)
        return await submit(submissions)

    monkeypatch.setattr(desk.toy, "submit_jobs", slowly)
    await desk.keep()
    assert seen == [job]
    assert len(desk.toy.handed) == 2


async def test_a_job_that_is_deleted_while_its_end_is_seen_is_cleared_away_at_once(desk: Desk) -> None:
    job = desk.add()
    await desk.keep()
    desk.toy.say(f"{job}-1", JobState.SUCCEEDED, exit_code=0, ended=1000.0)
    desk.meanwhile = lambda: desk.forget(job)
    await desk.keep()
    await desk.keep()
    assert desk.toy.removed == [f"{job}-1"]


async def test_a_crash_after_the_site_took_it_doubles_nothing(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    job = desk.add()

    def crash(*_: object, **__: object) -> None:
        raise Killed

    with monkeypatch.context() as m:
        m.setattr(jobs, "mark_handed", crash)
        with pytest.raises(Killed):
            await desk.keep()
    desk.begin()
    await desk.keep()
    assert desk.toy.handed == [f"{job}-1"]
    assert desk.job(job).state == "queued"


@pytest.mark.parametrize(
    ("error", "state"), [(Permanent("https://x/y: 404"), "failed"), (Temporary("https://x/y: no such host"), "pending")]
)
async def test_an_input_that_cannot_be_had_is_told_as_such(desk: Desk, error: SiteError, state: str) -> None:
    error.reason = Reason.STAGE_IN
    desk.toy.refusals = [error]
    job = desk.add(retry=5)
    await desk.keep()
    assert (desk.job(job).state, desk.job(job).reason) == (state, "StageInFailed")
    assert str(error) in desk.task(job).words


async def test_who_wants_no_second_try_gets_none(desk: Desk) -> None:
    job = desk.add(retry=0)
    await desk.keep()
    desk.toy.held.clear()
    await desk.keep()
    assert (desk.job(job).state, desk.job(job).reason) == ("failed", "Lost")


async def test_a_refusal_for_good_is_the_end(desk: Desk) -> None:
    desk.toy.refusals = [Permanent("Invalid account or account/partition combination specified")]
    job = desk.add(retry=5)
    await desk.keep()
    assert (desk.job(job).state, desk.job(job).reason) == ("failed", "Refused")
    assert "Invalid account" in desk.task(job).words


@pytest.mark.parametrize(
    ("error", "reason"), [(Temporary("busy", 2.0), ""), (QuotaExceeded("too many jobs", 2.0), "QuotaExceeded")]
)
async def test_a_refusal_for_now_is_tried_again_later_each_time(desk: Desk, error: SiteError, reason: str) -> None:
    desk.toy.refusals = [error, error]
    job = desk.add()
    await desk.keep()
    assert (desk.job(job).state, desk.task(job).words, desk.task(job).reason) == ("pending", str(error), reason)
    desk.time += 1
    await desk.keep()
    assert len(desk.toy.refusals) == 1, "it was asked again before its time"
    desk.time += 1.5
    await desk.keep()
    desk.time += 5
    await desk.keep()
    assert desk.job(job).state == "queued"
    assert desk.task(job).words == ""


async def test_a_site_that_does_not_answer_loses_nothing(desk: Desk) -> None:
    job = desk.add()
    await desk.keep()
    desk.toy.say(f"{job}-1", JobState.RUNNING)
    await desk.keep()
    desk.toy.away = Unreachable("connection refused")
    pauses = []
    for later in (0, 1, 10, 1000):
        desk.time += later
        pauses += [await desk.keep() for _ in range(5)]
    assert pauses == [1] * 10 + [11] * 5 + [60] * 5, "as long as it has been away, however often it was asked"
    assert desk.job(job).state == "running"
    desk.toy.away = None
    desk.toy.say(f"{job}-1", JobState.SUCCEEDED, ended=1003.0)
    await desk.keep()
    assert desk.job(job).state == "succeeded"


async def test_a_site_that_is_gone_for_good_ends_its_jobs(desk: Desk) -> None:
    first = desk.add()
    await desk.keep()
    second = desk.add(2)
    desk.sites.error = Gone("the cluster hpc is deleted")
    await desk.keep()
    assert (desk.job(first).reason, desk.job(second).reason) == ("Lost", "Refused")
    assert desk.job(first).removed
    assert desk.job(first).due is None


@pytest.mark.parametrize("error", [Permanent("the login is refused"), Permanent("there is no site toy")])
async def test_a_site_that_is_wrong_until_somebody_puts_it_right_loses_nothing(desk: Desk, error: SiteError) -> None:
    running = desk.add()
    await desk.keep()
    desk.toy.say(f"{running}-1", JobState.RUNNING)
    await desk.keep()
    pending, cancelled, deleted = desk.add(2), desk.add(3), desk.add(4)
    desk.cancel(cancelled)
    desk.cancel(deleted)
    desk.forget(deleted)
    desk.sites.error = error
    assert await desk.keep() > 1
    assert (desk.job(running).state, desk.job(pending).state) == ("running", "pending")
    assert desk.task(pending).words == str(error)
    assert desk.job(cancelled).state == "cancelled", "what the site was never given needs no site to end"
    await desk.keep()
    with desk.store.read() as c:
        assert jobs.states(c, [deleted]) == {}
    desk.sites.error = None
    desk.toy.say(f"{running}-1", JobState.SUCCEEDED, exit_code=0, ended=1001.0)
    await desk.keep()
    assert (desk.job(running).state, desk.job(pending).state) == ("succeeded", "queued")


async def test_a_site_that_refuses_a_call_for_good_loses_nothing(desk: Desk) -> None:
    job = desk.add()
    await desk.keep()
    desk.toy.away = Permanent("the agent's answer cannot be read")
    await desk.keep()
    assert desk.job(job).state == "queued"


async def test_one_job_that_cannot_be_made_ready_keeps_no_other_from_the_site(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad, good = desk.add(1), desk.add(2)
    make = desk.round._submission

    def fail(job: Job, *rest: Any) -> Submission:
        if job.id == bad:
            raise ValueError("Invalid IPv6 URL")
        return make(job, *rest)

    monkeypatch.setattr(desk.round, "_submission", fail)
    await desk.keep()
    assert (desk.job(bad).state, desk.job(good).state) == ("pending", "queued")
    assert "defect" in desk.task(bad).words


async def test_a_job_that_is_deleted_when_it_was_cleared_away_just_then_is_forgotten(desk: Desk) -> None:
    job = desk.add(keep=0.0)
    await desk.keep()
    desk.toy.say(f"{job}-1", JobState.SUCCEEDED, exit_code=0, ended=1000.0)
    await desk.keep()
    await desk.keep()
    assert desk.job(job).removed
    desk.forget(job)
    await desk.keep()
    with desk.store.read() as c:
        assert jobs.states(c, [job]) == {}


async def test_a_try_that_was_never_made_has_no_exit_code(desk: Desk) -> None:
    job = desk.add(retry=1)
    await desk.keep()
    desk.toy.say(f"{job}-1", JobState.FAILED, reason="Error", exit_code=7, ended=1001.0)
    await desk.keep()
    desk.time += 2
    desk.sites.error = Gone("the cluster hpc is deleted")
    await desk.keep()
    assert (desk.job(job).reason, desk.job(job).exit_code) == ("Refused", None)


async def test_what_a_job_made_its_site_say_fits_every_store(desk: Desk) -> None:
    job = desk.add()
    await desk.keep()
    desk.toy.say(f"{job}-1", JobState.FAILED, reason="R" * 100, host="h\0" * 300, site_id="s" * 300,
                 exit_code=2**62, ended=1001.0)  # fmt: skip
    await desk.keep()
    task = desk.task(job)
    assert (len(task.reason), len(task.host), len(task.site_id), task.exit_code) == (32, 255, 255, 255)
    assert "\0" not in task.host


async def test_a_job_that_is_deleted_while_its_site_goes_for_good_is_forgotten(desk: Desk) -> None:
    job, other = desk.add(), desk.add(2)
    await desk.keep()
    desk.sites.error = Gone("the cluster hpc is deleted")
    desk.forget(job)
    await desk.keep()
    with desk.store.read() as c:
        assert jobs.states(c, [job, other]) == {other: "failed"}


async def test_a_job_that_its_site_has_forgotten_is_lost_and_tried_again(desk: Desk) -> None:
    job = desk.add()
    await desk.keep()
    desk.toy.held.clear()
    await desk.keep()
    task = desk.task(job)
    assert (task.state, task.reason, task.attempt) == ("pending", "Lost", 2)
    desk.time += 2
    await desk.keep()
    assert desk.toy.handed == [f"{job}-1", f"{job}-2"]


async def test_failed_tasks_of_an_array_are_tried_again_alone(desk: Desk) -> None:
    job = desk.add(array=(3, 4, 5), retry=1)
    await desk.keep()
    for index in (3, 5):
        desk.toy.say(f"{job}-1", JobState.SUCCEEDED, index, exit_code=0, ended=1001.0)
    desk.toy.say(f"{job}-1", JobState.FAILED, 4, exit_code=9, reason="Error", ended=1001.0)
    await desk.keep()
    assert desk.job(job).state == "pending"
    desk.time += 2
    await desk.keep()
    assert list(desk.toy.held[f"{job}-2"]) == [4]
    desk.toy.say(f"{job}-2", JobState.SUCCEEDED, 4, exit_code=0, ended=1003.0)
    await desk.keep()
    assert (desk.job(job).state, desk.job(job).exit_code) == ("succeeded", 0)


async def test_a_job_waits_for_those_before_it(desk: Desk) -> None:
    first = desk.add()
    second = desk.add(2, after=[first])
    await desk.keep()
    assert desk.toy.handed == [f"{first}-1"]
    assert f"waits for job {first}" in desk.task(second).words
    desk.toy.say(f"{first}-1", JobState.SUCCEEDED, ended=1001.0)
    await desk.keep()
    await desk.keep()
    assert desk.toy.handed == [f"{first}-1", f"{second}-1"]


@pytest.mark.parametrize("end", [JobState.FAILED, JobState.CANCELLED])
async def test_a_job_does_not_follow_one_that_did_not_succeed(desk: Desk, end: JobState) -> None:
    first = desk.add()
    second = desk.add(2, after=[first])
    await desk.keep()
    desk.toy.say(f"{first}-1", end, reason="Error", ended=1001.0)
    await desk.keep()
    await desk.keep()
    assert (desk.job(second).state, desk.job(second).reason) == ("failed", "DependencyFailed")


async def test_cancelling_what_was_never_handed_over(desk: Desk) -> None:
    job = desk.add(after=["f" * 12])
    desk.cancel(job)
    await desk.keep()
    assert desk.job(job).state == "cancelled"
    assert desk.toy.told == []


async def test_cancelling_what_the_site_has(desk: Desk) -> None:
    job = desk.add()
    await desk.keep()
    desk.cancel(job, grace=5.0)
    await desk.keep()
    await desk.keep()
    assert desk.toy.told == [(f"{job}-1", None, 5.0)], "it is told once, and again only after a while"
    desk.time += 31
    await desk.keep()
    assert len(desk.toy.told) == 2
    desk.toy.say(f"{job}-1", JobState.FAILED, reason="Error", exit_code=143, ended=1002.0)
    await desk.keep()
    assert (desk.job(job).state, desk.job(job).reason) == ("cancelled", "Cancelled")


async def test_cancelling_some_tasks_of_an_array(desk: Desk) -> None:
    job = desk.add(array=(1, 2, 3))
    await desk.keep()
    desk.cancel(job, [2])
    await desk.keep()
    assert desk.toy.told == [(f"{job}-1", (2,), None)]


async def test_a_cancelled_job_that_succeeded_first_has_succeeded(desk: Desk) -> None:
    job = desk.add()
    await desk.keep()
    desk.cancel(job)
    desk.toy.say(f"{job}-1", JobState.SUCCEEDED, exit_code=0, ended=1001.0)
    await desk.keep()
    assert desk.job(job).state == "succeeded"


async def test_what_a_job_left_is_removed_in_its_time(desk: Desk) -> None:
    job = desk.add(keep=50.0)
    await desk.keep()
    desk.toy.say(f"{job}-1", JobState.SUCCEEDED, ended=1001.0)
    await desk.keep()
    await desk.keep()
    assert desk.toy.removed == []
    desk.time = 1052.0
    await desk.keep()
    assert desk.toy.removed == [f"{job}-1"]
    assert desk.job(job).removed
    assert desk.job(job).due is None


async def test_nothing_is_done_under_a_lease_that_is_lost(desk: Desk) -> None:
    desk.add()
    with desk.store.write() as c:
        site_leases.break_leases(c, ["me"])
        site_leases.claim(c, "toy", "other", desk.time, 10)
    with pytest.raises(LeaseLost):
        await desk.keep()
    assert desk.toy.handed == []


async def until(desk: Desk, met: Callable[[], bool]) -> None:
    """Keep rounds until something is so."""
    async with asyncio.timeout(60):
        while not met():
            await desk.keep()
            await asyncio.sleep(0.001)


async def test_outputs_are_sent_before_a_job_is_over(desk: Desk) -> None:
    job = desk.add(sends=True, outputs=(Output("out", "https://x.org/o"),))
    await desk.keep()
    desk.toy.say(f"{job}-1", JobState.SUCCEEDED, exit_code=0, ended=1001.0)
    await desk.keep()
    assert desk.job(job).state == "running"
    await until(desk, lambda: desk.job(job).state == "succeeded")
    assert desk.toy.sent == [(f"{job}-1", {"out": "https://x.org/o"})]


async def test_outputs_that_cannot_be_sent_now_are_sent_later(desk: Desk) -> None:
    desk.toy.send_errors = [Temporary("503", 1.0)]
    job = desk.add(sends=True, outputs=(Output("out", "https://x.org/o"),))
    await desk.keep()
    desk.toy.say(f"{job}-1", JobState.SUCCEEDED, exit_code=0, ended=1001.0)
    await until(desk, lambda: len(desk.toy.sent) == 1)
    await desk.keep()
    assert desk.job(job).state == "running"
    desk.time += 10
    await until(desk, lambda: desk.job(job).state == "succeeded")
    assert len(desk.toy.sent) == 2
    assert (desk.job(job).reason, desk.task(job).reason, desk.task(job).words) == ("", "", "")


async def test_outputs_that_cannot_be_sent_at_all_fail_the_job(desk: Desk) -> None:
    desk.toy.send_errors = [Permanent("403 Forbidden")]
    job = desk.add(sends=True, outputs=(Output("out", "https://x.org/o"),))
    await desk.keep()
    desk.toy.say(f"{job}-1", JobState.SUCCEEDED, exit_code=0, ended=1001.0)
    await until(desk, lambda: desk.job(job).state == "failed")
    assert (desk.job(job).reason, desk.task(job).words) == ("StageOutFailed", "403 Forbidden")


async def test_a_job_whose_outputs_cannot_be_sent_says_so_and_can_be_cancelled(desk: Desk) -> None:
    desk.toy.send_errors = [Temporary("no such host", 1.0)] * 100
    job = desk.add(sends=True, outputs=(Output("out", "https://x.org/o"),))
    await desk.keep()
    desk.toy.say(f"{job}-1", JobState.SUCCEEDED, exit_code=0, ended=1001.0)
    await until(desk, lambda: desk.job(job).reason == "StageOutFailed")
    assert (desk.job(job).state, desk.task(job).words) == ("running", "no such host")
    desk.cancel(job)
    await desk.keep()
    assert (desk.job(job).state, desk.job(job).reason) == ("cancelled", "Cancelled")


async def test_a_job_whose_outputs_travel_can_be_deleted(desk: Desk) -> None:
    desk.toy.send_errors = [Temporary("no such host", 1.0)] * 100
    job = desk.add(sends=True, outputs=(Output("out", "https://x.org/o"),))
    await desk.keep()
    desk.toy.say(f"{job}-1", JobState.SUCCEEDED, exit_code=0, ended=1000.0)
    await desk.keep()
    desk.cancel(job)
    desk.forget(job)
    await desk.keep()
    await desk.keep()
    with desk.store.read() as c:
        assert jobs.states(c, [job]) == {}


async def test_a_job_whose_files_travel_keeps_no_other_waiting(desk: Desk) -> None:
    desk.toy.slow = asyncio.Event()
    slow = desk.add(1, inputs=(Input("a", url="https://x.org/big"),))
    quick = desk.add(2)
    await desk.keep()
    assert (desk.job(slow).state, desk.job(quick).state) == ("pending", "queued")
    assert desk.task(slow).words == "its files are on their way"
    desk.toy.slow.set()
    await until(desk, lambda: desk.job(slow).state == "queued")
    assert sorted(desk.toy.handed) == [f"{slow}-1", f"{quick}-1"]


async def test_a_job_that_is_cancelled_while_its_files_travel_is_never_handed_over(desk: Desk) -> None:
    desk.toy.slow = asyncio.Event()
    job = desk.add(inputs=(Input("a", url="https://x.org/big"),))
    await desk.keep()
    desk.cancel(job)
    await desk.keep()
    assert desk.job(job).state == "cancelled"
    desk.toy.slow.set()
    for _ in range(10):
        await desk.keep()
        await asyncio.sleep(0)
    assert desk.toy.handed == []
