"""One task that runs, as the queue process holds it."""

from __future__ import annotations

import json
import os
import signal
import time
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Deque, Dict, Optional, Tuple

from . import machine
from .cgroup import Slot
from .journal import Journal
from .want import Want
from .worker import RUN, SWEEP, Worker

MARGIN = 60.0
"""Seconds after which a supervisor that has not kept its task's limit itself is ended."""


@dataclass
class Task:
    """A task that runs; ``worker`` is None when an earlier queue process has started it."""

    seq: int
    index: int
    id: str
    folder: Path
    want: Want
    slot: Slot
    queue: Path
    """The folder of the queue."""
    pid: int
    born: int
    started: float
    gpus: Tuple[int, ...] = ()
    worker: Optional[Worker] = None
    watch: Optional[int] = None
    """The pidfd of one that is not ours."""
    kill_at: Optional[float] = None
    """When it is ended because it was cancelled and has not ended by itself."""
    overdue: str = ""
    """Why the queue itself has ended it."""
    killed: float = 0
    """When it did so last."""
    told: Optional[Dict[str, Any]] = None
    """How it ended, while its containers are being removed."""
    behind: Deque[int] = field(default_factory=deque)
    """The tasks of the same submission that its worker was told of in advance, in order."""
    deadline: Optional[float] = field(init=False)

    def __post_init__(self) -> None:
        self._limit()

    def go_on(self, now: float) -> None:
        """Be the next of the tasks that the worker was told of."""
        self.index, self.started = self.behind.popleft(), now
        self.kill_at, self.overdue, self.killed = None, "", 0
        self._limit()

    def _limit(self) -> None:
        limit = self.want.time
        self.deadline = None if limit is None else self.started + limit + self.want.grace + MARGIN

    @property
    def journal(self) -> Journal:
        """The journal of its worker."""
        return Journal(self.queue, self.pid, self.born)

    @property
    def end_at(self) -> float:
        """When the queue ends it, if it has not ended by then; again a second later if that took no effect."""
        if self.overdue or self.told:
            return self.killed + 1 if self.told is None else float("inf")
        return min(self.kill_at or float("inf"), self.deadline or float("inf"))

    def begin(self) -> None:
        """Tell its worker, now that the ledger knows."""
        self.tell(self.index)

    def tell(self, index: int) -> None:
        """Tell its worker of one that is behind it."""
        if self.worker is not None:
            self.worker.give(RUN, str(self.folder), index, self.gpus)

    def sweep(self, worker: Worker, told: Dict[str, Any]) -> None:
        """Have another worker remove the containers that the dead one left; ``told`` is how the task ended."""
        self.worker, self.pid, self.born, self.told = worker, worker.pid, worker.born, told
        worker.give(SWEEP, str(self.folder), self.index)

    def kill(self) -> None:
        """End its supervisor and whatever came from it, at once."""
        self.killed = time.time()
        if machine.born(self.pid) == self.born:
            _kill(self.pid)
        self.slot.kill()
        for pid in machine.carrying(self.id, self.index):
            _kill(pid)

    def blame(self, told: Dict[str, Any]) -> None:
        """Name what the supervisor could not know: the kernel's kill for memory, and our own."""
        if self.slot.ran_out_of_memory():
            told.update(state="failed", reason="OutOfMemory", words="killed by the kernel: over its memory limit")
        elif told.get("reason") == "Lost" and self.overdue == "Cancelled":
            told.update(state="cancelled", reason="Cancelled", words="killed: it did not end when it was asked to")
        elif told.get("reason") == "Lost" and self.overdue == "TimeLimit":
            told.update(reason="TimeLimit", words="killed: its supervisor did not keep the time limit")

    def report(self, status: Optional[Dict[str, Any]]) -> Optional[str]:
        """What is to be kept of its last status where it may not have written a file of it."""
        if self.worker is not None and not self.worker.has_died and not self.worker.keeps_report:
            return self.worker.report or None
        return json.dumps(status) if status else None

    def status(self, index: Optional[int] = None) -> Optional[Dict[str, Any]]:
        """What its supervisor, or that of one behind it, wrote last: None if it never began, else at least ``{}``."""
        index = self.index if index is None else index
        try:
            told = json.loads((self.folder / "tasks" / str(index) / "status.json").read_text())
        except FileNotFoundError:
            return self.journal.read().get((str(self.folder), index))
        except (OSError, ValueError):
            return {}
        return told if isinstance(told, dict) else {}


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except OSError:
        return
