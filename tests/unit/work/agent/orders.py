"""Orders and a scheduler in a folder, for tests of the agent's parts."""

from __future__ import annotations

import hashlib
import json
import os
import signal
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from isthmus.work.runner.blobs import Blobs
from isthmus.work.runner.locks import Turns
from isthmus.work.runner.looking import Looking
from isthmus.work.runner.places import Places, write_whole
from isthmus.work.runner.submissions import Submissions


def name(number: int) -> str:
    return f"0123456789ab-{number}"


def order(number: int = 1, indices: Iterable[int] = (0,), **spec: Any) -> dict[str, Any]:
    given = {"inputs": [], "volumes": [], "outputs": [], "grace": 30, **spec}
    return {"id": name(number), "name": "a job", "indices": list(indices), "spec": given, "runtime": {}}


class Scheduler:
    """Accepts jobs by a line in a file; ``step`` is called between what it does."""

    def __init__(self, root: Path, step: Callable[[str], None] = lambda at: None):
        self.file = root / "accepted"
        self.file.touch()
        self.step = step
        self.answers: dict[str, dict[str, Any]] = {}
        self.told: dict[str, dict[int, dict[str, Any]]] = {}
        self.queries: list[dict[str, str]] = []
        self.cancelled: list[Any] = []

    def submit(self, orders: list[dict[str, Any]]) -> list[dict[str, Any] | None]:
        return [self._submit(one) for one in orders]

    def _submit(self, one: dict[str, Any]) -> dict[str, Any] | None:
        self.step("asked")
        if one["id"] in self.answers:
            return self.answers[one["id"]]
        with self.file.open("a") as file:
            file.write(one["id"] + "\n")
        self.step("accepted")
        write_whole(one["folder"] / "site-id", str(len(self.accepted())).encode())
        self.step("noted")
        return None

    def accepted(self) -> list[str]:
        return self.file.read_text().split()

    def find(self, ids: Iterable[str]) -> dict[str, str]:
        accepted = self.accepted()
        self.step("sought")
        return {id: str(accepted.index(id) + 1) for id in ids if id in accepted}

    def query(self, site_ids: dict[str, str]) -> Mapping[str, Mapping[int, Mapping[str, Any]]]:
        self.queries.append(dict(site_ids))
        return {id: self.told.get(id, {}) for id in site_ids}

    def cancel(self, tasks: Any, grace: float, order: Any) -> None:
        self.cancelled.append((tasks, grace))

    def facilities(self) -> dict[str, Any]:
        return {}


class Site:
    """The agent's parts over one folder; ``die`` names the step at which this process kills itself."""

    def __init__(self, root: Path, die: str = "", settle: float = 0.0, lag: float = 0.0):
        self.places = Places(root)
        self.places.make()
        self.blobs = Blobs(self.places.blobs)
        self.now = 0.0

        def step(at: str) -> None:
            if at == die:
                os.kill(os.getpid(), signal.SIGKILL)

        self.scheduler = Scheduler(root, step)
        turns = Turns()
        self.submissions = Submissions(self.places, self.blobs, self.scheduler, turns, lambda: ["run"], settle, step)
        self.looking = Looking(self.places, self.submissions, self.scheduler, turns, lag, lambda: self.now)

    def blob(self, data: bytes) -> str:
        digest = hashlib.sha256(data).hexdigest()
        self.blobs.put(digest, 0, True, data)
        return digest

    def report(self, id: str, index: int = 0, **status: Any) -> None:
        task = self.places.submission(id) / "tasks" / str(index)
        task.mkdir(parents=True, exist_ok=True)
        write_whole(task / "status.json", json.dumps({"containers": [], **status}).encode(), durable=False)


def submit_and_die(root: Path, die: str, orders: list[dict[str, Any]]) -> int:
    """Submit in another process that kills itself at a step; the signal that ended it, 0 for none."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            Site(root, die).submissions.submit(orders)
            code = 0
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0
    return os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
