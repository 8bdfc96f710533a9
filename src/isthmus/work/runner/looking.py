"""How submissions stand: one question to the scheduler for all of them, and what their supervisors reported.

The scheduler is asked before reports are read, so that a task which ends in between is not taken for lost. A
report is read when it has changed since this agent read it last; what has ended for good is not looked at again.
"""

from __future__ import annotations

import contextlib
import json
import os
import threading
import time
from collections import OrderedDict
from pathlib import Path
from typing import Any, Callable, Dict, Iterable, List, Mapping, Optional, Tuple

from .briefs import forget_secrets, read_brief
from .locks import Turns
from .merging import ENDED, Task, clean_task, merge
from .places import Places, checked_id, read_small
from .scheduler import Batch
from .submissions import Submissions, site_id

REMEMBERED = 10_000
"""Submissions that are kept in memory."""


class Known:
    """What this agent remembers of one submission."""

    def __init__(self, place: Path):
        self.place = place
        self.site_id: Optional[str] = None
        self.indices: List[int] = []
        self.paths: Dict[int, str] = {}
        self.reports: Dict[int, Tuple[Tuple[int, int, int], Optional[Task]]] = {}
        self.settled: Dict[int, Task] = {}
        self.doubts: Dict[int, float] = {}
        self.merged: Dict[int, Tuple[Optional[Task], Optional[Mapping[str, Any]], Task]] = {}
        """What was made last of a report and the scheduler's word, where nothing hung on time."""

    def load(self) -> bool:
        """Read what never changes; false when the submission was not handed over, or is not here."""
        if self.site_id is None:
            self.site_id = site_id(self.place)
        if self.site_id is not None and not self.indices:
            try:
                indices = read_brief(self.place)["indices"]
            except OSError:
                return False
            tasks = str(self.place / "tasks")
            self.paths = {index: "{}/{}/status.json".format(tasks, index) for index in indices}
            self.indices = indices  # at last: another thread that sees them goes on to the paths
        return self.site_id is not None

    def report(self, index: int, afresh: bool = False) -> Optional[Task]:
        """What the supervisor of a task wrote last; ``afresh`` goes past what a network file system remembers."""
        if afresh:
            with contextlib.suppress(OSError):
                os.listdir(os.path.dirname(self.paths[index]))
        try:
            seen = os.stat(self.paths[index], follow_symlinks=False)
        except OSError:
            return None
        mark = (seen.st_mtime_ns, seen.st_ino, seen.st_size)
        before = self.reports.get(index)
        if before is not None and before[0] == mark and not afresh:
            return before[1]
        task = None
        with contextlib.suppress(OSError, ValueError, RecursionError):
            task = clean_task(index, json.loads(read_small(self.place, ("tasks", str(index), "status.json"))))
        self.reports[index] = (mark, task)
        return task

    def asked_to_end(self, index: int) -> bool:
        """Whether a task was cancelled."""
        return os.path.lexists(str(self.place / "tasks" / str(index) / "cancel"))


