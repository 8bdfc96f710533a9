"""Both endpoints in memory, with clients."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from isthmus.api.dialects.interlink.door import Door
from isthmus.api.dialects.interlink.edge import Edge
from isthmus.api.dialects.interlink.memory import Statuses
from isthmus.api.dialects.interlink.plugin import Plugin
from isthmus.api.dialects.interlink.upstream import Local

from .ledger import Ledger


class Client:
    """Speaks as the stock programs do: a body with every method."""

    def __init__(self, app: Any):
        transport = httpx.ASGITransport(app=app)
        self.http = httpx.AsyncClient(transport=transport, base_url="http://unix", headers={"User-Agent": "Go-http"})

    async def ask(self, method: str, path: str, body: Any = None, **headers: str) -> httpx.Response:
        named = {name.replace("_", "-"): text for name, text in headers.items()}
        if isinstance(body, bytes):
            return await self.http.request(method, path, content=body, headers=named)
        return await self.http.request(method, path, json=body, headers=named)


@pytest.fixture
def ledger() -> Ledger:
    return Ledger()


@pytest.fixture
def plugin(ledger: Ledger) -> Plugin:
    return Plugin(ledger, patience=60, now=lambda: 10_000.0)


@pytest.fixture
async def site(plugin: Plugin) -> AsyncIterator[Client]:
    """The plugin, as an API server sees it."""
    client = Client(Door(plugin.routes(), body_limit=200_000))
    yield client
    await client.http.aclose()


@pytest.fixture
async def edge(plugin: Plugin) -> AsyncIterator[Client]:
    """The API server, as a virtual kubelet sees it, with our plugin behind it."""
    client = Client(Door(Edge(Local(plugin.routes()), Statuses()).routes()))
    yield client
    await client.http.aclose()
