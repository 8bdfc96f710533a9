"""What one task is told to do: ``order.json`` of its submission, and where things lie."""

from __future__ import annotations

import json
import os
import sys

from .outcomes import CannotStart

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class Order:
    """One task of a submission. ``spec`` is :class:`isthmus.work.job.JobSpec` as JSON has it."""

    def __init__(self, folder: str, index: int):
        self.folder = os.path.realpath(folder)
        self.index = index
        self.place = os.path.join(self.folder, "tasks", str(index))
        """The folder of this task: its status, logs and volumes."""
        self.work = os.path.join(self.folder, "work")
        with open(os.path.join(self.folder, "order.json"), encoding="utf-8") as file:
            order = json.load(file)
        self.id: str = order["id"]
        self.name: str = order.get("name") or self.id
        self.spec: dict[str, Any] = order["spec"]
        self.runtime: dict[str, Any] = order.get("runtime") or {}
        self.stream: bool = order.get("stream", False)
        self.blobs = os.path.join(self.folder, order.get("blobs") or "blobs")
        self.umask = 0o022
        """What programs are started with, wherever they run; the supervisor's own files are for its user only."""
        self._share_memory()
        for container in (*(self.spec.get("init") or ()), *self.spec["containers"]):
            if container.get("expand"):
                self._expand(container)

    @property
    def resources(self) -> dict[str, Any]:
        return self.spec.get("resources") or {}

    @property
    def launcher(self) -> list[str]:
        """What goes before the command of a main container that is to run, or to start others, on several nodes."""
        if self.runtime.get("span"):
            return [sys.executable, "-I", "-S", os.path.abspath(sys.argv[0]), "span", "--submission", self.folder, "--"]
        if self.spec.get("launch", "once") != "each" or self.resources.get("tasks", 1) == 1:
            return []
        launcher: list[str] = self.runtime.get("launcher") or []
        if not launcher:
            raise CannotStart("launch: this site has no launcher for a job of several processes")
        return launcher

    @property
    def leads(self) -> bool:
        """Whether this node speaks for the task: of several that the scheduler started together only the first does."""
        return not self.runtime.get("span") or os.environ.get(self.runtime["rank"], "0") == "0"

    def _share_memory(self) -> None:
        """Let the one container of a task have what its processes on this node have together, unless it says less.

        So memory that was asked for is a limit too where no control group makes it one. The init containers run
        one after another, before it.
        """
        memory, containers = self.resources.get("memory"), self.spec["containers"]
        if not memory or len(containers) != 1:
            return
        tasks, nodes = self.resources.get("tasks") or 1, self.resources.get("nodes") or 1
        here = self.runtime.get("processes") or -(-tasks // nodes)
        for container in (*(self.spec.get("init") or ()), *containers):
            if container.get("memory") is None:
                container["memory"] = memory * here

    def _expand(self, container: dict[str, Any]) -> None:
        from .expansion import expand

        values = {**(container.get("env") or {}), **(container.get("secrets") or {})}
        for words in ("command", "args"):
            container[words] = [expand(word, values) for word in container.get(words) or ()]

    def environment(self, container: dict[str, Any]) -> dict[str, str]:
        """What the container is given in its environment, secrets included. Raises :class:`CannotStart`."""
        given: dict[str, str] = {
            "ISTHMUS_JOB": self.id.rpartition("-")[0],
            "ISTHMUS_JOB_NAME": self.name,
            "ISTHMUS_SUBMISSION": self.id,
            "ISTHMUS_TASK": str(self.index),
            **(container.get("env") or {}),
            **(container.get("secrets") or {}),
        }
        for name, value in given.items():
            if not name or "=" in name or "\0" in name or "\0" in value:
                raise CannotStart("env: %r cannot be a variable" % name)
        return given
