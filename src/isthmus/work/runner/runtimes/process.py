"""Containers that are plain programs of the node, and what they share with those that a program runs."""

from __future__ import annotations

import contextlib
import fcntl
import os
import resource
import signal
from functools import partial

from .. import processes
from ..log_writing import STDERR, STDOUT
from ..outcomes import CannotStart, Outcome
from ..usage import tree_memory

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any

    from ..loop import Loop
    from ..order import Order
    from . import Sink

_F_SETPIPE_SZ = 1031
_PIPE = 1024 * 1024
_READ = 256 * 1024


class Invocation:
    """A program of the node as it is to be started."""

    __slots__ = ("argv", "env", "folder", "group", "user")

    def __init__(
        self,
        argv: Sequence[str],
        env: Mapping[str, str],
        folder: str,
        user: int | None = None,
        group: int | None = None,
    ):
        self.argv = argv
        self.env = env
        self.folder = folder
        self.user = user
        self.group = group


class LocalProgram:
    """A program that this process starts itself: its output comes through pipes, its end from the kernel.

    ``inside`` makes of a command what runs it beside the program. Signals that ask for something go to the ``whole``
    process group, or to its leader alone, which then hands them on.
    """

    address = "127.0.0.1"

    def __init__(
        self,
        loop: Loop,
        umask: int,
        invocation: Invocation,
        inside: Callable[[Sequence[str]], Invocation],
        whole: bool = True,
        explain: Callable[[Outcome, bytes], None] = lambda outcome, words: None,
    ):
        self._loop = loop
        self._umask = umask
        self._invocation = invocation
        self._inside = inside
        self._whole = whole
        self._explain = explain
        self._pid = 0
        self._pipes: dict[int, bytes] = {}

    def start(self, sink: Sink, started: Callable[[], None], ended: Callable[[Outcome], None]) -> None:
        out, out_end = _pipe()
        err, err_end = _pipe()
        self._pipes = {out: STDOUT, err: STDERR}
        try:
            self._pid = self._spawn(self._invocation, out_end, err_end)
        except CannotStart:
            os.close(out)
            os.close(err)
            raise
        finally:
            os.close(out_end)
            os.close(err_end)
        self._sink = sink
        self._ended = ended
        self._loop.on_end(self._pid, self._reaped)
        for fd in self._pipes:
            self._loop.watch(fd, partial(self._read, fd))
        started()

    def kill(self, number: int) -> None:
        if self._pid and (self._whole or number == signal.SIGKILL):
            processes.signal_session(self._pid, number)
        elif self._pid:
            os.kill(self._pid, number)

    def execute(
        self, command: Sequence[str], timeout: float, done: Callable[[str | None], None], heard: bool = False
    ) -> None:
        try:
            self._execute(lambda out: self._spawn(self._inside(command), out, out), timeout, done, heard)
        except CannotStart as error:
            done(str(error))

    def _execute(
        self, spawn: Callable[[int], int], timeout: float, done: Callable[[str | None], None], heard: bool
    ) -> None:
        """See to what ``spawn`` starts, whose output goes to the descriptor that it is given; raises what it raises."""
        out, out_end = _pipe() if heard else (-1, os.open(os.devnull, os.O_WRONLY))
        try:
            pid = spawn(out_end)
        except CannotStart:
            if heard:
                os.close(out)
            raise
        finally:
            os.close(out_end)
        if heard:
            self._pipes[out] = STDOUT
            self._loop.watch(out, partial(self._read, out))

        def late() -> None:
            late.came = True  # type: ignore[attr-defined]
            processes.end_tree(pid)

        def ended(status: int, _: Any) -> None:
            timer.cancel()
            processes.signal_session(pid, signal.SIGKILL)
            if out in self._pipes:
                self._drain(out)
            code = Outcome.of_wait_status(status).code
            if late.came:  # type: ignore[attr-defined]
                done("no answer within %g s" % timeout)
            else:
                done("exit code %d" % code if code else None)

        late.came = False  # type: ignore[attr-defined]
        timer = self._loop.later(timeout, late)
        self._loop.on_end(pid, ended)

    def measure(self, limit: int | None, done: Callable[[int], None]) -> None:
        if self._pid:
            done(tree_memory(self._pid, limit, self._counts))

    def _counts(self, pid: int) -> bool:
        """Whether a process that descends from the program uses memory on its account."""
        return True

    def _spawn(self, invocation: Invocation, out: int, err: int) -> int:
        return processes.spawn(
            invocation.argv,
            invocation.env,
            invocation.folder,
            out,
            err,
            umask=self._umask,
            user=invocation.user,
            group=invocation.group,
        )

    def _read(self, fd: int) -> bool:
        """Take what there is; says whether there may be more."""
        try:
            data = os.read(fd, _READ)
        except BlockingIOError:
            return False
        if data:
            self._sink.feed(self._pipes[fd], data)
            return True
        self._close(fd)
        return False

    def _drain(self, fd: int) -> None:
        """Take what the pipe held at the end, not what an escaped process adds to it."""
        room = _PIPE // _READ + 1
        while room and self._read(fd):
            room -= 1
        if fd in self._pipes:
            self._close(fd)

    def _close(self, fd: int) -> None:
        self._loop.unwatch(fd)
        del self._pipes[fd]
        os.close(fd)

    def _reaped(self, status: int, usage: Any) -> None:
        pid, self._pid = self._pid, 0
        processes.end_session(pid, self._loop.children)
        for fd in list(self._pipes):
            self._drain(fd)
        outcome = Outcome.of_wait_status(status)
        # Before it became another program it was a copy of this one: smaller peaks are not its own.
        if usage.ru_maxrss > resource.getrusage(resource.RUSAGE_SELF).ru_maxrss:
            outcome.peak_memory = usage.ru_maxrss * 1024
        self._explain(outcome, self._sink.last_words)
        self._ended(outcome)


