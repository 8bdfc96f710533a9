"""One container of an engine, from its creation to its removal."""

from __future__ import annotations

import contextlib
import threading
import time

from ..log_writing import STDERR, STDOUT
from ..outcomes import IMAGE, OUT_OF_MEMORY, START_ERROR, CannotStart, Outcome
from .engine_socket import EngineError, Frames

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Sequence
    from typing import Any

    from ..loop import Loop
    from . import Sink
    from .engine import Engine

_STREAMS = {1: STDOUT, 2: STDERR}
_READ = 256 * 1024
_HEARD = 1024 * 1024
"""Bytes of what a hook prints that reach the log."""
_MEASURE = 2.0
"""Seconds at least between two looks at a container's use: the engine works hard for each."""


class EngineProgram:
    """One container of an engine. Whatever asks the engine does so in a thread."""

    def __init__(
        self,
        engine: Engine,
        loop: Loop,
        request: dict[str, Any],
        image: str,
        mounts: Callable[[], list[dict[str, Any]]] | None = None,
    ):
        """``mounts`` says what to mount where that hangs on what other containers may do to a volume meanwhile."""
        self.address = "127.0.0.1"
        self._engine = engine
        self._api = engine.api
        self._loop = loop
        self._request = request
        self._image = image
        self._mounts = mounts
        self._id = ""
        self._over = False
        self._lock = threading.Lock()
        self._creating = False
        self._pending = 0
        """A signal that came before there was anything to send it to."""
        self._stream: socket.socket | None = None
        self._frames = Frames()
        self._measured = 0.0
        self._known = 0.0
        """Since when it has been measured."""
        self._cpu = 0.0

    def start(self, sink: Sink, started: Callable[[], None], ended: Callable[[Outcome], None]) -> None:
        self._sink = sink
        self._ended = ended

        def began(result: tuple[socket.socket, bytes, str] | None, error: BaseException | None) -> None:
            if self._over:
                return
            if result is None:
                self._end(_refusal(error))
                return
            self._stream, rest, address = result
            self.address = address or self.address
            self._stream.setblocking(False)
            started()
            self._feed(rest)
            self._loop.watch(self._stream.fileno(), self._read)
            if self._pending:
                self.kill(self._pending)

        self._loop.work(self._begin, began)

    def kill(self, number: int) -> None:
        if self._over:
            return
        if self._stream is not None:
            self._loop.work(lambda: self._send(number), lambda _, error: None)
            return
        self._pending = number
        with self._lock:
            waits = not self._creating
            self._over = waits
        if waits:  # for its image, or for its turn: it will not be created any more
            self._end(Outcome(128 + number, signal=number))

    def execute(
        self, command: Sequence[str], timeout: float, done: Callable[[str | None], None], heard: bool = False
    ) -> None:
        answered: list[bool] = []

        def answer(problem: str | None) -> None:
            if not answered:
                answered.append(True)
                timer.cancel()
                done(problem)

        timer = self._loop.later(timeout, lambda: answer("no answer within %g s" % timeout))

        def ended(result: tuple[str | None, bytes] | None, error: BaseException | None) -> None:
            problem, said = result or (str(error), b"")
            if heard and said and not self._over:
                self._feed(said, Frames())
            answer(problem)

        self._loop.work(lambda: self._execute(command, timeout), ended)

    def measure(self, limit: int | None, done: Callable[[int], None]) -> None:
        now = time.monotonic()
        # What was used after the last look is known to nobody: a short life is looked at more often.
        if not self._id or now - self._measured < min(_MEASURE, (now - self._known) / 2):
            return
        self._known, self._measured = self._known or now, now

        def measured(stats: dict[str, Any] | None, error: BaseException | None) -> None:
            memory = (stats or {}).get("memory_stats") or {}
            if error is None and stats and "usage" in memory:
                kinds = memory.get("stats") or {}
                self._cpu = max(self._cpu, stats["cpu_stats"]["cpu_usage"]["total_usage"] / 1e9)
                # What files left in the cache can be taken back at any time: `docker stats` does not count it either.
                done(max(0, memory["usage"] - kinds.get("total_inactive_file", kinds.get("inactive_file", 0))))

        path = "/containers/%s/stats" % self._id
        self._loop.work(lambda: self._api.ask("GET", path, {"stream": "false", "one-shot": "true"}), measured)

    def _begin(self) -> tuple[socket.socket, bytes, str]:
        """Create and start it; what is there of it when that fails is removed."""
        self._have_image()
        with self._engine.starting:
            with self._lock:
                if self._over:
                    raise EngineError(0, "it was ended before it began")
                self._creating = True
            self._engine.sweep_once()
            if self._mounts is None:
                return self._start_in_a_network()
            with self._engine.held():  # nobody can put a link where one is followed
                self._request["HostConfig"]["Mounts"] = self._mounts()
                return self._start_in_a_network()

    def _start_in_a_network(self) -> tuple[socket.socket, bytes, str]:
        for network in [*("container:" + id for id in self._engine.running), ""]:
            stream = None
            id = self._create(network)
            try:
                query = {"stream": 1, "stdout": 1, "stderr": 1}
                stream, rest = self._api.attach("/containers/%s/attach" % id, query)
                self._api.ask("POST", "/containers/%s/start" % id)
                self._engine.running.append(id)
                self._id = id
                return stream, rest, self._find_address(id)
            except EngineError as error:
                if stream is not None:
                    stream.close()
                self._engine.remove(id)
                gone = network.partition(":")[2] not in self._engine.running
                if not network or not (gone or "network" in str(error)):
                    raise
        raise EngineError(0, "no network could be joined")

    def _have_image(self) -> None:
        try:
            self._api.ask("GET", "/images/%s/json" % self._image)
            return
        except EngineError as error:
            if error.status != 404:
                raise
        last = self._image.rpartition("/")[2]
        query = (
            {"fromImage": self._image} if ":" in last or "@" in last else {"fromImage": self._image, "tag": "latest"}
        )
        problems: list[str] = []
        try:
            self._api.lines("POST", "/images/create", query, lambda line: problems.append(line.get("error") or ""))
        except EngineError as error:
            problems.append(str(error))
        words = next(filter(None, reversed(problems)), None)
        if words:
            raise CannotStart("image: " + words, reason=IMAGE)

    def _create(self, network: str) -> str:
        request = self._request
        if network:
            request = {**request, "HostConfig": {**request["HostConfig"], "NetworkMode": network}}
        id: str = self._api.ask("POST", "/containers/create", body=request)["Id"]
        return id

    def _find_address(self, id: str) -> str:
        """Where the task's network is reached from here; nothing for that of the machine itself."""
        for container in [id, *self._engine.running]:
            with contextlib.suppress(EngineError):
                settings = self._api.ask("GET", "/containers/%s/json" % container)["NetworkSettings"]
                for network in (settings.get("Networks") or {}).values():
                    if network.get("IPAddress"):
                        return str(network["IPAddress"])
        return ""

    def _send(self, number: int) -> None:
        with self._engine.starting, contextlib.suppress(EngineError):  # one that stands still hears nothing
            self._api.ask("POST", "/containers/%s/kill" % self._id, {"signal": number})

    def _execute(self, command: Sequence[str], timeout: float) -> tuple[str | None, bytes]:
        """What went wrong, and the first of what it printed, in frames."""
        body = {"AttachStdout": True, "AttachStderr": True, "Cmd": list(command)}
        id = self._api.ask("POST", "/containers/%s/exec" % self._id, body=body)["Id"]
        stream, said = self._api.attach("/exec/%s/start" % id, {}, {"Detach": False, "Tty": False})
        with stream:
            stream.settimeout(timeout)
            while data := stream.recv(65536):
                said += data if len(said) < _HEARD else b""
        code = self._api.ask("GET", "/exec/%s/json" % id)["ExitCode"]
        return "exit code %d" % code if code else None, said

    def _read(self) -> None:
        assert self._stream is not None
        try:
            data = self._stream.recv(_READ)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if data:
            self._feed(data)
            return
        self._loop.unwatch(self._stream.fileno())
        self._stream.close()
        self._loop.work(self._wait, lambda outcome, error: self._end(outcome or _refusal(error)))

    def _feed(self, data: bytes, frames: Frames | None = None) -> None:
        for kind, text in (frames or self._frames).take(data):
            self._sink.feed(_STREAMS.get(kind, STDOUT), text)

    def _wait(self) -> Outcome:
        """How it ended; waits for that, since a program may close its output before."""
        self._api.ask("POST", "/containers/%s/wait" % self._id, wait=None)
        state = self._api.ask("GET", "/containers/%s/json" % self._id)["State"]
        if self._id in self._engine.running:
            self._engine.running.remove(self._id)
        self._engine.remove(self._id)
        if state.get("OOMKilled"):
            return Outcome(state["ExitCode"] or 137, 9, OUT_OF_MEMORY, "it used more memory than its limit")
        if state.get("Error"):
            return Outcome(state["ExitCode"] or 128, None, START_ERROR, state["Error"])
        return Outcome(state["ExitCode"])

    def _end(self, outcome: Outcome) -> None:
        self._over = True
        self._loop.cpu_seconds += self._cpu
        self._ended(outcome)


def _refusal(error: BaseException | None) -> Outcome:
    """What became of a container that the engine did not start, or lost."""
    if isinstance(error, CannotStart):
        return Outcome(error.code, reason=error.reason, message=str(error))
    return Outcome(128, reason=START_ERROR, message=str(error))
