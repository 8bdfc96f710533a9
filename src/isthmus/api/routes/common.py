"""What the routes share: the service, and how errors are documented."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Depends, Request

from isthmus.api.problems import Problem
from isthmus.api.streams import Closing
from isthmus.errors import Invalid
from isthmus.job_service import JobService
from isthmus.service import Service


async def _service(request: Request) -> Service:
    service: Service = request.app.state.service
    return service


async def _jobs(request: Request) -> JobService:
    jobs: JobService = request.app.state.service.jobs
    return jobs


async def _closing(request: Request) -> Closing:
    closing: Closing = request.app.state.closing
    return closing


ServiceDep = Annotated[Service, Depends(_service)]
JobsDep = Annotated[JobService, Depends(_jobs)]
ClosingDep = Annotated[Closing, Depends(_closing)]

_WORDS = {
    401: "No token, or an unknown one",
    403: "Not allowed",
    404: "Not found",
    409: "In conflict with what is there",
    412: "Changed meanwhile: `If-Match` names an old version",
    413: "The body is too large",
    422: "Not valid; `diagnostics` or `errors` tell each fault",
    503: "Busy; `Retry-After` tells when to come back",
}


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The documentation of a route's errors; 401, 422 and 503 may always come."""
    return {status: {"model": Problem, "description": _WORDS[status]} for status in sorted({401, 422, 503, *statuses})}


def unquote_key(key: str | None) -> str | None:
    """An ``Idempotency-Key`` out of its quotes (RFC 8941 §3.3.3); clients that leave them out are served too."""
    if key is None:
        return None
    bare = key[1:-1] if len(key) > 1 and key[0] == key[-1] == '"' else key
    if not bare or not bare.isascii() or not bare.isprintable():
        raise Invalid("Idempotency-Key must be a string of printable characters.", code="invalid-request")
    return bare
