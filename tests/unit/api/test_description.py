"""The OpenAPI description is whole, and what needs no token works without."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from isthmus.api.app import build
from isthmus.api.auth import StaticToken


@pytest.fixture
def description(service: Any) -> dict[str, Any]:
    return build(service, StaticToken("t" * 20)).openapi()


def operations(description: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    return [(f"{m} {p}", o) for p, path in description["paths"].items() for m, o in path.items()]


def test_every_operation_has_a_summary_and_an_id_of_its_own(description: dict[str, Any]) -> None:
    found = operations(description)
    assert all(o["summary"] for _, o in found)
    ids = [o["operationId"] for _, o in found]
    assert len(ids) == len(set(ids))


def test_every_operation_under_v1_wants_a_token(description: dict[str, Any]) -> None:
    open_ones = [name for name, o in operations(description) if not o.get("security")]
    assert open_ones == ["get /healthz", "get /readyz", "get /v1/version"]


def test_every_reference_leads_somewhere(description: dict[str, Any]) -> None:
    schemas = description["components"]["schemas"]
    text = json.dumps(description)
    names = {part.split('"')[0] for part in text.split("#/components/schemas/")[1:]}
    assert names <= schemas.keys()


def test_errors_are_described_as_problems(description: dict[str, Any]) -> None:
    answers = description["paths"]["/v1/deployments"]["post"]["responses"]
    assert list(answers["409"]["content"]) == ["application/problem+json"]


async def test_health_and_version_need_no_token(app: Any) -> None:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://here") as client:
        for path in ("/healthz", "/readyz", "/v1/version"):
            assert (await client.get(path)).status_code == 200


async def test_it_is_not_ready_while_its_check_fails(service: Any) -> None:
    from isthmus.api.app import create_app

    async def check() -> None:
        raise ConnectionError("no database at postgresql://u:secret@h")

    app = create_app(service, StaticToken("t" * 20), check=check)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://here") as client:
        answer = await client.get("/readyz")
    assert (answer.status_code, answer.json()["code"]) == (503, "not-ready")
    assert "secret" not in answer.text


async def test_the_reference_is_one_page_that_loads_nothing_from_elsewhere(client: httpx.AsyncClient) -> None:
    page = await client.get("/docs")
    assert page.status_code == 200
    assert "Make a deployment" in page.text
    assert "http://" not in page.text
    assert "https://" not in page.text
    assert "<script" not in page.text
