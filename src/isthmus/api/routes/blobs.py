"""Files on their way to jobs, by content: what is here already is not sent again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Path, Request
from starlette.requests import ClientDisconnect
from starlette.responses import Response

from isthmus.api.auth import Who
from isthmus.api.encode import answer
from isthmus.api.job_bodies import DigestsBody
from isthmus.api.json_route import JsonRoute
from isthmus.api.routes.common import JobsDep, problems
from isthmus.errors import Invalid

router = APIRouter(route_class=JsonRoute, prefix="/blobs", tags=["jobs"])
_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    }
}


@dataclass(frozen=True, slots=True)
class Missing:
    """Digests of blobs that are to be put."""

    missing: Sequence[str]


@router.post("/missing", summary="Tell which files are not here", response_model=Missing, responses=problems())
async def missing_blobs(body: DigestsBody, jobs: JobsDep, who: Who) -> Response:
    return answer(Missing(await jobs.missing_blobs(who, body.digests)))


@router.put("/{digest}", summary="Put a file", status_code=204, responses=problems(413), openapi_extra=_BODY)
async def put_blob(
    digest: Annotated[str, Path(pattern=r"^[0-9a-f]{64}$", description="SHA-256 of the body, in hex.")],
    request: Request,
    jobs: JobsDep,
    who: Who,
) -> Response:
    """The body is the file as it is; one that has another digest is refused. To put it again does no harm."""
    try:
        await jobs.put_blob(who, digest, request.stream())
    except ClientDisconnect:
        raise Invalid("The body broke off.", hint="Put it again.", code="invalid-request") from None
    return Response(status_code=204)
