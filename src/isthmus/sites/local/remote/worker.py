"""A worker: a fork of the queue process that supervises one task after another.

A fork for each task would take longer than a short task. A worker does only what the queue process tells it; when
that is gone it finishes the task that it is at, and ends too. Its slot holds whatever its tasks start.

It may be told of tasks in advance, so that it need not wait for its turn between two of them. They lie in the kernel
until it begins them, and either it or the queue process takes each from there: so none is begun that was taken back.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import sys
import traceback
from pathlib import Path
from typing import Callable, Iterable, List, Optional

from . import machine
from .cgroup import Slot
from .endings import BROKEN, SUCCEEDED, UNSUCCESSFUL
from .journal import Journal

RUN, SWEEP = "run", "sweep"
Keep = Callable[[Optional[str]], None]
Run = Callable[[str, str, int, Keep], int]
"""Does what the first argument says for a task of a submission's folder, and answers 0 when it ended well.

``RUN`` supervises it to its end; ``SWEEP`` removes containers that a killed supervisor has left. The last
argument is told None before a task begins, and the JSON of its last status where no file has that.
"""
MOST_TASKS = 1000
"""Tasks after which a worker is replaced, whatever they may have left in it."""
_LONGEST = 65536
"""Bytes of what is told in one word. A longer report is in the journal, and the word says so."""
_KEPT = b"kept"


class Worker:
    """A worker as the queue process holds it."""

    def __init__(self, run: Run, slot: Slot, gpus: bool, folder: Path) -> None:
        """Fork it; its journal is in ``folder``. With ``gpus`` a task sees the devices it was given, and no others."""
        self.slot = slot
        self.tasks = 0
        self._orders, self._given = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.link, words = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with words:
            self.pid = os.fork()
            if self.pid == 0:
                _become(run, self._given, words, slot, gpus, folder)
        self.link.setblocking(False)
        self.born = machine.born(self.pid) or 0
        self.report = ""
        """The last status of the task that ended last, where no file has it."""
        self.keeps_report = False
        """Whether that is too long to be told, and in the journal."""

    def give(self, what: str, folder: str, index: int, gpus: Iterable[int] = ()) -> None:
        """Have it run a task, of which the ledger says that it has it, or sweep after one; after what it was given."""
        self.tasks += 1
        try:
            self._orders.send(json.dumps([what, folder, index, list(gpus)]).encode())
        except OSError:
            return  # it has died, which the end of its link tells

    def take_back(self) -> List[int]:
        """The tasks that it has not begun, and now will not."""
        indices = []
        with contextlib.suppress(OSError):
            while True:
                indices.append(int(json.loads(self._given.recv(_LONGEST, socket.MSG_DONTWAIT))[2]))
                self.tasks -= 1
        return indices

    def take(self) -> Optional[int]:
        """How its task ended, as a wait status; once it has died, how it died itself. None when there is no news."""
        try:
            word, _, report = self.link.recv(_LONGEST).partition(b" ")
        except BlockingIOError:
            return None
        except OSError:
            word = b""
        if word:
            self.keeps_report = report == _KEPT
            self.report = "" if self.keeps_report else report.decode()
            return int(word) << 8
        return self.close()

    def close(self) -> int:
        """Let it end, and wait until it has; its wait status. Not to be called while it has a task, and lives."""
        for end in (self.link, self._orders, self._given):
            end.close()
        status = self._died = os.waitpid(self.pid, 0)[1]
        return status

    @property
    def has_died(self) -> bool:
        return self.link.fileno() < 0


def _become(run: Run, orders: socket.socket, words: socket.socket, slot: Slot, gpus: bool, queue: Path) -> None:
    """Be the worker; never returns."""
    try:
        os.setsid()
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGTERM, lambda *_: None)  # it tells a task to end, and may come after that has
        _close_all_but(orders.fileno(), words.fileno())
        slot.enter()
        journal = Journal.own(queue)
        report = ""

        def keep(text: Optional[str]) -> None:
            nonlocal report
            journal.keep(folder, index, text)
            report = text or ""

        while True:
            order = orders.recv(_LONGEST)
            if not order:
                break
            what, folder, index, given = json.loads(order)
            if gpus:
                os.environ["CUDA_VISIBLE_DEVICES"] = os.environ["NVIDIA_VISIBLE_DEVICES"] = ",".join(map(str, given))
            code = _ending(run, what, folder, index, keep)
            told = report.encode()
            words.send(b"%d %s" % (code, told if len(told) < _LONGEST - 16 else _KEPT))
            report = ""
    except OSError:
        pass  # the queue process is gone, and reads no answer
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(0)


def _ending(run: Run, what: str, folder: str, index: int, keep: Keep) -> int:
    try:
        return SUCCEEDED if run(what, folder, index, keep) == 0 else UNSUCCESSFUL
    except Exception:
        traceback.print_exc()
        return BROKEN


def _close_all_but(*kept: int) -> None:
    """Close what the queue process has open: above all its lock, which must go when it goes."""
    last = os.sysconf("SC_OPEN_MAX") if sys.version_info >= (3, 10) else 4096
    for low, high in zip((2, *sorted(kept)), (*sorted(kept), last)):  # noqa: B905 - Python 3.8
        os.closerange(low + 1, high)
