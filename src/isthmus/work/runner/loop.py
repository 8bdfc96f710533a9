"""The one thread of the supervisor: it waits for output, ended children, signals, timers and workers at once."""

from __future__ import annotations

import contextlib
import errno
import os
import select
import signal
import time
from heapq import heappop, heappush

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_FROM_A_WORKER = b"\0"  # no signal has this number


class Timer:
    """Something to be done later; :meth:`cancel` forgets it."""

    __slots__ = ("_action", "when")

    def __init__(self, when: float, action: Callable[[], None]):
        self.when = when
        self._action: Callable[[], None] | None = action

    def cancel(self) -> None:
        self._action = None

    def fire(self) -> None:
        action, self._action = self._action, None
        if action is not None:
            action()


class Loop:
    """Calls back. It reaps every child of the process, adopted ones too: nothing else may wait for any."""

    def __init__(self) -> None:
        self.cpu_seconds = 0.0
        """User and system time of all children that have ended, and of theirs."""
        self._poll = select.epoll()
        self._readers: dict[int, Callable[[], object]] = {}
        self._timers: list[tuple[float, int, Timer]] = []
        self._count = 0
        self._children: dict[int, Callable[[int, Any], None]] = {}
        self._signals: dict[int, Callable[[], object]] = {}
        self._done: list[Callable[[], None]] = []
        self._stopped = False
        self._waker, self._wake = os.pipe()
        os.set_blocking(self._waker, False)
        os.set_blocking(self._wake, False)
        self._poll.register(self._waker, select.EPOLLIN)
        signal.set_wakeup_fd(self._wake, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, _nothing)

    def close(self) -> None:
        """Let go of what the loop holds; the process's handlers of signals stay as they are."""
        signal.set_wakeup_fd(-1)
        self._poll.close()
        os.close(self._waker)
        os.close(self._wake)

    def run(self, between: Callable[[], object]) -> None:
        """Go on until :meth:`stop`; ``between`` is called after every round in which more came than data."""
        self._reap()
        between()
        while not self._stopped:
            news = False
            for fd, _ in self._poll.poll(self._patience()):
                if fd == self._waker:
                    news = True
                    self._wake_up()
                elif fd in self._readers:
                    self._readers[fd]()
            while self._timers and self._timers[0][0] <= time.monotonic():
                news = True
                heappop(self._timers)[2].fire()
            if news:
                between()

    def stop(self) -> None:
        self._stopped = True

    def later(self, delay: float, action: Callable[[], None]) -> Timer:
        """Do ``action`` after ``delay`` seconds."""
        timer = Timer(time.monotonic() + delay, action)
        self._count += 1
        heappush(self._timers, (timer.when, self._count, timer))
        return timer

    def watch(self, fd: int, action: Callable[[], object]) -> None:
        """Call ``action`` whenever ``fd`` can be read, until :meth:`unwatch`."""
        self._readers[fd] = action
        self._poll.register(fd, select.EPOLLIN)

    def unwatch(self, fd: int) -> None:
        if self._readers.pop(fd, None) is not None:
            self._poll.unregister(fd)

    def on_end(self, pid: int, action: Callable[[int, Any], None]) -> None:
        """Call ``action`` with the wait status and resource usage of the child ``pid`` when it has ended."""
        self._children[pid] = action

    @property
    def children(self) -> frozenset[int]:
        """The children that somebody waits for; any other child was orphaned by one of them."""
        return frozenset(self._children)

    def on_signal(self, number: int, action: Callable[[], object]) -> None:
        self._signals[number] = action
        signal.signal(number, _nothing)

    def work(self, task: Callable[[], Any], done: Callable[[Any, BaseException | None], None]) -> None:
        """Do something slow in a thread, then ``done(result, error)`` in this one."""
        import threading

        def perform() -> None:
            result: Any = None
            error: BaseException | None = None
            try:
                result = task()
            except BaseException as caught:  # whatever it is, the one thread has to hear of it
                error = caught
            self._done.append(lambda: done(result, error))
            with contextlib.suppress(OSError):  # full: it is about to wake anyway; closed: nobody listens any more
                os.write(self._wake, _FROM_A_WORKER)

        threading.Thread(target=perform, daemon=True).start()

    def _patience(self) -> float:
        while self._timers and self._timers[0][2]._action is None:
            heappop(self._timers)
        if not self._timers:
            return -1
        return max(0.0, self._timers[0][0] - time.monotonic()) + 0.0005  # epoll rounds down to milliseconds

    def _wake_up(self) -> None:
        try:
            woken = set(os.read(self._waker, 4096))
        except BlockingIOError:
            return
        if signal.SIGCHLD in woken:
            self._reap()
        for number in woken & self._signals.keys():
            self._signals[number]()
        while self._done:
            self._done.pop(0)()

    def _reap(self) -> None:
        while True:
            try:
                pid, status, usage = os.wait4(-1, os.WNOHANG)
            except OSError as error:
                if error.errno != errno.ECHILD:
                    raise
                return
            if pid == 0:
                return
            self.cpu_seconds += usage.ru_utime + usage.ru_stime
            action = self._children.pop(pid, None)
            if action is not None:
                action(status, usage)


def _nothing(number: int, frame: object) -> None:
    """Signals are told by the wake-up descriptor; a handler has to be there for that."""
