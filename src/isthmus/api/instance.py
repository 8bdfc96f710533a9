"""The server of a home folder: at most one at a time, and a note of how to reach it.

The command line reads the note too, so that this module imports nothing heavy.
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from isthmus.errors import Conflict
from isthmus.home import make_home, server_file, token_file


@dataclass(frozen=True, slots=True)
class Instance:
    """A running server. ``started`` tells its process from a later one of the same ``pid``."""

    url: str
    pid: int
    started: str
    version: str

    def alive(self) -> bool:
        """Whether that very process still runs."""
        return process_start(self.pid) == self.started

    def write(self, home: Path) -> None:
        """Leave the note, whole or not at all."""
        replace_file(server_file(home), json.dumps(asdict(self)).encode())


def read_instance(home: Path) -> Instance | None:
    """The server that runs for this home folder, None when there is no note or it is stale."""
    try:
        noted = json.loads(server_file(home).read_bytes())
        found = Instance(str(noted["url"]), int(noted["pid"]), str(noted["started"]), str(noted["version"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return found if found.alive() else None


def forget_instance(home: Path) -> None:
    """Remove the note."""
    server_file(home).unlink(missing_ok=True)


@contextmanager
def claim(home: Path) -> Iterator[None]:
    """Be the only server of a home folder; raises :class:`~isthmus.errors.Conflict` when there is one.

    The lock is the process's own: the kernel frees it however the process ends, and children do not
    inherit it.
    """
    with (make_home(home) / "server.lock").open("a") as file:
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise Conflict(f"A server already runs for {home}.", code="server-running") from None
        yield


def process_start(pid: int) -> str | None:
    """When a process began, in words that no other process of that pid will have; None if it is gone."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None if Path("/proc/self/stat").exists() else _ask_ps(pid)
    # The second field is the program's name, which may hold anything, parentheses too (proc(5)).
    fields = stat.rpartition(")")[2].split()
    if fields[0] in "ZX":
        return None
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return f"{boot}/{fields[19]}"


def _ask_ps(pid: int) -> str | None:
    done = subprocess.run(["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return done.stdout.strip() or None


def ensure_token(home: Path) -> str:
    """The local bearer token; made at random, mode 0600, when there is none."""
    file = token_file(make_home(home))
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return file.read_text().strip()
    with os.fdopen(descriptor, "w") as out:
        out.write(token := secrets.token_urlsafe(32))
    return token


def replace_file(path: Path, content: bytes) -> None:
    """Write a file that only its owner may read, in one step as readers see it."""
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as out:
            out.write(content)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
