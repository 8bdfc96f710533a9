"""What the tasks of a job make of it as a whole, and whether one that failed is worth another try. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from isthmus.work.job import ENDED, HOPELESS, TRANSIENT, JobState

SITE_TRIES = 2
"""More tries that a task has when its site failed it and nobody said how many it may have."""
LONGEST_PAUSE = 60.0


class TaskLike(Protocol):
    """What counts of a task."""

    @property
    def state(self) -> str: ...
    @property
    def reason(self) -> str: ...
    @property
    def exit_code(self) -> int | None: ...
    @property
    def started(self) -> float | None: ...
    @property
    def ended(self) -> float | None: ...


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a job stands: its state and reason, the exit code that it passes on, when it began and ended."""

    state: JobState
    reason: str = ""
    exit_code: int | None = None
    started: float | None = None
    ended: float | None = None


_UNDER_WAY = (JobState.RUNNING, JobState.QUEUED, JobState.HELD, JobState.PENDING)
_AT_THE_END = (JobState.FAILED, JobState.CANCELLED, JobState.SUCCEEDED)


def judge(tasks: Sequence[TaskLike]) -> Verdict:
    """The job of these tasks: under way while any is, then failed if any failed, cancelled if any was."""
    states = {JobState(task.state) for task in tasks}
    started = min((task.started for task in tasks if task.started is not None), default=None)
    for state in _UNDER_WAY:
        if state in states:
            reason = next((task.reason for task in tasks if task.state == state and task.reason), "")
            return Verdict(state, reason, None, started)
    state = next(state for state in _AT_THE_END if state in states)
    first = next(task for task in tasks if task.state == state)
    ended = max((task.ended for task in tasks if task.ended is not None), default=None)
    return Verdict(state, first.reason, first.exit_code, started, ended)


def next_pause(reason: str, attempt: int, retry: int | None, cancelled: bool) -> float | None:
    """Seconds until a task that failed in its ``attempt``-th try is tried again; None when it is not.

    ``retry`` is how often its owner wants that; of an owner who did not say, what lies with the site is tried
    again. What would end the same way never is.
    """
    if cancelled or reason in HOPELESS:
        return None
    unasked = SITE_TRIES if reason in TRANSIENT else 0
    tries = unasked if retry is None else retry
    return min(2.0 ** (attempt - 1), LONGEST_PAUSE) if attempt <= tries else None


def has_ended(state: str) -> bool:
    """Whether a task or a job in this state stays as it is."""
    return state in ENDED
