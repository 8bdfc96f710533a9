"""How agents find the queue process, wake it, and start it when there is none.

The door is a FIFO that only a queue process at work reads: a write tells it to look, and fails when nobody is
there. The lock on the pid file makes it the only one for its folder; it goes with the process, however that ends.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import subprocess
import time
from pathlib import Path
from typing import Any, Dict, List, Optional

from . import machine

_ENTER = 10.0
"""Seconds that a new queue process waits for one that is about to leave."""
_KEPT = ("PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LC_ALL", "TZ", "TMPDIR", "XDG_RUNTIME_DIR")
"""What plain processes see of the environment of whoever started the queue: not its credentials."""


class Door:
    """The door of one folder of jobs."""

    def __init__(self, folder: Path) -> None:
        self._fifo, self._pid = folder / "wake", folder / "pid"

    # For agents.

    def knock(self) -> bool:
        """Wake the queue process; False when there is none."""
        try:
            door = os.open(str(self._fifo), os.O_WRONLY | os.O_NONBLOCK)
        except OSError:
            return False
        try:
            os.write(door, b"k")
        except BlockingIOError:
            pass  # so many have knocked that it will look in any case
        except BrokenPipeError:
            return False
        finally:
            os.close(door)
        return True

    def who(self) -> Dict[str, Any]:
        """What the last queue process said of itself: ``pid``, ``born``, ``command``; nothing when it is gone."""
        try:
            told = json.loads(self._pid.read_text())
        except (OSError, ValueError):
            return {}
        return told if isinstance(told, dict) and machine.born(told.get("pid", 0)) == told.get("born") else {}

    # For the queue process.

    def enter(self, command: List[str]) -> Optional[int]:
        """Become the queue process and open the door: its descriptor, or None when another one is at work."""
        lock = os.open(str(self._pid), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        deadline = time.monotonic() + _ENTER
        while not _locked(lock):
            if self.knock() or time.monotonic() > deadline:
                os.close(lock)
                return None
            time.sleep(0.01)  # it has closed its door and is about to end
        pid = os.getpid()
        os.ftruncate(lock, 0)
        os.pwrite(lock, json.dumps({"pid": pid, "born": machine.born(pid), "command": command}).encode(), 0)
        with contextlib.suppress(FileExistsError):
            os.mkfifo(str(self._fifo), 0o600)
        # Also open for writing, so that it never reads an end when the last agent has gone.
        return os.open(str(self._fifo), os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)


def _locked(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
            return False
        raise
    return True


def launch(command: List[str], log: Path) -> None:
    """Start a queue process and return when it listens, or has found that another one does."""
    environment = {name: os.environ[name] for name in _KEPT if name in os.environ}
    with log.open("ab") as errors:
        if errors.tell() > 2**20:
            errors.truncate(0)
        started = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors, env=environment,
            start_new_session=True, cwd="/",
        )  # fmt: skip
    assert started.stdout is not None
    with started.stdout as ready:
        ready.read()  # it closes its output when it is at work
    if started.poll() is None:
        _unwatched(started)


def _unwatched(process: "subprocess.Popen[bytes]") -> None:
    """Let it run on its own: nobody waits for it, and it is not complained about when we end first."""
    process.returncode = 0
