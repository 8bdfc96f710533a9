"""JSON out of views, without a model in between: the values are ours and already right."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic_core import to_json
from starlette.responses import Response

from isthmus.views import DeploymentView

JSON = "application/json"


def encode(value: Any) -> bytes:
    """Dataclasses, mappings and sequences as JSON; what JSON has no number for becomes null."""
    return to_json(value, inf_nan_mode="null", fallback=_plain)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, Sequence | set | frozenset):
        return list(value)
    raise TypeError(f"{type(value).__name__} has no JSON form")


def answer(value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """A response whose body is ``value`` as JSON."""
    return Response(encode(value), status, {"Cache-Control": "no-store", **(headers or {})}, JSON)


def answer_deployment(view: DeploymentView, status: int = 200) -> Response:
    """A deployment with its ETag, and its Location when work on it goes on (202)."""
    headers = {"ETag": f'"{view.version}"'}
    if status in (201, 202):
        headers["Location"] = f"/v1/deployments/{view.id}"
    return answer(view, status, headers)


def answer_items(items: Sequence[Any]) -> Response:
    """A list that is never paged."""
    return answer({"items": items})
