"""How a task stands, as the supervisor tells it: one JSON file, replaced whole at every change.

Its shape is that of :class:`isthmus.work.job.TaskStatus`, as far as a supervisor can know it, with ``attempt``:
how often the scheduler had started the task before.
"""

from __future__ import annotations

import json
import os
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Literal

    Phase = Literal["waiting", "running", "terminated"]
    State = Literal["running", "succeeded", "failed", "cancelled"]

ENDED = ("succeeded", "failed", "cancelled")


class ContainerStatus:
    """One container; the same fields as :class:`isthmus.work.job.ContainerStatus`."""

    def __init__(self, name: str, init: bool):
        self.name = name
        self.init = init
        self.phase: Phase = "waiting"
        self.reason = ""
        self.message = ""
        self.exit_code: int | None = None
        self.signal: int | None = None
        self.started: float | None = None
        self.ended: float | None = None
        self.ready = False
        self.restarts = 0
        self.last_exit_code: int | None = None
        self.last_reason = ""


class TaskStatus:
    """One task; the fields of :class:`isthmus.work.job.TaskStatus` that are known here."""

    def __init__(self, index: int, attempt: int, containers: list[ContainerStatus]):
        self.index = index
        self.attempt = attempt
        self.state: State = "running"
        self.reason = ""
        self.words = ""
        self.exit_code: int | None = None
        self.host = os.uname().nodename
        self.started: float | None = time.time()
        self.ended: float | None = None
        self.cpu_seconds: float | None = None
        self.peak_memory: int | None = None
        self.containers = containers

    def as_json(self) -> str:
        """The whole of it, on one line."""
        return json.dumps({**self.__dict__, "containers": [c.__dict__ for c in self.containers]})


def write(path: str, text: str) -> None:
    """Replace the status file, so that a reader has the old or the new one whole."""
    new = path + ".new"
    with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
    os.replace(new, path)


def read(path: str) -> dict[str, Any] | None:
    """What the status file says; None when there is none, or what is there was cut off by a crash of the node."""
    try:
        with open(path, encoding="utf-8") as file:
            status = json.load(file)
    except (FileNotFoundError, ValueError):
        return None
    return status if isinstance(status, dict) else None
