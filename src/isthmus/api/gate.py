"""The outermost layer of the app: bounds request bodies, answers the hottest read, lets nothing escape.

It is plain ASGI because of what it costs: the state of a deployment is asked for by every client all the
time, and a framework's routing, dependencies and middleware cost several times the answer itself.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from isthmus.api.auth import Authenticator, bearer_token
from isthmus.api.encode import answer
from isthmus.api.problems import Enclosed, respond
from isthmus.errors import Invalid, TooLarge

if TYPE_CHECKING:
    from isthmus.service import Service

Handler = Callable[[Scope], Awaitable[Response]]
_BEFORE, _AFTER = "/v1/deployments/", "/state"
_BLOBS = "/v1/blobs/"
BLOB_LIMIT = 256 * 1024**3
"""The most bytes of one file that is staged in: its body is never held whole."""


class Gate:
    """Wraps the app; ``limit`` is the most bytes that a request's body may have."""

    def __init__(self, app: ASGIApp, service: Service, authenticator: Authenticator, limit: int):
        self._app = app
        self._service = service
        self._authenticator = authenticator
        self._limit = limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = False

        async def watch(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            _refuse_nul(scope)
            if reference := _state_of(scope):
                response = await self._state(scope, reference)
                await response(scope, receive, watch)
            else:
                limit = self._limit_of(scope)
                _refuse_announced(scope, limit)
                await self._app(scope, _bounded(receive, limit), watch)
        except Exception as error:
            # The last resort: a stack trace must reach the log, never the caller.
            if not started:
                await respond(error)(scope, receive, send)

    async def _state(self, scope: Scope, reference: str) -> Response:
        who = await self._authenticator.authenticate(bearer_token(scope["headers"]))
        return answer(await self._service.state(who, reference))

    def _limit_of(self, scope: Scope) -> int:
        blob = scope["method"] == "PUT" and scope["path"].startswith(_BLOBS)
        return BLOB_LIMIT if blob else self._limit


def _refuse_announced(scope: Scope, limit: int) -> None:
    for name, value in scope["headers"]:
        if name == b"content-length" and value.isdigit() and int(value) > limit:
            raise _too_large(limit)


def _bounded(receive: Receive, limit: int) -> Receive:
    seen = 0

    async def count() -> Message:
        nonlocal seen
        message = await receive()
        seen += len(message.get("body", b""))
        if seen > limit:
            raise Enclosed(_too_large(limit))
        return message

    return count


def _too_large(limit: int) -> TooLarge:
    return TooLarge(f"The body of a request may have {limit // 1024**2} MiB at most.")


def _refuse_nul(scope: Scope) -> None:
    """No database keeps a NUL in text, so that nothing can be called by it."""
    if "\0" in scope["path"] or b"%00" in scope["query_string"]:
        raise Invalid("The address holds a NUL character.", code="invalid-request")


def _state_of(scope: Scope) -> str:
    """The deployment whose state is asked for; a query is left to the route, which refuses it."""
    path: str = scope["path"]
    if scope["method"] != "GET" or scope["query_string"] or not (path.startswith(_BEFORE) and path.endswith(_AFTER)):
        return ""
    reference = path[len(_BEFORE) : -len(_AFTER)]
    return "" if "/" in reference else reference
