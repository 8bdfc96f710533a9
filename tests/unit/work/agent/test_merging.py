"""What a report and the scheduler's word make together."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.work.runner.merging import COMPLETING, ENDED, STATES, clean_task, merge

LAG = 5.0
LATE = LAG + 1

RUNS = {"state": "running", "started": 10.0, "containers": [{"name": "main", "phase": "running", "ready": True}]}
DONE = {"state": "succeeded", "exit_code": 0, "ended": 20.0}
FAILED = {"state": "failed", "reason": "Error", "exit_code": 2}
KILLED = {"state": "failed", "reason": "Error", "exit_code": 137}
TERMED = {"state": "failed", "reason": "Error", "exit_code": 143}
OWN_OOM = {"state": "failed", "reason": "OutOfMemory", "exit_code": 137}
ENDED_GENTLY = {"state": "cancelled", "reason": "Cancelled", "exit_code": 143, "words": "cancelled by a signal"}
ENDED_WELL = {"state": "cancelled", "reason": "Cancelled", "exit_code": 0}
PREEMPTED = {"state": "failed", "reason": "Preempted", "exit_code": 143}


def told(state: str, reason: str = "", **more: Any) -> dict[str, Any]:
    return {"state": state, "reason": reason, **more}


@pytest.mark.parametrize(
    ("own", "word", "waited", "cancelled", "state", "reason", "doubtful"),
    [
        # Its own end wins
        (DONE, None, 0, False, "succeeded", "", False),
        (DONE, told("running"), 0, False, "succeeded", "", False),
        (DONE, told("failed", "NodeFail"), 0, False, "succeeded", "", False),
        (FAILED, told("failed", "Error"), 0, False, "failed", "Error", False),
        (FAILED, told("cancelled", "Cancelled"), 0, False, "failed", "Error", False),
        (OWN_OOM, told("running"), 0, False, "failed", "OutOfMemory", False),
        # but for a mere signal, which the scheduler explains
        (KILLED, told("failed", "OutOfMemory"), 0, False, "failed", "OutOfMemory", False),
        (TERMED, told("failed", "TimeLimit"), 0, False, "failed", "TimeLimit", False),
        (TERMED, told("failed", "NodeFail"), 0, False, "failed", "NodeFail", False),
        (TERMED, told("failed", "Preempted"), 0, False, "failed", "Preempted", False),
        (TERMED, told("cancelled", "Cancelled"), 0, False, "cancelled", "Cancelled", False),
        (KILLED, told("failed", "Error"), 0, False, "failed", "Error", False),
        (KILLED, None, 0, False, "failed", "Error", False),
        (TERMED, None, 0, True, "cancelled", "Cancelled", False),
        (FAILED, None, 0, True, "failed", "Error", False),
        # it was asked to end by a signal: by nobody of ours, so that the scheduler says why
        (ENDED_GENTLY, told("failed", "Preempted"), 0, False, "failed", "Preempted", False),
        (ENDED_GENTLY, told("failed", "TimeLimit"), 0, False, "failed", "TimeLimit", False),
        (ENDED_GENTLY, told("failed", "NodeFail"), 0, False, "failed", "NodeFail", False),
        (ENDED_GENTLY, told("failed", "OutOfMemory"), 0, False, "failed", "OutOfMemory", False),
        (ENDED_WELL, told("failed", "Preempted"), 0, False, "failed", "Preempted", False),
        (ENDED_GENTLY, told("cancelled", "Cancelled"), 0, False, "cancelled", "Cancelled", False),
        (ENDED_GENTLY, told("failed", "Error"), 0, False, "cancelled", "Cancelled", False),
        (ENDED_GENTLY, told("running"), 0, False, "running", "", True),
        (ENDED_GENTLY, told("running"), COMPLETING, False, "cancelled", "Cancelled", False),
        (ENDED_GENTLY, told("queued"), 0, False, "queued", "", False),
        (ENDED_GENTLY, None, 0, False, "cancelled", "Cancelled", False),
        # but when it was one of ours
        (ENDED_GENTLY, told("failed", "Preempted"), 0, True, "cancelled", "Cancelled", False),
        (ENDED_GENTLY, told("failed", "TimeLimit"), 0, True, "cancelled", "Cancelled", False),
        (ENDED_GENTLY, told("running"), 0, True, "cancelled", "Cancelled", False),
        # it may still be about to explain, or start it again
        (KILLED, told("running"), 0, False, "running", "", True),
        (KILLED, told("running"), COMPLETING, False, "failed", "Error", False),
        (TERMED, told("queued"), 0, False, "queued", "", False),
        (PREEMPTED, told("queued"), 0, False, "queued", "", False),
        (PREEMPTED, told("running"), 0, False, "running", "", True),
        (PREEMPTED, None, 0, False, "failed", "Preempted", False),
        # it runs
        (RUNS, told("running"), 0, False, "running", "", False),
        (RUNS, told("queued"), 0, False, "running", "", True),
        (RUNS, told("queued"), LATE, False, "queued", "", True),
        (RUNS, told("held", "Held"), LATE, False, "held", "Held", True),
        (RUNS, told("failed", "NodeFail"), 0, False, "running", "", True),
        (RUNS, told("failed", "NodeFail"), LATE, False, "failed", "NodeFail", False),
        (RUNS, told("cancelled", "Cancelled"), LATE, False, "cancelled", "Cancelled", False),
        (RUNS, None, 0, False, "running", "", True),
        (RUNS, None, LATE, False, "failed", "Lost", False),
        (RUNS, None, LATE, True, "cancelled", "Cancelled", False),
        # it left no word
        (None, told("queued"), 0, False, "queued", "", False),
        (None, told("held", "Held"), 0, False, "held", "Held", False),
        (None, told("running"), 0, False, "running", "", False),
        (None, told("cancelled", "Cancelled"), 0, False, "cancelled", "Cancelled", False),
        (None, told("failed", "NodeFail", started=1.0), 0, False, "running", "", True),
        (None, told("failed", "NodeFail", started=1.0), LATE, False, "failed", "NodeFail", False),
        (None, told("succeeded", started=1.0), 0, False, "running", "", True),
        (None, None, 0, False, "queued", "", True),
        (None, None, LATE, False, "failed", "Lost", False),
        (None, None, LATE, True, "cancelled", "Cancelled", False),
    ],
)
def test_the_table(
    own: dict[str, Any] | None, word: dict[str, Any] | None, waited: float, cancelled: bool, state: str, reason: str,
    doubtful: bool,
) -> None:  # fmt: skip
    """One line a case."""
    task, doubt = merge(3, own and clean_task(3, own), word, waited, LAG, cancelled)
    assert (task["index"], task["state"], task["reason"], doubt) == (3, state, reason, doubtful)


def test_containers_end_with_their_task() -> None:
    """A node that failed leaves none of them running."""
    task, _ = merge(0, clean_task(0, RUNS), told("failed", "NodeFail", exit_code=1), LATE, LAG)
    (container,) = task["containers"]
    assert (container["phase"], container["reason"], container["ready"]) == ("terminated", "NodeFail", False)
    assert task["exit_code"] == 1


def test_a_killed_container_is_explained_too() -> None:
    """The kernel killed it; the scheduler knows why."""
    own = {**KILLED, "containers": [{"name": "a", "phase": "terminated", "exit_code": 137, "reason": "Error"},
                                    {"name": "b", "phase": "terminated", "exit_code": 0}]}  # fmt: skip
    task, _ = merge(0, clean_task(0, own), told("failed", "OutOfMemory"), 0, LAG)
    assert [c["reason"] for c in task["containers"]] == ["OutOfMemory", ""]


def test_a_container_that_was_asked_to_end_is_explained_too() -> None:
    """It knew no more than its task; and the words are those of who knows."""
    over = {"phase": "terminated"}
    containers = [{"name": "a", "exit_code": 0, "reason": "Cancelled", **over},
                  {"name": "b", "exit_code": 1, "reason": "Error", **over}]  # fmt: skip
    own = {**ENDED_GENTLY, "containers": containers}
    task, _ = merge(0, clean_task(0, own), told("failed", "Preempted", words="PREEMPTED"), 0, LAG)
    assert [c["reason"] for c in task["containers"]] == ["Preempted", "Error"]
    assert task["words"] == "PREEMPTED"


@pytest.mark.parametrize(
    ("own", "word", "words"),
    [
        (DONE, told("running", words="RUNNING"), ""),
        (DONE, told("queued", words="PENDING (Priority)"), ""),
        (DONE, told("succeeded", words="COMPLETED"), "COMPLETED"),
        (DONE, None, ""),
        (OWN_OOM, told("running", words="COMPLETING"), ""),
        (FAILED, told("failed", "Error", words="FAILED (NonZeroExitCode)"), "FAILED (NonZeroExitCode)"),
        ({**FAILED, "words": "main: exit code 2"}, told("failed", "Error", words="FAILED"), "main: exit code 2"),
        (RUNS, told("running", words="RUNNING"), "RUNNING"),
        (None, told("queued", words="PENDING (Priority)"), "PENDING (Priority)"),
    ],
)
def test_words_are_those_of_how_it_stands(own: dict[str, Any] | None, word: dict[str, Any] | None, words: str) -> None:
    """What a scheduler said of a task that ran is no word on one that has ended."""
    assert merge(0, own and clean_task(0, own), word, 0, LAG)[0]["words"] == words


def test_the_scheduler_fills_what_the_report_lacks() -> None:
    """Its words, times and usage; what the report has stays."""
    word = told("succeeded", words="COMPLETED", host="n1", queued=5.0, started=6.0, ended=7.0, cpu_seconds=1.5,
                peak_memory=10, site_id="7_0")  # fmt: skip
    task, _ = merge(0, clean_task(0, {**DONE, "host": "own"}), word, 0, LAG)
    assert task["host"] == "own"
    assert task["ended"] == 20.0
    assert (task["words"], task["queued"], task["started"], task["site_id"]) == ("COMPLETED", 5.0, 6.0, "7_0")
    assert (task["cpu_seconds"], task["peak_memory"]) == (1.5, 10)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(
        ["state", "reason", "words", "exit_code", "ended", "containers", "phase", "name", "restarts"]), inner),
    max_leaves=10,
)  # fmt: skip


@given(JSON, st.sampled_from(sorted(STATES)) | JSON)
def test_hostile_reports(report: Any, state: Any) -> None:
    """A report is what a program may have written: what comes of it is well-formed, or nothing."""
    task = clean_task(1, {**report, "state": state} if isinstance(report, dict) else report)
    if task is None:
        return
    assert task["state"] in STATES
    for word in (None, told("running"), told("failed", "OutOfMemory")):
        merged, _ = merge(1, task, word, 0, LAG)
        assert merged["state"] in STATES
        assert isinstance(merged["words"], str)
        assert merged["exit_code"] is None or isinstance(merged["exit_code"], int)
        if word is None and task["state"] in ENDED:
            assert merged == task
