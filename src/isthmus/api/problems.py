"""Problem details (RFC 9457) for every error that leaves the API."""

from __future__ import annotations

import logging
import math
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from isthmus.api.encode import encode
from isthmus.errors import Busy, Invalid, IsthmusError
from isthmus.views import DiagnosticView

MEDIA_TYPE = "application/problem+json"
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong with a request: a pointer into it (RFC 6901), and what."""

    pointer: str
    detail: str


@dataclass(frozen=True, slots=True)
class Problem:
    """The body of an error. `id` finds the line in the server's log; `diagnostics` are of a template."""

    type: str
    title: str
    status: int
    code: str
    detail: str = ""
    hint: str = ""
    id: str = ""
    diagnostics: Sequence[DiagnosticView] = ()
    errors: Sequence[Fault] = ()


class Enclosed(HTTPException):
    """One of our errors on its way through the framework, which makes a 400 of what it does not know."""

    def __init__(self, error: IsthmusError):
        super().__init__(error.status)
        self.error = error


def describe_error(error: Exception) -> Problem:
    """Any exception as a problem; one that nobody foresaw is logged, and told only by an id."""
    match error:
        case IsthmusError() if error.status < 500 or isinstance(error, Busy):
            diagnostics = error.diagnostics if isinstance(error, Invalid) else ()
            return _problem(error.status, error.code, error.title, error.detail, error.hint, diagnostics=diagnostics)
        case RequestValidationError():
            return _bad_request(error.errors())
        case HTTPException():
            return _of_http(error)
        case _:
            return _unforeseen(error)


def respond(error: Exception) -> Response:
    """The problem as HTTP; members that say nothing are left out."""
    error = error.error if isinstance(error, Enclosed) else error
    problem = describe_error(error)
    shown = {name: getattr(problem, name) for name in Problem.__slots__}
    body = {name: value for name, value in shown.items() if value}
    headers = {"Cache-Control": "no-store", **_headers(error)}
    return Response(encode(body), problem.status, headers, MEDIA_TYPE)


def install_problems(app: FastAPI) -> None:
    """Answer every error of the app by a problem."""

    async def tell(_: Request, error: Exception) -> Response:
        return respond(error)

    for kind in (IsthmusError, RequestValidationError, HTTPException, Exception):
        app.add_exception_handler(kind, tell)


def _problem(status: int, code: str, title: str, detail: str = "", hint: str = "", **members: Any) -> Problem:
    return Problem(f"urn:isthmus:problem:{code}", title, status, code, detail, hint, **members)


def _headers(error: Exception) -> Mapping[str, str]:
    match error:
        case Busy():
            return {"Retry-After": str(max(1, math.ceil(error.retry_after)))}
        case IsthmusError() if error.status == 401:
            return {"WWW-Authenticate": 'Bearer realm="isthmus"'}
        case IsthmusError() if error.status == 413:
            return {"Connection": "close"}
        case HTTPException():
            return error.headers or {}
        case _:
            return {}


def _bad_request(errors: Sequence[Any]) -> Problem:
    faults = [Fault(_pointer(e["loc"]), str(e["msg"])) for e in errors[:50]]
    detail = f"{faults[0].pointer}: {faults[0].detail}" if faults else ""
    return _problem(422, "invalid-request", "The request is not valid", detail, errors=faults)


def _pointer(location: Sequence[str | int]) -> str:
    place, *path = map(str, location or ("body",))
    inside = "/".join(step.replace("~", "~0").replace("/", "~1") for step in path)
    return f"#/{inside}" if place == "body" else f"{place}/{inside}"


def _of_http(error: HTTPException) -> Problem:
    phrase = HTTPStatus(error.status_code).phrase
    detail = "" if error.detail == phrase else str(error.detail)
    return _problem(error.status_code, phrase.lower().replace(" ", "-"), phrase, detail)


def _unforeseen(error: Exception) -> Problem:
    number = secrets.token_hex(6)
    log.error("unforeseen error %s", number, exc_info=error)
    told = f"The server's log tells more under {number}."
    return _problem(500, "internal", IsthmusError.title, told, id=number)
