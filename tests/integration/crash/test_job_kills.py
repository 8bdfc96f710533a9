"""kill -9 of the server, its agent, the queue and its workers while jobs run on this machine: none lost or doubled."""

from __future__ import annotations

import json
import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
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
    made, ran = _run_among_kills(server, tmp_path, [_kill_server, _kill_agent, _kill_queue])
    assert Counter(ran) == Counter(f"{id}-1" for id in made)


def test_a_job_whose_worker_is_killed_is_handed_over_anew(server: Server, tmp_path: Path) -> None:
    """Nobody can know how far it got, so it runs again; but never twice for one submission."""
    made, ran = _run_among_kills(server, tmp_path, [_kill_queue, _kill_workers, _kill_queue_and_workers])
    assert {submission.partition("-")[0] for submission in ran} == set(made)
    assert set(Counter(ran).values()) == {1}


def _run_among_kills(
    server: Server, tmp_path: Path, kills: list[Callable[[Server], None]]
) -> tuple[list[str], list[str]]:
    """Make jobs and kill, anywhere in what is going on; the jobs made, all well ended, and the submissions that ran."""
    file, chance = tmp_path / "ran", random.Random(5)
    command = ["sh", "-c", f'echo "$ISTHMUS_SUBMISSION" >> {file}; sleep 0.05']
    made: list[str] = []
    for number in range(JOBS):
        made.append(_create(server, number, command))
        if number % 6 == 5:
            time.sleep(chance.uniform(0, 0.3))
            chance.choice(kills)(server)
    states = eventually(lambda: _ended(server), seconds=600)
    assert Counter(states.values()) == {"succeeded": JOBS}
    return made, file.read_text().split()


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
    _kill(_processes("pyz\0serve", server.home))


def _kill_queue(server: Server) -> None:
    """The queue process alone: its workers, which are forks of it, finish what they are at."""
    _kill(_queue(server))


def _kill_workers(server: Server) -> None:
    _kill([pid for pid in _processes("keep_queue", server.home) if pid not in _queue(server)])


def _kill_queue_and_workers(server: Server) -> None:
    _kill(_processes("keep_queue", server.home))


def _kill(pids: list[int]) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def _queue(server: Server) -> list[int]:
    """The queue process, if one is at work."""
    with suppress(OSError, ValueError):
        pid = json.loads((server.home / "jobs" / "queue" / "pid").read_text())["pid"]
        return [pid] if pid in _processes("keep_queue", server.home) else []
    return []


def _processes(word: str, home: Path) -> list[int]:
    """Processes of ours under a home whose command line has a text."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            words = (folder / "cmdline").read_bytes()
            if str(home).encode() in words and word.encode() in words:
                found.append(int(folder.name))
    return found
