"""How tasks ended that Slurm's controller has forgotten: asked of its accounting once, and remembered."""

from __future__ import annotations

import contextlib
import time
from typing import Any, Callable, Dict, Iterable, List, Mapping, Optional, Sequence, Set, Tuple

from isthmus.work.runner.failures import Failure

from .commands import Commands, in_groups
from .facilities import read_config
from .queue import HISTORY_FORMAT, Task, read_codes, read_history
from .states import ENDED

TRIES = (0.0, 2.0, 5.0, 15.0, 60.0, 300.0)
"""Seconds after which what accounting did not know is asked for again: it hears of things late."""
IDS = 4000
_Key = Tuple[str, int]


class History:
    """Completes what ``squeue`` told. Without accounting it knows only what it has seen itself."""

    def __init__(self, commands: Commands, clock: Callable[[], float] = time.monotonic):
        self._commands = commands
        self._clock = clock
        self._accounting: Optional[bool] = None
        self._known: Dict[str, Dict[int, Task]] = {}
        self._seen: Dict[str, Dict[int, Task]] = {}
        self._tries: Dict[_Key, Tuple[int, float]] = {}

    def keep(self, ids: Iterable[str]) -> None:
        """Forget submissions that nobody asks for any more."""
        asked = set(ids)
        for kept in (self._known, self._seen):
            for id in [id for id in kept if id not in asked]:
                del kept[id]
        if len(self._tries) > 100_000:
            self._tries.clear()

    def add_codes(self, found: Mapping[str, Dict[int, Task]], site_ids: Mapping[str, str]) -> None:
        """Add exit codes to what has failed: ``squeue`` tells them in columns alone, so it is asked for those."""
        new: Dict[Tuple[str, Optional[int]], Tuple[Dict[int, Task], int, Task]] = {}
        for id, tasks in found.items():
            known = self._known.setdefault(id, {})
            number, array, _ = site_ids[id].partition("_")
            for index, task in tasks.items():
                if task["state"] not in ENDED:
                    known.pop(index, None)  # it was started again
                elif index in known:
                    task.update(known[index])
                elif task["state"] == "failed" and "exit_code" not in task:
                    new[number, index if array else None] = known, index, task
                else:
                    known[index] = task
        jobs = sorted({job for job, _ in new})
        for group in in_groups(jobs, IDS):
            with contextlib.suppress(Failure):  # nice to have: the next ones say whether Slurm answers
                told = self._commands.ask(
                    "squeue", "--noheader", "--states=all", "--array", "--jobs={}".format(",".join(group)),
                    "--Format=ArrayJobID:24,ArrayTaskID:24,exit_code:24",
                )  # fmt: skip
                for key, code in read_codes(told):
                    if key in new:
                        known, index, task = new[key]
                        task["exit_code"] = code or None
                        known[index] = task

    def complete(self, found: Mapping[str, Dict[int, Task]], wanted: Mapping[str, Tuple[str, Iterable[int]]]) -> None:
        """Add to ``found`` the tasks of ``wanted`` (job and indices by id) that it lacks."""
        asked: Dict[str, str] = {}
        now = self._clock()
        for id, (job, indices) in wanted.items():
            tasks, known, seen = found[id], self._known.setdefault(id, {}), self._seen.setdefault(id, {})
            for index in indices:
                if index in tasks:
                    seen[index] = tasks[index]
                elif index in known:
                    tasks[index] = known[index]
                elif self._due(id, index, now):
                    asked[job.partition("_")[0]] = id
        if not asked or not self._has_accounting():
            return
        try:
            told = self._ask(sorted(asked))
        except Failure as failure:
            self._stand_still(found, wanted, str(failure))
            return
        for job, number, task in told:
            id, index = asked.get(job, ""), number or 0
            if id and index not in found[id]:
                found[id][index] = task
                if task["state"] in ENDED:
                    self._known[id][index] = task

    def find(self, names: Sequence[str]) -> Dict[str, str]:
        """Jobs by name. Raises when accounting does not answer: then nobody knows."""
        if not names or not self._has_accounting():
            return {}
        told = self._commands.ask(
            "sacct", "--noheader", "--parsable2", "--allocations", "--user={}".format(self._commands.user),
            "--starttime=now-30days", "--name={}".format(",".join(names)), "--format=JobID,JobName",
        )  # fmt: skip
        found: Dict[str, str] = {}
        for line in told.splitlines():
            job, _, name = line.partition("|")
            number, array, _ = job.partition("_")
            if number.isdigit():
                found[name] = number + "_*" if array else number
        return found

    def associations(self) -> Tuple[List[str], List[str]]:
        """The accounts and the QOS that the user may name; none where there is no accounting."""
        if not self._has_accounting():
            return [], []
        try:
            told = self._commands.ask(
                "sacctmgr", "--noheader", "--parsable2", "show", "associations",
                "user={}".format(self._commands.user), "format=Account,QOS",
            )  # fmt: skip
        except Failure:
            return [], []
        rows = [line.strip().partition("|") for line in told.splitlines()]
        accounts: Set[str] = {account for account, _, _ in rows}
        qos: Set[str] = {name for _, _, names in rows for name in names.split(",")}
        return sorted(accounts - {""}), sorted(qos - {""})

    def _due(self, id: str, index: int, now: float) -> bool:
        """Whether to ask for a task again; those that accounting does not know are asked for ever less often."""
        tries, last = self._tries.get((id, index), (0, -1e9))
        if tries >= len(TRIES) or now - last < TRIES[tries]:
            return False
        self._tries[id, index] = (tries + 1, now)
        return True

    def _ask(self, jobs: List[str]) -> List[Any]:
        found: List[Any] = []
        for group in in_groups(jobs, IDS):
            found += read_history(
                self._commands.ask(
                    "sacct",
                    "--noheader",
                    "--parsable2",
                    "--jobs={}".format(",".join(group)),
                    "--format={}".format(HISTORY_FORMAT),
                )
            )
        return found

    def _stand_still(
        self, found: Mapping[str, Dict[int, Task]], wanted: Mapping[str, Tuple[str, Iterable[int]]], said: str
    ) -> None:
        """While accounting does not answer, what has left the queue stands as it was seen last: it is not lost."""
        for id, (_, indices) in wanted.items():
            for index in indices:
                if index not in found[id]:
                    last = self._seen.get(id, {}).get(index, {"state": "running", "reason": ""})
                    found[id][index] = dict(last, words=said)
                    self._tries.pop((id, index), None)

    def _has_accounting(self) -> bool:
        if self._accounting is None:
            kind = read_config(self._commands.ask("scontrol", "show", "config")).get("AccountingStorageType", "")
            self._accounting = kind not in ("", "(null)", "accounting_storage/none")
        return self._accounting
