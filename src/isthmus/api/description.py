"""The OpenAPI description: FastAPI's own, with errors under the media type that they really have."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI

from isthmus.api.problems import MEDIA_TYPE


def install_description(app: FastAPI) -> None:
    """Make ``app.openapi()`` tell of problem details (FastAPI knows one media type for all answers)."""
    plain = app.openapi

    def describe() -> dict[str, Any]:
        if app.openapi_schema is None:
            _correct(plain())
        return plain()

    app.openapi = describe  # type: ignore[method-assign]


def _correct(description: dict[str, Any]) -> None:
    for path in description["paths"].values():
        for operation in path.values():
            for status, response in operation["responses"].items():
                if status >= "400" and "application/json" in response.get("content", {}):
                    response["content"] = {MEDIA_TYPE: response["content"]["application/json"]}
