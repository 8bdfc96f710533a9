"""How the nodes of one job hear of each other: by attributes of the job, which each may set and read by chirp."""

from __future__ import annotations

import os
import subprocess
import time

from isthmus.work.runner.failures import Permanent, Temporary

_PAUSE = 0.2
_ONE = 30.0


class Meeting:
    """The nodes of this job in HTCondor's parallel universe; ``rank`` is this one's of ``size``."""

    def __init__(self) -> None:
        try:
            self.rank, self.size = int(os.environ["_CONDOR_PROCNO"]), int(os.environ["_CONDOR_NPROCS"])
        except (KeyError, ValueError):
            raise Permanent("HTCondor has not said which node of how many this is") from None
        self._chirp = "{}/condor_chirp".format(_libexec())
        # What is posted stays with the job, which HTCondor may start again on other nodes.
        self._name = "IsthmusMeeting{}Of".format(self._ask("get_job_attr", "NumShadowStarts").strip())

    def post(self, name: str, value: str) -> None:
        """Let the others know something; of a strict alphabet, since it becomes an expression."""
        if not all(c.isalnum() or c in " .:-" for c in value):
            raise Permanent("{!r} cannot be posted".format(value))
        self._ask("set_job_attr", self._name + name, '"{}"'.format(value))

    def read(self, name: str, patience: float) -> str:
        """What another has posted; waits for it, but no longer than so many seconds."""
        until = time.monotonic() + patience
        while True:
            value = self._ask("get_job_attr", self._name + name, wanted=False).strip()
            if value.startswith('"'):
                return value.strip('"')
            if time.monotonic() > until:
                raise Temporary("node {} of this job has said nothing for {:g} s".format(name, patience))
            time.sleep(_PAUSE)

    def _ask(self, *words: str, wanted: bool = True) -> str:
        try:
            done = subprocess.run(
                [self._chirp, *words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                encoding="utf-8", errors="replace", timeout=_ONE, check=False,
            )  # fmt: skip
        except FileNotFoundError:
            raise Permanent("{} is not on this node".format(self._chirp)) from None
        except subprocess.TimeoutExpired:
            raise Temporary("condor_chirp: no answer in {:g} s".format(_ONE)) from None
        if done.returncode and wanted:
            raise Temporary("condor_chirp {}: {}".format(words[0], done.stderr.strip() or done.returncode))
        return done.stdout if not done.returncode else ""


def _libexec() -> str:
    try:
        done = subprocess.run(
            ["condor_config_val", "LIBEXEC"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, encoding="utf-8", timeout=_ONE, check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return "/usr/libexec/condor"
    return done.stdout.strip() or "/usr/libexec/condor"
