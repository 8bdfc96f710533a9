"""The queue process: starts what fits, in the order it came, and writes down how it ended.

It may be killed at any instant. What it started runs on, and the next queue process takes it over from the
ledger. A task is started once: the ledger names its worker before that worker is told of it.

Workers are told of short tasks of an array in advance, so that they go on without waiting for this process.
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
from pathlib import Path
from typing import Any, Collection, Dict, List, Mapping, Optional, Set, Tuple

from . import machine
from .capacity import Capacity
from .cgroup import Slot, hierarchies
from .door import Door
from .endings import FINAL, SUCCEEDED, after_reboot, ending, lost
from .journal import Journal, clear
from .ledger import Ledger
from .pool import Pool
from .running import Running
from .task import Task
from .waiting import SOON, Line, Waiting
from .want import Want
from .worker import MOST_TASKS, Run

IDLE = 60.0
"""Seconds without work after which the process ends itself."""
MOST = 256
"""Tasks at once, however little they ask for."""
_GLANCE = 0.5
"""Seconds between looks at tasks that this kernel or this Python cannot watch."""
_RETRY = 1.0


class Queue:
    """The queue of one folder of jobs; to be served by the process that entered its door."""

    def __init__(self, folder: Path, run: Run, capacity: Capacity, idle: float = IDLE) -> None:
        self._ledger = Ledger(folder / "ledger.db", durable=False)
        self._folder, self._capacity, self._idle = folder, capacity, idle
        self._groups = hierarchies("isthmus-" + hashlib.sha256(str(folder).encode()).hexdigest()[:12])
        self._poll = select.poll()
        self._pool = Pool(run, self._groups, capacity.has_gpus, math.ceil(capacity.cpus), self._poll, folder)
        self._boot = machine.boot()
        self._line = Line(self._ledger)
        self._running = Running(capacity, self._poll)
        self._tried: Set[Tuple[int, int]] = set()
        self._ready: Set[int] = set()
        self._left = self._stuck = False
        self._spent: List[Journal] = []

    def serve(self, door: int) -> None:
        """Work until there has been nothing to do for a while, or somebody asks to leave the rest to another."""
        bell, ring = os.pipe()
        for end in (bell, ring):
            os.set_blocking(end, False)
        signal.set_wakeup_fd(ring, warn_on_full_buffer=False)
        signal.signal(signal.SIGTERM, self._be_asked)
        self._poll.register(door, select.POLLIN)
        self._poll.register(bell, select.POLLIN)
        with self._ledger.transaction():
            self._ledger.forget()
            self._adopt()
            self._line.accept()
        clear(self._folder, {(task.pid, task.born) for task in self._running})
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
                    self._line.accept()
                    self._doom()
        with self._ledger.transaction():
            self._unload()
        os.close(door)
        self._pool.close()

    def _be_asked(self, *_: object) -> None:
        self._left = True

    def _close(self, door: int) -> bool:
        """Close the door if nobody has handed anything in meanwhile: in a transaction, so nobody can before it is."""
        with self._ledger.transaction():
            if not self._ledger.is_idle():
                self._line.accept()
                return False
            self._ledger.forget()
            os.close(door)
        self._ledger.close()
        self._pool.close()
        return True

    # One round.

    def _step(self) -> bool:
        """Write down what has ended and start what fits; whether there is work."""
        gone = [task for task in self._running.adopted() if machine.born(task.pid) != task.born]
        self._end_overdue()
        if gone or self._line or self._pool.has_news(self._ready) or self._running.given():
            with self._ledger.transaction():
                for worker, exit in self._pool.news(self._ready):
                    self._settle(self._running[worker.pid], exit)
                for task in gone:
                    self._catch_up(task)
                    self._settle(task, None)
                self._unload(SOON)
                begun = self._admit()
                told = self._look_ahead()
            self._clean()
            for task in begun:
                task.begin()
            for task, index in told:
                task.tell(index)
        return bool(self._line or self._running)

    def _clean(self) -> None:
        """Remove journals, now that all in them is in the ledger for good."""
        for journal in self._spent:
            journal.remove()
        self._spent.clear()

    def _listen(self, door: int, bell: int, left: float) -> bool:
        """Sleep until something happens; whether somebody knocked."""
        now = time.time()
        soonest = min((task.end_at - now for task in self._running), default=left)
        soonest = min([soonest, *(task.started + SOON - now for task in self._running.given())])
        if any(task.watch is None for task in self._running.adopted()):
            soonest = min(soonest, _GLANCE)
        if self._stuck:
            soonest = min(soonest, _RETRY)
        self._ready = {fd for fd, _ in self._poll.poll(max(0.0, min(soonest, 3600.0)) * 1000)}
        for fd in self._ready & {door, bell}:
            _drain(fd)
        return door in self._ready

    # Starting.

    def _admit(self) -> List[Task]:
        """Find workers for what fits. The first that does not fit makes all after it wait: so none is starved."""
        begun: List[Task] = []
        self._stuck = False
        for entry in self._line:
            limit = entry.want.array_limit or MOST
            while entry.todo and self._running.count(entry.seq) < limit:
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
                self._line.drop(entry)
        return begun

    def _start(self, entry: Waiting, index: int) -> Task:
        worker = self._pool.take(self._running.slots())
        slot, gpus, now = worker.slot, self._capacity.choose(entry.want), time.time()
        slot.prepare(entry.want.limit, entry.want.cpus)
        task = Task(
            entry.seq, index, entry.id, entry.folder, entry.want, slot, self._folder, worker.pid, worker.born,
            now, gpus, worker,
        )  # fmt: skip
        self._running.hold(task)
        self._ledger.start(task.seq, index, task.pid, task.born, self._boot, slot.number, json.dumps(gpus), now)
        return task

    def _look_ahead(self) -> List[Tuple[Task, int]]:
        """Choose what workers are told of in advance: of the first that waits, to who is at another of its tasks."""
        told: List[Tuple[Task, int]] = []
        entry = next(iter(self._line), None)
        if entry is None or self._stuck:
            return told
        for task in self._running:
            if task.seq != entry.seq or task.worker is None or task.overdue or task.worker.tasks >= MOST_TASKS:
                continue
            count = entry.ahead(len(self._running)) - len(task.behind)
            if count <= len(task.behind) // 2:
                continue
            while count > 0 and entry.todo:
                index = entry.todo.popleft()
                if not self._ledger.is_queued(entry.seq, index):
                    continue
                self._ledger.start(
                    task.seq, index, task.pid, task.born, self._boot, task.slot.number, json.dumps(task.gpus), None
                )
                task.behind.append(index)
                told.append((task, index))
                count -= 1
        if not entry.todo:
            self._line.drop(entry)
        return told

    def _unload(self, patience: float = 0) -> None:
        """Have others do what waits behind tasks that take longer than was thought."""
        now = time.time()
        for task in self._running.given():
            if now - task.started >= patience:
                self._take_back(task, task.behind)

    def _take_back(self, task: Task, indices: Collection[int]) -> None:
        """Have what is behind a task wait again if any of ``indices`` is there, unless its worker has begun it."""
        if task.worker is None or not any(index in indices for index in task.behind):
            return
        back = set(task.worker.take_back())
        self._wait_again(task, [index for index in task.behind if index in back])
        task.behind = collections.deque(index for index in task.behind if index not in back)

    # Ending.

    def _settle(self, task: Task, exit: Optional[int]) -> None:
        """Write down how a task ended; it waits again if its worker ended before it began."""
        worker, lives = task.worker, task.worker is not None and not task.worker.has_died
        if not (lives and task.behind):
            self._running.let_go(task)
        if not lives and task.told is None:
            task.slot.kill()
        if worker is not None and lives and worker.report and exit != SUCCEEDED:
            status = json.loads(worker.report)
        else:
            known = lives and exit == SUCCEEDED and not (worker is not None and worker.keeps_report)
            status = None if known else task.status()
        told = task.told or ending(exit, status)
        if not lives:
            self._leave(task)
        if told is None and (task.seq, task.index) not in self._tried:
            self._tried.add((task.seq, task.index))
            self._wait_again(task, [task.index])
            self._spent.append(task.journal)
            return
        told = told or lost("its supervisor was killed before it began, twice")
        if told.get("reason") == "Lost" and task.told is None:
            task.kill()
            if task.want.engine:
                self._sweep(task, told)
                return
        if told["state"] != "succeeded":
            task.blame(told)
        now = time.time()
        self._ledger.end(task.seq, task.index, {"ended": now, **told, "report": task.report(status)})
        self._line.ended(task.seq, now - task.started)
        if lives and task.behind:
            task.go_on(now)
            self._ledger.go_on(task.seq, task.index, now)
        elif worker is None or self._pool.give_back(worker, bool(self._line)):
            self._spent.append(task.journal)

    def _leave(self, task: Task) -> None:
        """Have others do what was behind a task when its worker ended."""
        for index in reversed(task.behind):
            if self._close_book(task, index) is None:
                self._wait_again(task, [index])
        task.behind.clear()

    def _close_book(self, task: Task, index: int) -> Optional[Dict[str, Any]]:
        """Write down the end of a task of whose end no worker has told us; None when it has not begun."""
        status = task.status(index)
        told = ending(None, status)
        if told is not None:
            report = json.dumps(status) if status else None
            self._ledger.end(task.seq, index, {"ended": time.time(), **told, "report": report})
        return told

    def _sweep(self, task: Task, told: Dict[str, Any]) -> None:
        """Have the containers removed of a task whose supervisor was killed, before anybody hears of its end."""
        task.sweep(self._pool.take(self._running.slots()), told)
        self._running.hold(task)

    def _wait_again(self, task: Task, indices: List[int]) -> None:
        self._line.wait_again(task.seq, task.id, task.folder, task.want, indices)

    def _doom(self) -> None:
        for row in self._ledger.doomed():
            task = self._running.get(row["pid"])
            if task is not None:
                self._catch_up(task)
                self._take_back(task, {row["idx"]})
            if task is not None and (task.seq, task.index) == (row["seq"], row["idx"]):
                task.kill_at = row["kill_at"]

    def _end_overdue(self) -> None:
        now = time.time()
        for task in self._running:
            if task.end_at <= now:
                self._catch_up(task)
            if task.end_at <= now:
                task.overdue = task.overdue or ("Cancelled" if task.end_at == task.kill_at else "TimeLimit")
                task.kill()

    # Taking over.

    def _adopt(self) -> None:
        """Take over what an earlier queue process started, and settle what has ended since."""
        found: Dict[Tuple[int, int], Task] = {}
        for row in self._ledger.alive():
            slot, want = Slot(row["slot"], self._groups), Want(**json.loads(row["want"]))
            task = Task(
                row["seq"], row["idx"], row["id"], Path(row["folder"]), want, slot, self._folder, row["pid"],
                row["born"], row["started"] or time.time(), tuple(json.loads(row["gpus"])), kill_at=row["kill_at"],
            )  # fmt: skip
            if row["boot"] != self._boot:
                self._end_with_boot(task, row["started"] is not None)
            elif found.setdefault((task.pid, task.born), task) is not task:
                found[task.pid, task.born].behind.append(task.index)
        gone = [task for task in found.values() if machine.born(task.pid) != task.born]
        for task in [*gone, *(task for task in found.values() if task not in gone)]:
            task.slot.resume(task.want.limit)
            self._running.hold(task)
            self._catch_up(task)
            if task in gone:
                self._settle(task, None)
                continue
            self._running.watch(task)

    def _end_with_boot(self, task: Task, started: bool) -> None:
        """Write down the end of a task that a worker had when the machine was restarted, unless it never began."""
        status = task.status()
        if status is None and not started:
            self._wait_again(task, [task.index])
        else:
            self._ledger.end(task.seq, task.index, {"ended": time.time(), **after_reboot(status)})

    def _catch_up(self, task: Task) -> None:
        """Find which of the tasks that it was told of the worker of an earlier queue process is at."""
        while task.worker is None and task.behind and (task.status() or {}).get("state") in FINAL:
            self._close_book(task, task.index)
            now = time.time()
            task.go_on(now)
            self._ledger.go_on(task.seq, task.index, now)


def main(folder: Path, config: Mapping[str, Any], command: List[str], run: Run) -> None:
    """Be the queue process of ``folder``, or end at once if there is one; says so by closing its output."""
    door = Door(folder)
    opened = door.enter(command)
    if opened is None:
        return
    queue = Queue(folder, run, Capacity.of(config), config.get("idle", IDLE))
    os.dup2(2, 1)  # whoever started us waits for the end of it
    queue.serve(opened)


def _drain(fd: int) -> None:
    try:
        while len(os.read(fd, 4096)) == 4096:
            pass
    except BlockingIOError:
        return
