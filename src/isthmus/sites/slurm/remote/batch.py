"""The batch module for Slurm: hands over, finds, asks after and ends what the agent is told to.

Interface: :mod:`isthmus.work.runner.scheduler`. Each method asks Slurm a fixed number of times, whatever the number
of jobs; only ``sbatch`` takes one job at a time, so several of those run at once.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Callable, Dict, Iterable, List, Mapping, Optional, Sequence, Tuple

from isthmus.work.runner.briefs import read_brief
from isthmus.work.runner.failures import Failure, Temporary
from isthmus.work.runner.places import read_small, write_whole

from .commands import Commands, in_groups
from .facilities import (
    JOBS_FORMAT,
    NODES_FORMAT,
    read_partitions,
)
from .handing import arguments
from .history import History
from .queue import QUEUE_FORMAT, Task, read_names, read_queue
from .ranges import write_ranges
from .refusals import refusal
from .states import ENDED, shows_out_of_memory

AT_ONCE = 4
"""``sbatch`` processes."""
SLACK = 10.0
"""Seconds after its grace for a supervisor to end by itself."""
AGAIN = 60.0
"""Seconds between hard cancels of the same task."""
PARTITIONS_KEPT = 300.0
IDS = 5000
SCRIPT = b"""#!/bin/sh
trap '' TERM # until there is a supervisor to hear it; the file `cancel` tells it then
# Started by Slurm for each task, in the folder of its submission. The arguments start what supervises the task.
# Slurm's id of it is left there in case that whoever handed it over was stopped before it could write it down.
id=${SLURM_ARRAY_JOB_ID:+${SLURM_ARRAY_JOB_ID}_*}
if [ -e submitting ] && [ ! -e site-id ]; then
    printf %s "${id:-$SLURM_JOB_ID}" >"site-id.$SLURM_JOB_ID" && mv -f "site-id.$SLURM_JOB_ID" site-id
