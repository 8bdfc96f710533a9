"""Whether the server lives, is ready for work, and which version it is. No token needed."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

from fastapi import APIRouter, Request
from starlette.responses import Response

from isthmus import __version__
from isthmus.api.encode import answer
from isthmus.api.json_route import JsonRoute
from isthmus.errors import Busy

router = APIRouter(tags=["health"])
strict = APIRouter(tags=["health"], route_class=JsonRoute)
log = logging.getLogger(__name__)
Check = Callable[[], Awaitable[None]]
"""Raises while the server could not do its work, because its database is gone for instance."""


@router.get("/healthz", summary="Whether the process lives")
async def live() -> Response:
    return answer({"status": "live"})


@router.get("/readyz", summary="Whether it can do its work")
async def ready(request: Request) -> Response:
    state = request.app.state
    try:
        await state.check()
    except Exception as error:
        # Whatever is wrong, the answer is the same; the log has the cause, once however often one asks.
        if state.unready != str(error):
            log.warning("not ready: %s", error)
        state.unready = str(error)
        raise Busy("The server is not ready.", retry_after=2, code="not-ready") from error
    state.unready = ""
    return answer({"status": "ready"})


@strict.get("/v1/version", summary="Tell the version")
async def version() -> Response:
    return answer({"name": "isthmus", "version": __version__, "api": ["v1"]})


router.include_router(strict)
