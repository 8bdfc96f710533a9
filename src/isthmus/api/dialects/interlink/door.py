"""The HTTP of both endpoints: who may enter, how much may be sent, and answers in plain text.

The stock programs call with a body whatever the method, and take nothing but the status 200 for success.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from pydantic_core import from_json
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import Receive, Scope, Send

from isthmus.api.auth import bearer_token
from isthmus.errors import Busy, Forbidden, Invalid, IsthmusError, TooLarge, Unauthorized

log = logging.getLogger(__name__)
BODY_LIMIT = 32 * 1024**2
"""Bytes that a body may have: config maps and secrets have up to 1 MiB each, a status request 3 kB for each pod."""
SESSION = "interlink-http-session"
ANY_METHOD = ("GET", "POST", "PUT", "PATCH", "DELETE")


@dataclass(frozen=True, slots=True)
class Call:
    """One request: its body, and the session that the virtual kubelet gave it (made up when it gave none)."""

    body: bytes
    session: str


Handler = Callable[[Call], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class Route:
    handler: Handler
    methods: tuple[str, ...] = ANY_METHOD


class Tokens(Protocol):
    """The bearer tokens that open the door."""

    def admits(self, token: str) -> bool: ...


class Door:
    """The ASGI app around handlers by path; without ``tokens`` whoever reaches the socket may enter."""

    def __init__(self, routes: Mapping[str, Route], tokens: Tokens | None = None, body_limit: int = BODY_LIMIT):
        self._routes = routes
        self._tokens = tokens
        self._limit = body_limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise RuntimeError(f"{scope['type']} is not spoken here")
        request = Request(scope, receive)
        try:
            response = await self._answer(request)
        except ClientDisconnect:
            return
        except Exception as error:
            response = respond(error)
        await response(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        self._admit(request)
        path: str = request.scope["path"]
        route = self._routes.get(path)
        if route is None:
            return PlainTextResponse("404 page not found\n", 404)
        if request.method not in route.methods:
            allowed = {"Allow": ", ".join(route.methods)}
            return PlainTextResponse(f"{path} takes {allowed['Allow']}", 405, allowed)
        body = await self._read(request)
        return await route.handler(Call(body, session_of(request.headers.get(SESSION, ""))))

    def _admit(self, request: Request) -> None:
        # A page in somebody's browser can post to loopback; the stock programs are no browsers.
        if "origin" in request.headers or "sec-fetch-site" in request.headers:
            raise Forbidden("Browsers have no business here.")
        if self._tokens is not None and not self._tokens.admits(bearer_token(request.scope["headers"])):
            raise Unauthorized("This token is not known here.")

    async def _read(self, request: Request) -> bytes:
        announced = request.headers.get("content-length", "")
        if announced.isdecimal() and int(announced[:20]) > self._limit:
            raise self._too_large()
        chunks, size = [], 0
        async for chunk in request.stream():
            size += len(chunk)
            if size > self._limit:
                raise self._too_large()
            chunks.append(chunk)
        return b"".join(chunks)

    def _too_large(self) -> TooLarge:
        return TooLarge(f"A body may have {self._limit} bytes at most.")


def session_of(text: str) -> str:
    """The session of a call, fit for headers and logs."""
    return text if text and len(text) <= 200 and text.isascii() and text.isprintable() else (
        f"Request-{secrets.token_hex(8)}"
    )  # fmt: skip


def read_json(content: bytes) -> Any:
    """JSON (RFC 8259) nested no deeper than 200; raises :class:`~isthmus.errors.Invalid`."""
    try:
        return from_json(content, allow_inf_nan=False)
    except ValueError as error:
        raise Malformed(f"The body is not JSON: {error}") from None


class Malformed(Invalid):
    """The request does not have the shape that the protocol gives it."""

    status = 400


def respond(error: Exception) -> Response:
    """An error as text, which is all that the other side shows."""
    if isinstance(error, IsthmusError) and (error.status < 500 or isinstance(error, Busy)):
        text = f"{error.detail or error.title} {error.hint}".strip()
        headers = {"WWW-Authenticate": "Bearer"} if isinstance(error, Unauthorized) else {}
        return PlainTextResponse(text, error.status, headers)
    number = secrets.token_hex(6)
    log.error("error %s", number, exc_info=error)
    return PlainTextResponse(f"An error that nobody foresaw; the log has it as {number}.", 500)
