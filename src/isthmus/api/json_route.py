"""Routes that read JSON strictly: what a database could not keep is refused at the door."""

from __future__ import annotations

from collections.abc import Callable, Collection, Coroutine, Iterator
from typing import Any

from fastapi import Request
from fastapi.dependencies.models import Dependant
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic_core import from_json
from starlette.responses import Response

from isthmus.api.problems import Enclosed
from isthmus.errors import Invalid


def parse_json(content: bytes) -> Any:
    """JSON (RFC 8259) without NaN, half surrogate pairs and NUL characters, nested no deeper than 200."""
    try:
        value = from_json(content, allow_inf_nan=False)
    except ValueError as error:
        raise Invalid(f"The body is not JSON: {error}", code="invalid-request") from None
    if _holds_nul(value):
        raise Invalid(
            "A string of the body holds a NUL character.",
            hint="Send binary files as base64.",
            code="invalid-request",
        )
    return value


def _holds_nul(value: Any) -> bool:
    match value:
        case str():
            return "\0" in value
        case dict():
            return any("\0" in key or _holds_nul(item) for key, item in value.items())
        case list():
            return any(map(_holds_nul, value))
        case _:
            return False


class _StrictRequest(Request):
    async def json(self) -> Any:
        try:
            return parse_json(await self.body())
        except Invalid as error:
            raise Enclosed(error) from None


class JsonRoute(APIRoute):
    """A route whose body is read by :func:`parse_json`, and whose query has nothing that it does not know."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()
        known = frozenset(_queries(self.dependant)) | {
            given["name"] for given in (self.openapi_extra or {}).get("parameters", ()) if given["in"] == "query"
        }

        async def handle_strictly(request: Request) -> Response:
            refuse_unknown(request, known)
            return await handle(_StrictRequest(request.scope, request.receive))

        return handle_strictly


def refuse_unknown(request: Request, known: Collection[str]) -> None:
    """Refuse, by name, parameters of the query that would be passed over."""
    if unknown := sorted(set(request.query_params) - set(known)):
        told = f"known are {', '.join(sorted(known))}" if known else "none is known here"
        raise RequestValidationError(
            [{"loc": ("query", name), "msg": f"no such parameter, {told}"} for name in unknown]
        )


def _queries(dependant: Dependant) -> Iterator[str]:
    """The names of the parameters that a route and what it depends on read from the query."""
    yield from (field.alias for field in dependant.query_params)
    for below in dependant.dependencies:
        yield from _queries(below)
