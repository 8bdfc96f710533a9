"""One container of a task from its first start to its last end: restarts, probes, hooks."""

from __future__ import annotations

import signal
import time

from .outcomes import ERROR, IMAGE, OUT_OF_MEMORY, START_ERROR, UNHEALTHY, CannotStart, Outcome
from .probes import Watch, perform

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from .log_writing import LogWriter
    from .loop import Loop, Timer
    from .runtimes import Program, Runtimes
    from .status import ContainerStatus

LONGEST_DELAY = 300.0
MESSAGE = 4096
"""Characters of what is said of one end, as many as Kubernetes keeps bytes of a termination message."""
GOOD_RUN = 600.0
"""After a run as long as that, the delays between restarts begin anew."""
_NO_LIMIT = 1e6
"""Seconds, for what may take as long as it likes: those of a socket are counted in 2**31 milliseconds at most."""
_LAST_SECONDS = 2.0
"""What a program has to end in after a hook that took all of its grace."""


class Stop:
    """Why and how a container is being stopped; after a ``final`` one it is not started again."""

    __slots__ = ("final", "message", "reason")

    def __init__(self, reason: str, message: str, final: bool):
        self.reason = reason
        self.message = message
        self.final = final


class Container:
    """Runs one container; ``ended`` is called once, when it will not be started again."""

    def __init__(
        self,
        spec: dict[str, Any],
        status: ContainerStatus,
        loop: Loop,
        runtimes: Runtimes,
        open_log: Callable[[str], LogWriter],
        restart: str,
        delay: float,
        grace: float,
        ended: Callable[[Container], None],
    ):
        self.status = status
        self.memory = 0
        """Bytes that it used when last measured."""
        self.peak_memory = 0
        self._spec = spec
        self._loop = loop
        self._runtimes = runtimes
        self._open_log = open_log
        self._restart = restart
        self._delay = delay
        self._grace = grace
        self._ended = ended
        self._program: Program | None = None
        self._log: LogWriter | None = None
        self._stop: Stop | None = None
        self._watches: list[Watch] = []
        self._again: Timer | None = None
        self._kill: Timer | None = None
        self._hooked = False
        self._bad_runs = 0

    @property
    def over(self) -> bool:
        return self.status.phase == "terminated"

    def start(self) -> None:
        """Start it for the first time, or again."""
        self._again = None
        self._stop = None
        self.memory = 0
        try:
            self._log = self._open_log(self.status.name)
            self._program = self._runtimes.program(self._spec, self.status.init)
            self._program.start(self._log, self._has_started, self._has_ended)
        except CannotStart as error:
            self._has_ended(Outcome(error.code, reason=error.reason, message=str(error)))
        except OSError as error:
            self._has_ended(Outcome(128, reason=ERROR, message=str(error)))

    def stop(self, reason: str, message: str, grace: float | None = None, final: bool = True) -> None:
        """Have it end: the hook before stopping, SIGTERM, and after ``grace`` seconds SIGKILL."""
        if self.over or (self._stop is not None and self._stop.final and grace is None):
            return
        first = self._stop is None
        self._stop = Stop(reason, message, final or (self._stop is not None and self._stop.final))
        if self._program is None:
            self._give_up()
            return
        self._quiet()
        grace = self._grace if grace is None else grace
        if self._kill is not None:
            self._kill.cancel()
        hook = self._spec.get("pre_stop")
        if grace <= 0:
            self._program.kill(signal.SIGKILL)
        elif first and hook and self.status.phase == "running":
            self._hooked = True
            perform(hook, self._program, self._loop, grace, lambda problem: self._terminate(), heard=True)
            self._kill = self._loop.later(grace, self._overtime)
        else:
            self._kill = self._loop.later(grace, self._overtime)
            if not self._hooked:
                self._program.kill(signal.SIGTERM)

    def never_start(self, reason: str, message: str) -> None:
        """Say that it ended before it began."""
        self._close(Outcome(128, reason=reason, message=message))

    def measure(self) -> None:
        """Look at its memory, and end it when that is over its limit."""
        if self._program is None or self.status.phase != "running":
            return
        limit = self._spec.get("memory")
        program = self._program

        def measured(used: int) -> None:
            self.memory = used
            self.peak_memory = max(self.peak_memory, used)
            if limit and used > limit and program is self._program:
                message = "it used %d bytes of memory, its limit is %d" % (used, limit)
                self.stop(OUT_OF_MEMORY, message, grace=0, final=False)

        program.measure(limit, measured)

    def _has_started(self) -> None:
        status = self.status
        status.phase = "running"
        status.reason = status.message = ""
        status.started, status.ended = time.time(), None
        status.exit_code = status.signal = None
        hook = self._spec.get("post_start")
        program = self._program
        if hook and program is not None:

            def hooked(problem: str | None) -> None:
                if program is not self._program or self._stop is not None:
                    return
                if problem is None:
                    self._probe(program)
                else:
                    self.stop(UNHEALTHY, "the hook after the start failed: %s" % problem, final=False)

            self._loop.later(0, lambda: perform(hook, program, self._loop, _NO_LIMIT, hooked, heard=True))
        elif program is not None:
            self._probe(program)

    def _probe(self, program: Program) -> None:
        """Begin with the startup probe, since the others wait for it."""
        startup = self._spec.get("startup")
        if startup:
            watch = Watch(startup, program, self._loop, lambda: self._is_up(program), self._unhealthy("startup"))
            self._watches.append(watch)
        else:
            self._is_up(program)

    def _is_up(self, program: Program) -> None:
        self._quiet()
        if self._spec.get("liveness"):
            unhealthy = self._unhealthy("liveness")
            self._watches.append(Watch(self._spec["liveness"], program, self._loop, lambda: None, unhealthy))
        if self._spec.get("readiness"):
            watch = Watch(
                self._spec["readiness"], program, self._loop, lambda: self._ready(True), lambda _: self._ready(False)
            )
            self._watches.append(watch)
        else:
            self.status.ready = not self.status.init

    def _ready(self, ready: bool) -> None:
        self.status.ready = ready

    def _unhealthy(self, name: str) -> Callable[[str], None]:
        return lambda problem: self.stop(UNHEALTHY, "the %s probe failed: %s" % (name, problem), final=False)

    def _quiet(self) -> None:
        for watch in self._watches:
            watch.stop()
        self._watches = []

    def _terminate(self) -> None:
        self._hooked = False
        if self._program is not None:
            self._program.kill(signal.SIGTERM)

    def _overtime(self) -> None:
        if self._program is None:
            return
        if self._hooked:  # its hook still runs: it has not even been asked
            self._terminate()
            self._kill = self._loop.later(_LAST_SECONDS, self._overtime)
        else:
            self._program.kill(signal.SIGKILL)

    def _has_ended(self, outcome: Outcome) -> None:
        self._quiet()
        if self._kill is not None:
            self._kill.cancel()
        self._program = None
        self._hooked = False
        self.memory = 0
        self.peak_memory = max(self.peak_memory, outcome.peak_memory)
        if self._log is not None:
            self._log.close()
            if self._log.lost:
                outcome.message = "%d bytes of its output could not be written" % self._log.lost
            self._log = None
        if self._stop is not None:
            outcome.reason = self._stop.reason if outcome.code or self._stop.final else outcome.reason
            outcome.message = self._stop.message or outcome.message
        self.status.ready = False
        if self._may_start_again(outcome):
            self._wait(outcome)
        else:
            self._close(outcome)

    def _may_start_again(self, outcome: Outcome) -> bool:
        if self._stop is not None and self._stop.final:
            return False
        if outcome.reason in (START_ERROR, IMAGE):  # it would end the same way
            return False
        return self._restart == "Always" or (self._restart == "OnFailure" and outcome.code != 0)

    def _wait(self, outcome: Outcome) -> None:
        """Wait before the next run: not at all after the first end, then twice as long each time."""
        status = self.status
        if status.started is not None and time.time() - status.started > GOOD_RUN:
            self._bad_runs = 0
        delay = min(self._delay * 2.0 ** (self._bad_runs - 1), LONGEST_DELAY) if self._bad_runs else 0.0
        self._bad_runs = min(self._bad_runs + 1, 32)
        status.phase = "waiting"
        status.reason = outcome.reason
        why = outcome.message[:MESSAGE] or "exit code %d" % outcome.code
        status.message = "%s; starts again in %g s" % (why, delay)
        status.last_exit_code, status.last_reason = outcome.code, outcome.reason
        status.exit_code, status.signal, status.ended = None, None, time.time()

        def again() -> None:
            status.restarts += 1
            self.start()

        self._stop = None
        self._again = self._loop.later(delay, again)

    def _give_up(self) -> None:
        """Stop what waits: for its first start, or for its next one."""
        if self._again is not None:
            self._again.cancel()
        code = self.status.last_exit_code
        stop = self._stop
        if stop is not None:
            self._close(Outcome(137 if code is None else code, reason=stop.reason, message=stop.message))

    def _close(self, outcome: Outcome) -> None:
        status = self.status
        status.phase = "terminated"
        status.reason, status.message = outcome.reason, outcome.message[:MESSAGE]
        status.exit_code, status.signal = outcome.code, outcome.signal
        status.ended = time.time()
        status.ready = status.init and outcome.code == 0
        self._ended(self)
