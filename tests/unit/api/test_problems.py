"""Every error is a problem document, and tells nothing that it should not."""

from __future__ import annotations

import logging
import re
from typing import Any

import httpx
import pytest

from isthmus.errors import Busy, Invalid, IsthmusError
from isthmus.views import DiagnosticView

from .conftest import built

MACHINE = {"template": {"catalogue": "machine"}}


def is_problem(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = answer.json()
    assert (body["status"], body["code"]) == (status, code)
    assert body["type"] == f"urn:isthmus:problem:{code}"
    assert body["title"]
    return body


@pytest.mark.parametrize("path", ["/v1/deployments", "/v1/deployments/x/state", "/v1/sites"])
@pytest.mark.parametrize("header", ["", "Basic abc", "Bearer ", "Bearer wrong-token-wrong-token", "Bearer \xe9"])
async def test_without_a_known_token_nothing_is_told(client: httpx.AsyncClient, path: str, header: str) -> None:
    answer = await client.get(path, headers={"Authorization": header.encode("latin-1")})  # type: ignore[dict-item]
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert answer.headers["content-type"] == "application/problem+json"


async def test_an_unknown_path_is_a_404(client: httpx.AsyncClient) -> None:
    is_problem(await client.get("/v1/nothing"), 404, "not-found")


async def test_an_unknown_method_is_a_405_that_says_what_is_allowed(client: httpx.AsyncClient) -> None:
    answer = await client.put("/v1/sites")
    is_problem(answer, 405, "method-not-allowed")
    assert answer.headers["allow"] == "GET"


@pytest.mark.parametrize("path", ["", "/state", "/events", "/logs", "/access", "/logs?follow=true"])
async def test_an_unknown_deployment_is_a_404(client: httpx.AsyncClient, path: str) -> None:
    is_problem(await client.get(f"/v1/deployments/none{path}"), 404, "not-found")


async def test_a_hint_is_passed_on(client: httpx.AsyncClient) -> None:
    body = is_problem(await client.get("/v1/catalogue/none"), 404, "not-found")
    assert body["hint"] == "See isthmus catalogue list."


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "#/template"),
        ({**MACHINE, "nmae": "x"}, "#/nmae"),
        ({"template": {}}, "#/template"),
        ({"template": {"catalogue": "a", "archive": "b"}}, "#/template"),
        ({"template": {"files": {}}}, "#/template"),
        ({**MACHINE, "inputs": [1]}, "#/inputs"),
        ({**MACHINE, "name": "n" * 64}, "#/name"),
    ],
)
async def test_a_wrong_request_points_at_what_is_wrong(
    client: httpx.AsyncClient, body: dict[str, Any], pointer: str
) -> None:
    told = is_problem(await client.post("/v1/deployments", json=body), 422, "invalid-request")
    assert told["errors"][0]["pointer"] == pointer


@pytest.mark.parametrize("content", [b"{", b"\xff\xfe", b"[" * 20000, b'{"template": {"catalogue": "\\ud800"}}'])
@pytest.mark.parametrize("path", ["/v1/deployments", "/v1/validate", "/v1/plans"])
async def test_nonsense_for_json_is_the_clients_fault(client: httpx.AsyncClient, path: str, content: bytes) -> None:
    answer = await client.post(path, content=content, headers={"Content-Type": "application/json"})
    assert 400 <= answer.status_code < 500
    assert answer.headers["content-type"] == "application/problem+json"


async def test_a_file_that_is_not_base64_is_refused_by_name(client: httpx.AsyncClient) -> None:
    template = {"main": "a", "files": {"a": {"base64": "§"}}}
    answer = await client.post("/v1/deployments", json={"template": template})
    assert "template.files[a]" in is_problem(answer, 422, "invalid-request")["detail"]


async def test_an_unknown_kind_of_body_is_refused_by_name(client: httpx.AsyncClient) -> None:
    answer = await client.post("/v1/deployments", content=b"x", headers={"Content-Type": "text/plain"})
    assert "text/plain" in is_problem(answer, 422, "unsupported")["detail"]


async def test_a_body_that_says_it_is_too_large_is_not_read(client: httpx.AsyncClient) -> None:
    async def never() -> Any:
        raise AssertionError("it was read")
        yield b""

    headers = {"Content-Length": str(10**12), "Content-Type": "application/json"}
    answer = await client.post("/v1/deployments", content=never(), headers=headers)
    is_problem(answer, 413, "too-large")


async def test_a_body_that_grows_too_large_is_cut_off(client: httpx.AsyncClient) -> None:
    sent = 0

    async def forever() -> Any:
        nonlocal sent
        while True:
            sent += 1
            yield b" " * 8192

    for path in ("/v1/deployments", "/v1/validate"):
        answer = await client.post(path, content=forever(), headers={"Content-Type": "application/json"})
        is_problem(answer, 413, "too-large")
    assert sent < 30


