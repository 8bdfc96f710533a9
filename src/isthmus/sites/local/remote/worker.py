"""A worker: a fork of the queue process that supervises one task after another.

A fork for each task would take longer than a short task. A worker does only what its link to the queue process
says; when that ends it finishes what it has, and ends too. Its slot holds whatever its tasks start.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
import traceback
from typing import Callable, Iterable, Optional

from . import machine
from .cgroup import Slot
from .endings import BROKEN, SUCCEEDED, UNSUCCESSFUL

RUN, SWEEP = "run", "sweep"
Run = Callable[[str, str, int], int]
"""Does what the first argument says for a task of a submission's folder, and answers 0 when it ended well.

``RUN`` supervises it to its end; ``SWEEP`` removes containers that a killed supervisor has left.
"""
MOST_TASKS = 1000
"""Tasks after which a worker is replaced, whatever they may have left in it."""
_LONGEST = 65536


class Worker:
    """A worker as the queue process holds it."""

    def __init__(self, run: Run, slot: Slot, gpus: bool) -> None:
        """Fork it; with ``gpus`` each of its tasks sees the devices that it was given, and no others."""
        self.slot = slot
        self.tasks = 0
        self.link, link = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with link:
            self.pid = os.fork()
            if self.pid == 0:
                _become(run, link, slot, gpus)
        self.link.setblocking(False)
        self.born = machine.born(self.pid) or 0

    def give(self, what: str, folder: str, index: int, gpus: Iterable[int] = ()) -> None:
        """Have it run a task, of which the ledger says that it runs, or sweep after one."""
        self.tasks += 1
        try:
            self.link.send(json.dumps([what, folder, index, list(gpus)]).encode())
        except OSError:
            return  # it has died, which the end of its link tells

    def take(self) -> Optional[int]:
        """How its task ended, as a wait status; once it has died, how it died itself. None when there is no news."""
        try:
            word = self.link.recv(16)
        except BlockingIOError:
            return None
        except OSError:
            word = b""
        if word:
            return int(word) << 8
        return self.close()

    def close(self) -> int:
        """Let it end, and wait until it has; its wait status. Not to be called while it has a task, and lives."""
        self.link.close()
        status = self._died = os.waitpid(self.pid, 0)[1]
        return status

    @property
    def has_died(self) -> bool:
        return self.link.fileno() < 0


def _become(run: Run, link: socket.socket, slot: Slot, gpus: bool) -> None:
    """Be the worker; never returns."""
    try:
        os.setsid()
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGTERM, lambda *_: None)  # it tells a task to end, and may come after that has
        _close_all_but(link.fileno())
        slot.enter()
        while True:
            order = link.recv(_LONGEST)
            if not order:
                break
            what, folder, index, given = json.loads(order)
            if gpus:
                os.environ["CUDA_VISIBLE_DEVICES"] = os.environ["NVIDIA_VISIBLE_DEVICES"] = ",".join(map(str, given))
            link.send(b"%d" % _ending(run, what, folder, index))
    except OSError:
        pass  # the queue process is gone, and reads no answer
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(0)


def _ending(run: Run, what: str, folder: str, index: int) -> int:
    try:
        return SUCCEEDED if run(what, folder, index) == 0 else UNSUCCESSFUL
    except Exception:
        traceback.print_exc()
        return BROKEN


def _close_all_but(kept: int) -> None:
    """Close what the queue process has open: above all its lock, which must go when it goes."""
    os.closerange(3, kept)
    os.closerange(kept + 1, os.sysconf("SC_OPEN_MAX") if sys.version_info >= (3, 10) else 4096)
