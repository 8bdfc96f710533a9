"""Getting a container engine to run on this host where none answers: started, or installed on Debian."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from isthmus.sites.errors import Permanent, Temporary, Unreachable
from isthmus.sites.local.connection import DOCKER_SOCKET, PODMAN_SOCKET, connect
from isthmus.sites.local.debian import INSTALL_SECONDS, install_packages, last_words, may_install
from isthmus.sites.local.locks import exclusive, state_folder

START_SECONDS = 60.0
"""How long an engine may take until it answers."""

MOMENT_SECONDS = 5.0
"""How long another engine may take to answer when the one that we started ended."""

_PASSED_ON = ("PATH", "HOME", "LANG", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy")
_ADVICE = (
    "install Docker or Podman and start it (as root), or on Debian run this as root, "
    "or set the site's option 'socket' or DOCKER_HOST to where an engine listens"
)


@dataclass(frozen=True, slots=True)
class Engine:
    """A container engine that can be started here: its program, unit, socket, and command without systemd."""

    name: str
    program: str
    unit: str
    socket: str
    command: tuple[str, ...]


DOCKER = Engine("Docker", "dockerd", "docker.service", f"unix://{DOCKER_SOCKET}", ("dockerd",))
PODMAN = Engine(
    "Podman",
    "podman",
    "podman.socket",
    f"unix://{PODMAN_SOCKET}",
    ("podman", "system", "service", "--time=0", f"unix://{PODMAN_SOCKET}"),
)


def ensure_running(socket: str, progress: Callable[[str], None]) -> None:
    """See to it that an engine answers; quick when one does, and safe when two processes ask at once.

    Raises :class:`Permanent`, saying what to do, where none can be started from here.
    """
    if answers(socket):
        return
    if socket not in (DOCKER.socket, PODMAN.socket):
        raise Permanent(f"no container engine answers at {socket}; start it, or {_ADVICE}")
    with exclusive("container engine", INSTALL_SECONDS):
        if not answers(socket):
            start(_engine_at_hand(progress), progress)


def answers(socket: str) -> bool:
    """Whether an engine answers there; raises :class:`Permanent` when it does but not to this user."""
    try:
        connect(socket, timeout=5).close()
    except Unreachable:
        return False
    return True


def start(engine: Engine, progress: Callable[[str], None]) -> None:
    """Start an engine and wait until it answers; raises :class:`Temporary` with its last words if it does not."""
    progress(f"starting {engine.name}")
    begun = time.monotonic()
    launch = _start_by_systemd(engine) if Path("/run/systemd/system").is_dir() else _start_by_hand(engine)
    while not answers(engine.socket):
        # One that ended may have given way to another that is just starting, so it is given a moment.
        if time.monotonic() > begun + (MOMENT_SECONDS if launch.ended() else START_SECONDS):
            raise Temporary(f"{engine.name} does not answer at {engine.socket}: {launch.words()}", delay=10.0)
        time.sleep(0.1)
    progress(f"{engine.name} answers after {time.monotonic() - begun:.1f} s")


def _engine_at_hand(progress: Callable[[str], None]) -> Engine:
    """The engine that is installed, Docker first; on Debian one is installed if there is none."""
    if os.geteuid() != 0:
        raise Permanent(f"no container engine answers, and only root may start one: {_ADVICE}")
    for engine in (DOCKER, PODMAN):
        if shutil.which(engine.program):
            return engine
    if not may_install():
        raise Permanent(f"no container engine answers, and none is installed: {_ADVICE}")
    progress("installing docker.io")
    install_packages("docker.io")
    return DOCKER


PID_FILES = {
    Path("/var/run/docker.pid"): "dockerd",
    Path("/var/run/docker/containerd/containerd.pid"): "containerd",
}
"""Where Docker's processes leave their numbers, each with its program."""


def forget_the_dead(pid_files: Mapping[Path, str] = PID_FILES) -> None:
    """Remove notes of processes that ended without doing so, when their numbers are other programs' by now.

    Docker takes any living process of that number for itself, and would not start.
    """
    for file, program in pid_files.items():
        with contextlib.suppress(OSError, ValueError):
            name = Path(f"/proc/{int(file.read_text())}/comm").read_text().strip()
            if not name.startswith(program):
                file.unlink()


@dataclass(frozen=True, slots=True)
class _Launch:
    """A start under way: whether it has failed already, and what it said last."""

    ended: Callable[[], bool]
    words: Callable[[], str]


def _start_by_systemd(engine: Engine) -> _Launch:
    command = ["systemctl", "start", engine.unit]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=START_SECONDS * 2)
    return _Launch(lambda: done.returncode != 0, lambda: last_words(done.stderr))


def _start_by_hand(engine: Engine) -> _Launch:
    """Start an engine that outlives us: a session of its own, its log among our state, none of our secrets."""
    log = state_folder() / f"{engine.program}.log"
    forget_the_dead()
    Path(engine.socket.removeprefix("unix://")).parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as out:
        process = subprocess.Popen(
            engine.command,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            cwd="/",
            env={name: value for name, value in os.environ.items() if name in _PASSED_ON},
            start_new_session=True,
        )
    # It is our child as long as we live, so somebody has to take note of its end.
    threading.Thread(target=process.wait, name=f"wait-for-{engine.program}", daemon=True).start()
    return _Launch(
        lambda: process.poll() is not None, lambda: f"{last_words(log.read_text(errors='replace'))} (see {log})"
    )
