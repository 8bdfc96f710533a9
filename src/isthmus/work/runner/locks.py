"""Locks between agents of one site, and the turns of those who ask its batch system."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import threading
from collections import deque
from pathlib import Path
from typing import Deque, Iterator

_UNSUPPORTED = (errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP)
_HERE = threading.RLock()
"""What stands for the locks of a file system that has none: then one agent at a time is safe, two are not."""


@contextlib.contextmanager
def locked(folder: Path, wait: bool = True) -> Iterator[bool]:
    """Hold the lock of a submission; answers false when another has it and ``wait`` is false.

    Raises FileNotFoundError when the folder is not there, or is removed while we wait.
    """
    place = str(folder / "lock")
    descriptor = os.open(place, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        except OSError as error:
            if error.errno not in _UNSUPPORTED:
                raise
            with _HERE:
                yield True
            return
        if os.stat(place).st_ino != os.fstat(descriptor).st_ino:
            raise FileNotFoundError(errno.ENOENT, "the submission was removed", place)
        yield True
    finally:
        os.close(descriptor)


class Turns:
    """A lock that is given in the order in which it was asked for."""

    def __init__(self) -> None:
        self._waiting: Deque[object] = deque()
        self._condition = threading.Condition()

    def __enter__(self) -> None:
        me = object()
        with self._condition:
            self._waiting.append(me)
            self._condition.wait_for(lambda: self._waiting[0] is me)

    def __exit__(self, *_: object) -> None:
        with self._condition:
            self._waiting.popleft()
            self._condition.notify_all()
