"""Deployments: made, listed, changed, deleted."""

from __future__ import annotations

import asyncio
import re
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Header, Query, Request
from starlette.responses import Response

from isthmus.api.auth import Who
from isthmus.api.bodies import (
    ChangeBody,
    ScaleBody,
    TemplateBody,
    UpdateBody,
    read_deployment,
)
from isthmus.api.encode import answer, answer_deployment
from isthmus.api.json_route import JsonRoute
from isthmus.api.routes.common import ServiceDep, problems, unquote_key
from isthmus.errors import PreconditionFailed
from isthmus.service import Source
from isthmus.views import AccessView, DeploymentSummary, DeploymentView, Page, Phase, PlanView

router = APIRouter(route_class=JsonRoute, prefix="/deployments", tags=["deployments"])
IfMatch = Annotated[str | None, Header(description="ETag of the version that this change was meant for.")]

_AGAIN: dict[int | str, dict[str, Any]] = {200: {"model": DeploymentView, "description": "Made before with this key"}}
_CREATE_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {"schema": {"$ref": "#/components/schemas/DeploymentBody"}},
            "application/zip": {"schema": {"type": "string", "format": "binary"}},
        },
    },
    "parameters": [
        {
            "name": name,
            "in": "query",
            "schema": {"type": "string"},
            "description": f"{what} With a CSAR as body only.",
        }
        for name, what in (("name", "Its name."), ("site", "A site."), ("inputs", "Inputs, a JSON object."))
    ],
}


@router.post(
    "",
    summary="Make a deployment",
    status_code=202,
    response_model=DeploymentView,
    responses=_AGAIN | problems(404, 409, 413),
    openapi_extra=_CREATE_BODY,
)
async def create_deployment(
    request: Request,
    service: ServiceDep,
    who: Who,
    idempotency_key: Annotated[str | None, Header(max_length=255)] = None,
) -> Response:
    """Answers at once; follow its `events` to see it become real.

    The body is JSON, or a CSAR (`application/zip`). The same `Idempotency-Key` with the same body answers
    the deployment that is there already; with another body it is refused.
    """
    source, body = await read_deployment(request)
    view, new = await service.create(
        who,
        source,
        name=body.name,
        inputs=body.inputs,
        site=body.site,
        idempotency_key=unquote_key(idempotency_key),
    )
    return answer_deployment(view, 202 if new else 200)


@router.get("", summary="List deployments", response_model=Page, responses=problems())
async def list_deployments(
    service: ServiceDep,
    who: Who,
    cursor: Annotated[str | None, Query(max_length=500, description="From the page before.")] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
    phase: Phase | None = None,
) -> Response:
    """Yours and your VO's, the newest first. `Link` names the next page."""
    page = await service.list(who, cursor=cursor, limit=limit, phase=phase)
    headers = {}
    if page.cursor:
        query = {"cursor": page.cursor, "limit": limit} | ({"phase": phase} if phase else {})
        headers["Link"] = f'</v1/deployments?{urlencode(query)}>; rel="next"'
    return answer(page, headers=headers)


@router.get("/{ref}", summary="Show a deployment", response_model=DeploymentView, responses=problems(404))
async def show_deployment(ref: str, service: ServiceDep, who: Who) -> Response:
    """By id or name, with inputs, outputs and the state of every node."""
    return answer_deployment(await service.get(who, ref))


@router.get(
    "/{ref}/state",
    summary="Tell where a deployment stands",
    response_model=DeploymentSummary,
    responses=problems(404),
)
async def show_state(ref: str, service: ServiceDep, who: Who) -> Response:
    """The cheapest thing to ask, for those who ask often."""
    return answer(await service.state(who, ref))


@router.patch(
    "/{ref}",
    summary="Change a deployment",
    status_code=202,
    response_model=DeploymentView,
    responses=problems(404, 409, 412, 413),
)
async def update_deployment(
    ref: str, body: UpdateBody, service: ServiceDep, who: Who, if_match: IfMatch = None
) -> Response:
    """Another template or other inputs. Only what differs is touched."""
    view = await service.update(
        who, ref, source=await _source(body.template), inputs=body.inputs, version=_version(if_match)
    )
    return answer_deployment(view, 202)