async def test_diagnostics_travel_with_the_problem(client: httpx.AsyncClient, service: Any) -> None:
    found = DiagnosticView("error", "unknown-type", "No type", file="a.yaml", line=2, column=5, excerpt="type: x")
    service.broken = Invalid("The template has one error.", diagnostics=[found])
    body = is_problem(await client.post("/v1/deployments", json=MACHINE), 422, "invalid")
    assert body["diagnostics"][0]["excerpt"] == "type: x"


async def test_busy_says_when_to_come_back(client: httpx.AsyncClient, service: Any) -> None:
    service.broken = Busy("The database is locked.", retry_after=2.5)
    answer = await client.post("/v1/deployments", json=MACHINE)
    is_problem(answer, 503, "busy")
    assert answer.headers["retry-after"] == "3"


@pytest.mark.parametrize("error", [RuntimeError("secret words"), IsthmusError("secret words")])
async def test_what_nobody_foresaw_is_logged_and_told_by_an_id_only(
    client: httpx.AsyncClient, service: Any, caplog: pytest.LogCaptureFixture, error: Exception
) -> None:
    service.broken = error
    with caplog.at_level(logging.ERROR):
        answer = await client.post("/v1/deployments", json=MACHINE)
    body = is_problem(answer, 500, "internal")
    assert "secret" not in answer.text
    assert any(body["id"] in record.getMessage() for record in caplog.records)


async def test_what_breaks_in_the_hottest_read_is_a_problem_too(client: httpx.AsyncClient, service: Any) -> None:
    async def broken(*_: Any) -> Any:
        raise RuntimeError("secret words")

    service.state = broken
    answer = await client.get("/v1/deployments/x/state")
    is_problem(answer, 500, "internal")
    assert "secret" not in answer.text


async def test_only_an_administrator_prunes_images(service: Any) -> None:
    from isthmus.api.app import create_app
    from isthmus.api.auth import StaticToken
    from isthmus.identity import Principal

    app = create_app(service, StaticToken("t" * 20, Principal("ann", "bio")))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://here") as client:
        answer = await client.post("/v1/images/prune", json={}, headers={"Authorization": f"Bearer {'t' * 20}"})
    is_problem(answer, 403, "forbidden")
    assert service.calls == []


async def test_a_nul_is_refused_wherever_it_stands(client: httpx.AsyncClient) -> None:
    for path in ("/v1/deployments/a%00b", "/v1/deployments/a%00b/state", "/v1/deployments?cursor=a%00"):
        assert (await client.get(path)).status_code == 422, path
    for body in ({**MACHINE, "inputs": {"a": ["\0"]}}, {**MACHINE, "inputs": {"\0": 1}}):
        is_problem(await client.post("/v1/deployments", json=body), 422, "invalid-request")


def routes() -> list[tuple[str, str]]:
    """Every path and method of the API that has a version."""
    found = [(path, method) for path, operations in built().openapi()["paths"].items() for method in operations]
    return [(path, method) for path, method in found if path.startswith("/v1/")]


@pytest.mark.parametrize(("path", "method"), routes())
async def test_no_route_passes_over_a_parameter_that_it_does_not_know(
    client: httpx.AsyncClient, path: str, method: str
) -> None:
    path = re.sub(r"{[^}]*}", "x", path)
    answer = await client.request(method, path, params={"bogus": "1", "limitt": "2"}, json={"a": 1})
    assert answer.status_code == 422
    assert [fault["pointer"] for fault in answer.json()["errors"]] == ["query/bogus", "query/limitt"]
    assert answer.json()["detail"].startswith("query/bogus: no such parameter, ")


async def test_an_unknown_parameter_is_refused_with_those_that_are_known(client: httpx.AsyncClient) -> None:
    told = (await client.get("/v1/jobs", params={"sate": "failed"})).json()
    assert told["detail"] == "query/sate: no such parameter, known are cursor, limit, site, state"
    assert (await client.get("/v1/jobs", params={"state": "failed"})).status_code == 200
    assert (await client.get("/v1/sites", params={"all": "1"})).json()["detail"].endswith("none is known here")


async def test_what_goes_with_a_csar_is_refused_beside_a_body_of_json(client: httpx.AsyncClient) -> None:
    body = {"template": {"catalogue": "machine"}}
    answer = await client.post("/v1/deployments", params={"name": "mine"}, json=body)
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "query/name")


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
async def test_who_asks_for_health_may_add_what_they_like(client: httpx.AsyncClient, path: str) -> None:
    assert (await client.get(path, params={"probe": "1"})).status_code == 200
