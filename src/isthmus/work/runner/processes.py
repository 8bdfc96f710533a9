"""Processes of the node: how one is started, found with all that it started, and ended whole.

Each program leads a session of its own. The supervisor is a subreaper (prctl(2)), so what a program leaves behind,
daemons that detach themselves included, becomes the supervisor's child instead of init's and is ended with it.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys

from .outcomes import CannotStart

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_PR_GET_CHILD_SUBREAPER = 37
_LIBC = ctypes.CDLL(None, use_errno=True)
_is_guarded = False
_UNBLOCKED = (signal.SIGPIPE, signal.SIGXFSZ)
"""Signals that Python ignores and programs expect to work."""


def die_with_parent(number: int) -> None:
    """Have the kernel send this process ``number`` when its parent ends, whatever ends it."""
    _LIBC.prctl(_PR_SET_PDEATHSIG, int(number), 0, 0, 0)


def adopt_orphans(adopt: bool = True) -> bool:
    """Become (or cease to be) the parent of what descendants leave behind; says what was so before."""
    before = ctypes.c_int(0)
    _LIBC.prctl(_PR_GET_CHILD_SUBREAPER, ctypes.byref(before), 0, 0, 0)
    _LIBC.prctl(_PR_SET_CHILD_SUBREAPER, int(adopt), 0, 0, 0)
    return bool(before.value)


def spawn(
    argv: Sequence[str],
    env: Mapping[str, str],
    folder: str,
    stdout: int,
    stderr: int,
    umask: int = 0o077,
    user: int | None = None,
    group: int | None = None,
) -> int:
    """Start a program in a session of its own that the kernel kills when this process ends; returns its pid.

    Raises :class:`CannotStart` with the system's words when it could not be executed.
    """
    if _is_guarded and sys.version_info >= (3, 11):
        return _spawn_quickly(argv, env, folder, stdout, stderr, umask, user, group)
    arguments = [os.fsencode(a) for a in argv]
    environment = {os.fsencode(k): os.fsencode(v) for k, v in env.items()}
    if not arguments or any(b"\0" in a for a in arguments):
        raise CannotStart("a command and its arguments hold no zero byte" if arguments else "there is no command")
    null = os.open(os.devnull, os.O_RDONLY)
    told, tell = os.pipe()
    parent = os.getpid()
    pid = os.fork()
    if pid == 0:
        code = 127
        try:
            die_with_parent(signal.SIGKILL)
            if os.getppid() == parent:
                os.setsid()
                os.dup2(null, 0)
                os.dup2(stdout, 1)
                os.dup2(stderr, 2)
                restore_signals()
                os.umask(umask)
                if group is not None:
                    os.setgroups([group])
                    os.setgid(group)
                if user is not None:
                    os.setuid(user)
                    die_with_parent(signal.SIGKILL)  # a change of user has cleared it
                os.chdir(folder)
                os.execvpe(arguments[0], arguments, environment)  # noqa: S606 - there is no shell, that is the point
        except OSError as error:
            code = 126 if isinstance(error, PermissionError) else 127
            with contextlib.suppress(OSError):
                os.write(tell, ("%d %s" % (code, error.strerror)).encode())
        finally:
            os._exit(code)
    os.close(tell)
    os.close(null)
    failure = _read_all(told)
    os.close(told)
    if failure:
        code_text, _, words = failure.decode().partition(" ")
        name = argv[0] if os.path.isdir(folder) else folder
        raise CannotStart("%s: %s" % (name, words), code=int(code_text))
    return pid


def leave_to_parent() -> None:
    """Have programs not be killed by the kernel when this process ends: its parent does it, and starting is quicker."""
    global _is_guarded
    _is_guarded = True


def _spawn_quickly(
    argv: Sequence[str], env: Mapping[str, str], folder: str, stdout: int, stderr: int, umask: int,
    user: int | None, group: int | None,
) -> int:  # fmt: skip
    """Start a program by vfork(2), which copies no memory of ours: that takes a fifth of the time."""
    import subprocess

    if not argv:
        raise CannotStart("there is no command")
    try:
        started = subprocess.Popen(
            argv, env=env, cwd=folder, stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr, umask=umask,
            start_new_session=True, user=user, group=group, extra_groups=None if group is None else [group],
        )  # fmt: skip
    except OSError as error:
        name = argv[0] if os.path.isdir(folder) else folder
        code = 126 if isinstance(error, PermissionError) else 127
        raise CannotStart("%s: %s" % (name, error.strerror), code=code) from None
    except ValueError:
        raise CannotStart("a command and its arguments hold no zero byte") from None
    started.returncode = 0  # the loop waits for it, not this object
    return started.pid


def signal_session(pid: int, number: int) -> None:
    """Send a signal to the process group that the program ``pid`` leads."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, number)


def end_session(leader: int, known: frozenset[int] = frozenset()) -> None:
    """Kill at once what is left of the session of ``leader``: its group, and children of ours that belong to it."""
    signal_session(leader, signal.SIGKILL)
    for pid in children(os.getpid()):
        if pid not in known and _session(pid) == leader:
            end_tree(pid)


def end_tree(root: int) -> None:
    """Kill a process and all that descend from it."""
    for pid in [root, *descendants(root)]:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGKILL)


def end_descendants(spared: frozenset[int] = frozenset()) -> None:
    """Kill all that descends from this process, but for the children in ``spared``, and reap it.

    Killing makes orphans, which this process adopts if it is a subreaper: so it looks again until none is left.
    """
    while True:
        mine = [pid for pid in children(os.getpid()) if pid not in spared]
        if not mine:
            return
        for pid in mine:
            end_tree(pid)
        for pid in mine:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, 0)


def children(pid: int) -> list[int]:
    """The children of a process, also those that ended and are not yet reaped; none when it is gone."""
    found: list[int] = []
    try:
        for thread in os.listdir("/proc/%d/task" % pid):
            with open("/proc/%d/task/%s/children" % (pid, thread), "rb") as file:
                found += [int(child) for child in file.read().split()]
    except FileNotFoundError:
        if os.path.exists("/proc/%d" % pid):  # a kernel without that file: look at everybody's parent
            found = [int(p) for p in os.listdir("/proc") if p.isdigit() and _stat(int(p), 1) == pid]
    except OSError:
        pass
    return found


def descendants(pid: int) -> Iterator[int]:
    """All that a process started, and what that started, and so on."""
    waiting = children(pid)  # no recursion: a job may make a chain of any length
    while waiting:
        child = waiting.pop()
        yield child
        waiting += children(child)


def _session(pid: int) -> int:
    return _stat(pid, 3)


def _stat(pid: int, field: int) -> int:
    """A number of ``/proc/PID/stat``, counted from the state, which follows the name; -1 when it is gone."""
    try:
        with open("/proc/%d/stat" % pid, "rb") as file:
            return int(file.read().rpartition(b")")[2].split()[field])
    except (OSError, IndexError):
        return -1


def restore_signals() -> None:
    """Give what is to be executed the signals that programs expect."""
    for number in _UNBLOCKED:
        signal.signal(number, signal.SIG_DFL)
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD):
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


def _read_all(fd: int) -> bytes:
    parts: list[bytes] = []
    while True:
        part = os.read(fd, 4096)
        if not part:
            return b"".join(parts)
        parts.append(part)
