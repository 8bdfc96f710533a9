"""Endpoints that listen for real."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from isthmus.api.dialects.interlink.door import Door
from isthmus.api.dialects.interlink.listening import Listening
from isthmus.api.dialects.interlink.plugin import Plugin
from isthmus.api.dialects.interlink.serving import make_server

from ...unit.api.interlink.ledger import Ledger


async def until(true: Callable[[], bool], seconds: float = 60) -> None:
    """Wait for what has no other way to say so."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it did not happen in time"
        await asyncio.sleep(0.01)


@asynccontextmanager
async def listening(routes: Any, where: Listening) -> AsyncIterator[str]:
    """An endpoint on its socket; the URL of it."""
    where.check()
    with where.open() as listener:
        server = make_server(Door(routes, where.tokens()), where)
        task = asyncio.create_task(server.serve([listener]))
        try:
            await until(lambda: server.started)
            if where.path is not None:
                yield f"unix://{where.path}"
            else:
                scheme = "https" if where.tls_cert is not None else "http"
                yield f"{scheme}://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            await task


def client(url: str, tls: ssl.SSLContext | None = None, token: str = "") -> httpx.AsyncClient:
    """A client of an endpoint."""
    socket = url.removeprefix("unix://") if url.startswith("unix://") else None
    limits = httpx.Limits(max_connections=None)
    transport = httpx.AsyncHTTPTransport(uds=socket, limits=limits) if socket else None
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return httpx.AsyncClient(
        base_url="http://unix" if socket else url,
        transport=transport,
        verify=tls or False,
        headers=headers,
        limits=limits,
        trust_env=False,
        timeout=60,
    )


@pytest.fixture
def ledger() -> Ledger:
    return Ledger()


@pytest.fixture
def plugin(ledger: Ledger) -> Plugin:
    return Plugin(ledger)