class Processes:
    """Runs plain programs: with the node's environment, in the sandbox, as the user who the supervisor is."""

    def __init__(self, order: Order, loop: Loop):
        self._order = order
        self._loop = loop

    def program(self, container: dict[str, Any], init: bool) -> LocalProgram:
        for field in ("mounts", "runtime_options"):
            if container.get(field):
                raise CannotStart("%s: a plain process has none" % field)
        user, group = container.get("user"), container.get("group")
        if os.geteuid() != 0:
            for name, wanted, own in (("user", user, os.geteuid()), ("group", group, os.getegid())):
                if wanted not in (None, own):
                    raise CannotStart("%s: a plain process runs as %d here, not as %d" % (name, own, wanted))
            user = group = None
        env = {**os.environ, **self._order.environment(container)}
        if "HOME" not in env:  # HTCondor sets none
            at_home = os.path.expanduser("~")
            env["HOME"] = at_home if os.path.isdir(at_home) else self._order.work
        home = self._order.work if container.get("sandbox", True) else os.path.expanduser("~")
        folder = os.path.join(home, container.get("workdir") or "")
        command = [*(container.get("command") or ()), *(container.get("args") or ())]
        if not command:
            raise CannotStart("command: a plain process needs one")
        launcher = [] if init else self._order.launcher

        def invoke(argv: Sequence[str]) -> Invocation:
            return Invocation(argv, env, folder, user, group)

        return LocalProgram(self._loop, self._order.umask, invoke([*launcher, *command]), invoke, whole=not launcher)

    def close(self) -> None:
        """What is left of programs ends with the supervisor."""


def _pipe() -> tuple[int, int]:
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    with contextlib.suppress(OSError):  # over the user's limit of pipe memory: the usual size does too
        fcntl.fcntl(reader, _F_SETPIPE_SZ, _PIPE)
    return reader, writer
