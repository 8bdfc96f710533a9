"""``run``: supervises one task on a node.

Two processes do it. The one that the scheduler started only guards: it passes on signals and outlives its child,
which leads a session of its own and does all the work. Both adopt orphans. So whichever of the two is killed, even
with SIGKILL, the other is there to end every program of the task: the guard inherits all of them, the child is
told by the kernel (PR_SET_PDEATHSIG). That also keeps the process that called :func:`run` clean of what was done.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import signal
import sys
import time

from . import processes
from .order import Order
from .outcomes import CANCELLED, ERROR, LOST, TIME_LIMIT
from .status import ENDED, TaskStatus, read, write

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from .loop import Loop
    from .task import Task

_ASKING = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
"""Signals that ask for an end."""
_RESTARTS = ("ISTHMUS_ATTEMPT", "SLURM_RESTART_COUNT")
"""Variables in which a scheduler tells how often it has started the task before."""

_EARLY = 75.0
"""Seconds before its time at which Slurm may send the signal that was asked for."""
_LAST_TRIES = 30


def run(folder: str, index: int, keep: Callable[[str | None], None] | None = None) -> int:
    """Run the task ``index`` of the submission in ``folder``; returns its exit code, 0 only if it succeeded.

    Where the task has ended already, it says how, and does nothing unless the scheduler has started it anew.
    Called from the main thread; everything that the calling process starts meanwhile is ended with the task only
    if the supervisor itself was killed.

    With ``keep`` it does so in this very process, without the two forks, which take longer than a short task: for a
    caller that supervises one task after another, each of them once, starts nothing else, and whose parent ends what
    is left of a task if it is killed. Signals then only have it look for the file ``cancel``. ``keep`` is called with
    None before anything is started, and at the end of a short task of an array with its last status, which no file
    has then.
    """
    order = Order(folder, index)
    if keep is not None:
        return _alone(order, keep)
    os.makedirs(order.place, mode=0o700, exist_ok=True)
    lock = os.open(os.path.join(order.place, "lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        print("task %d of %s is supervised already" % (index, order.id), file=sys.stderr)
        return 75
    except OSError:
        pass  # a file system without locks
    try:
        before = read(os.path.join(order.place, "status.json"))
        attempt = next((int(os.environ[name]) for name in _RESTARTS if os.environ.get(name, "").isdigit()), 0)
        if before is not None:
            if before.get("state") in ENDED and attempt <= before.get("attempt", 0):
                return 0 if before["state"] == "succeeded" else before.get("exit_code") or 1
            attempt = max(attempt, before.get("attempt", 0) + 1)
        return _guard(order, attempt)
    finally:
        os.close(lock)


def _guard(order: Order, attempt: int) -> int:
    adopted = processes.adopt_orphans()
    spared = frozenset(processes.children(os.getpid()))
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, _ASKING)
    sys.stdout.flush()
    sys.stderr.flush()
    guard = os.getpid()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            code = _supervise(order, attempt, guard, mask)
        except BaseException as error:
            _write_last_words(order, attempt, ERROR, "the supervisor failed: %s" % error)
            _print_error()
        finally:
            with contextlib.suppress(OSError):
                sys.stdout.flush()
                sys.stderr.flush()
            os._exit(code)
    handlers = {number: signal.signal(number, lambda *_: os.kill(child, signal.SIGTERM)) for number in _ASKING}
    signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    try:
        _, status = os.waitpid(child, 0)
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
    try:
        processes.end_descendants(spared)
        if not os.WIFEXITED(status):
            from .runtimes import sweep

            sweep(order)
            words = "the supervisor was killed by signal %d" % os.WTERMSIG(status)
            _write_last_words(order, attempt, LOST, words)
            return 1
        return os.WEXITSTATUS(status)
    finally:
        processes.adopt_orphans(adopted)


def _supervise(order: Order, attempt: int, guard: int, mask: object) -> int:
    from .loop import Loop
    from .task import Task

    os.setsid()
    processes.die_with_parent(signal.SIGTERM)
    processes.adopt_orphans()
    os.umask(0o077)
    loop = Loop()
    task = Task(order, loop, attempt)

    def asked() -> None:
        if os.getppid() != guard:
            task.end(LOST, "the supervisor was killed", grace=0)
        elif not task.obey():
            task.end(*_meaning(order))

    for number in _ASKING:
        loop.on_signal(number, asked)
    signal.pthread_sigmask(signal.SIG_SETMASK, mask)  # type: ignore[arg-type]
    if os.getppid() != guard:
        return 1
    return _conduct(order, loop, task)


def _alone(order: Order, keep: Callable[[str | None], None]) -> int:
    from .loop import Loop
    from .task import Task

    processes.adopt_orphans()
    processes.leave_to_parent()
    umask = os.umask(0o077)
    loop = Loop()
    try:
        task = Task(order, loop, 0, keep)
        keep(None)
        for number in _ASKING:
            loop.on_signal(number, task.obey)  # it may have been meant for the task before
        return _conduct(order, loop, task)
    except Exception as error:
        _write_last_words(order, 0, ERROR, "the supervisor failed: %s" % error)
        _print_error()
        return 1
    finally:
        os.umask(umask)


def _meaning(order: Order) -> tuple[str, str]:
    """Why a task is asked to end by a signal alone: the scheduler's limit is near, or it does not say why."""
    try:
        limit = float(os.environ["SLURM_JOB_END_TIME"])
    except (KeyError, ValueError):
        limit = 0.0
    if limit and time.time() >= limit - order.spec.get("grace", 30.0) - _EARLY:
        return TIME_LIMIT, "the site's time limit is over"
    return CANCELLED, "cancelled by a signal"


def _conduct(order: Order, loop: Loop, task: Task) -> int:
    try:
        task.begin()
        loop.run(task.tell)
    finally:
        loop.close()
        processes.end_descendants()
        task.close()
    if order.runtime.get("span"):
        from .spanning import forget

        forget(order)
    if order.stream:
        from pathlib import Path

        from .packing import pack

        pack(Path(order.work), [o["path"] for o in order.spec.get("outputs") or ()], Path(order.folder, "outputs.tar"))
    for _ in range(_LAST_TRIES):
        if task.tell():
            return task.code
        time.sleep(1)
    print("the status could not be written", file=sys.stderr)
    return task.code or 1


def _print_error() -> None:
    import traceback  # dear, and rarely wanted

    traceback.print_exc()


def _write_last_words(order: Order, attempt: int, reason: str, words: str) -> None:
    """Say how the task ended when whoever should have said so has not."""
    path = os.path.join(order.place, "status.json")
    status = read(path) or json.loads(TaskStatus(order.index, attempt, []).as_json())
    if status.get("state") in ENDED and status.get("attempt") == attempt:
        return
    now = time.time()
    for container in status["containers"]:
        if container["phase"] != "terminated":
            container.update(phase="terminated", reason=reason, message=words, exit_code=137, ended=now, ready=False)
    status.update(state="failed", reason=reason, words=words, ended=now, attempt=attempt)
    with contextlib.suppress(OSError):
        os.makedirs(order.place, mode=0o700, exist_ok=True)
        write(path, json.dumps(status))
    if order.stream and order.leads:
        from .task import print_line

        with contextlib.suppress(OSError):
            os.write(1, b"\n")  # ends what may have been cut off
            print_line({"status": status})
