"""What Slurm calls the state of a job, in our words. Pure."""

from __future__ import annotations

import re
from typing import Any, Dict, Optional, Tuple

_STATES: Dict[str, Tuple[str, str]] = {
    "PENDING": ("queued", ""),
    "CONFIGURING": ("queued", ""),
    "POWER_UP_NODE": ("queued", ""),
    "REQUEUED": ("queued", ""),
    "REQUEUE_FED": ("queued", ""),
    "EXPEDITING": ("queued", ""),
    "REQUEUE_HOLD": ("held", "Held"),
    "RESV_DEL_HOLD": ("held", "Held"),
    "SPECIAL_EXIT": ("held", "Held"),
    "RUNNING": ("running", ""),
    "SUSPENDED": ("running", ""),
    "STOPPED": ("running", ""),
    "RESIZING": ("running", ""),
    "SIGNALING": ("running", ""),
    "STAGE_OUT": ("running", ""),
    "COMPLETING": ("running", ""),
    "UPDATE_DB": ("running", ""),
    "COMPLETED": ("succeeded", ""),
    "FAILED": ("failed", "Error"),
    "TIMEOUT": ("failed", "TimeLimit"),
    "DEADLINE": ("failed", "TimeLimit"),
    "OUT_OF_MEMORY": ("failed", "OutOfMemory"),
    "NODE_FAIL": ("failed", "NodeFail"),
    "BOOT_FAIL": ("failed", "NodeFail"),
    "LAUNCH_FAILED": ("failed", "NodeFail"),
    "RECONFIG_FAIL": ("failed", "NodeFail"),
    "PREEMPTED": ("failed", "Preempted"),
    "CANCELLED": ("cancelled", "Cancelled"),
    "REVOKED": ("cancelled", "Cancelled"),
}
ENDED = frozenset({"succeeded", "failed", "cancelled"})
_HELD = re.compile(r"JobHeld|held|JobHoldMaxRequeue", re.IGNORECASE)
_NO_LAUNCH = re.compile(r"LaunchFail|launch fail", re.IGNORECASE)
_SIGNAL = re.compile(r"RaisedSignal:([0-9]+)")
_OUT_OF_MEMORY = re.compile(
    rb"exceeded (?:job |step )?(?:virtual )?memory limit|oom[-_]kill|out[- ]of[- ]memory", re.IGNORECASE
)
"""What Slurm writes into the output of a job that it killed for its memory, where its state does not say so."""
_NOTHING = frozenset({"", "None assigned", "None", "none", "(null)", "Unknown", "N/A"})


def read_state(state: str, reason: str = "") -> Dict[str, Any]:
    """``state``, ``reason`` and ``words`` for Slurm's state (``CANCELLED by 1000`` too) and its own reason.

    A state that a later Slurm may bring is taken for running, since it has not ended for all that is known.
    """
    name = state.split(" ")[0].rstrip("+")
    ours, why = _STATES.get(name, ("running", ""))
    if ours == "queued" and _HELD.search(reason):
        ours, why = "held", "Held"
    elif name == "FAILED" and _NO_LAUNCH.search(reason):
        why = "NodeFail"
    elif name == "FAILED" and "OutOfMemory" in reason:
        why = "OutOfMemory"
    if name in ("COMPLETED", "CANCELLED"):
        reason = ""  # what it waited for last
    told: Dict[str, Any] = {
        "state": ours,
        "reason": why,
        "words": state if reason in _NOTHING else "{} ({})".format(state, reason),
    }
    raised = _SIGNAL.search(reason)
    if ours in ENDED and raised:
        told["exit_code"] = 128 + int(raised.group(1))
    return told


def read_exit_code(text: str) -> Optional[int]:
    """An exit code from ``code:signal``, with 128 added to a signal as shells do."""
    code, _, signal = text.strip().partition(":")
    try:
        return 128 + int(signal) if signal and int(signal) else int(code)
    except ValueError:
        return None


def shows_out_of_memory(output: bytes) -> bool:
    """Whether Slurm wrote into a job's output that it was killed for its memory."""
    return bool(_OUT_OF_MEMORY.search(output))


def blank(text: str) -> str:
    """``text``, or nothing where Slurm says that there is none."""
    return "" if text.strip() in _NOTHING or text.strip() == "n/a" else text.strip()