class Looking:
    """Looks at submissions; ``lag`` is how many seconds reports may come late."""

    def __init__(
        self, places: Places, submissions: Submissions, batch: Batch, turns: Turns, lag: float = 5.0,
        clock: Callable[[], float] = time.monotonic,
    ):  # fmt: skip
        self._places = places
        self._submissions = submissions
        self._batch = batch
        self._turns = turns
        self._lag = lag
        self._clock = clock
        self._known: OrderedDict[str, Known] = OrderedDict()
        self._remembering = threading.Lock()
        self._looking = threading.Lock()

    def look(self, ids: Iterable[object]) -> Dict[str, List[Task]]:
        """How the tasks of submissions stand, with what is known of them; those never handed over are left out.

        Raises what the batch system's module raises when the scheduler does not answer.
        """
        wanted = list(dict.fromkeys(checked_id(id) for id in ids))
        with self._looking:
            return self._look(wanted)

    def _look(self, wanted: List[str]) -> Dict[str, List[Task]]:
        known = {id: self._remember(id) for id in wanted}
        loose = [id for id in wanted if not known[id].load() and self._submissions.is_doubtful(known[id].place)]
        loose += [id for id in wanted if known[id].site_id == "" and len(known[id].settled) < len(known[id].indices)]
        if loose:
            self._submissions.settle_marked(loose)
            for id in loose:
                known[id].site_id = None
        here = {id: one for id, one in known.items() if one.load()}
        told = self._ask({id: one for id, one in here.items() if self._open(one)})
        absorb = getattr(self._batch, "absorb", None)
        if absorb is not None:
            for one in here.values():
                if len(one.settled) < len(one.indices):
                    absorb(one.place)
        return {id: self._tasks(one, told.get(id, {})) for id, one in here.items()}

    def ended(self, id: str, index: int) -> bool:
        """Whether a task has ended as far as this agent has seen, by its report or by the scheduler's word."""
        one = self._remember(id)
        if index in one.settled:
            return True
        if not one.load():
            return not one.place.exists()
        if index not in one.paths:
            return True
        report = one.report(index)
        return report is not None and report["state"] in ENDED

    def report(self, id: str, index: int) -> Optional[Task]:
        """What a task's supervisor wrote last."""
        one = self._remember(id)
        return one.report(index) if one.load() and index in one.paths else None

    def forget(self, ids: Iterable[object]) -> None:
        """Forget what was removed."""
        with self._remembering:
            for id in ids:
                self._known.pop(str(id), None)

    def _remember(self, id: str) -> Known:
        with self._remembering:
            one = self._known.get(id)
            if one is None:
                one = self._known[id] = Known(self._places.submission(id))
                if len(self._known) > REMEMBERED:
                    self._known.popitem(last=False)
            return one

    def _open(self, one: Known) -> bool:
        """Whether the scheduler's word on a submission can change anything."""
        return any(index not in one.settled for index in one.indices)

    def _ask(self, known: Mapping[str, Known]) -> Mapping[str, Mapping[int, Mapping[str, Any]]]:
        asked = {id: one.site_id for id, one in known.items() if one.site_id}
        if not asked:
            return {}
        with self._turns:
            return self._batch.query(asked)

    def _tasks(self, one: Known, told: Mapping[int, Mapping[str, Any]]) -> List[Task]:
        now, tasks = self._clock(), []
        before = len(one.settled)
        for index in one.indices:
            task = one.settled.get(index)
            tasks.append(self._task(one, index, told.get(index), now) if task is None else task)
        lost = any(task.get("reason") == "Lost" for task in one.settled.values())
        if before < len(one.settled) == len(one.indices) and not lost:  # what is lost may turn up and run
            forget_secrets(one.place)
        return tasks

    def _task(self, one: Known, index: int, told: Optional[Mapping[str, Any]], now: float) -> Task:
        own = one.report(index) or _reported(index, told)
        gone = told is None or told["state"] in ENDED
        if gone and (own is None or own["state"] not in ENDED):
            own = one.report(index, afresh=True) or own
        before = one.merged.get(index)
        if before is not None and before[0] is own and before[1] == told and not gone:
            return before[2]
        waited = now - one.doubts.setdefault(index, now)
        asked = (gone or (own is not None and own["state"] in ENDED)) and one.asked_to_end(index)
        merged, doubtful = merge(index, own, told, waited, self._lag, asked)
        if not merged["site_id"]:
            merged["site_id"] = (one.site_id or "").replace("*", str(index))  # 1051_* is the whole array
        task = _short(merged)
        if doubtful:
            one.merged.pop(index, None)
            return task
        del one.doubts[index]
        one.merged[index] = (own, told, task)
        if task["state"] in ENDED:
            one.settled[index] = task
            one.reports.pop(index, None)
            one.merged.pop(index, None)
        return task


def _reported(index: int, told: Optional[Mapping[str, Any]]) -> Optional[Task]:
    """The report of a task's supervisor as the scheduler has it, where no file of the task does."""
    if not told or not told.get("report"):
        return None
    with contextlib.suppress(ValueError, RecursionError):
        return clean_task(index, json.loads(told["report"]))
    return None


def _short(task: Task) -> Task:
    """A task without what is not known of it."""
    return {name: value for name, value in task.items() if value is not None and value != "" and value != []}
