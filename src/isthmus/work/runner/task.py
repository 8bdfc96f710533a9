"""One task: its init containers in order, then its containers together, until all have ended."""

from __future__ import annotations

import json
import os
import sys
import time

from .container import Container
from .log_writing import LogWriter
from .outcomes import CANCELLED, ERROR, START_ERROR, TIME_LIMIT, CannotStart
from .runtimes import Runtimes
from .status import ContainerStatus, TaskStatus, write

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from .loop import Loop
    from .order import Order

_FIRST_LOOK = 0.2
_LOOK = 0.5
"""Seconds between looks at memory and at the file ``cancel``."""
_SHORT = 0.05
"""Seconds within which the end of a task spares it its first status."""


class Task:
    """Runs the task of an order; :attr:`status` says at every moment how it stands."""

    def __init__(self, order: Order, loop: Loop, attempt: int, keep: Callable[[str], None] | None = None):
        """With ``keep`` it makes no file that can be spared; that gets the last status of a short task of an array."""
        self.order = order
        self._silent = keep is not None
        self._keep = keep if order.spec.get("array") else None
        self._spares_logs = keep is not None and order.spec.get("restart", "Never") == "Never"
        self.status = TaskStatus(order.index, attempt, [])
        self._loop = loop
        self._runtimes = Runtimes(order, loop)
        self._logs = os.path.join(order.place, "log")
        self._told = ""
        self._verdict: tuple[str, str] | None = None
        self._doomed = False
        self._peak = 0
        spec = order.spec
        self._init = [self._container(c, True) for c in spec.get("init") or ()]
        self._main = [self._container(c, False) for c in spec["containers"]]
        self.status.containers = [c.status for c in self._all]

    @property
    def _all(self) -> list[Container]:
        return [*self._init, *self._main]

    @property
    def code(self) -> int:
        """What the supervisor ends with: 0 only if the task has succeeded."""
        return 0 if self.status.state == "succeeded" else (self.status.exit_code or 1)

    def begin(self) -> None:
        """Start the first container; from here on callbacks drive the task."""
        limit = self.order.resources.get("time")
        if limit is not None:
            self._loop.later(limit, lambda: self.end(TIME_LIMIT, "it ran for %g s, which is its limit" % limit))
        self._loop.later(_FIRST_LOOK, self._look)
        if self._silent:
            self._loop.later(_SHORT, self._speak)
        try:
            self._make_volumes()
        except (CannotStart, OSError) as error:
            self._doom(str(error))
            return
        if not self._cancelled():
            self._go_on()

    def end(self, reason: str, words: str, grace: float | None = None) -> None:
        """Have all containers end, for good."""
        if self.status.ended is not None:
            return
        if self._verdict is None:
            self._verdict = reason, words
        for container in self._all:
            container.stop(self._verdict[0], self._verdict[1], grace)

    def tell(self) -> bool:
        """Write the status, if it has changed; False if it could not be written, which is tried again next time."""
        if self._silent and self.status.ended is None:
            return True
        if self.status.as_json() == self._told:
            return True
        self.status.cpu_seconds = self._loop.cpu_seconds or None
        self.status.peak_memory = self._peak or None
        text = self.status.as_json()
        try:
            if self._silent and self._keep is not None:
                self._keep(text)
            else:
                os.makedirs(self.order.place, mode=0o700, exist_ok=True)
                write(os.path.join(self.order.place, "status.json"), text)
        except OSError:  # a disk that is full for a while must not end the task
            return False
        self._told = text
        if self.order.stream and self.order.leads:
            print_line({"status": json.loads(text)})
        return True

    def _speak(self) -> None:
        self._silent = False

    def close(self) -> None:
        """Remove what only the running task needs."""
        self._runtimes.close()
        if self.order.spec.get("volumes"):
            self._volumes().remove()

    def _make_volumes(self) -> None:
        os.makedirs(self.order.work, mode=0o700, exist_ok=True)
        if self.order.spec.get("volumes"):
            self._volumes().make()

    def _volumes(self) -> Any:
        from .volumes import Volumes

        return Volumes(self.order)

    def _container(self, spec: dict[str, Any], init: bool) -> Container:
        restart = self.order.spec.get("restart", "Never")
        return Container(
            spec,
            ContainerStatus(spec["name"], init),
            self._loop,
            self._runtimes,
            self._open_log,
            "OnFailure" if init and restart == "Always" else restart,
            self.order.runtime.get("restart_delay", 10.0),
            self.order.spec.get("grace", 30.0),
            self._has_ended,
        )

    def _open_log(self, name: str) -> LogWriter:
        """The log of the container's next run: a try after a restart by the scheduler does not touch the old ones."""
        if "/" in name or name.startswith("."):
            raise CannotStart("name: %r cannot name a log" % name)
        run = 0
        while os.path.exists(os.path.join(self._logs, "%s.%d.log" % (name, run))):
            run += 1
        path = os.path.join(self._logs, "%s.%d.log" % (name, run))
        if self._spares_logs:
            return LogWriter(path, at_once=False)
        os.makedirs(self._logs, mode=0o700, exist_ok=True)
        if not self.order.stream:
            return LogWriter(path)
        return LogWriter(path, lambda text: print_line({"log": [name, run, text.decode(errors="surrogateescape")]}))

    def _go_on(self) -> None:
        """Start what comes next: one init container, or all others."""
        for container in self._init:
            if not container.over:
                container.start()
                return
        for container in self._main:
            container.start()

    def _has_ended(self, container: Container) -> None:
        if all(c.over for c in self._all):
            self._finish()
        elif self._verdict is None and container.status.init and not self._doomed:
            if container.status.exit_code == 0:
                self._go_on()
            else:
                self._doom("init container %s failed" % container.status.name)

    def _doom(self, message: str) -> None:
        """Say of all containers that have not run that they never will."""
        self._doomed = True
        for container in self._all:
            if not container.over:
                container.never_start(START_ERROR, message)

    def _finish(self) -> None:
        status = self.status
        if status.ended is not None:
            return
        status.ended = time.time()
        bad = next((c.status for c in self._all if c.status.exit_code != 0), None)
        status.exit_code = bad.exit_code if bad else 0
        if self._verdict is not None:
            status.state = "cancelled" if self._verdict[0] == CANCELLED else "failed"
            status.reason, status.words = self._verdict
        elif bad is not None:
            status.state = "failed"
            status.reason = bad.reason or ERROR
            status.words = "%s: %s" % (bad.name, bad.message or "exit code %d" % (bad.exit_code or 0))
        else:
            status.state = "succeeded"
        self._peak = max([self._peak, *(c.peak_memory for c in self._all)])
        self._loop.stop()

    def _look(self) -> None:
        """See what tells of itself by no event: memory, and the wish to cancel."""
        for container in self._all:
            container.measure()
        self._peak = max(self._peak, sum(c.memory for c in self._all))
        if not self._cancelled():
            self._loop.later(_LOOK, self._look)

    def obey(self) -> bool:
        """See at once whether the task is to be cancelled."""
        return self._cancelled()

    def _cancelled(self) -> bool:
        """Obey the file ``cancel``; it may hold the seconds of grace."""
        try:
            with open(os.path.join(self.order.place, "cancel"), encoding="utf-8") as file:
                text = file.read(64).strip()
        except OSError:
            return False
        try:
            grace = float(text)
        except ValueError:
            grace = None
        self.end(CANCELLED, "cancelled", grace)
        return True


def print_line(value: dict[str, Any]) -> None:
    """One line of JSON on stdout, at once: for sites that bring nothing else back while a task runs."""
    data = memoryview((json.dumps(value, separators=(",", ":")) + "\n").encode())
    while data:
        data = data[os.write(sys.__stdout__.fileno() if sys.__stdout__ else 1, data) :]
