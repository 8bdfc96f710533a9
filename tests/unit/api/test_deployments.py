"""Deployments over HTTP: created once, listed in pages, changed under a version."""

from __future__ import annotations

import base64
from typing import Any

import httpx

MACHINE = {"template": {"catalogue": "machine"}}


async def make(client: httpx.AsyncClient, name: str, **headers: str) -> httpx.Response:
    body = {**MACHINE, "name": name, "inputs": {"cpus": 2}}
    return await client.post("/v1/deployments", json=body, headers=headers)


async def test_a_create_answers_202_with_location_and_etag(client: httpx.AsyncClient) -> None:
    made = await make(client, "one")
    assert made.status_code == 202
    assert made.headers["location"] == f"/v1/deployments/{made.json()['id']}"
    assert made.headers["etag"] == '"1"'
    assert made.json()["inputs"] == {"cpus": 2}
    assert (made.json()["owner"], made.json()["vo"]) == ("local", "local")


async def test_the_same_idempotency_key_makes_one_deployment(client: httpx.AsyncClient) -> None:
    first = await make(client, "one", **{"Idempotency-Key": '"k1"'})
    again = await make(client, "one", **{"Idempotency-Key": "k1"})
    assert (first.status_code, again.status_code) == (202, 200)
    assert first.json()["id"] == again.json()["id"]


async def test_an_idempotency_key_with_another_body_is_refused(client: httpx.AsyncClient) -> None:
    await make(client, "one", **{"Idempotency-Key": "k1"})
    other = await make(client, "two", **{"Idempotency-Key": "k1"})
    assert (other.status_code, other.json()["code"]) == (422, "idempotency-key-reused")


async def test_a_name_in_use_is_a_conflict(client: httpx.AsyncClient) -> None:
    await make(client, "one")
    again = await make(client, "one")
    assert (again.status_code, again.json()["code"]) == (409, "name-in-use")


async def test_files_become_a_bundle(client: httpx.AsyncClient, service: Any) -> None:
    files = {"a.yaml": "x: 1", "b.bin": {"base64": base64.b64encode(b"\xff\x00").decode()}}
    body = {"template": {"main": "a.yaml", "files": files}}
    assert (await client.post("/v1/deployments", json=body)).status_code == 202
    bundle = service.calls[-1][1][0].bundle
    assert bundle.main == "a.yaml"
    assert dict(bundle.files) == {"a.yaml": b"x: 1", "b.bin": b"\xff\x00"}


async def test_a_list_comes_in_pages_that_link_to_the_next(client: httpx.AsyncClient) -> None:
    for n in range(5):
        await make(client, f"d{n}")
    seen, url = [], "/v1/deployments?limit=2"
    while url:
        page = await client.get(url)
        seen += [d["name"] for d in page.json()["items"]]
        url = page.links.get("next", {}).get("url", "")
    assert seen == ["d0", "d1", "d2", "d3", "d4"]


async def test_a_page_has_a_bound(client: httpx.AsyncClient) -> None:
    assert (await client.get("/v1/deployments?limit=100000")).status_code == 422


async def test_the_state_is_a_summary(client: httpx.AsyncClient) -> None:
    number = (await make(client, "one")).json()["id"]
    state = await client.get(f"/v1/deployments/{number}/state")
    assert state.status_code == 200
    assert (state.json()["name"], state.json()["phase"]) == ("one", "pending")
    assert "nodes" not in state.json()


async def test_an_update_under_the_right_version_is_taken(client: httpx.AsyncClient) -> None:
    made = await make(client, "one")
    changed = await client.patch(
        "/v1/deployments/one", json={"inputs": {"cpus": 4}}, headers={"If-Match": made.headers["etag"]}
    )
    assert (changed.status_code, changed.headers["etag"]) == (202, '"2"')


async def test_an_update_under_an_old_version_is_refused(client: httpx.AsyncClient) -> None:
    await make(client, "one")
    for stale in ('"7"', 'W/"1"', "nonsense"):
        answer = await client.patch("/v1/deployments/one", json={}, headers={"If-Match": stale})
        assert answer.status_code == 412, stale


async def test_an_update_may_do_without_a_version(client: httpx.AsyncClient) -> None:
    await make(client, "one")
    assert (await client.patch("/v1/deployments/one", json={})).status_code == 202
    assert (await client.patch("/v1/deployments/one", json={}, headers={"If-Match": "*"})).status_code == 202


async def test_scaling_says_which_instances_go(client: httpx.AsyncClient, service: Any) -> None:
    await make(client, "one")
    body = {"node": "worker", "count": 1, "remove": [0, 2]}
    answer = await client.post("/v1/deployments/one/scale", json=body, headers={"If-Match": '"1"'})
    assert answer.status_code == 202
    assert service.calls[-1] == ("scale", ("worker", 1, (0, 2), 1))


async def test_actions_answer_202_with_the_deployment(client: httpx.AsyncClient) -> None:
    await make(client, "one")
    for verb in ("start", "stop", "resume", "cancel"):
        answer = await client.post(f"/v1/deployments/one/{verb}")
        assert (answer.status_code, answer.json()["name"]) == (202, "one"), verb
    assert (await client.delete("/v1/deployments/one")).status_code == 202


async def test_a_change_can_be_planned(client: httpx.AsyncClient, service: Any) -> None:
    await make(client, "one")
    plan = await client.post("/v1/deployments/one/plan", json={"counts": {"worker": 4}})
    assert plan.json()["converged"] is True
    assert service.calls[-1][1]["counts"] == {"worker": 4}


async def test_templates_sites_and_images_are_listed(client: httpx.AsyncClient) -> None:
    for path in ("catalogue", "sites", "images"):
        assert isinstance((await client.get(f"/v1/{path}")).json()["items"], list)
    assert (await client.get("/v1/catalogue/machine")).json()["title"] == "A machine"
    inputs = await client.get("/v1/catalogue/machine/inputs")
    assert inputs.json()["properties"] == {"cpus": {"type": "integer"}}
    assert (await client.get("/v1/catalogue/nothing/inputs")).status_code == 404


async def test_a_bad_template_is_validated_with_a_200(client: httpx.AsyncClient) -> None:
    answer = await client.post("/v1/validate", json=MACHINE)
    assert answer.status_code == 200
    told = answer.json()
    assert (told["valid"], told["deployable"], told["errors"], told["leniencies"]) == (False, False, 1, [])
    assert answer.json()["diagnostics"][0]["line"] == 3
