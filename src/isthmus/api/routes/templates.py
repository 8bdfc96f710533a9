"""Templates before anything is made: the catalogue, validation, plans."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter
from starlette.responses import Response

from isthmus.api.auth import Who
from isthmus.api.bodies import DeploymentBody, ValidateBody
from isthmus.api.encode import answer, answer_items
from isthmus.api.json_route import JsonRoute
from isthmus.api.routes.common import ServiceDep, problems
from isthmus.views import PlanView, TemplateView, ValidationView

router = APIRouter(route_class=JsonRoute, tags=["templates"])


@dataclass(frozen=True, slots=True)
class TemplateList:
    items: Sequence[TemplateView]


@router.get("/catalogue", summary="List the catalogue", response_model=TemplateList, responses=problems())
async def list_catalogue(service: ServiceDep, who: Who) -> Response:
    return answer_items(await service.catalogue())


@router.get(
    "/catalogue/{name}",
    summary="Show a template with its form",
    response_model=TemplateView,
    responses=problems(404),
)
async def show_template(name: str, service: ServiceDep, who: Who) -> Response:
    return answer(await service.template(name))


@router.get(
    "/catalogue/{name}/inputs",
    summary="Show a template's inputs as JSON Schema",
    response_model=dict[str, Any],
    responses=problems(404),
)
async def show_template_inputs(name: str, service: ServiceDep, who: Who) -> Response:
    """A JSON Schema (2020-12), for forms and for checks; secrets are `writeOnly`."""
    return answer(await service.template_inputs(name))


@router.post("/validate", summary="Validate a template", response_model=ValidationView, responses=problems(413))
async def validate_template(body: ValidateBody, service: ServiceDep, who: Who) -> Response:
    """All that is wrong with a template, or worth a warning, at once. A bad template is no error here.

    As with `isthmus validate`, an input without a value is a `note` as long as no inputs are given.
    """
    source = await asyncio.to_thread(body.template.source)
    return answer(await service.validate(source, body.inputs))


@router.post("/plans", summary="Plan a new deployment", response_model=PlanView, responses=problems(404, 413))
async def plan_deployment(body: DeploymentBody, service: ServiceDep, who: Who) -> Response:
    """What a create with the same body would do. Nothing is touched."""
    source = await asyncio.to_thread(body.template.source)
    name = body.name or ""
    return answer(await service.plan(who, source, name=name, inputs=body.inputs, site=body.site))
