"""What a worker has begun and how it ended, where no file of the task says it: one file for each worker.

A file for each short task would cost more than the task itself. A line is written before anything of a task is
started, and another at its end; they outlive worker and queue process, whichever of them is killed.
"""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path
from typing import Any, Collection, Dict, Optional, Tuple

from . import machine


class Journal:
    """The journal of one worker, by the pid and birth that name it."""

    def __init__(self, folder: Path, pid: int, born: int) -> None:
        self._file = folder / "journals" / ("%d-%d" % (pid, born))

    # For the worker.

    @classmethod
    def own(cls, folder: Path) -> "Writer":
        """That of this very process, begun anew."""
        file = cls(folder, os.getpid(), machine.born(os.getpid()) or 0)._file
        file.parent.mkdir(mode=0o700, exist_ok=True)
        return Writer(os.open(str(file), os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_CLOEXEC, 0o600))

    # For the queue process.

    def read(self) -> Dict[Tuple[str, int], Dict[str, Any]]:
        """By submission's folder and index: what was begun, with the report of its end or nothing."""
        found: Dict[Tuple[str, int], Dict[str, Any]] = {}
        with contextlib.suppress(OSError):
            for line in self._file.read_text().splitlines():
                with contextlib.suppress(ValueError):  # cut off: then nothing of it was begun, or nobody knows its end
                    task, index, report = json.loads(line)
                    found[task, index] = report or {}
        return found

    def remove(self) -> None:
        """Forget it, when all in it is in the ledger."""
        with contextlib.suppress(OSError):
            self._file.unlink()


class Writer:
    """An open journal."""

    def __init__(self, file: int) -> None:
        self._file = file

    def keep(self, task: str, index: int, report: Optional[str]) -> None:
        """Write that a task begins (None), or the JSON of its last status."""
        line = "[%s, %d, %s]\n" % (json.dumps(task), index, report or "null")
        os.write(self._file, line.encode())


def clear(folder: Path, kept: Collection[Tuple[int, int]]) -> None:
    """Remove the journals of all workers but those."""
    names = {"%d-%d" % worker for worker in kept}
    with contextlib.suppress(OSError):
        for file in (folder / "journals").iterdir():
            if file.name not in names:
                file.unlink()
