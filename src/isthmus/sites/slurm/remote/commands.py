"""Slurm's commands, run with argument lists and an environment that we chose, and with a bound on their time.

When the controller does not answer, nobody asks it again for a while: the pauses double up to :data:`LONGEST`.
"""

from __future__ import annotations

import os
import pwd
import subprocess
import threading
import time
from typing import Any, Callable, Dict, List, Mapping, Sequence, Tuple

from isthmus.work.runner.failures import Permanent, Temporary
from isthmus.work.runner.processes import end_tree

from .refusals import is_busy, tidy

SHORTEST, LONGEST = 1.0, 30.0
"""Seconds between questions to a controller that does not answer."""
_KEPT = ("SLURM_CONF", "LD_LIBRARY_PATH", "MUNGE_SOCKET", "SSL_CERT_FILE", "KRB5CCNAME")
_PATH = "/usr/local/bin:/usr/bin:/bin:/opt/slurm/bin:/usr/local/slurm/bin"


def clean_environment(given: Mapping[str, str]) -> Dict[str, str]:
    """What Slurm's commands get, and jobs with them: nothing that steers Slurm, nothing of the agent's."""
    user = pwd.getpwuid(os.getuid())
    path = given.get("PATH") or ""
    environment = {
        "PATH": ":".join([path, *(p for p in _PATH.split(":") if p not in path.split(":"))]).strip(":"),
        "HOME": user.pw_dir,
        "USER": user.pw_name,
        "LOGNAME": user.pw_name,
        "SHELL": user.pw_shell or "/bin/sh",
        "LANG": given.get("LANG") or "C.UTF-8",
    }
    environment.update((name, given[name]) for name in _KEPT if given.get(name))
    return environment


class Commands:
    """Runs Slurm's commands; ``config`` may have ``bin``, the folder of them, and ``timeout`` in seconds.

    Raises :class:`Temporary` while the controller does not answer, with the seconds after which to ask again.
    """

    def __init__(self, config: Mapping[str, Any], clock: Callable[[], float] = time.monotonic):
        self._folder = str(config.get("bin") or "").rstrip("/")
        self._timeout = float(config.get("timeout") or 60)
        self._clock = clock
        self._lock = threading.Lock()
        self._pause = 0.0
        self._until = 0.0
        self._said = ""
        self.environment = clean_environment(os.environ)
        self.user = self.environment["USER"]

    def check(self) -> None:
        """Raise when the controller did not answer a moment ago."""
        with self._lock:
            left = self._until - self._clock()
            if left > 0:
                raise Temporary(self._said, round(left, 1))

    def ask(self, name: str, *arguments: str) -> str:
        """What a command prints; raises :class:`Temporary` with what it says when it fails."""
        code, out, said = self.run(name, arguments, SLURM_TIME_FORMAT="%s", SLURM_BITSTR_LEN="0")
        if code:
            raise Temporary("{}: {}".format(name, tidy(said or out)), SHORTEST)
        return out

    def run(self, name: str, arguments: Sequence[str], **more: str) -> Tuple[int, str, str]:
        """Exit code, output and errors of a command; raises only when nobody judged what it asked."""
        self.check()
        argv = ["{}/{}".format(self._folder, name) if self._folder else name, *arguments]
        try:
            code, told, failed = _run(argv, {**self.environment, **more}, self._timeout)
        except subprocess.TimeoutExpired:
            raise self._stumble("{}: no answer in {:g} s".format(name, self._timeout)) from None
        except FileNotFoundError:
            raise Permanent(
                "there is no command {} on the login node; the option bin names its folder".format(name)
            ) from None
        out, said = told.decode("utf-8", "replace"), failed.decode("utf-8", "replace")
        if code and is_busy(said):
            raise self._stumble("{}: {}".format(name, tidy(said)))
        with self._lock:
            self._pause = 0.0
        return code, out, said

    def _stumble(self, said: str) -> Temporary:
        with self._lock:
            now = self._clock()
            if now >= self._until:  # of several that fail at once, one counts
                self._pause = min(LONGEST, self._pause * 2 or SHORTEST)
                self._until, self._said = now + self._pause, said
            return Temporary(said, self._pause)


def _run(argv: Sequence[str], environment: Mapping[str, str], timeout: float) -> Tuple[int, bytes, bytes]:
    """Exit code, output and errors; one that takes too long is killed with all that it started.

    A site's command may be a script around Slurm's: were that left, it might hand over what is taken for refused.
    """
    with subprocess.Popen(
        argv, env=dict(environment), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as started:
        try:
            out, said = started.communicate(timeout=timeout)
        except BaseException:
            end_tree(started.pid)
            raise
        return started.returncode, out, said


def in_groups(items: Sequence[str], size: int) -> "List[Sequence[str]]":
    """``items`` in parts that fit into one argument."""
    return [items[start : start + size] for start in range(0, len(items), size)]
