"""Getting a container engine to run on this host where none answers: started, or installed on Debian."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from isthmus.sites.errors import Permanent, Temporary, Unreachable
from isthmus.sites.local.connection import DOCKER_SOCKET, PODMAN_SOCKET, connect
from isthmus.sites.local.debian import INSTALL_SECONDS, install_packages, last_words, may_install
from isthmus.sites.local.locks import exclusive, state_folder

START_SECONDS = 60.0
"""How long an engine may take until it answers."""

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
    by_systemd = Path("/run/systemd/system").is_dir()
    last = _start_by_systemd(engine) if by_systemd else _start_by_hand(engine)
    while not answers(engine.socket):
        if time.monotonic() > begun + START_SECONDS:
            raise Temporary(f"{engine.name} does not answer at {engine.socket}: {last()}", delay=10.0)
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


def _start_by_systemd(engine: Engine) -> Callable[[], str]:
    command = ["systemctl", "start", engine.unit]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=START_SECONDS * 2)
    return lambda: last_words(done.stderr)


def _start_by_hand(engine: Engine) -> Callable[[], str]:
    """Start an engine that outlives us: a session of its own, its log among our state, none of our secrets."""
    log = state_folder() / f"{engine.program}.log"
    socket = Path(engine.socket.removeprefix("unix://"))
    socket.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as out:
        subprocess.Popen(
            engine.command,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            cwd="/",
            env={name: value for name, value in os.environ.items() if name in _PASSED_ON},
            start_new_session=True,
        )
    return lambda: f"{last_words(log.read_text(errors='replace'))} (see {log})"
