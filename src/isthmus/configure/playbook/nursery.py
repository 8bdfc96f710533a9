"""The process that runs of playbooks are forked from: it has Ansible loaded, which takes a second.

The server talks to it over one socket: each message is one letter with two descriptors, the run's stream and its
passage, and is answered by the run's process id. When a run's process ends, what it left behind is killed. When
the server goes away, so do all runs.
"""

from __future__ import annotations

import contextlib
import io
import os
import selectors
import signal
import socket
import sys
import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

SEED_MODULES = ("ansible.module_utils.basic", "ansible.module_utils._internal._ansiballz._loader")


def make_seed() -> bytes:
    """The library that all modules share, as a zip for the agents; call it before Ansible is loaded."""
    for name in SEED_MODULES:
        __import__(name)
    root = Path(sys.modules["ansible"].__path__[0]).parent
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("ansible/__init__.py", b"")
        for name in sorted(n for n in sys.modules if n.startswith("ansible.module_utils")):
            where = name.replace(".", "/")
            for file in (f"{where}/__init__.py", f"{where}.py"):
                if (root / file).is_file():
                    archive.writestr(file, (root / file).read_bytes())
    return out.getvalue()


def main() -> None:
    """Serve until the server is gone. The socket to it is standard input."""
    control = socket.socket(fileno=os.dup(0))
    devnull = os.open(os.devnull, os.O_RDWR)
    os.dup2(devnull, 0)
    seed = make_seed()
    control.sendall(len(seed).to_bytes(4, "big") + seed)
    from isthmus.configure.playbook.payloads import make_payloads
    from isthmus.configure.playbook.run import run, warm

    warm()
    payloads = Path(os.environ["HOME"], "payloads")
    payloads.mkdir()
    runs = {_fork(partial(make_payloads, payloads), control)}
    with selectors.DefaultSelector() as waiting:
        waiting.register(control, selectors.EVENT_READ)
        waiting.register(_wake_on_child(), selectors.EVENT_READ)
        while True:
            ready = [key.fileobj for key, _ in waiting.select()]
            _bury(runs)
            if control not in ready:
                continue
            message, fds, _, _ = socket.recv_fds(control, 16, 2)
            if not message:
                break
            stream, passage = (socket.socket(fileno=fd) for fd in fds)
            with stream, passage:
                pid = _fork(partial(run, stream, passage, payloads), control)
            runs.add(pid)
            control.send(pid.to_bytes(4, "big"))
    for pid in runs:
        _kill(pid)


def _fork(work: Callable[[], None], control: socket.socket) -> int:
    """Have ``work`` done by a process of its own, which leads a group; answers its id."""
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        control.close()
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        os.setsid()
        for fd in (1, 2):
            os.dup2(0, fd)
        work()
        code = 0
    finally:
        os._exit(code)


def _wake_on_child() -> socket.socket:
    reader, writer = socket.socketpair()
    for end in (reader, writer):
        end.setblocking(False)
    signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: reader.recv(64))
    _kept.append(writer)
    return reader


_kept: list[socket.socket] = []


def _bury(runs: set[int]) -> None:
    """Kill the group of each run that ended, then reap it: until then its id is not used again."""
    for pid in list(runs):
        if os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT):
            _kill(pid)
            os.waitpid(pid, 0)
            runs.discard(pid)


def _kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)


if __name__ == "__main__":
    main()
