"""An endpoint as a process: it listens, serves until SIGTERM or SIGINT, and lets go what it opened."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import uvicorn
import uvloop
from starlette.types import ASGIApp

from isthmus.api.dialects.interlink.door import BODY_LIMIT, Door
from isthmus.api.dialects.interlink.edge import Edge
from isthmus.api.dialects.interlink.jobs import PodJobs
from isthmus.api.dialects.interlink.listening import Listening
from isthmus.api.dialects.interlink.ping import NodeFace
from isthmus.api.dialects.interlink.plugin import Plugin
from isthmus.api.dialects.interlink.policy import Policy
from isthmus.api.dialects.interlink.tokens import TokenFile
from isthmus.api.dialects.interlink.upstream import Address, Local, Remote

log = logging.getLogger("isthmus.interlink")
GRACE = 3
"""Seconds that requests under way may take to end once the endpoint stops."""
IDLE = 3600
"""Seconds that a connection may be silent.

The stock programs keep theirs, and ask every 5 s: one that is closed just as a pod is handed over on it costs the pod,
since a POST is not sent twice. They end idle ones themselves.
"""
OpenApp = Callable[[TokenFile | None], AbstractAsyncContextManager[ASGIApp]]
OpenJobs = Callable[[], AbstractAsyncContextManager[PodJobs]]


def plugin_app(open_jobs: OpenJobs, policy: Policy, face: NodeFace, body_limit: int = BODY_LIMIT) -> OpenApp:
    """The plugin of a site."""

    @asynccontextmanager
    async def opened(tokens: TokenFile | None) -> AsyncIterator[ASGIApp]:
        async with open_jobs() as jobs:
            yield Door(Plugin(jobs, policy, face).routes(), tokens, body_limit)

    return opened


def edge_of_site(open_jobs: OpenJobs, policy: Policy, face: NodeFace, body_limit: int = BODY_LIMIT) -> OpenApp:
    """The API server with the plugin of a site in the same process."""

    @asynccontextmanager
    async def opened(tokens: TokenFile | None) -> AsyncIterator[ASGIApp]:
        async with open_jobs() as jobs:
            yield Door(Edge(Local(Plugin(jobs, policy, face).routes())).routes(), tokens, body_limit)

    return opened


def edge_of_plugin(address: Address, body_limit: int = BODY_LIMIT) -> OpenApp:
    """The API server in front of a plugin elsewhere."""

    @asynccontextmanager
    async def opened(tokens: TokenFile | None) -> AsyncIterator[ASGIApp]:
        upstream = Remote(address)
        try:
            yield Door(Edge(upstream).routes(), tokens, body_limit)
        finally:
            await upstream.close()

    return opened


def serve(open_app: OpenApp, listening: Listening) -> None:
    """Serve until told to stop; raises :class:`~isthmus.errors.IsthmusError` for what cannot be begun."""
    listening.check()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(open_app, listening))


async def _serve(open_app: OpenApp, listening: Listening) -> None:
    tokens = listening.tokens()
    async with open_app(tokens) as app:
        with contextlib.closing(listening.open()) as listener:
            mark = listening.mark()
            try:
                server = make_server(app, listening)
                _stop_on_signals(server)
                log.info("listening on %s", _name(listener, listening))
                await server.serve([listener])
            finally:
                listening.withdraw(mark)


class Server(uvicorn.Server):
    """uvicorn with signals left to us: it would raise a caught one again, before what is open is closed."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def make_server(app: ASGIApp, listening: Listening) -> Server:
    """A server of ``app``; its sockets are given to ``serve``."""
    config = uvicorn.Config(
        app,
        loop="none",
        http="httptools",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_keep_alive=IDLE,
        timeout_graceful_shutdown=GRACE,
    )
    config.load()
    config.ssl = listening.tls()
    return Server(config)


def _stop_on_signals(server: Server) -> None:
    def stop() -> None:
        server.force_exit = server.should_exit
        server.should_exit = True

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)


def _name(listener: socket.socket, listening: Listening) -> str:
    if listening.path is not None:
        return f"unix://{listening.path}"
    host, port = listener.getsockname()[:2]
    scheme = "https" if listening.tls_cert is not None else "http"
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"