fi
exec "$@" --index "${SLURM_ARRAY_TASK_ID:-0}"
"""
Told = Optional[Dict[str, Any]]


class Batch:
    """Slurm as the user sees it. ``config`` has the defaults of the site and those of :class:`Commands`."""

    def __init__(self, config: Mapping[str, Any], root: Path, clock: Callable[[], float] = time.time):
        self._config = config
        self._root = root
        self._clock = clock
        self._commands = Commands(config)
        self._history = History(self._commands)
        self._ending: Dict[str, Dict[str, float]] = {}
        self._partitions: Tuple[float, List[Dict[str, Any]]] = (0.0, [])

    def submit(self, orders: List[Dict[str, Any]]) -> Sequence[Told]:
        """Hand over each order with an ``sbatch`` of its own."""
        self._commands.check()
        script = self._script()
        limits = self._limits()
        with ThreadPoolExecutor(min(AT_ONCE, max(1, len(orders)))) as pool:
            return list(pool.map(lambda entry: self._submit(entry, script, *limits), orders))

    def find(self, ids: Sequence[str]) -> Dict[str, str]:
        """What Slurm has under our names, in its memory or in its history."""
        names = {"isthmus-{}".format(id): id for id in ids}
        known = read_names(self._squeue())
        found = {id: known[name] for name, id in names.items() if name in known}
        missing = [name for name, id in names.items() if id not in found]
        for name, job in self._history.find(missing).items():
            found[names[name]] = job
        for id in ids:  # what the task itself left there, see SCRIPT
            if id not in found:
                with contextlib.suppress(OSError):
                    found[id] = read_small(self._place(id), ("site-id",), 100).decode("ascii", "replace").strip()
        return {id: job for id, job in found.items() if job}

    def query(self, site_ids: Dict[str, str]) -> Dict[str, Dict[int, Task]]:
        """How tasks stand: one ``squeue``, and one ``sacct`` for what has left it since the last time."""
        wanted = {job_of(job): id for id, job in site_ids.items() if job}
        found: Dict[str, Dict[int, Task]] = {id: {} for id in site_ids}
        for job, number, task in read_queue(self._squeue()):
            if job in wanted:
                found[wanted[job]][number or 0] = task
        self._enforce(found, site_ids)
        self._history.keep(site_ids)
        self._history.add_codes(found, site_ids)
        self._history.complete(found, {id: (job, self._indices(id)) for id, job in site_ids.items() if job})
        for id, tasks in found.items():
            for index, task in tasks.items():
                self._explain(id, index, task)
        return found

    def cancel(
        self, tasks: Dict[str, Tuple[str, Optional[List[int]]]], grace: float, order: Mapping[str, Mapping[str, Any]]
    ) -> None:
        """End what waits; tell supervisors of what runs, and see to it in ``query`` that they obey."""
        targets: List[str] = []
        for id, (job, indices) in tasks.items():
            until = self._clock() + grace + SLACK
            marks = self._marks(id)
            for index in indices if indices is not None else order[id]["indices"]:
                marks.setdefault(str(index), until)
                marks[str(index)] = min(marks[str(index)], until)
            write_whole(self._place(id) / "slurm-ending", json.dumps(marks).encode())
            targets.append(target(job, indices))
        for group in in_groups(targets, IDS):
            self._scancel("--state=PENDING", *group)
            self._scancel("--signal=TERM", "--batch", "--state=RUNNING", *group)

    def facilities(self) -> Dict[str, Any]:
        """Partitions with what is free in them, the user's accounts and QOS, the version.

        The default partition is that of the site's settings, where they name one.
        """
        version = self._commands.ask("sinfo", "--version").split()
        jobs = self._commands.ask("squeue", "--noheader", "--states=PENDING,RUNNING", "--format={}".format(JOBS_FORMAT))
        partitions = self._ask_partitions(jobs)
        usual = str((self._config.get("defaults") or {}).get("partition") or "")
        for partition in partitions if usual else ():
            partition["default"] = partition["name"] in usual.split(",")
        accounts, qos = self._history.associations()
        return {
            "scheduler": "slurm",
            "version": version[-1] if version else "",
            "partitions": partitions,
            "runtimes": self._runtimes(),
            "accounts": accounts,
            "qos": qos,
            "user": self._commands.user,
            "exact_types": True,
        }

    def _submit(
        self, entry: Dict[str, Any], script: str, longest: Mapping[str, Optional[float]],
        largest: Mapping[str, Optional[int]],
    ) -> Told:  # fmt: skip
        folder, order = entry["folder"], entry["order"]
        try:
            options = arguments(order, self._config.get("defaults") or {}, str(folder), longest, largest)
            code, out, said = self._commands.run("sbatch", [*options, script, *entry["command"]])
            if code:
                raise refusal(said or out)
            job = out.strip().split(";")[0].strip()
            if not job.isdigit():
                raise Temporary("sbatch gave no id: {}".format(out.strip()[:200]))
            array = order["spec"].get("array") is not None
            # A machine that dies now may lose it: then the job is found by its name again.
            write_whole(folder / "site-id", (job + "_*" if array else job).encode(), durable=False)
        except Failure as failure:
            return failure.told()
        return None

    def _script(self) -> str:
        place = self._root / "programs" / "slurm-task.sh"
        try:
            if place.read_bytes() == SCRIPT:
                return str(place)
        except OSError:
            place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_whole(place, SCRIPT)
        return str(place)

    def _limits(self) -> Tuple[Dict[str, Optional[float]], Dict[str, Optional[int]]]:
        """The time limits of partitions, and their nodes' memory; those of the default one also under an empty name."""
        kept, partitions = self._partitions
        if not partitions or self._clock() - kept > PARTITIONS_KEPT:
            partitions = self._ask_partitions("")
            self._partitions = (self._clock(), partitions)
        named = [(p["name"], p) for p in partitions] + [("", p) for p in partitions if p["default"]]
        return {name: p["time_limit"] for name, p in named}, {name: p.get("memory") for name, p in named}

    def _ask_partitions(self, jobs: str) -> List[Dict[str, Any]]:
        return read_partitions(
            self._commands.ask("scontrol", "show", "partition", "--oneliner"),
            self._commands.ask("sinfo", "--noheader", "--Node", "--format={}".format(NODES_FORMAT)),
            jobs,
            self._clock(),
        )

    def _squeue(self) -> str:
        return self._commands.ask(
            "squeue", "--noheader", "--states=all", "--user={}".format(self._commands.user),
            "--format={}".format(QUEUE_FORMAT),
        )  # fmt: skip

    def _scancel(self, *arguments: str) -> None:
        """Tell Slurm; what has ended already is no failure."""
        self._commands.run("scancel", ["--quiet", *arguments])

    def _enforce(self, found: Mapping[str, Mapping[int, Task]], site_ids: Mapping[str, str]) -> None:
        """End hard what was asked to end and has not, though its grace is over."""
        late: List[str] = []
        now = self._clock()
        for id, tasks in found.items():
            marks = self._marks(id)
            over = [i for i, t in tasks.items() if t["state"] not in ENDED and marks.get(str(i), now) < now]
            if over:
                late.append(target(site_ids[id], over))
                marks.update((str(index), now + AGAIN) for index in over)
        for group in in_groups(late, IDS):
            self._scancel(*group)

    def _explain(self, id: str, index: int, task: Task) -> None:
        """Say that it was cancelled, or the memory, where Slurm's state says only that a signal ended it."""
        if task["reason"] == "Error" and (task.get("exit_code") or 0) > 128 and str(index) in self._marks(id):
            task.update(state="cancelled", reason="Cancelled")
        if task["state"] in ENDED and task["reason"] in ("Error", "Cancelled"):
            path = self._place(id) / "slurm-{}.out".format(index)
            with contextlib.suppress(OSError), path.open("rb") as file:
                file.seek(max(0, os.fstat(file.fileno()).st_size - 4096))
                if shows_out_of_memory(file.read()):
                    task.update(state="failed", reason="OutOfMemory")

    def _marks(self, id: str) -> Dict[str, float]:
        """Until when tasks of a submission may go on, by index; empty when none was asked to end."""
        if id not in self._ending:
            marks: Dict[str, float] = {}
            with contextlib.suppress(OSError, ValueError, AttributeError):
                told = json.loads(read_small(self._place(id), ("slurm-ending",)))
                marks = {str(index): float(until) for index, until in told.items()}
            self._ending[id] = marks
            while len(self._ending) > 100_000:
                self._ending.pop(next(iter(self._ending)))
        return self._ending[id]

    def _indices(self, id: str) -> Iterable[int]:
        try:
            return list(read_brief(self._place(id))["indices"])
        except OSError:
            return []

    def _place(self, id: str) -> Path:
        return self._root / "submissions" / id

    def _runtimes(self) -> List[str]:
        """What the site's options say; without them what the login node has."""
        path = self._commands.environment["PATH"]
        return [
            name for name in self._config.get("runtimes") or ()
            if self._config.get("program") or shutil.which(name, path=path)
        ]  # fmt: skip


def job_of(job: str) -> str:
    """The number of a job, without what marks an array."""
    return job.partition("_")[0]


def target(job: str, indices: Optional[Sequence[int]]) -> str:
    """What ``scancel`` is told: a job, or tasks of an array."""
    number, array, _ = job.partition("_")
    return number if indices is None or not array else "{}_[{}]".format(number, write_ranges(indices))
