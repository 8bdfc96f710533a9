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
from pathlib import Path

SEED_MODULES = ("ansible.module_utils.basic", "ansible.module_utils._internal._ansiballz._loader")


def make_seed() -> bytes:
    """The library that all modules share, as a zip for the agents; call it before Ansible is loaded."""
    for name in SEED_MODULES:
        __import__(name)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("ansible/__init__.py", b"")
        for name, module in sorted(sys.modules.items()):
            file = getattr(module, "__file__", None)
            if name.startswith("ansible.module_utils") and file:
                folder = name.replace(".", "/")
                where = f"{folder}/__init__.py" if file.endswith("__init__.py") else f"{folder}.py"
                archive.writestr(where, Path(file).read_bytes())
    return out.getvalue()


def main() -> None:
    """Serve until the server is gone. The socket to it is standard input."""
    control = socket.socket(fileno=os.dup(0))
    devnull = os.open(os.devnull, os.O_RDWR)
    os.dup2(devnull, 0)
    seed = make_seed()
    control.send(len(seed).to_bytes(4, "big"))
    for at in range(0, len(seed), 1 << 16):
        control.send(seed[at : at + (1 << 16)])
    from isthmus.configure.playbook.run import run, warm

    warm()
    runs: set[int] = set()
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
            pid = os.fork()
            if pid == 0:
                control.close()
                _become(run, fds)
            runs.add(pid)
            for fd in fds:
                os.close(fd)
            control.send(pid.to_bytes(4, "big"))
    for pid in runs:
        _kill(pid)


def _become(run: object, fds: list[int]) -> None:
    """Be a run's process, then end. Never returns."""
    code = 1
    try:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        os.setsid()
        for fd in (1, 2):
            os.dup2(0, fd)
        stream, passage = (socket.socket(fileno=fd) for fd in fds)
        run(stream, passage)  # type: ignore[operator]
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
