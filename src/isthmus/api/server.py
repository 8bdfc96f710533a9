"""The server process: ``python -m isthmus.api.server``.

It opens the runtime (service and engine), serves the API on it, notes in the home folder how to reach it, and
stops on SIGTERM or SIGINT: no new requests, streams ended, then the runtime closed. A SIGKILL loses nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import socket
import sys
from collections.abc import Iterator
from functools import partial
from ipaddress import ip_address
from typing import TYPE_CHECKING

import uvicorn
import uvloop
from starlette.types import ASGIApp

from isthmus import __version__
from isthmus.api.app import create_app
from isthmus.api.auth import LOCAL, StaticToken
from isthmus.api.instance import Instance, claim, ensure_token, forget_instance, process_start
from isthmus.api.streams import Closing
from isthmus.errors import Invalid, IsthmusError
from isthmus.home import make_home
from isthmus.logs import set_up_logging
from isthmus.settings import Settings, load_settings

if TYPE_CHECKING:
    from isthmus.service import Service

log = logging.getLogger("isthmus.server")
GRACE = 5
"""Seconds that requests under way may take to end once the server stops."""


def main() -> int:
    """Serve until told to stop; the exit code for the shell."""
    try:
        settings = load_settings()
        set_up_logging(settings.log_level)
        serve(settings)
    except IsthmusError as error:
        print(f"isthmus: {error.detail}", file=sys.stderr)
        return 4 if error.status == 409 else 2
    return 0


def serve(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT; raises :class:`~isthmus.errors.Conflict` beside another server."""
    make_home(settings.home)
    with claim(settings.home), asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        try:
            runner.run(_serve(settings))
        finally:
            forget_instance(settings.home)


async def _serve(settings: Settings) -> None:
    # The one place where interfaces and engine meet; imported late, so that a wrong setting is told fast.
    from isthmus.runtime import open_runtime

    closing = Closing()
    token = ensure_token(settings.home)
    with _listen(settings) as listener:
        async with open_runtime(settings) as runtime:
            check = partial(_ask_database, runtime.service)
            app = create_app(runtime.service, StaticToken(token), check=check, closing=closing)
            server = _Server(_configure(app), settings, listener)
            _stop_on_signals(server, closing)
            await server.serve([listener])
            log.info("stopping")
    log.info("stopped")


async def _ask_database(service: Service) -> None:
    await service.list(LOCAL, limit=1)


def _configure(app: ASGIApp) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        loop="none",
        http="httptools",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=GRACE,
    )


class _Server(uvicorn.Server):
    """uvicorn, with the note left once it listens, and signals left to us.

    uvicorn raises a caught signal again after its own stop, which would end the process before the runtime
    is closed.
    """

    def __init__(self, config: uvicorn.Config, settings: Settings, listener: socket.socket):
        super().__init__(config)
        self._settings = settings
        self._url = _url(listener)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            pid = os.getpid()
            note = Instance(self._url, pid, process_start(pid) or "", __version__)
            note.write(self._settings.home)
            log.info("serving on %s", self._url)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _stop_on_signals(server: uvicorn.Server, closing: Closing) -> None:
    def stop() -> None:
        server.force_exit = server.should_exit
        server.should_exit = True
        closing.start()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)


def _listen(settings: Settings) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((settings.host, settings.port))
    except OSError as error:
        listener.close()
        raise Invalid(f"Cannot listen on {settings.listen}: {error.strerror}") from None
    if not _is_loopback(listener.getsockname()[0]):
        log.warning("listening beyond this machine, on %s, without TLS: put a proxy before it", settings.listen)
    return listener


def _is_loopback(address: str) -> bool:
    return ip_address(address).is_loopback


def _url(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


if __name__ == "__main__":
    sys.exit(main())