@router.post("/{ref}/plan", summary="Plan a change", response_model=PlanView, responses=problems(404, 413))
async def plan_change(ref: str, body: ChangeBody, service: ServiceDep, who: Who) -> Response:
    """What an update or a scaling would do; with an empty body, what is still to be done."""
    source = await _source(body.template)
    plan = await service.plan_existing(who, ref, source=source, inputs=body.inputs, counts=body.counts)
    return answer(plan)


@router.post(
    "/{ref}/scale",
    summary="Scale a node",
    status_code=202,
    response_model=DeploymentView,
    responses=problems(404, 409, 412),
)
async def scale_deployment(
    ref: str, body: ScaleBody, service: ServiceDep, who: Who, if_match: IfMatch = None
) -> Response:
    """The youngest instances go first, unless `remove` names others."""
    view = await service.scale(who, ref, body.node, body.count, remove=tuple(body.remove), version=_version(if_match))
    return answer_deployment(view, 202)


@router.post(
    "/{ref}/start",
    summary="Start a stopped deployment",
    status_code=202,
    response_model=DeploymentView,
    responses=problems(404, 409),
)
async def start_deployment(ref: str, service: ServiceDep, who: Who) -> Response:
    return answer_deployment(await service.start(who, ref), 202)


@router.post(
    "/{ref}/stop",
    summary="Stop a deployment, keeping its disks",
    status_code=202,
    response_model=DeploymentView,
    responses=problems(404, 409),
)
async def stop_deployment(ref: str, service: ServiceDep, who: Who) -> Response:
    return answer_deployment(await service.stop(who, ref), 202)


@router.post(
    "/{ref}/resume",
    summary="Go on after a failure or a cancel",
    status_code=202,
    response_model=DeploymentView,
    responses=problems(404, 409),
)
async def resume_deployment(ref: str, service: ServiceDep, who: Who) -> Response:
    return answer_deployment(await service.resume(who, ref), 202)


@router.post(
    "/{ref}/cancel",
    summary="Stop working on a deployment",
    status_code=202,
    response_model=DeploymentView,
    responses=problems(404, 409),
)
async def cancel_deployment(ref: str, service: ServiceDep, who: Who) -> Response:
    """What is there stays; `resume` goes on, `delete` removes it."""
    return answer_deployment(await service.cancel(who, ref), 202)


@router.delete(
    "/{ref}",
    summary="Delete a deployment",
    status_code=202,
    response_model=DeploymentView,
    responses=problems(404, 409),
)
async def delete_deployment(ref: str, service: ServiceDep, who: Who) -> Response:
    """Runs the `stop` and `delete` operations of its template, then removes all that was made for it."""
    return answer_deployment(await service.delete(who, ref), 202)


@router.get("/{ref}/access", summary="Tell how to log in", response_model=AccessView, responses=problems(404, 409))
async def show_access(
    ref: str,
    service: ServiceDep,
    who: Who,
    instance: Annotated[str | None, Query(description="Such as `worker-0`; the only or first if missing.")] = None,
) -> Response:
    """Address, user and key of one machine. The key is the deployment's own; keep it so."""
    return answer(await service.access(who, ref, instance))


async def _source(template: TemplateBody | None) -> Source | None:
    return await asyncio.to_thread(template.source) if template else None


def _version(if_match: str | None) -> int | None:
    """The version that ``If-Match`` (RFC 9110 §13.1.1) names; None for any."""
    if if_match is None or if_match.strip() == "*":
        return None
    found = re.fullmatch(r'"([0-9]{1,18})"', if_match.strip())
    if found is None:
        raise PreconditionFailed("If-Match names no version of a deployment.", hint='It looks like "3".')
    return int(found[1])
