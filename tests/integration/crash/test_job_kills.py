"""kill -9 of the server, its agent and the queue while jobs run on this machine: each runs once, none is lost."""

from __future__ import annotations

import os
import random
import signal
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

from ..servers import Server, eventually

JOBS = 60
CONFIG = "sites: [{name: local, kind: local}]\nlease: 2\ntick: 3600\n"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    made = Server(tmp_path / "home", CONFIG)
    made.start()
    yield made
    for job in made.api.get("/v1/jobs", params={"limit": 500}).json()["items"]:
        made.api.delete(f"/v1/jobs/{job['id']}")
    eventually(lambda: not list((tmp_path / "home" / "jobs" / "submissions").glob("*")))
    made.close()


def test_each_job_runs_once_whatever_is_killed(server: Server, tmp_path: Path) -> None:
    ran, chance = tmp_path / "ran", random.Random(5)
    command = ["sh", "-c", f'echo "${{ISTHMUS_SUBMISSION%-*}}" >> {ran}; sleep 0.05']
    made: list[str] = []
    for number in range(JOBS):
        made.append(_create(server, number, command))
        if number % 6 == 5:
            time.sleep(chance.uniform(0, 0.3))  # anywhere in what is going on
            [_kill_server, _kill_agent, _kill_queue][chance.randrange(3)](server)
    states = eventually(lambda: _ended(server), seconds=180)
    assert Counter(states.values()) == {"succeeded": JOBS}
    counted = Counter(ran.read_text().split())
    assert counted == Counter(made)


def _create(server: Server, number: int, command: list[str]) -> str:
    """Make a job as a client does that asks again when it got no answer."""
    body = {"command": command, "container": False, "cpus": 0.25}
    answer = server.api.post("/v1/jobs", json=body, headers={"Idempotency-Key": f'"{number}"'})
    assert answer.status_code == 202, answer.text
    return str(answer.json()["id"])


def _ended(server: Server) -> dict[str, str] | None:
    with suppress(httpx.TransportError):
        jobs = server.api.get("/v1/jobs", params={"limit": 500}).json()["items"]
        states = {job["id"]: job["state"] for job in jobs}
        if len(states) == JOBS and all(s in ("succeeded", "failed", "cancelled") for s in states.values()):
            return states
    return None


def _kill_server(server: Server) -> None:
    server.kill()
    server.start()


def _kill_agent(server: Server) -> None:
    """The agent, which is a child of the server."""
    for pid in _processes("pyz\0serve", server.home):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def _kill_queue(server: Server) -> None:
    for pid in _processes("keep_queue", server.home):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def _processes(word: str, home: Path) -> list[int]:
    """Processes of ours under a home whose command line has a text."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            words = (folder / "cmdline").read_bytes()
            if str(home).encode() in words and word.encode() in words:
                found.append(int(folder.name))
    return found
