"""Sites, and the images baked on them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fastapi import APIRouter
from starlette.responses import Response

from isthmus.api.auth import Who
from isthmus.api.bodies import PruneBody
from isthmus.api.encode import answer, answer_items
from isthmus.api.json_route import JsonRoute
from isthmus.api.routes.common import JobsDep, ServiceDep, problems
from isthmus.job_views import FacilitiesView
from isthmus.views import ImageView, SiteView

router = APIRouter(route_class=JsonRoute, tags=["sites"])


@dataclass(frozen=True, slots=True)
class SiteList:
    items: Sequence[SiteView]


@dataclass(frozen=True, slots=True)
class ImageList:
    items: Sequence[ImageView]


@router.get("/sites", summary="List the sites", response_model=SiteList, responses=problems())
async def list_sites(service: ServiceDep, jobs: JobsDep, who: Who) -> Response:
    """Those of the server, then the batch systems among your deployments, which take jobs by name only."""
    return answer_items([*await service.sites(), *await jobs.sites.deployed(who)])


@router.get("/sites/{name}", summary="Show a site", response_model=FacilitiesView, responses=problems(404))
async def show_site(name: str, jobs: JobsDep, who: Who) -> Response:
    """What it offers to jobs now: partitions, free cores, memory, GPUs, limits, and how long one may wait.

    The name may be that of a deployment which is a batch system.
    """
    return answer(await jobs.sites.facilities(who, name))


@router.get("/images", summary="List baked images", response_model=ImageList, responses=problems())
async def list_images(service: ServiceDep, who: Who) -> Response:
    return answer_items(await service.images())


@router.post("/images/prune", summary="Free baked images", response_model=ImageList, responses=problems(403))
async def prune_images(body: PruneBody, service: ServiceDep, who: Who) -> Response:
    """Deletes images and answers those that went. The next deployment that wants one installs anew."""
    return answer_items(await service.prune_images(who, unused_for=body.unused_for, keys=tuple(body.keys)))
