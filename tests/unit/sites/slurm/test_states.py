"""What Slurm says of jobs, in our words."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.sites.slurm.remote.queue import read_codes, read_history, read_names, read_queue
from isthmus.sites.slurm.remote.ranges import read_ranges, write_ranges
from isthmus.sites.slurm.remote.states import read_exit_code, read_state, shows_out_of_memory
from isthmus.work.job import ENDED, JobState, Reason


@pytest.mark.parametrize(
    ("state", "reason", "ours", "why", "words"),
    [
        ("PENDING", "Resources", "queued", "", "PENDING (Resources)"),
        ("PENDING", "QOSMaxCpuPerUserLimit", "queued", "", "PENDING (QOSMaxCpuPerUserLimit)"),
        ("PENDING", "AssocGrpCPUMinutesLimit", "queued", "", "PENDING (AssocGrpCPUMinutesLimit)"),
        ("PENDING", "JobHeldUser", "held", "Held", "PENDING (JobHeldUser)"),
        ("PENDING", "JobHeldAdmin", "held", "Held", "PENDING (JobHeldAdmin)"),
        ("PENDING", "launch failed requeued held", "held", "Held", "PENDING (launch failed requeued held)"),
        ("PENDING", "None", "queued", "", "PENDING"),
        ("CONFIGURING", "None", "queued", "", "CONFIGURING"),
        ("REQUEUED", "None", "queued", "", "REQUEUED"),
        ("REQUEUE_HOLD", "None", "held", "Held", "REQUEUE_HOLD"),
        ("RUNNING", "None", "running", "", "RUNNING"),
        ("SUSPENDED", "None", "running", "", "SUSPENDED"),
        ("COMPLETING", "None", "running", "", "COMPLETING"),
        ("COMPLETED", "JobArrayTaskLimit", "succeeded", "", "COMPLETED"),
        ("FAILED", "NonZeroExitCode", "failed", "Error", "FAILED (NonZeroExitCode)"),
        ("FAILED", "JobLaunchFailure", "failed", "NodeFail", "FAILED (JobLaunchFailure)"),
        ("TIMEOUT", "TimeLimit", "failed", "TimeLimit", "TIMEOUT (TimeLimit)"),
        ("DEADLINE", "None", "failed", "TimeLimit", "DEADLINE"),
        ("OUT_OF_MEMORY", "OutOfMemory", "failed", "OutOfMemory", "OUT_OF_MEMORY (OutOfMemory)"),
        ("NODE_FAIL", "None", "failed", "NodeFail", "NODE_FAIL"),
        ("BOOT_FAIL", "None", "failed", "NodeFail", "BOOT_FAIL"),
        ("PREEMPTED", "None", "failed", "Preempted", "PREEMPTED"),
        ("CANCELLED by 1000", "None", "cancelled", "Cancelled", "CANCELLED by 1000"),
        ("CANCELLED+", "None", "cancelled", "Cancelled", "CANCELLED+"),
        ("SOMETHING_NEW", "None", "running", "", "SOMETHING_NEW"),
    ],
)
def test_each_state_has_one_of_ours_and_keeps_its_words(state: str, reason: str, ours: str, why: str, words: str):
    assert read_state(state, reason) == {"state": ours, "reason": why, "words": words}


def test_a_signal_is_an_exit_code_as_in_shells():
    assert read_state("FAILED", "RaisedSignal:9(Killed)")["exit_code"] == 137
    assert [read_exit_code(text) for text in ("0:0", "7:0", "0:15", "x")] == [0, 7, 143, None]


@given(st.text(max_size=40), st.text(max_size=40))
def test_whatever_slurm_says_is_a_state_of_ours(state: str, reason: str):
    told = read_state(state, reason)

    assert JobState(told["state"]) is not JobState.PENDING
    assert told["reason"] == "" or Reason(told["reason"])
    assert JobState(told["state"]) not in ENDED or told["state"] == "succeeded" or told["reason"]


def test_a_queue_is_read_with_arrays_that_wait_in_one_line():
    text = (
        "9|9|N/A|RUNNING|1795301035|1795301036|1826837036|worker-0|None|isthmus-a-1\n"
        "2|2|2-4,7%2|PENDING|1795301035|N/A|N/A|n/a|JobArrayTaskLimit|isthmus-b-1\n"
        "12|2|0|FAILED|1795301035|1795301036|1795301040|worker-1|NonZeroExitCode|isthmus-b-1\n"
        "30|30|N/A|CANCELLED|1795301035|1795301050|1795301050|n/a|JobHeldUser|a name|with bars\n"
        "a line that is cut sho\n"
    )

    found = {(job, number): task for job, number, task in read_queue(text)}

    assert set(found) == {("9", None), ("2", 2), ("2", 3), ("2", 4), ("2", 7), ("2", 0), ("30", None)}
    assert found["9", None] == {
        "state": "running", "reason": "", "words": "RUNNING", "queued": 1795301035.0, "started": 1795301036.0,
        "host": "worker-0", "site_id": "9",
    }  # fmt: skip
    assert (found["2", 7]["state"], found["2", 7]["site_id"]) == ("queued", "2_7")
    assert found["2", 0]["ended"] == 1795301040.0
    assert found["30", None]["started"] is None, "it never ran, though Slurm gives it a start"
    assert read_names(text) == {"isthmus-a-1": "9", "isthmus-b-1": "2_*", "a name|with bars": "30"}


def test_history_is_read_with_what_steps_used():
    text = (
        "1|COMPLETED|0:0|1795301035|1795301036|1795301056|00:20.500||worker-[3-4]|Resources\n"
        "1.batch|COMPLETED|0:0|1795301036|1795301036|1795301056|00:00.5|2048K|worker-3|\n"
        "1.0|COMPLETED|0:0|1795301036|1795301036|1795301056|00:20|1G|worker-[3-4]|\n"
        "2_5|OUT_OF_MEMORY|0:125|1795301035|1795301036|1795301056|1-00:00:01||worker-1|None\n"
        "2_[6-7]|CANCELLED by 1000|0:0|1795301035|None|1795301056|00:00:00||None assigned|JobHeldUser\n"
        "3|TIMEOUT|0:0|1795301035|1795301036|1795301056|00:00:00||worker-1|None\n"
    )

    found = {(job, number): task for job, number, task in read_history(text)}

    assert (found["1", None]["peak_memory"], found["1", None]["cpu_seconds"]) == (2**30, 20.5)
    assert (found["1", None]["host"], found["1", None]["exit_code"]) == ("worker-3", 0)
    assert (found["2", 5]["reason"], found["2", 5]["cpu_seconds"]) == ("OutOfMemory", 86401.0)
    assert found["2", 7]["state"] == "cancelled"
    assert (found["2", 7]["started"], found["2", 7]["exit_code"]) == (None, None)
    assert found["3", None]["exit_code"] is None, "0 is no exit code of a job that ran out of time"


def test_exit_codes_are_read_from_columns():
    text = (
        "2                       1                       3:0\n9                       N/A                     0:9\n\n"
    )

    assert dict(read_codes(text)) == {("2", 1): 3, ("9", None): 137}


@given(st.sets(st.integers(0, 5000), min_size=1))
def test_ranges_come_back_as_they_were_written(numbers: set[int]):
    assert read_ranges(write_ranges(numbers)) == sorted(numbers)


def test_ranges_are_read_as_slurm_writes_them():
    assert read_ranges("[0-8:4,11%3]") == [0, 4, 8, 11]
    for wrong in ("", "a-b", "0-99999999", "1,..."):
        with pytest.raises(ValueError, match=r"invalid literal|99999999"):
            read_ranges(wrong)


@pytest.mark.parametrize(
    "output",
    [
        b"slurmstepd: error: Step 3.batch exceeded memory limit (1200 > 1000), being killed",
        b"slurmstepd: error: Detected 1 oom_kill event in StepId=3.batch.",
        b"slurmstepd: error: Detected 1 oom-kill event(s)",
    ],
)
def test_marks_of_a_kill_for_memory_are_seen(output: bytes):
    assert shows_out_of_memory(b"something\n" + output)
    assert not shows_out_of_memory(b"slurmstepd: error: *** JOB 3 CANCELLED AT 2026-11-21 DUE TO TIME LIMIT ***")
