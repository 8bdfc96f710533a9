"""Who is calling: bearer tokens (RFC 6750) into principals."""

from __future__ import annotations

import hmac
from collections.abc import Iterable
from typing import Annotated, Protocol

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from isthmus.errors import Unauthorized
from isthmus.identity import Principal

LOCAL = Principal("local", "local", admin=True)
"""The person who started the server, known by the token in its home folder."""


class Authenticator(Protocol):
    """Turns a token into the one who holds it."""

    async def authenticate(self, token: str) -> Principal:
        """Raises :class:`~isthmus.errors.Unauthorized` for a token that is not known."""


class StaticToken:
    """One token for one principal, compared in constant time."""

    def __init__(self, token: str, principal: Principal = LOCAL):
        if len(token) < 16:
            raise ValueError("a token needs at least 16 characters")
        self._token = token.encode()
        self._principal = principal

    async def authenticate(self, token: str) -> Principal:
        if hmac.compare_digest(token.encode(), self._token):
            return self._principal
        raise Unauthorized("This token is not known here.", code="unknown-token")


def bearer_token(headers: Iterable[tuple[bytes, bytes]]) -> str:
    """The token of a request's raw headers; raises :class:`~isthmus.errors.Unauthorized`."""
    for name, value in headers:
        if name == b"authorization":
            scheme, _, token = value.decode("latin-1").partition(" ")
            if scheme.lower() == "bearer" and token.strip():
                return token.strip()
    raise Unauthorized("The request has no bearer token.", hint="Send Authorization: Bearer TOKEN.")


_scheme = HTTPBearer(auto_error=False, description="The token of the local server, or of your identity.")


async def _principal(
    request: Request, _: Annotated[HTTPAuthorizationCredentials | None, Depends(_scheme)]
) -> Principal:
    authenticator: Authenticator = request.app.state.authenticator
    return await authenticator.authenticate(bearer_token(request.scope["headers"]))


Who = Annotated[Principal, Depends(_principal)]
"""The caller, as a parameter of a route."""
