"""What tasks make of their job, and which failures are worth another try."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.store.jobs import Task
from isthmus.work.job import ENDED, HOPELESS, TRANSIENT, JobState, Reason
from isthmus.work.verdict import has_ended, judge, next_pause

STATES = st.lists(st.sampled_from(list(JobState)), min_size=1, max_size=8)


def tasks(*states: str) -> list[Task]:
    return [Task("j", i, state=state) for i, state in enumerate(states)]


@pytest.mark.parametrize(
    ("states", "expected"),
    [
        (["succeeded", "succeeded"], "succeeded"),
        (["succeeded", "failed"], "failed"),
        (["cancelled", "succeeded"], "cancelled"),
        (["cancelled", "failed"], "failed"),
        (["failed", "running"], "running"),
        (["queued", "running"], "running"),
        (["queued", "succeeded"], "queued"),
        (["held", "queued"], "queued"),
        (["held", "pending"], "held"),
        (["pending", "failed"], "pending"),
    ],
)
def test_a_job_stands_as_its_tasks_do(states: list[str], expected: str) -> None:
    assert judge(tasks(*states)).state == expected


@given(STATES)
def test_a_job_has_ended_when_all_its_tasks_have(states: list[JobState]) -> None:
    assert has_ended(judge(tasks(*states)).state) == all(state in ENDED for state in states)


def test_the_first_failure_gives_reason_and_exit_code() -> None:
    rows = [
        Task("j", 0, state="succeeded", exit_code=0, started=3, ended=9),
        Task("j", 1, state="failed", exit_code=7, reason="Error", started=2, ended=5),
        Task("j", 2, state="failed", exit_code=9, reason="OutOfMemory", started=4, ended=6),
    ]
    verdict = judge(rows)
    assert (verdict.reason, verdict.exit_code, verdict.started, verdict.ended) == ("Error", 7, 2, 9)


def test_a_job_under_way_tells_why_it_waits() -> None:
    assert judge([Task("j", 0, state="held", reason="Held")]).reason == "Held"


@pytest.mark.parametrize(
    ("reason", "attempt", "retry", "pause"),
    [
        (Reason.ERROR, 1, 0, None),
        (Reason.ERROR, 1, 2, 1.0),
        (Reason.ERROR, 2, 2, 2.0),
        (Reason.ERROR, 3, 2, None),
        (Reason.ERROR, 1, None, None),
        (Reason.NODE_FAIL, 1, None, 1.0),
        (Reason.NODE_FAIL, 3, None, None),
        (Reason.NODE_FAIL, 1, 0, None),
        (Reason.NODE_FAIL, 2, 1, None),
        (Reason.NODE_FAIL, 3, 5, 4.0),
        (Reason.ERROR, 9, 20, 60.0),
        (Reason.TIME_LIMIT, 1, 5, None),
        (Reason.OUT_OF_MEMORY, 1, 5, None),
        (Reason.START_ERROR, 1, 5, None),
        (Reason.STAGE_IN, 1, 5, None),
        (Reason.STAGE_OUT, 1, 5, None),
    ],
)
def test_only_what_is_worth_it_is_tried_again(
    reason: str, attempt: int, retry: int | None, pause: float | None
) -> None:
    assert next_pause(reason, attempt, retry, cancelled=False) == pause


@given(st.sampled_from(list(Reason)), st.integers(1, 50), st.none() | st.integers(0, 50))
def test_nothing_is_tried_again_for_ever_or_when_cancelled(reason: Reason, attempt: int, retry: int | None) -> None:
    assert next_pause(reason, attempt, retry, cancelled=True) is None
    tries = (2 if reason in TRANSIENT else 0) if retry is None else retry
    if reason in HOPELESS or attempt > tries:
        assert next_pause(reason, attempt, retry, cancelled=False) is None
