"""The workers of a queue process: forked when needed, kept for what comes next."""

from __future__ import annotations

import select
from pathlib import Path
from typing import Collection, Dict, Iterator, List, Set, Tuple

from .cgroup import Hierarchy, Slot, remove
from .worker import MOST_TASKS, Run, Worker


class Pool:
    """Workers, and the poll object that tells of them."""

    def __init__(
        self, run: Run, groups: List[Hierarchy], gpus: bool, keep: int, poll: "select.poll", folder: Path
    ) -> None:
        """``keep`` workers are kept without work; with ``gpus`` tasks see only the devices that they were given."""
        self._run, self._groups, self._gpus, self._keep, self._poll = run, groups, gpus, keep, poll
        self._folder = folder
        self._all: Dict[int, Worker] = {}
        self._idle: List[Worker] = []

    def take(self, taken: Collection[int]) -> Worker:
        """A worker without work, else a new one in a slot that is not ``taken``; OSError when none can be made."""
        if self._idle:
            return self._idle.pop()
        used = {*taken, *(worker.slot.number for worker in self._all.values())}
        number = next(n for n in range(len(used) + 1) if n not in used)
        slot = Slot(number, self._groups)
        slot.make()
        worker = Worker(self._run, slot, self._gpus, self._folder)
        self._all[worker.link.fileno()] = worker
        self._poll.register(worker.link, select.POLLIN)
        return worker

    def give_back(self, worker: Worker, more: bool) -> bool:
        """Keep a worker if it is fit for another task, and needed: there is ``more`` to do, or it is one of few.

        Whether it has ended.
        """
        if worker.has_died:
            return True
        if worker.tasks < MOST_TASKS and (more or len(self._idle) < self._keep):
            self._idle.append(worker)
            return False
        fd = worker.link.fileno()
        del self._all[fd]
        self._poll.unregister(fd)
        worker.close()
        return True

    def news(self, ready: Set[int]) -> Iterator[Tuple[Worker, int]]:
        """Workers whose task has ended, or that have died of it, with their words: each to be heard before the next."""
        for fd in ready & self._all.keys():
            worker = self._all[fd]
            while fd in self._all:
                exit = worker.take()
                if exit is None:
                    break
                if worker.has_died:
                    del self._all[fd]
                    self._poll.unregister(fd)
                if worker in self._idle:
                    self._idle.remove(worker)
                else:
                    yield worker, exit

    def has_news(self, ready: Set[int]) -> bool:
        """Whether any of the descriptors is a worker's."""
        return not ready.isdisjoint(self._all)

    def close(self) -> None:
        """End the workers that have no task, and remove the groups of all who have ended."""
        for worker in self._idle:
            worker.close()
        remove(self._groups)
