"""Checks of a running container, made once (hooks) or again and again (probes), as Kubernetes makes them."""

from __future__ import annotations

import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from .loop import Loop
    from .runtimes import Program

    Done = Callable[[str | None], None]

_HERE = ("", "localhost", "127.0.0.1", "::1")


def perform(
    check: dict[str, Any], program: Program, loop: Loop, timeout: float, done: Done, heard: bool = False
) -> None:
    """Make one check; ``done`` is called once, within about ``timeout`` seconds, with None or what went wrong.

    What a command prints goes to the container's log if it is ``heard``.
    """
    if check.get("command"):
        program.execute(check["command"], timeout, done, heard)
    elif check.get("sleep"):
        loop.later(min(check["sleep"], timeout), lambda: done(None))
    else:
        address = program.address
        if check.get("http"):
            _in_time(loop, timeout, lambda: _ask_http(check, address, timeout), done)
        else:
            _in_time(loop, timeout, lambda: _connect(check, address, timeout), done)


class Watch:
    """Makes the check of a probe every ``period``; tells when its thresholds are crossed, each time anew."""

    def __init__(
        self,
        probe: dict[str, Any],
        program: Program,
        loop: Loop,
        passed: Callable[[], None],
        failed: Callable[[str], None],
    ):
        self._probe = probe
        self._program = program
        self._loop = loop
        self._passed = passed
        self._failed = failed
        self._good = self._bad = 0
        self._asked = 0.0
        self._stopped = False
        self._timer = loop.later(probe.get("initial_delay", 0), self._ask)

    def stop(self) -> None:
        """Ask no more; an answer that is on its way is not listened to."""
        self._stopped = True
        self._timer.cancel()

    def _ask(self) -> None:
        self._asked = time.monotonic()
        perform(self._probe["check"], self._program, self._loop, self._probe.get("timeout", 1), self._answer)

    def _answer(self, problem: str | None) -> None:
        if self._stopped:
            return
        rest = self._asked + self._probe.get("period", 10) - time.monotonic()
        self._timer = self._loop.later(max(0.0, rest), self._ask)
        if problem is None:
            self._good, self._bad = self._good + 1, 0
            if self._good == self._probe.get("successes", 1):
                self._passed()
        else:
            self._good, self._bad = 0, self._bad + 1
            if self._bad == self._probe.get("failures", 3):
                self._failed(problem)


def _in_time(loop: Loop, timeout: float, ask: Callable[[], str | None], done: Done) -> None:
    answered: list[bool] = []

    def answer(problem: str | None) -> None:
        if not answered:
            answered.append(True)
            timer.cancel()
            done(problem)

    timer = loop.later(timeout, lambda: answer("no answer within %g s" % timeout))
    loop.work(ask, lambda problem, error: answer(str(error) or type(error).__name__ if error else problem))


def _ask_http(check: dict[str, Any], address: str, timeout: float) -> str | None:
    from http.client import HTTPConnection, HTTPException, HTTPSConnection
    from urllib.parse import urlsplit

    url = urlsplit(check["http"])
    host = address if (url.hostname or "") in _HERE else str(url.hostname)
    connection: HTTPConnection
    if url.scheme == "https":
        import ssl

        context = ssl.create_default_context()  # a probe asks whether somebody answers, not who: as Kubernetes does
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        connection = HTTPSConnection(host, url.port, timeout=timeout, context=context)
    else:
        connection = HTTPConnection(host, url.port, timeout=timeout)
    headers = {str(name): str(value) for name, value in check.get("headers") or ()}
    headers.setdefault("User-Agent", "isthmus-probe")
    try:
        connection.request("GET", (url.path or "/") + ("?" + url.query if url.query else ""), headers=headers)
        code = connection.getresponse().status
    except HTTPException as error:
        return "no HTTP answer: %s" % (error or type(error).__name__)
    finally:
        connection.close()
    return None if 200 <= code < 400 else "HTTP status %d" % code


def _connect(check: dict[str, Any], address: str, timeout: float) -> str | None:
    import socket

    host = check.get("tcp_host") or ""
    socket.create_connection((address if host in _HERE else host, check["tcp_port"]), timeout).close()
    return None
