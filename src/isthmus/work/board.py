"""The board: the jobs of one site with their tasks and submissions, as a round reads and changes them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import fields, replace
from typing import Any

from isthmus.store.jobs import Job, SubmissionRow, Task
from isthmus.work.job import ContainerStatus, JobState, Reason, TaskStatus
from isthmus.work.verdict import Verdict, has_ended, judge, next_pause

RESTING = 2.0
"""Seconds between looks at jobs of which nothing is expected."""
LONGEST_REASON, LONGEST_NAME = 32, 255
"""Characters that the store has for a reason, and for a host or what a site calls a job."""
UNKNOWN_CODE = 255
"""What stands for an exit code that no program can have."""


class Board:
    """What a round works on; :meth:`take_changed` gives the tasks that are to be written."""

    def __init__(
        self,
        rows: Sequence[Job],
        tasks: Mapping[str, Sequence[Task]],
        submissions: Mapping[str, Sequence[SubmissionRow]],
    ):
        self.jobs = {row.id: row for row in rows}
        self.tasks = {id_: {t.index: t for t in of_job} for id_, of_job in tasks.items()}
        self.submissions = {id_: {s.number: s for s in of_job} for id_, of_job in submissions.items()}
        self._changed: dict[tuple[str, int], Task] = {}
        self._touched: set[str] = set()
        self._held_back: set[str] = set()
        self._leaving: list[float] = []
        """When what jobs that ended in this round have left is to be removed."""

    # -- reading ----------------------------------------------------------------------------

    def open_submissions(self) -> Iterator[SubmissionRow]:
        """Those that have tasks which have not ended, the oldest job first."""
        for job, of_job in self.submissions.items():
            tasks = self.tasks[job]
            for row in of_job.values():
                mine = (tasks[index] for index in row.indices)
                if any(task.submission == row.number and not has_ended(task.state) for task in mine):
                    yield row

    def current(self, row: SubmissionRow) -> list[Task]:
        """The tasks of a submission that have not been handed over anew since."""
        tasks = self.tasks[row.job]
        return [tasks[index] for index in row.indices if tasks[index].submission == row.number]

    @property
    def changed(self) -> bool:
        return bool(self._changed)

    def take_changed(self) -> list[Task]:
        """The tasks that changed since they were last taken."""
        changed, self._changed = self._changed, {}
        return list(changed.values())

    def pause(self, now: float, look: float) -> float:
        """Seconds until the next round: ``look`` while a site has tasks, else until the first is due, but no less."""
        if self._held_back or next(self.open_submissions(), None) is not None:
            return look
        later = [t.due for tasks in self.tasks.values() for t in tasks.values() if t.due is not None]
        return min(max(min([*later, *self._leaving], default=now + RESTING) - now, look), RESTING)

    # -- changing ---------------------------------------------------------------------------

    def put(self, task: Task) -> None:
        """Take a task as it is now."""
        if self.tasks[task.job][task.index] != task:
            self.tasks[task.job][task.index] = task
            self._changed[task.job, task.index] = task
            self._touched.add(task.job)

    def say(self, task: Task, words: str, reason: str | None = None) -> None:
        """Note what the site says of a task that waits, to begin or for its outputs to be sent."""
        self.put(replace(task, words=words, reason=task.reason if reason is None else reason))

    def end(self, task: Task, state: JobState, reason: Reason, words: str, now: float) -> None:
        """End a task for a reason that its site did not give."""
        self.put(replace(task, state=state, reason=reason, words=words or task.words, ended=now, due=None))

    def add(self, rows: Iterable[SubmissionRow]) -> None:
        """Take new submissions; the store has them already."""
        for row in rows:
            self.submissions[row.job][row.number] = row
            for index in row.indices:
                task = self.tasks[row.job][index]
                self.tasks[row.job][index] = replace(task, submission=row.number, due=None)

    def mark(self, rows: Iterable[SubmissionRow], **values: Any) -> None:
        """Take columns of submissions that were written to the store."""
        for row in rows:
            self.submissions[row.job][row.number] = replace(self.submissions[row.job][row.number], **values)

    def drop(self, ids: Iterable[str]) -> None:
        """Leave jobs out of the rest of the round."""
        for id_ in ids:
            for rows in (self.jobs, self.tasks, self.submissions):
                rows.pop(id_, None)

    def queue(self, row: SubmissionRow, now: float) -> None:
        """A site has taken a submission."""
        for task in self.current(row):
            if task.state == JobState.PENDING:
                self.put(replace(task, state=JobState.QUEUED, queued=now, reason="", words=""))

    def see(self, row: SubmissionRow, seen: Sequence[TaskStatus] | None, now: float) -> None:
        """Take what a site says of a submission; None when it has never heard of it."""
        known = {status.index: status for status in seen or ()}
        for task in self.current(row):
            status = known.get(task.index)
            if has_ended(task.state):
                continue
            if status is not None:
                self.put(_merge(task, status))
            elif task.cancel:
                self.end(task, JobState.CANCELLED, Reason.CANCELLED, "", now)
            elif row.handed:
                self.end(task, JobState.FAILED, Reason.LOST, "the site knows nothing of it any more", now)

    def hold_back(self, id_: str) -> None:
        """Let a job count as running for this round, though all its tasks have ended."""
        self._held_back.add(id_)

    def retry(self, now: float) -> None:
        """Make tasks that failed and are worth another try wait for it."""
        for id_, job in self.jobs.items():
            for task in list(self.tasks[id_].values()):
                if task.state == JobState.FAILED and (id_, task.index) in self._changed:
                    pause = next_pause(task.reason, task.attempt, job.retry, task.cancel)
                    if pause is not None:
                        again = Task(id_, task.index, attempt=task.attempt + 1, due=now + pause, cancel=task.cancel)
                        self.put(replace(again, reason=task.reason, words=task.words))

    def _let_go(self) -> set[str]:
        """Jobs that are not over, though their tasks are, and that nothing holds back any more."""
        over = {id_ for id_, of_job in self.tasks.items() if all(has_ended(task.state) for task in of_job.values())}
        return {id_ for id_ in over - self._held_back if id_ in self.jobs and not has_ended(self.jobs[id_].state)}

    def changes(self, now: float) -> dict[str, dict[str, Any]]:
        """What to write of jobs whose tasks changed, by id; those that ended are to be cleared away later besides."""
        found: dict[str, dict[str, Any]] = {}
        for id_ in (self._touched | self._let_go()) & self.jobs.keys():
            verdict = judge(list(self.tasks[id_].values()))
            if id_ in self._held_back:
                verdict = Verdict(JobState.RUNNING, verdict.reason, None, verdict.started)
            values: dict[str, Any] = {
                "state": verdict.state, "reason": verdict.reason, "exit_code": verdict.exit_code,
                "started": verdict.started, "ended": verdict.ended,
            }  # fmt: skip
            if has_ended(verdict.state):
                values["ended"] = verdict.ended or now
                self._leaving.append(now + max(self.jobs[id_].keep, 0))
            found[id_] = values
        self._touched.clear()
        return found


def _merge(task: Task, seen: TaskStatus) -> Task:
    """A task as its site shows it; what the site does not say any more stays as it was known."""
    cancelled = task.cancel and seen.state == JobState.FAILED and seen.reason in ("", Reason.ERROR, Reason.CANCELLED)
    return replace(
        task,
        state=JobState.CANCELLED if cancelled else seen.state,
        reason=Reason.CANCELLED if cancelled else _fitting(seen.reason, LONGEST_REASON),
        words=seen.words,
        exit_code=_code(seen.exit_code) if seen.exit_code is not None else task.exit_code,
        site_id=_fitting(seen.site_id, LONGEST_NAME) or task.site_id,
        host=_fitting(seen.host, LONGEST_NAME) or task.host,
        queued=task.queued if task.queued is not None else seen.queued,
        started=seen.started if seen.started is not None else task.started,
        ended=seen.ended,
        cpu_seconds=seen.cpu_seconds if seen.cpu_seconds is not None else task.cpu_seconds,
        peak_memory=seen.peak_memory if seen.peak_memory is not None else task.peak_memory,
        containers=[_plain(c) for c in seen.containers] or task.containers,
    )


def _fitting(text: str, most: int) -> str:
    """A text as every database takes it: a job may have had a hand in what its site says."""
    return text.replace("\0", "\ufffd")[:most]


def _code(code: int) -> int:
    return code if -(2**31) <= code < 2**31 else UNKNOWN_CODE


def _plain(status: ContainerStatus) -> dict[str, Any]:
    return {name: getattr(status, name) for name in _CONTAINER} | {"phase": str(status.phase)}


_CONTAINER = [f.name for f in fields(ContainerStatus)]
