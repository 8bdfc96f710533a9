"""When a container is started again, on a clock that a test moves."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from isthmus.work.runner.container import LONGEST_DELAY, Container
from isthmus.work.runner.outcomes import Outcome
from isthmus.work.runner.status import ContainerStatus


class Loop:
    """Keeps what is to be done later, with the seconds until then."""

    def __init__(self) -> None:
        self.due: list[tuple[float, Callable[[], None]]] = []

    def later(self, delay: float, action: Callable[[], None]) -> None:
        self.due.append((delay, action))


class Runtimes:
    """Programs that fail at once."""

    def program(self, spec: Any, init: bool) -> Runtimes:
        return self

    def start(self, sink: Any, started: Callable[[], None], ended: Callable[[Outcome], None]) -> None:
        started()
        ended(Outcome(1))


class Log:
    lost = 0

    def close(self) -> None:
        """Nothing was written."""


def test_restarts_come_at_once_and_then_after_twice_as_long_each_time() -> None:
    loop: Any = Loop()
    runtimes: Any = Runtimes()
    log: Any = Log()
    status = ContainerStatus("main", init=False)
    container = Container(
        {"name": "main"}, status, loop, runtimes, lambda name: log, "OnFailure", 10.0, 30.0, lambda ended: None
    )
    container.start()
    waits = []
    for restarts in range(1, 9):
        ((delay, again),) = loop.due
        assert status.message == f"exit code 1; starts again in {delay:g} s"
        loop.due.clear()
        again()
        assert status.restarts == restarts
        waits.append(delay)
    assert waits == [0, 10, 20, 40, 80, 160, LONGEST_DELAY, LONGEST_DELAY]
