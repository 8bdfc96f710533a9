"""HTCondor's command line, asked and told; no shell is between."""

from __future__ import annotations

import json
import os
import re
import subprocess
from typing import Any, Dict, Iterable, List, Optional, Sequence

from isthmus.work.runner.failures import Permanent, Quota, Temporary
from isthmus.work.runner.places import checked_id, checked_index

TIMEOUT = 60.0
AT_ONCE = 500
"""Jobs or submissions that one command names at most."""


def submit(text: str) -> str:
    """The cluster that a submit file became."""
    done = run(["condor_submit", "-terse", "-"], text)
    found = re.search(r"^([0-9]+)\.[0-9]+ - ", done.stdout, re.MULTILINE)
    if done.returncode == 0 and found:
        return found.group(1)
    said = " ".join(line.strip() for line in done.stderr.splitlines() if line.strip() and "WARNING" not in line)
    said = said[:2000] or "condor_submit ended with {}".format(done.returncode)
    if _is_away(said):
        raise Temporary(said, 10.0)
    if re.search(r"MAX_JOBS|exceed", said):
        raise Quota(said, 60.0)
    raise Permanent(said)


def ask(*command: str) -> List[Dict[str, Any]]:
    """What a command answers in JSON: nothing when it has nothing to tell."""
    done = run(list(command))
    if done.returncode:
        raise Temporary("{}: {}".format(command[0], " ".join(done.stderr.split())[:2000] or done.returncode), 10.0)
    try:
        answer = json.loads(done.stdout.strip() or "[]")
    except ValueError as error:
        raise Temporary("{}: not JSON: {}".format(command[0], error)) from None
    return [ad for ad in answer if isinstance(ad, dict)]


def tell(*command: str) -> None:
    """Order something; that there is nothing to do it to is as good as done."""
    done = run(list(command))
    said = " ".join((done.stderr + done.stdout).split())
    if done.returncode and "Couldn't find" not in said:
        raise Temporary("{}: {}".format(command[0], said[:2000] or done.returncode), 10.0)


def remove(why: str, constraint: List[str], jobs: List[str]) -> None:
    text = re.sub(r"[^ -~]|[\"\\]", " ", why)[:500]
    for some in pieces(jobs, AT_ONCE) if jobs else [[]]:
        tell("condor_rm", "-reason", text, *constraint, *some)


def run(command: List[str], given: str = "") -> "subprocess.CompletedProcess[str]":
    environment = dict(os.environ, LC_ALL="C")
    try:
        return subprocess.run(
            command, input=given, stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8", errors="replace",
            timeout=TIMEOUT, env=environment, check=False,
        )  # fmt: skip
    except FileNotFoundError:
        raise Permanent("{} is not on this machine".format(command[0])) from None
    except subprocess.TimeoutExpired:
        raise Temporary("{}: no answer in {:g} s".format(command[0], TIMEOUT), 30.0) from None


def _is_away(said: str) -> bool:
    away = "failed to connect|can't find address|not responding|could not connect|authenticate"
    return bool(re.search(away, said, re.IGNORECASE))


def any_of(ids: Iterable[str]) -> str:
    return " || ".join('IsthmusSubmission == "{}"'.format(checked_id(id)) for id in ids)


def tasks_of(id: str, indices: Optional[List[int]]) -> str:
    """A constraint for tasks of a submission. A cluster that makes its jobs one by one has attributes of the first."""
    if indices is None:
        return '(IsthmusSubmission == "{}")'.format(checked_id(id))
    listed = ",".join(str(checked_index(index)) for index in indices)
    return '(IsthmusSubmission == "{}" && ProcId >= 0 && member(IsthmusTask, {{{}}}))'.format(checked_id(id), listed)


def pieces(things: Sequence[Any], size: int) -> List[List[Any]]:
    return [list(things[start : start + size]) for start in range(0, len(things), size)]
