"""The app factory: routes, errors and bounds around a service."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import FastAPI
from fastapi.routing import APIRoute
from starlette.types import ASGIApp

from isthmus import __version__
from isthmus.api import reference
from isthmus.api.auth import Authenticator
from isthmus.api.description import install_description
from isthmus.api.gate import Gate
from isthmus.api.problems import install_problems
from isthmus.api.routes import blobs, deployments, health, history, jobs, sites, templates
from isthmus.api.routes.health import Check
from isthmus.api.streams import Closing

if TYPE_CHECKING:
    from isthmus.service import Service

BODY_LIMIT = 16 * 1024**2
"""The most bytes that a request's body may have."""
_DESCRIPTION = """\
Deploys and runs scientific computing anywhere. Send a bearer token with each request. Errors are problem
details (RFC 9457). Lists are paged by cursors. What takes long answers 202 at once; follow its `events`.
"""


async def _always() -> None:
    """Ready whenever it lives."""


def create_app(
    service: Service,
    authenticator: Authenticator,
    *,
    check: Check = _always,
    closing: Closing | None = None,
    body_limit: int = BODY_LIMIT,
) -> ASGIApp:
    """The whole API as an ASGI app. ``closing`` ends the streams when the server is about to stop."""
    return Gate(build(service, authenticator, check, closing), service, authenticator, body_limit)


def build(
    service: Service, authenticator: Authenticator, check: Check = _always, closing: Closing | None = None
) -> FastAPI:
    """The app without its gate; its ``openapi()`` is the description of the API."""
    app = FastAPI(
        title="Isthmus",
        version=__version__,
        description=_DESCRIPTION,
        generate_unique_id_function=_name,
        redirect_slashes=False,
        docs_url=None,
        redoc_url=None,
    )
    app.state.service = service
    app.state.authenticator = authenticator
    app.state.check = check
    app.state.unready = ""
    app.state.closing = closing or Closing()
    install_problems(app)
    install_description(app)
    app.include_router(reference.router)
    app.include_router(health.router)
    for module in (templates, deployments, history, jobs, blobs, sites):
        app.include_router(module.router, prefix="/v1")
    return app


def _name(route: APIRoute) -> str:
    return route.name
