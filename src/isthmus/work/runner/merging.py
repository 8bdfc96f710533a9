"""What a task's own report and the scheduler's word make together. Pure.

``own`` is what its supervisor wrote, ``told`` what the scheduler says, each None when there is nothing. The file
system of a cluster may show a report late, so that where the two do not fit the task is given ``lag`` seconds.
"""

from __future__ import annotations

from typing import Any, Dict, List, Mapping, Optional, Tuple

ENDED = frozenset({"succeeded", "failed", "cancelled"})
WAITING = frozenset({"pending", "queued", "held"})
STATES = ENDED | WAITING | {"running"}
STRONG = frozenset({"OutOfMemory", "TimeLimit", "NodeFail", "Preempted", "Cancelled"})
"""Reasons of the scheduler that explain an end by a signal."""
MOVED = frozenset({"Preempted", "NodeFail"})
UNASKED = frozenset({"Preempted", "NodeFail", "TimeLimit", "OutOfMemory"})
"""Reasons of the scheduler for having a task end that takes itself for cancelled, though nobody asked it to end."""
COMPLETING = 60.0
"""Seconds that a scheduler may take to say why it killed a task that ended by a signal."""

Task = Dict[str, Any]
Told = Optional[Mapping[str, Any]]

_TEXT = {"reason": 100, "words": 4000, "host": 300, "site_id": 100}
_NUMBERS = ("queued", "started", "ended", "cpu_seconds")
_CONTAINER_TEXT = {"reason": 100, "message": 4000, "last_reason": 100}
_CONTAINER_WHOLE = ("exit_code", "signal", "restarts", "last_exit_code")


def clean_task(index: int, report: object) -> Optional[Task]:
    """A task as a report has it, with what is well-formed in it; None when that is not even a state."""
    state = report.get("state") if isinstance(report, Mapping) else None
    if not isinstance(report, Mapping) or not isinstance(state, str) or state not in STATES:
        return None
    task: Task = {"index": index, "state": state}
    for name, limit in _TEXT.items():
        task[name] = _text(report.get(name), limit)
    for name in _NUMBERS:
        task[name] = _number(report.get(name))
    for name in ("exit_code", "peak_memory", "attempt"):
        task[name] = _whole(report.get(name))
    listed = report.get("containers")
    found = [_container(c) for c in listed[:200]] if isinstance(listed, (list, tuple)) else []
    task["containers"] = [c for c in found if c is not None]
    return task


def merge(
    index: int, own: Optional[Task], told: Told, waited: float, lag: float, cancelled: bool = False
) -> Tuple[Task, bool]:
    """How a task stands, and whether that hangs on more time; ``waited`` is how long it has done so.

    ``cancelled`` says that it was asked to end.
    """
    if own is not None and own["state"] in ENDED:
        task, doubtful = _after_report(index, own, told, waited, cancelled)
    elif told is None:
        task, doubtful = _unknown(index, own, waited >= lag, cancelled)
    else:
        task, doubtful = _by_scheduler(index, own, told, waited >= lag)
    return _filled(task, told), doubtful


def _after_report(index: int, own: Task, told: Told, waited: float, cancelled: bool) -> Tuple[Task, bool]:
    state, reason = (told["state"], told.get("reason") or "") if told else (None, "")
    moved = own["reason"] in MOVED
    signalled = (own["exit_code"] or 0) > 128 and own["reason"] in ("", "Error")
    unasked = own["reason"] == "Cancelled" and not cancelled
    if not (moved or signalled or unasked):
        return own, False
    if told and state in WAITING:
        return _as_told(index, told), False
    if state == "running" and waited < COMPLETING:
        return dict(own, state="running", reason="", exit_code=None, ended=None), True
    if told and state in ENDED and reason in (STRONG if signalled else UNASKED if unasked else ()):
        words = _text(told.get("words"), _TEXT["words"]) or own["words"]
        return dict(_ended(own, "cancelled" if reason == "Cancelled" else "failed", reason), words=words), False
    if signalled and cancelled:
        return _ended(own, "cancelled", "Cancelled"), False
    return own, False


