"""Locks by name among the processes and threads of this user, so that no two make the same thing at once.

A lock is a file that is locked while it is used and removed afterwards; it goes with the process that held it.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from isthmus.sites.errors import Temporary

_PAUSE = 0.02
_PATIENCE = 180.0


def state_folder() -> Path:
    """Where this user's processes keep locks and engine logs (XDG Base Directory Specification)."""
    base = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    folder = Path(base) / "isthmus" / "local-site"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


@contextmanager
def exclusive(name: str, patience: float = _PATIENCE) -> Iterator[None]:
    """Hold the lock of that name; raises :class:`Temporary` when others hold it for ``patience`` seconds."""
    path = state_folder() / f"{hashlib.sha256(name.encode()).hexdigest()[:24]}.lock"
    end = time.monotonic() + patience
    while (held := _take(path)) is None:
        if time.monotonic() > end:
            raise Temporary(f"{name} is still in the hands of another process after {patience:.0f} s", delay=5.0)
        time.sleep(_PAUSE)
    try:
        yield
    finally:
        path.unlink(missing_ok=True)
        os.close(held)


def _take(path: Path) -> int | None:
    """The locked file, or None while somebody else has it."""
    file = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # Whoever had it may have removed the file between our opening and our locking of it.
        if os.fstat(file).st_ino == path.stat().st_ino:
            return file
    except (BlockingIOError, FileNotFoundError):
        pass
    os.close(file)
    return None
