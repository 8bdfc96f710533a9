"""The queue process: starts what fits, in the order it came, and writes down how it ended.

It may be killed at any instant. What it started runs on, and the next queue process takes it over from the
ledger. A task is started once: the ledger names its worker before that worker is told of it.
"""

from __future__ import annotations

import collections
import gc
import hashlib
import json
import math
import os
import select
import signal
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Deque, Dict, Iterator, List, Mapping, Optional, Set, Tuple

from . import machine
from .capacity import Capacity
from .cgroup import Slot, hierarchies
from .door import Door
from .endings import SUCCEEDED, after_reboot, ending, lost
from .ledger import Ledger
from .pool import Pool
from .task import Task
from .want import Want
from .worker import Run

IDLE = 60.0
"""Seconds without work after which the process ends itself."""
MOST = 256
"""Tasks at once, however little they ask for."""
_GLANCE = 0.5
"""Seconds between looks at tasks that this kernel or this Python cannot watch."""
_RETRY = 1.0


@dataclass
class Waiting:
    """A submission with tasks to start."""

    seq: int
    id: str
    folder: Path
    want: Want
    todo: Deque[int]


class Queue:
    """The queue of one folder of jobs; to be served by the process that entered its door."""

    def __init__(self, folder: Path, run: Run, capacity: Capacity, idle: float = IDLE) -> None:
        self._ledger = Ledger(folder / "ledger.db", durable=False)
        self._capacity, self._idle = capacity, idle
        self._groups = hierarchies("isthmus-" + hashlib.sha256(str(folder).encode()).hexdigest()[:12])
        self._poll = select.poll()
        self._pool = Pool(run, self._groups, capacity.has_gpus, math.ceil(capacity.cpus), self._poll)
        self._boot = machine.boot()
        self._waiting: "collections.OrderedDict[int, Waiting]" = collections.OrderedDict()
        self._running: Dict[int, Task] = {}
        self._of: Dict[int, int] = collections.Counter()
        self._tried: Set[Tuple[int, int]] = set()
        self._seen = 0
        self._ready: Set[int] = set()
        self._left = self._stuck = False

    def serve(self, door: int) -> None:
        """Work until there has been nothing to do for a while, or somebody asks to leave the rest to another."""
        bell, ring = os.pipe()
        for end in (bell, ring):
            os.set_blocking(end, False)
        signal.set_wakeup_fd(ring, warn_on_full_buffer=False)
        signal.signal(signal.SIGTERM, self._leave)
        self._poll.register(door, select.POLLIN)
        self._poll.register(bell, select.POLLIN)
        with self._ledger.transaction():
            self._ledger.forget()
            self._adopt()
            self._accept()
        gc.collect()
        gc.freeze()  # what is here now is not looked at again, so that workers share its pages
        worked = time.monotonic()
        while not self._left:
            if self._step():
                worked = time.monotonic()
            left = self._idle - (time.monotonic() - worked)
            if left <= 0 and self._close(door):
                return
            if self._listen(door, bell, left):
                with self._ledger.transaction():
                    self._accept()
                    self._doom()
        os.close(door)
        self._pool.close()

    def _leave(self, *_: object) -> None:
        self._left = True

    def _close(self, door: int) -> bool:
        """Close the door if nobody has handed anything in meanwhile: in a transaction, so nobody can before it is."""
        with self._ledger.transaction():
            if not self._ledger.is_idle():
                self._accept()
                return False
            self._ledger.forget()
            os.close(door)
        self._ledger.close()
        self._pool.close()
        return True

    # One round.

    def _step(self) -> bool:
        """Write down what has ended and start what fits; whether there is work."""
        ended = [(self._running[worker.pid], exit) for worker, exit in self._pool.news(self._ready)]
        gone = [(task, None) for task in self._adopted() if machine.born(task.pid) != task.born]
        self._end_overdue()
        if ended or gone or self._waiting:
            with self._ledger.transaction():
                for task, exit in [*ended, *gone]:
                    self._settle(task, exit)
                begun = self._admit()
            for task in begun:
                task.begin()
        return bool(self._waiting or self._running)

    def _adopted(self) -> Iterator[Task]:
        return (task for task in self._running.values() if task.worker is None)

    def _listen(self, door: int, bell: int, left: float) -> bool:
        """Sleep until something happens; whether somebody knocked."""
        now = time.time()
        soonest = min((task.end_at - now for task in self._running.values()), default=left)
        if any(task.watch is None for task in self._adopted()):
            soonest = min(soonest, _GLANCE)
        if self._stuck:
            soonest = min(soonest, _RETRY)
        self._ready = {fd for fd, _ in self._poll.poll(max(0.0, min(soonest, 3600.0)) * 1000)}
        for fd in self._ready & {door, bell}:
            _drain(fd)
        return door in self._ready

    # Starting.

    def _accept(self) -> None:
        """Take in what was handed in since the last look."""
        for row, indices in self._ledger.waiting(self._seen):
            want = Want(**json.loads(row["want"]))
            entry = Waiting(row["seq"], row["id"], Path(row["folder"]), want, collections.deque(indices))
            self._waiting[entry.seq] = entry
            self._seen = entry.seq

    def _admit(self) -> List[Task]:
        """Find workers for what fits. The first that does not fit makes all after it wait: so none is starved."""
        begun: List[Task] = []
        self._stuck = False
        for entry in list(self._waiting.values()):
            limit = entry.want.array_limit or MOST
            while entry.todo and self._of[entry.seq] < limit:
                if len(self._running) >= MOST or not self._capacity.fits(entry.want):
                    return begun
                if self._ledger.is_queued(entry.seq, entry.todo[0]):
                    try:
                        begun.append(self._start(entry, entry.todo[0]))
                    except OSError as error:  # no room for another process just now
                        print("cannot start a worker:", error, file=sys.stderr, flush=True)
                        self._stuck = True
                        return begun
                entry.todo.popleft()
            if not entry.todo:
                del self._waiting[entry.seq]
        return begun

    def _start(self, entry: Waiting, index: int) -> Task:
        worker = self._pool.take([task.slot.number for task in self._running.values()])
        slot, gpus, now = worker.slot, self._capacity.choose(entry.want), time.time()
        slot.prepare(entry.want.limit, entry.want.cpus)
        task = Task(
            entry.seq, index, entry.id, entry.folder, entry.want, slot, worker.pid, worker.born, now, gpus, worker
        )  # fmt: skip
        self._hold(task)
        self._ledger.start(task.seq, index, task.pid, task.born, self._boot, slot.number, json.dumps(gpus), now)
        return task

    def _hold(self, task: Task) -> None:
        self._running[task.pid] = task
        self._of[task.seq] += 1
        self._capacity.take(task.want, task.gpus)

    # Ending.

    def _settle(self, task: Task, exit: Optional[int]) -> None:
        """Write down how a task ended; it waits again if its worker ended before it began."""
        self._let_go(task)
        if task.told is None and (task.worker is None or task.worker.has_died):
            task.slot.kill()
        told = task.told or ending(exit, None if exit == SUCCEEDED else task.status())
        if told is None and (task.seq, task.index) not in self._tried:
            self._wait_again(task)
            return
        told = told or lost("its supervisor was killed before it began, twice")
        if told.get("reason") == "Lost" and task.told is None:
            task.kill()
            if task.want.engine:
                self._sweep(task, told)
                return
        if told["state"] != "succeeded":
            self._blame(task, told)
        self._ledger.end(task.seq, task.index, {"ended": time.time(), **told})
        if task.worker is not None:
            self._pool.give_back(task.worker, bool(self._waiting))

    def _sweep(self, task: Task, told: Dict[str, Any]) -> None:
        """Have the containers removed of a task whose supervisor was killed, before anybody hears of its end."""
        task.sweep(self._pool.take([task.slot.number for task in self._running.values()]), told)
        self._hold(task)

    def _let_go(self, task: Task) -> None:
        del self._running[task.pid]
        self._of[task.seq] -= 1
        self._capacity.give(task.want, task.gpus)
        if task.watch is not None:
            self._poll.unregister(task.watch)
            os.close(task.watch)
            task.watch = None

    def _blame(self, task: Task, told: Dict[str, Any]) -> None:
        """Name what the supervisor could not know: the kernel's kill for memory, and our own."""
        if task.slot.ran_out_of_memory():
            told.update(state="failed", reason="OutOfMemory", words="killed by the kernel: over its memory limit")
        elif told.get("reason") == "Lost" and task.overdue == "Cancelled":
            told.update(state="cancelled", reason="Cancelled", words="killed: it did not end when it was asked to")
        elif told.get("reason") == "Lost" and task.overdue == "TimeLimit":
            told.update(reason="TimeLimit", words="killed: its supervisor did not keep the time limit")

    def _wait_again(self, task: Task) -> None:
        self._tried.add((task.seq, task.index))
        self._ledger.requeue(task.seq, task.index)
        entry = self._waiting.get(task.seq)
        if entry is None:
            entry = Waiting(task.seq, task.id, task.folder, task.want, collections.deque())
            self._waiting[task.seq] = entry
            self._waiting.move_to_end(task.seq, last=False)
        entry.todo.appendleft(task.index)

    def _doom(self) -> None:
        for row in self._ledger.doomed():
            task = self._running.get(row["pid"])
            if task is not None and (task.seq, task.index) == (row["seq"], row["idx"]):
                task.kill_at = row["kill_at"]

    def _end_overdue(self) -> None:
        now = time.time()
        for task in self._running.values():
            if task.end_at <= now:
                task.overdue = task.overdue or ("Cancelled" if task.end_at == task.kill_at else "TimeLimit")
                task.kill()

    # Taking over.

    def _adopt(self) -> None:
        """Take over what an earlier queue process started, and settle what has ended since."""
        for row in self._ledger.alive():
            slot, want = Slot(row["slot"], self._groups), Want(**json.loads(row["want"]))
            task = Task(
                row["seq"], row["idx"], row["id"], Path(row["folder"]), want, slot, row["pid"], row["born"],
                row["started"], tuple(json.loads(row["gpus"])), kill_at=row["kill_at"],
            )  # fmt: skip
            if row["boot"] != self._boot:
                self._ledger.end(task.seq, task.index, {"ended": time.time(), **after_reboot(task.status())})
                continue
            slot.resume(want.limit)
            self._hold(task)
            if machine.born(task.pid) != task.born:
                self._settle(task, None)
                continue
            task.watch = _watch(task.pid)
            if task.watch is not None:
                self._poll.register(task.watch, select.POLLIN)


def main(folder: Path, config: Mapping[str, Any], command: List[str], run: Run) -> None:
    """Be the queue process of ``folder``, or end at once if there is one; says so by closing its output."""
    door = Door(folder)
    opened = door.enter(command)
    if opened is None:
        return
    queue = Queue(folder, run, Capacity.of(config), config.get("idle", IDLE))
    os.dup2(2, 1)  # whoever started us waits for the end of it
    queue.serve(opened)


def _watch(pid: int) -> Optional[int]:
    """A descriptor that is readable when a process has ended, where kernel and Python have such a thing."""
    opening = getattr(os, "pidfd_open", None)  # Python 3.9
    try:
        return opening(pid) if opening else None
    except OSError:
        return None


def _drain(fd: int) -> None:
    try:
        while len(os.read(fd, 4096)) == 4096:
            pass
    except BlockingIOError:
        return
