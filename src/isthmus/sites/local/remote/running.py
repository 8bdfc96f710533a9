"""The tasks that run, by the workers that have them, and what of the machine they hold."""

from __future__ import annotations

import collections
import os
import select
from typing import Dict, Iterator, List, Optional

from .capacity import Capacity
from .task import Task


class Running:
    """All of them; ``capacity`` counts what they hold, ``poll`` tells of the end of those that are watched."""

    def __init__(self, capacity: Capacity, poll: "select.poll") -> None:
        self._capacity, self._poll = capacity, poll
        self._tasks: Dict[int, Task] = {}
        self._of: Dict[int, int] = collections.Counter()

    def __len__(self) -> int:
        return len(self._tasks)

    def __iter__(self) -> Iterator[Task]:
        return iter(self._tasks.values())

    def __getitem__(self, pid: int) -> Task:
        """What the worker ``pid`` is at."""
        return self._tasks[pid]

    def get(self, pid: int) -> Optional[Task]:
        """The same, None when it has nothing."""
        return self._tasks.get(pid)

    def count(self, seq: int) -> int:
        """How many of a submission run."""
        return self._of[seq]

    def slots(self) -> List[int]:
        """The numbers of slots that are taken."""
        return [task.slot.number for task in self]

    def adopted(self) -> Iterator[Task]:
        """Those that an earlier queue process has started."""
        return (task for task in self if task.worker is None)

    def given(self) -> List[Task]:
        """Those whose workers have been told of others in advance."""
        return [task for task in self if task.behind and task.worker is not None]

    def hold(self, task: Task) -> None:
        """Count one that has begun, or was found."""
        self._tasks[task.pid] = task
        self._of[task.seq] += 1
        self._capacity.take(task.want, task.gpus)

    def let_go(self, task: Task) -> None:
        """Count one no more."""
        del self._tasks[task.pid]
        self._of[task.seq] -= 1
        self._capacity.give(task.want, task.gpus)
        if task.watch is not None:
            self._poll.unregister(task.watch)
            os.close(task.watch)
            task.watch = None

    def watch(self, task: Task) -> None:
        """Hear of the end of a worker that is not ours, where kernel and Python have a means."""
        opening = getattr(os, "pidfd_open", None)  # Python 3.9
        try:
            task.watch = opening(task.pid) if opening else None
        except OSError:
            return
        if task.watch is not None:
            self._poll.register(task.watch, select.POLLIN)
