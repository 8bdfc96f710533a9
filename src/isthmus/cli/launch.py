"""The local server's process: started in the background when it is needed, found again, stopped."""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from isthmus.api.instance import Instance, process_start, read_instance
from isthmus.cli.failures import CONFLICT, UNREACHABLE, Failure
from isthmus.home import log_file, make_home, token_file

START_TIMEOUT = 60.0
"""Seconds until a new server must answer; it may have to migrate its database first."""
STARTS = 3
"""Servers that may die before they answer."""
STOP_TIMEOUT = 30.0
"""Seconds until a server that was asked to stop is killed. It is built to survive that."""
_LOG_LIMIT = 10 * 1024**2
_PAUSE = 0.03


def ensure_server(home: Path, environ: Mapping[str, str] | None = None) -> Instance:
    """The running server, started first if need be; raises :class:`Failure` when it does not come up.

    ``environ`` is laid over the environment of a new server. Two callers at once start one.
    """
    with _starting(make_home(home)):
        for _ in range(STARTS):
            found = read_instance(home)
            if found is None:
                found = _wait_until_noted(home, _spawn(home, environ or {}))
            if _gets_ready(found, home):
                return found
        raise _did_not_start("It ends before it is ready.", home)


def stop_server(home: Path) -> bool:
    """Stop the running server and wait until it is gone; False when none ran."""
    with _starting(make_home(home)):
        found = read_instance(home)
        if found is None:
            return False
        _signal(found, signal.SIGTERM)
        if not _gone_within(found, STOP_TIMEOUT):
            _signal(found, signal.SIGKILL)
            if not _gone_within(found, STOP_TIMEOUT):
                raise Failure(f"The server, process {found.pid}, cannot be stopped.")
    return True


def local_token(home: Path) -> str:
    """The token that the server left for its owner."""
    try:
        return token_file(home).read_text().strip()
    except OSError as error:
        raise Failure("The server's token cannot be read.", code=UNREACHABLE, detail=str(error)) from None


@contextlib.contextmanager
def _starting(home: Path) -> Iterator[None]:
    with (home / "start.lock").open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _spawn(home: Path, environ: Mapping[str, str]) -> int:
    log = log_file(home)
    if log.exists() and log.stat().st_size > _LOG_LIMIT:
        log.replace(log.with_suffix(".log.1"))
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    streams = [
        (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
        (os.POSIX_SPAWN_OPEN, 1, str(log), flags, 0o600),
        (os.POSIX_SPAWN_DUP2, 1, 2),
    ]
    # -P: the folder that the user happens to stand in must not lend the server its modules.
    command = [sys.executable, "-P", "-m", "isthmus.api.server"]
    known = {**os.environ, "ISTHMUS_HOME": str(home), **environ}
    return os.posix_spawn(sys.executable, command, known, file_actions=streams, setsid=True)


def _wait_until_noted(home: Path, pid: int) -> Instance:
    deadline = time.monotonic() + START_TIMEOUT
    while time.monotonic() < deadline:
        if found := read_instance(home):
            return found
        if (code := _exit_code(pid)) is not None and code != CONFLICT:
            raise _did_not_start(f"It ended with code {code}.", home)
        time.sleep(_PAUSE)
    raise _did_not_start(f"It said nothing for {START_TIMEOUT:.0f} s.", home)


def _exit_code(pid: int) -> int | None:
    try:
        done, status = os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        return CONFLICT
    return os.waitstatus_to_exitcode(status) if done else None


def _gets_ready(found: Instance, home: Path) -> bool:
    """Wait until a server answers; False when it died before."""
    import httpx

    deadline = time.monotonic() + START_TIMEOUT
    with httpx.Client(base_url=found.url, trust_env=False, timeout=5) as client:
        while found.alive():
            if time.monotonic() > deadline:
                raise _did_not_start("It does not get ready.", home)
            with contextlib.suppress(httpx.TransportError):
                if client.get("/readyz").is_success:
                    return True
            time.sleep(_PAUSE)
    return False


def _did_not_start(why: str, home: Path) -> Failure:
    try:
        last = log_file(home).read_text(errors="replace").splitlines()[-8:]
    except OSError:
        last = []
    return Failure(
        "The server did not start.",
        code=UNREACHABLE,
        detail="\n".join([why, *last]),
        hint=f"Its log is {log_file(home)}.",
    )


def _signal(server: Instance, number: int) -> None:
    if server.alive():
        with contextlib.suppress(ProcessLookupError):
            os.kill(server.pid, number)


def _gone_within(server: Instance, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while process_start(server.pid) == server.started:
        if time.monotonic() > deadline:
            return False
        time.sleep(_PAUSE)
    return True
