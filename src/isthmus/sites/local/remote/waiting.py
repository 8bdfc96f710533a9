"""Submissions that have tasks to start, in the order they came."""

from __future__ import annotations

import collections
import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Deque, Iterator, Sequence

from .ledger import Ledger
from .want import Want

AHEAD = 16
"""The most tasks that a worker is told of in advance."""
SOON = 0.2
"""Seconds of work that these may be, and after which they are taken back from a worker that is still at another."""


@dataclass
class Waiting:
    """A submission with tasks to start."""

    seq: int
    id: str
    folder: Path
    want: Want
    todo: Deque[int]
    pace: float = math.inf
    """Seconds that its last tasks took, about."""

    def ended(self, took: float) -> None:
        """Hear how long a task took."""
        self.pace = took if self.pace == math.inf else 0.8 * self.pace + 0.2 * took

    def ahead(self, workers: int) -> int:
        """How many tasks to tell each worker of in advance; fewer towards the end, so that all end together."""
        want = self.want
        if want.gpus or want.engine or want.limit is not None:  # what needs something done before each of them
            return 0
        return min(AHEAD, int(SOON / max(self.pace, 1e-3)), len(self.todo) // (2 * workers))


class Line:
    """All of them: the first one is served first, and what has to wait again goes before what never began."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._waiting: "collections.OrderedDict[int, Waiting]" = collections.OrderedDict()
        self._seen = 0

    def __bool__(self) -> bool:
        return bool(self._waiting)

    def __iter__(self) -> Iterator[Waiting]:
        """Those of now: what is taken out meanwhile does not matter."""
        return iter(list(self._waiting.values()))

    def accept(self) -> None:
        """Take in what was handed in since the last look."""
        for row, indices in self._ledger.waiting(self._seen):
            want = Want(**json.loads(row["want"]))
            entry = Waiting(row["seq"], row["id"], Path(row["folder"]), want, collections.deque(indices))
            self._waiting[entry.seq] = entry
            self._seen = entry.seq

    def drop(self, entry: Waiting) -> None:
        """Take out one of which all tasks were started."""
        del self._waiting[entry.seq]

    def wait_again(self, seq: int, id: str, folder: Path, want: Want, indices: Sequence[int]) -> None:
        """Have tasks wait that were given out and not begun."""
        if not indices:
            return
        for index in indices:
            self._ledger.requeue(seq, index)
        entry = self._waiting.get(seq)
        if entry is None:
            entry = self._waiting[seq] = Waiting(seq, id, folder, want, collections.deque())
            self._waiting.move_to_end(seq, last=False)
        entry.todo.extendleft(reversed(indices))

    def ended(self, seq: int, took: float) -> None:
        """Hear how long a task of a submission took, if others of it wait."""
        if seq in self._waiting:
            self._waiting[seq].ended(took)
