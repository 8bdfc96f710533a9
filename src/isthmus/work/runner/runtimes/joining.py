"""Running something inside of a container that already runs, by joining its namespaces (setns(2)).

A user may join what lies in a user namespace of his own. It takes milliseconds where a second container takes a good
part of a second, and sees the very files and processes of the first.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import signal

from .. import processes
from ..outcomes import CannotStart

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

_KINDS = ("user", "ipc", "uts", "net", "cgroup", "pid", "mnt")
"""The user namespace comes first: it is what gives the right to join the others."""
_PR_SET_NO_NEW_PRIVS = 38
_LIBC = ctypes.CDLL(None, use_errno=True)


class CannotJoin(CannotStart):
    """The namespaces of a container are not open to this user."""


def is_inside(pid: int) -> bool | None:
    """Whether a process has another root than this one; None when it may not be looked at, or is gone."""
    try:
        there, here = os.stat("/proc/%d/root" % pid), os.stat("/")
    except OSError:
        return None
    return (there.st_dev, there.st_ino) != (here.st_dev, here.st_ino)


def variables_of(pid: int) -> dict[bytes, bytes]:
    """The variables that a process began with; none while it is just being executed, or when it is gone."""
    try:
        with open("/proc/%d/environ" % pid, "rb") as file:
            pairs = [line.partition(b"=") for line in file.read().split(b"\0")]
    except OSError:
        return {}
    return {name: value for name, equals, value in pairs if equals}


def run_beside(pid: int, argv: Sequence[str], out: int, umask: int) -> int:
    """Start a program where the process ``pid`` is, with its variables; the id of a process that ends as it does.

    Raises :class:`CannotJoin`, and :class:`CannotStart` if the program could not be executed there.
    """
    arguments, env = [os.fsencode(a) for a in argv], variables_of(pid)
    told, tell = os.pipe()
    null = os.open(os.devnull, os.O_RDONLY)
    with contextlib.ExitStack() as opened:
        try:
            root, folder, *spaces = [
                _open(opened, "/proc/%d/%s" % (pid, name)) for name in ("root", "cwd", *_other_namespaces(pid))
            ]
        except OSError as error:
            for one in (told, tell, null):
                os.close(one)
            raise CannotJoin(str(error.strerror)) from None
        child = os.fork()
        if child == 0:
            step = b"join"
            try:
                os.close(told)
                processes.die_with_parent(signal.SIGKILL)
                os.setsid()
                for source, target in ((null, 0), (out, 1), (out, 2)):
                    os.dup2(source, target)
                _join(spaces, root, folder)
                step = b"exec"
                # Only what is started from here on has the process numbers of the container.
                inner = os.fork()
                if inner:
                    os.close(tell)
                    _end_as(inner)
                processes.die_with_parent(signal.SIGKILL)
                processes.restore_signals()
                os.umask(umask)
                _execute(arguments, env)
            except OSError as error:
                with contextlib.suppress(OSError):
                    os.write(tell, step + str(error.strerror).encode())
            finally:
                os._exit(126)
    os.close(tell)
    os.close(null)
    with open(told, "rb") as file:
        failure = file.read().decode(errors="replace")
    if failure:
        with contextlib.suppress(ChildProcessError):
            os.waitpid(child, 0)
        if failure.startswith("join"):
            raise CannotJoin(failure[4:])
        raise CannotStart("%s: %s" % (argv[0], failure[4:]))
    return child


def _other_namespaces(pid: int) -> list[str]:
    """The namespaces of ``pid`` that are not those of this process."""
    names = ["ns/" + kind for kind in _KINDS]
    return [name for name in names if os.readlink("/proc/%d/%s" % (pid, name)) != os.readlink("/proc/self/" + name)]


def _open(opened: contextlib.ExitStack, path: str) -> int:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    opened.callback(os.close, descriptor)
    return descriptor


def _join(spaces: Sequence[int], root: int, folder: int) -> None:
    for space in spaces:
        if _LIBC.setns(space, 0):
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))
    os.fchdir(root)
    os.chroot(".")
    os.fchdir(folder)
    _LIBC.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)


def _execute(arguments: list[bytes], env: dict[bytes, bytes]) -> None:
    """As execvpe(3), which Python's own cannot do here: it imports something, and the node's files are out of sight."""
    name = arguments[0]
    folders = [b""] if b"/" in name else (env.get(b"PATH") or b"/usr/local/bin:/usr/bin:/bin").split(b":")
    failure: OSError = FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
    for folder in folders:
        try:
            os.execve(folder + b"/" + name if folder else name, arguments, env)  # noqa: S606 - there is no shell
        except (FileNotFoundError, NotADirectoryError):
            continue
        except PermissionError as error:
            failure = error
    raise failure


def _end_as(pid: int) -> None:
    """End as ``pid`` does."""
    _, status = os.waitpid(pid, 0)
    os._exit(os.WEXITSTATUS(status) if os.WIFEXITED(status) else 128 + os.WTERMSIG(status))
