"""What stands behind our API server: a plugin in this process, or one that is reached by URL."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

import httpx
from starlette.responses import Response

from isthmus.api.dialects.interlink.door import Call, Route, respond
from isthmus.api.dialects.interlink.logs import LogResponse
from isthmus.api.dialects.interlink.tokens import first_token
from isthmus.errors import Invalid

ANSWER_LIMIT = 64 * 1024**2
"""Bytes that a plugin's answer may have; logs have no bound."""
TIMEOUT = 120.0
"""Seconds, as long as the stock API server waits."""


IDLE = 2.0
"""Seconds after which a connection is not used again: plugins in Python end theirs after 5, perhaps as we ask."""


class Unreached(Exception):
    """The plugin was not reached: nothing was sent, so that another try does no harm."""


class Broken(Exception):
    """The plugin was reached, and its answer did not arrive."""


async def _nothing() -> None:
    """What there is to close of an answer that is here whole."""


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer on its way; it is read to its end, or closed."""

    status: int
    chunks: AsyncIterator[bytes]
    close: Callable[[], Awaitable[None]] = _nothing

    async def read(self) -> bytes:
        """The whole body; raises :class:`Broken` if it ends early or is too long."""
        parts, size = [], 0
        async for chunk in self.chunks:
            size += len(chunk)
            if size > ANSWER_LIMIT:
                await self.close()
                raise Broken("the plugin's answer is too long")
            parts.append(chunk)
        return b"".join(parts)


class Upstream(Protocol):
    async def send(self, method: str, path: str, body: bytes, session: str) -> Reply:
        """Ask the plugin; raises :class:`Unreached` or :class:`Broken`."""

    async def close(self) -> None: ...


class Local:
    """A plugin in this process, by its handlers."""

    def __init__(self, routes: Mapping[str, Route]):
        self._routes = routes

    async def send(self, method: str, path: str, body: bytes, session: str) -> Reply:
        try:
            response = await self._routes[path].handler(Call(body, session))
        except Exception as error:
            response = respond(error)
        if isinstance(response, LogResponse):
            return Reply(response.status_code, _chunks_of(response), response.close)
        return Reply(response.status_code, _whole(response))

    async def close(self) -> None:
        """Nothing is held."""


async def _chunks_of(response: LogResponse) -> AsyncIterator[bytes]:
    async for chunk in response.body_iterator:
        yield chunk.encode() if isinstance(chunk, str) else bytes(chunk)


async def _whole(response: Response) -> AsyncIterator[bytes]:
    yield bytes(response.body)


@dataclass(frozen=True, slots=True)
class Address:
    """Where a plugin is, ``http://``, ``https://`` or ``unix://``, and how to be let in."""

    url: str
    ca: Path | None = None
    cert: Path | None = None
    key: Path | None = None
    token_file: Path | None = None


class Remote:
    """A plugin that is reached by HTTP."""

    def __init__(self, address: Address):
        self._address = address
        parts = urlsplit(address.url)
        socket = parts.path if parts.scheme == "unix" else None
        reached = parts.hostname if socket is None else socket and not parts.netloc
        if parts.scheme not in ("http", "https", "unix") or not reached or parts.query or parts.fragment:
            raise Invalid(f"{address.url} is no http://, https:// or unix:// URL of a plugin.")
        if parts.username or parts.password:
            raise Invalid("A plugin's URL has no user and no password.", hint="Give --plugin-token-file.")
        shown = {"--plugin-ca": address.ca, "--plugin-cert": address.cert, "--plugin-key": address.key}
        if parts.scheme != "https" and (given := [name for name, file in shown.items() if file is not None]):
            raise Invalid(f"{', '.join(given)} would say nothing to {parts.scheme}://: only https:// has certificates.")
        if address.key is not None and address.cert is None:
            raise Invalid("--plugin-key goes with --plugin-cert.")
        if address.token_file is not None:
            first_token(address.token_file)
        base = "http://unix" if socket else address.url.rstrip("/")
        # Each log that is followed holds a connection: a bound would let them keep out everything else.
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=32, keepalive_expiry=IDLE)
        self._client = httpx.AsyncClient(
            base_url=base,
            transport=httpx.AsyncHTTPTransport(uds=socket, limits=limits) if socket else None,
            verify=_trust(address) if parts.scheme == "https" else False,
            timeout=httpx.Timeout(TIMEOUT, connect=10.0),
            limits=limits,
            trust_env=False,
        )

    async def send(self, method: str, path: str, body: bytes, session: str) -> Reply:
        headers = {"Interlink-Http-Session": session, "Content-Type": "application/json"}
        if self._address.token_file is not None:
            headers["Authorization"] = f"Bearer {first_token(self._address.token_file)}"
        request = self._client.build_request(method, path, content=body, headers=headers)
        if path == "/getLogs":
            request.extensions["timeout"] = {"connect": 10.0, "read": None, "write": TIMEOUT, "pool": None}
        try:
            response = await self._client.send(request, stream=True)
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            raise Unreached(str(error)) from None
        except httpx.HTTPError as error:
            raise Broken(f"{type(error).__name__}: {error}") from None
        return Reply(response.status_code, _read_remote(response), response.aclose)

    async def close(self) -> None:
        await self._client.aclose()


async def _read_remote(response: httpx.Response) -> AsyncIterator[bytes]:
    try:
        async for chunk in response.aiter_bytes():
            yield chunk
    except httpx.HTTPError as error:
        raise Broken(f"{type(error).__name__}: {error}") from None
    finally:
        await response.aclose()


def _trust(address: Address) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=address.ca)
        if address.cert is not None:
            context.load_cert_chain(address.cert, address.key)
    except OSError as error:
        raise Invalid(f"The plugin's certificates cannot be read: {error.strerror}") from None
    return context
