"""Locks by name, among threads and among processes, so that two tasks do not make the same thing at once."""

from __future__ import annotations

import fcntl
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from weakref import WeakValueDictionary


class _Lock:
    """A lock that may be referred to weakly."""

    def __init__(self) -> None:
        self._lock = threading.Lock()

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        self._lock.release()


class Locks:
    """A lock for each name that somebody holds or waits for; forgotten afterwards."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._held: WeakValueDictionary[str, _Lock] = WeakValueDictionary()

    def of(self, name: str) -> _Lock:
        """The lock of that name; keep it alive by ``with``."""
        with self._guard:
            return self._held.setdefault(name, _Lock())


def state_folder() -> Path:
    """Where this user's processes keep locks and logs of the engine (XDG Base Directory Specification)."""
    base = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    folder = Path(base) / "isthmus"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


@contextmanager
def file_lock(path: Path) -> Iterator[None]:
    """Hold a lock that other processes of this host respect; it goes with the process that held it."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
