"""What runs a container on a node: the node itself (plain programs), Apptainer, or a container engine."""

from __future__ import annotations

from ..outcomes import CannotStart

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any, Protocol

    from ..loop import Loop
    from ..order import Order
    from ..outcomes import Outcome

    class Sink(Protocol):
        """What takes a program's output."""

        last_words: bytes

        def feed(self, stream: bytes, data: bytes) -> None: ...

    class Program(Protocol):
        """One run of a container. All calls come from the loop's thread; none of them waits for anything."""

        def start(self, sink: Sink, started: Callable[[], None], ended: Callable[[Outcome], None]) -> None:
            """Begin; ``started`` is called when the program runs, ``ended`` when it has ended and all was read.

            Raises :class:`CannotStart`, or ends with an outcome that says so.
            """

        def kill(self, number: int) -> None:
            """Send a signal; whoever has ended already hears nothing."""

        def execute(
            self, command: Sequence[str], timeout: float, done: Callable[[str | None], None], heard: bool = False
        ) -> None:
            """Run something else inside; ``done`` gets None when it ended with 0 in time, else what went wrong.

            What it prints is ``heard`` as if the program had said it, or by nobody.
            """

        def measure(self, limit: int | None, done: Callable[[int], None]) -> None:
            """Tell how many bytes of memory it uses now."""

        @property
        def address(self) -> str:
            """Where its ports are reached from here."""

    class Runtime(Protocol):
        """A way to run the containers of one task."""

        def program(self, container: dict[str, Any], init: bool) -> Program:
            """One run of ``container``. Raises :class:`CannotStart` for what this runtime cannot honour."""

        def close(self) -> None:
            """Remove what is left of the task's containers."""


class Runtimes:
    """Finds what runs each container of a task, and makes it when it is first needed."""

    def __init__(self, order: Order, loop: Loop):
        self._order = order
        self._loop = loop
        self._made: dict[str, Runtime] = {}

    def program(self, container: dict[str, Any], init: bool) -> Program:
        """One run of ``container``, which must be startable as far as can be told. Raises :class:`CannotStart`."""
        kind = self._order.runtime.get("kind", "process")
        if container.get("image") is None:
            kind = "process"
        elif kind == "process":
            raise CannotStart("image: this site runs no containers")
        return self._runtime(kind).program(container, init)

    def close(self) -> None:
        for runtime in self._made.values():
            runtime.close()

    def _runtime(self, kind: str) -> Runtime:
        if kind not in self._made:
            self._made[kind] = self._make(kind)
        return self._made[kind]

    def _make(self, kind: str) -> Runtime:
        if kind == "process":
            from .process import Processes

            return Processes(self._order, self._loop)
        if kind == "apptainer":
            from .apptainer import Apptainer

            return Apptainer(self._order, self._loop)
        if kind == "engine":
            from .engine import Engine

            return Engine(self._order, self._loop)
        raise CannotStart("runtime: there is no %r" % kind)


def sweep(order: Order) -> None:
    """Remove what is left of a task whose supervisor was killed: an engine's containers, and volumes with secrets."""
    if order.runtime.get("kind") == "engine":
        from .engine import clear

        clear(order)
    if order.spec.get("volumes"):
        from ..volumes import Volumes

        Volumes(order).remove()