def _unknown(index: int, own: Optional[Task], late: bool, cancelled: bool) -> Tuple[Task, bool]:
    before = own or _blank(index, "queued")
    if not late:
        return before, True
    if cancelled:
        return _ended(before, "cancelled", "Cancelled"), False
    return _ended(before, "failed", "Lost"), False


def _by_scheduler(index: int, own: Optional[Task], told: Mapping[str, Any], late: bool) -> Tuple[Task, bool]:
    state = told["state"]
    if state not in ENDED:
        if own is not None and state == "running":
            return dict(own, state="running"), False
        if own is not None and not late:
            return own, True  # it may have started since the scheduler was asked, or wait for another start
        return _as_told(index, told), own is not None and state in WAITING
    started = own is not None or told.get("started") is not None
    if started and not late:
        return own or _blank(index, "running"), True
    if own is None:
        return _as_told(index, told), False
    task = _ended(own, state, str(told.get("reason") or ""))
    task["exit_code"] = _whole(told.get("exit_code"))
    return task, False


def _ended(task: Task, state: str, reason: str) -> Task:
    """``task`` as it ended by a word from outside: its containers have ended too."""
    containers: List[Task] = []
    for container in task["containers"]:
        if container["phase"] != "terminated":
            container = dict(container, phase="terminated", ready=False, reason=reason)
        elif container["reason"] == "Cancelled" or (
            (container["exit_code"] or 0) > 128 and container["reason"] in ("", "Error")
        ):
            container = dict(container, reason=reason)
        containers.append(container)
    return dict(task, state=state, reason=reason, containers=containers)


def _as_told(index: int, told: Mapping[str, Any]) -> Task:
    return dict(_blank(index, told["state"]), exit_code=_whole(told.get("exit_code")), reason=told.get("reason") or "")


def _blank(index: int, state: str) -> Task:
    return clean_task(index, {"state": state}) or {}


def _filled(task: Task, told: Told) -> Task:
    """``task`` with what only the scheduler knows."""
    if told is None:
        return task
    task = dict(task)
    stale = task["state"] in ENDED and told["state"] not in ENDED  # what it said of it then is over
    for name, limit in _TEXT.items():
        if name != "reason" and not task[name] and not (stale and name == "words"):
            task[name] = _text(told.get(name), limit)
    times = ("queued", "started", "ended") if task["state"] in ENDED else ("queued", "started")
    for name in (*times, "cpu_seconds"):
        if task[name] is None and not (name == "started" and task["state"] in WAITING):
            task[name] = _number(told.get(name))
    if task["peak_memory"] is None:
        task["peak_memory"] = _whole(told.get("peak_memory"))
    return task


def _container(report: object) -> Optional[Task]:
    if not isinstance(report, Mapping) or report.get("phase") not in ("waiting", "running", "terminated"):
        return None
    container: Task = {"name": _text(report.get("name"), 300), "phase": report["phase"]}
    container["init"], container["ready"] = report.get("init") is True, report.get("ready") is True
    for name, limit in _CONTAINER_TEXT.items():
        container[name] = _text(report.get(name), limit)
    for name in _CONTAINER_WHOLE:
        container[name] = _whole(report.get(name))
    container["restarts"] = container["restarts"] or 0
    for name in ("started", "ended"):
        container[name] = _number(report.get(name))
    return container


def _text(value: object, limit: int) -> str:
    if not isinstance(value, str):
        return ""
    return value[:limit].encode("utf-8", "replace").decode()  # JSON may have half a character


def _number(value: object) -> Optional[float]:
    fine = isinstance(value, (int, float)) and not isinstance(value, bool) and -1e15 < value < 1e15
    return float(value) if fine else None  # type: ignore[arg-type]


def _whole(value: object) -> Optional[int]:
    fine = isinstance(value, int) and not isinstance(value, bool) and -(2**63) < value < 2**63
    return value if fine else None  # type: ignore[return-value]
