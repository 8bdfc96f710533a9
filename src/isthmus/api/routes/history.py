"""What happens to a deployment: events and log lines, as a list or as a stream."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from isthmus.api import streams
from isthmus.api.auth import Who
from isthmus.api.encode import answer_items
from isthmus.api.json_route import JsonRoute
from isthmus.api.routes.common import ClosingDep, ServiceDep, problems
from isthmus.views import Event, LogLine

router = APIRouter(route_class=JsonRoute, prefix="/deployments/{ref}", tags=["history"])
After = Annotated[int, Query(ge=0, description="Only what came after this id.")]
Follow = Annotated[bool, Query(description="Stream what comes, as `text/event-stream`.")]
_STREAM: dict[int | str, dict[str, Any]] = {200: {"content": {streams.MEDIA_TYPE: {"schema": {"type": "string"}}}}}


@dataclass(frozen=True, slots=True)
class EventList:
    items: Sequence[Event]


@dataclass(frozen=True, slots=True)
class LogList:
    items: Sequence[LogLine]


@router.get("/events", summary="Tell its history", response_model=EventList, responses=_STREAM | problems(404))
async def list_events(
    request: Request,
    ref: str,
    service: ServiceDep,
    closing: ClosingDep,
    who: Who,
    after: After = 0,
    limit: Annotated[int, Query(ge=1, le=1000)] = 500,
    follow: Follow = False,
) -> Response:
    """A list, or with `follow` (or `Accept: text/event-stream`) a stream that `Last-Event-ID` resumes."""

    number = (await service.state(who, ref)).id

    async def fetch(seen: int) -> Sequence[Event]:
        return await service.events(who, number, after=seen, limit=limit)

    if not streams.wants_stream(request, follow):
        return answer_items(await fetch(after))
    return streams.stream(service, closing, number, "event", fetch, streams.last_seen(request, after))


@router.get(
    "/logs",
    summary="Tell what operations printed",
    response_model=LogList,
    responses=_STREAM | problems(404),
)
async def list_logs(
    request: Request,
    ref: str,
    service: ServiceDep,
    closing: ClosingDep,
    who: Who,
    after: After = 0,
    limit: Annotated[int, Query(ge=1, le=5000)] = 1000,
    instance: Annotated[str | None, Query(description="Only lines of this one, such as `worker-0`.")] = None,
    follow: Follow = False,
) -> Response:
    """Lines in the order in which they came, as a list or a stream."""

    number = (await service.state(who, ref)).id

    async def fetch(seen: int) -> Sequence[LogLine]:
        return await service.logs(who, number, after=seen, limit=limit, instance=instance)

    if not streams.wants_stream(request, follow):
        return answer_items(await fetch(after))
    return streams.stream(service, closing, number, "log", fetch, streams.last_seen(request, after))
