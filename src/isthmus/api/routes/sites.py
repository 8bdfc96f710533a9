"""Sites, and the images baked on them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fastapi import APIRouter
from starlette.responses import Response

from isthmus.api.auth import Who
from isthmus.api.bodies import PruneBody
from isthmus.api.encode import answer_items
from isthmus.api.json_route import JsonRoute
from isthmus.api.routes.common import ServiceDep, problems
from isthmus.views import ImageView, SiteView

router = APIRouter(route_class=JsonRoute, tags=["sites"])


@dataclass(frozen=True, slots=True)
class SiteList:
    items: Sequence[SiteView]


@dataclass(frozen=True, slots=True)
class ImageList:
    items: Sequence[ImageView]


@router.get("/sites", summary="List the sites", response_model=SiteList, responses=problems())
async def list_sites(service: ServiceDep, who: Who) -> Response:
    return answer_items(await service.sites())


@router.get("/images", summary="List baked images", response_model=ImageList, responses=problems())
async def list_images(service: ServiceDep, who: Who) -> Response:
    return answer_items(await service.images())


@router.post("/images/prune", summary="Free baked images", response_model=ImageList, responses=problems(403))
async def prune_images(body: PruneBody, service: ServiceDep, who: Who) -> Response:
    """Deletes images and answers those that went. The next deployment that wants one installs anew."""
    return answer_items(await service.prune_images(who, unused_for=body.unused_for, keys=tuple(body.keys)))
