"""Jobs as the queue and its history show them (HTCondor manual, job ClassAd attributes), in our words. Pure."""

from __future__ import annotations

import re
from typing import Any, Dict, Mapping

SEEN = ("ClusterId", "ProcId", "IsthmusSubmission", "IsthmusTask", "JobStatus", "HoldReason", "HoldReasonCode",
        "HoldReasonSubCode", "RemoveReason", "VacateReason", "LastRejMatchReason", "EnteredCurrentStatus", "QDate",
        "JobCurrentStartDate", "JobCurrentStartExecutingDate", "CompletionDate", "ExitCode", "ExitBySignal",
        "ExitSignal", "RemoteHost", "LastRemoteHost", "RemoteUserCpu", "RemoteSysCpu", "ResidentSetSize_RAW",
        "NumJobStarts", "TransferringInput", "TransferringOutput")  # fmt: skip

Task = Dict[str, Any]

IDLE, RUNNING, REMOVED, COMPLETED, HELD, TRANSFERRING, SUSPENDED = range(1, 8)
HOPELESS_HOLDS = {
    6: "StartError", 7: "StageOutFailed", 8: "StageInFailed", 9: "StageOutFailed", 10: "StageInFailed",
    12: "StageOutFailed",
    13: "StageInFailed", 14: "StageInFailed", 32: "StageInFailed", 33: "StageOutFailed", 35: "ImageUnavailable",
    45: "ImageUnavailable", 46: "TimeLimit", 47: "TimeLimit",
}  # fmt: skip
"""Codes of holds (HTCondor manual, job attribute HoldReasonCode) after which the job would not do better."""
RESOURCES = (34,)
"""More memory, disk or CPUs than it had asked for."""
POLICIES = (3, 21, 26)
"""What whoever wrote the policy of job, node or pool had in mind: pools hold jobs for their memory so, too."""
SPOOLING = 16
OURS = re.compile(r"isthmus: ([A-Za-z]+)(?:: (.*?))?(?: \(by user [^)]*\))?", re.DOTALL)
"""The reason that we give when we remove a job, and what HTCondor adds to it."""


def read_ad(ad: Mapping[str, Any], left: bool = False) -> Task:
    """A job as the queue shows it, or as its history does after it has ``left`` that, in our words."""
    status = ad.get("JobStatus")
    began = ad.get("JobCurrentStartExecutingDate") or ad.get("JobCurrentStartDate")
    task: Task = {
        "state": "queued",
        "reason": "",
        "words": "",
        "exit_code": None,
        "site_id": "{}.{}".format(ad.get("ClusterId"), ad.get("ProcId")),
        "host": str(ad.get("RemoteHost") or ad.get("LastRemoteHost") or "").rpartition("@")[2],
        "queued": ad.get("QDate"),
        "started": began,
        "ended": None,
        "cpu_seconds": float(ad.get("RemoteUserCpu") or 0) + float(ad.get("RemoteSysCpu") or 0) if began else None,
        "peak_memory": int(ad.get("ResidentSetSize_RAW") or 0) * 1024 or None,
    }
    if status == HELD:
        return _read_hold(ad, task)
    if status == COMPLETED or (status == REMOVED and (left or not ad.get("RemoteHost"))):
        return _read_end(ad, task, removed=status == REMOVED)
    if status == IDLE:
        task["words"] = str(ad.get("VacateReason") or ad.get("LastRejMatchReason") or "").strip()
        task.update(started=None, host="", cpu_seconds=None)
    else:
        task["state"] = "running"
        task["words"] = _doing(ad)
    return task


def _doing(ad: Mapping[str, Any]) -> str:
    status = ad.get("JobStatus")
    if status == REMOVED:
        return "being removed: {}".format(ad.get("RemoveReason") or "no reason")
    if status == SUSPENDED:
        return "suspended"
    if status == TRANSFERRING or ad.get("TransferringOutput") is True:
        return "transferring output"
    return "transferring input" if ad.get("TransferringInput") is True else ""


def _read_hold(ad: Mapping[str, Any], task: Task) -> Task:
    code = ad.get("HoldReasonCode")
    words = str(ad.get("HoldReason") or "held without a reason")
    if code == SPOOLING:
        return dict(task, words=words)
    reason = HOPELESS_HOLDS.get(code) if isinstance(code, int) else None
    if code in RESOURCES or code in POLICIES:
        out_of_memory = re.search("memory.*(exceed|over)|(exceed|over).*memory", words, re.IGNORECASE | re.DOTALL)
        reason = "OutOfMemory" if out_of_memory else "Error" if code in RESOURCES else None
    if reason is None:
        return dict(task, state="held", reason="Held", words=words)
    return dict(task, state="failed", reason=reason, words=words, ended=ad.get("EnteredCurrentStatus"))


def _read_end(ad: Mapping[str, Any], task: Task, removed: bool) -> Task:
    task["ended"] = ad.get("CompletionDate") or ad.get("EnteredCurrentStatus")
    if ad.get("ExitBySignal") is True and isinstance(ad.get("ExitSignal"), int):
        task["exit_code"] = 128 + ad["ExitSignal"]
    elif isinstance(ad.get("ExitCode"), int) and task["started"]:
        task["exit_code"] = ad["ExitCode"]
    if not removed:
        failed = task["exit_code"] != 0
        return dict(task, state="failed" if failed else "succeeded", reason="Error" if failed else "")
    words = str(ad.get("RemoveReason") or "removed without a reason")
    ours = OURS.fullmatch(words)
    if ours:
        state = "cancelled" if ours.group(1) == "Cancelled" else "failed"
        return dict(task, state=state, reason=ours.group(1), words=(ours.group(2) or "").strip())
    if words.startswith("The job attribute PeriodicRemove expression"):
        return dict(task, state="failed", reason="TimeLimit", words=words)
    return dict(task, state="cancelled", reason="Cancelled", words=words)
