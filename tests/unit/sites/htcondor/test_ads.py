"""Jobs of HTCondor in our words, as its queue and history have really shown them."""

from __future__ import annotations

from typing import Any

import pytest

from isthmus.sites.htcondor.remote.ads import read_ad
from isthmus.work.job import JobState, Reason

BASE: dict[str, Any] = {"ClusterId": 7, "ProcId": 2, "QDate": 1000}
BEGAN: dict[str, Any] = {**BASE, "JobCurrentStartDate": 1009, "JobCurrentStartExecutingDate": 1010}


@pytest.mark.parametrize(
    ("ad", "state", "reason", "code", "words"),
    [
        ({**BASE, "JobStatus": 1, "LastRejMatchReason": "no match found "}, "queued", "", None, "no match found"),
        ({**BEGAN, "JobStatus": 1, "VacateReason": "it is wanted"}, "queued", "", None, "it is wanted"),
        ({**BEGAN, "JobStatus": 2, "RemoteHost": "slot1_1@worker-1"}, "running", "", None, ""),
        ({**BEGAN, "JobStatus": 2, "TransferringInput": True}, "running", "", None, "transferring input"),
        ({**BEGAN, "JobStatus": 6}, "running", "", None, "transferring output"),
        ({**BEGAN, "JobStatus": 7}, "running", "", None, "suspended"),
        ({**BEGAN, "JobStatus": 3, "RemoteHost": "slot1@w", "RemoveReason": "x"}, "running", "", None,
         "being removed: x"),
        ({**BEGAN, "JobStatus": 4, "ExitCode": 0, "ExitBySignal": False}, "succeeded", "", 0, ""),
        ({**BEGAN, "JobStatus": 4, "ExitCode": 3, "ExitBySignal": False}, "failed", "Error", 3, ""),
        ({**BEGAN, "JobStatus": 4, "ExitBySignal": True, "ExitSignal": 9}, "failed", "Error", 137, ""),
        ({**BASE, "JobStatus": 3, "RemoveReason": "via condor_rm (by user eve)"}, "cancelled", "Cancelled", None,
         "via condor_rm (by user eve)"),
        ({**BEGAN, "JobStatus": 3, "ExitCode": 143, "RemoveReason": "isthmus: Cancelled (by user u)"}, "cancelled",
         "Cancelled", 143, ""),
        ({**BASE, "JobStatus": 3, "RemoveReason": "isthmus: StageInFailed: no such file (by user u)"}, "failed",
         "StageInFailed", None, "no such file"),
        ({**BEGAN, "JobStatus": 3, "RemoveReason":
          "The job attribute PeriodicRemove expression 'JobStatus == 2' evaluated to TRUE"},
         "failed", "TimeLimit", None,
         "The job attribute PeriodicRemove expression 'JobStatus == 2' evaluated to TRUE"),
    ],
)  # fmt: skip
def test_how_a_job_stands(ad: dict[str, Any], state: str, reason: str, code: int | None, words: str) -> None:
    task = read_ad(ad)
    assert (task["state"], task["reason"], task["exit_code"], task["words"]) == (state, reason, code, words)
    assert JobState(task["state"])
    assert not task["reason"] or Reason(task["reason"])
    assert task["site_id"] == "7.2"


def test_a_job_that_was_removed_by_force_has_ended_though_its_node_never_said_so() -> None:
    ad = {**BEGAN, "JobStatus": 3, "RemoteHost": "slot1@w", "RemoveReason": "via condor_rm -forcex (by user root)"}
    task = read_ad(ad, left=True)
    assert (task["state"], task["reason"], task["exit_code"]) == ("cancelled", "Cancelled", None)


@pytest.mark.parametrize(
    ("code", "words", "state", "reason"),
    [
        (1, "ask me (by user eve)", "held", "Held"),
        (15, "submitted on hold at user's request", "held", "Held"),
        (16, "Spooling input data files", "queued", ""),
        (12, "Error from slot1@w: SHADOW failed to receive file(s)", "failed", "StageOutFailed"),
        (13, "Transfer input files failure at the access point", "failed", "StageInFailed"),
        (6, "Failed to execute", "failed", "StartError"),
        (34, "Error from slot1@w: Job has gone over cgroup memory limit of 128 megabytes.", "failed", "OutOfMemory"),
        (34, "Disk usage exceeded", "failed", "Error"),
        (26, "Job has gone over memory limit of 96 megabytes. Peak usage: 300 megabytes.", "failed", "OutOfMemory"),
        (21, "memory usage exceeded request_memory", "failed", "OutOfMemory"),
        (26, "The operators want a word", "held", "Held"),
        (46, "The job exceeded allowed job duration of 0+00:01:00", "failed", "TimeLimit"),
        (47, "The job exceeded allowed execute duration of 0+00:01:00", "failed", "TimeLimit"),
        (999, "something new", "held", "Held"),
        (None, "", "held", "Held"),
    ],
)
def test_what_a_hold_means(code: int | None, words: str, state: str, reason: str) -> None:
    task = read_ad({**BEGAN, "JobStatus": 5, "HoldReasonCode": code, "HoldReason": words})
    assert (task["state"], task["reason"]) == (state, reason)
    assert words in task["words"]


def test_what_a_job_used() -> None:
    ad = {**BEGAN, "JobStatus": 4, "ExitCode": 0, "RemoteUserCpu": 1.5, "RemoteSysCpu": 0.5, "CompletionDate": 1020,
          "ResidentSetSize_RAW": 10, "LastRemoteHost": "slot1_1@worker-1"}  # fmt: skip
    task = read_ad(ad)
    assert (task["queued"], task["started"], task["ended"]) == (1000, 1010, 1020)
    assert (task["cpu_seconds"], task["peak_memory"], task["host"]) == (2.0, 10240, "worker-1")
