"""Which submissions were about to be handed over: what must outlive a crash of the machine, and is all that must.

Marks in the folders of submissions tell what a dead agent was at, but a machine that loses power may forget them.
So agents write ids here, and to the disk, before the scheduler is told: a line for many of them. Whatever else is
staged is either found by name in the scheduler afterwards, or was never handed over and is staged again.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import threading
import time
from pathlib import Path
from typing import Iterable, Optional, Set

from .places import ID, sync_folder

KEPT = 7 * 86400.0
"""Seconds after which what was handed over is on the disk for certain, or asked for no more."""


class Journal:
    """The file of this agent in ``place``, made when it is first needed; ``before`` has what those of others say."""

    def __init__(self, place: Path):
        self._place = place
        self._file: Optional[int] = None
        self._lock = threading.Lock()
        self.before = self._read()

    def note(self, ids: Iterable[str]) -> None:
        """Write ids down for good."""
        with self._lock:
            made = self._file is None
            if self._file is None:
                self._place.mkdir(mode=0o700, exist_ok=True)
                path = self._place / "{:.0f}-{}".format(time.time(), secrets.token_hex(4))
                flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
                self._file = os.open(str(path), flags, 0o600)
            os.write(self._file, (" ".join(ids) + "\n").encode())
            os.fdatasync(self._file)
            if made:
                sync_folder(self._place)

    def _read(self) -> Set[str]:
        """The ids in all files; those that are too old are removed."""
        found: Set[str] = set()
        with contextlib.suppress(FileNotFoundError):
            for path in self._place.iterdir():
                with contextlib.suppress(OSError):
                    if time.time() - path.stat().st_mtime > KEPT:
                        path.unlink()
                    else:
                        words = path.read_text("ascii", "replace").split()
                        found.update(word for word in words if ID.fullmatch(word))
        return found
