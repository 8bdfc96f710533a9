"""Jobs over HTTP: accepted once, waited for, their logs and files streamed, hostile words refused."""

from __future__ import annotations

import asyncio
import hashlib
from typing import Any

import httpx
import pytest
from starlette.requests import ClientDisconnect

from isthmus.api import content
from isthmus.api.auth import LOCAL
from isthmus.api.content import disposition
from isthmus.api.job_bodies import JobBody
from isthmus.api.streams import Closing
from isthmus.sites.jobs import LogOptions
from isthmus.work.job import Launch, Resources

from .fake_jobs import FakeJobs

JOB = {"image": "python:3.12", "command": ["python", "-c", "print(42)"]}
DIGEST = "a" * 64


@pytest.fixture
def jobs(service: Any) -> FakeJobs:
    service.jobs = FakeJobs()
    return service.jobs  # type: ignore[no-any-return]


async def make(client: httpx.AsyncClient, **more: Any) -> Any:
    made = await client.post("/v1/jobs", json={**JOB, **more})
    assert made.status_code == 202, made.text
    return made.json()


async def test_a_job_answers_202_with_location_and_etag(client: httpx.AsyncClient, jobs: FakeJobs) -> None:
    made = await client.post("/v1/jobs", json={**JOB, "name": "one"})
    assert made.status_code == 202
    assert made.headers["location"] == f"/v1/jobs/{made.json()['id']}"
    assert made.headers["etag"] == '"1"'
    assert (made.json()["name"], made.json()["state"], made.json()["command"]) == ("one", "pending", JOB["command"])


async def test_what_was_asked_reaches_the_service(client: httpx.AsyncClient, jobs: FakeJobs) -> None:
    await make(
        client, site="hpc", needs=["gpu"], cpus=2.5, memory="2 GiB", gpus="a100:2", time="90m", nodes=2, tasks=4,
        launch="each", array="1-9:4%2", env={"A": "1"}, secrets={"S": "x"}, retry=2, after=["old"], keep="2h",
        options={"partition": "short"}, inputs=[{"path": "in/a", "digest": DIGEST, "mode": "0755"},
        {"path": "b", "url": "https://h/b"}], outputs=[{"path": "out/*"}],
    )  # fmt: skip
    [request] = jobs.requests
    spec, main = request.spec, request.spec.containers[0]
    assert spec.resources == Resources(2.5, 2 * 2**30, 2, "a100", 2, 4, 5400.0)
    assert (spec.array, spec.array_limit, spec.launch) == ((1, 5, 9), 2, Launch.EACH)
    assert (main.image, main.env, main.secrets) == ("python:3.12", {"A": "1"}, {"S": "x"})
    assert [(i.path, i.digest, i.url, i.mode) for i in spec.inputs] == [
        ("in/a", DIGEST, None, 0o755), ("b", None, "https://h/b", 0o644)]  # fmt: skip
    assert (request.site, request.needs, request.after, request.retry, request.keep) == (
        "hpc", ("gpu",), ("old",), 2, 7200.0)  # fmt: skip
    assert spec.options == {"partition": "short"}


async def test_several_containers_are_taken_as_they_are(client: httpx.AsyncClient, jobs: FakeJobs) -> None:
    body = {
        "init": [{"name": "get", "image": "a", "command": ["fetch"]}],
        "containers": [
            {"name": "web", "image": "b", "mounts": [{"volume": "v", "path": "/data", "sub_path": "x"}],
             "liveness": {"check": {"http": "http://localhost:80/"}, "period": "5s"}, "memory": "1 GiB"},
            {"name": "side", "image": "c", "pre_stop": {"sleep": 1}},
        ],
        "volumes": [{"name": "v", "files": [{"path": "f", "content": "aGk="}]}],
    }  # fmt: skip
    assert (await client.post("/v1/jobs", json=body)).status_code == 202
    spec = jobs.requests[0].spec
    assert [c.name for c in (*spec.init, *spec.containers)] == ["get", "web", "side"]
    web = spec.containers[0]
    assert web.liveness is not None
    assert (web.liveness.check.http, web.liveness.period, web.memory) == ("http://localhost:80/", 5.0, 2**30)
    assert web.mounts[0].sub_path == "x"


async def test_processes_are_one_on_each_node_if_nothing_is_said(client: httpx.AsyncClient, jobs: FakeJobs) -> None:
    await make(client, nodes=3)
    assert jobs.requests[0].spec.resources.tasks == 3


async def test_the_same_idempotency_key_makes_one_job(client: httpx.AsyncClient, jobs: FakeJobs) -> None:
    first = await client.post("/v1/jobs", json=JOB, headers={"Idempotency-Key": '"k"'})
    again = await client.post("/v1/jobs", json=JOB, headers={"Idempotency-Key": "k"})
    assert (first.status_code, again.status_code) == (202, 200)
    assert first.json()["id"] == again.json()["id"]


@pytest.mark.parametrize(
    ("body", "pointer", "words"),
    [
        ({}, "#/", "image is missing; with container: false"),
        ({"command": ["ls"]}, "#/", "image is missing"),
        ({"container": False}, "#/", "command is missing"),
        ({**JOB, "container": False}, "#/", "container: false is for what has no image"),
        ({**JOB, "gpu": 1}, "#/gpu", "not permitted"),
        ({**JOB, "memory": "2 apples"}, "#/memory", "is not a size such as"),
        ({**JOB, "memory": "90m"}, "#/memory", "is not a size"),
        ({**JOB, "time": "2 GiB"}, "#/time", "is not a time"),
        ({**JOB, "time": 0}, "#/", "time is 0"),
        ({**JOB, "gpus": "a b:1"}, "#/gpus", "is no number of GPUs"),
        ({**JOB, "array": "5-1"}, "#/array", "ends before it begins"),
        ({**JOB, "array": [1, 1]}, "#/array", "different whole numbers"),
        ({**JOB, "array": "0-99999"}, "#/array", "10000 tasks at most"),
        ({**JOB, "array_limit": 2}, "#/", "array_limit goes with an array"),
        ({**JOB, "nodes": 4, "tasks": 2}, "#/", "cannot be spread"),
        ({**JOB, "image": "--privileged"}, "#/image", "pattern"),
        ({**JOB, "image": "a b"}, "#/image", "pattern"),
        ({**JOB, "name": "../x"}, "#/name", "pattern"),
        ({**JOB, "env": {"A=B": "1"}}, "#/env/A=B/[key]", "pattern"),
        ({**JOB, "inputs": [{"path": "../a", "digest": DIGEST}]}, "#/inputs/0/path", "must not have"),
        ({**JOB, "inputs": [{"path": "/etc/x", "digest": DIGEST}]}, "#/inputs/0/path", "must be relative"),
        ({**JOB, "inputs": [{"path": "a\nb", "digest": DIGEST}]}, "#/inputs/0/path", "control characters"),
        ({**JOB, "inputs": [{"path": "a"}]}, "#/inputs/0", "exactly one of digest and url"),
        ({**JOB, "inputs": [{"path": "a", "url": "file:///etc/passwd"}]}, "#/inputs/0/url", "no https:// or s3://"),
        ({**JOB, "inputs": [{"path": "a", "url": "https://u:p@h/x"}]}, "#/inputs/0/url", "password"),
        ({**JOB, "inputs": [{"path": "a", "digest": DIGEST}] * 2}, "#/", "two inputs have the path a"),
        ({**JOB, "outputs": [{"path": "a\\b"}]}, "#/outputs/0/path", "backslash"),
        ({**JOB, "options": {"-x": "1"}}, "#/options/-x/[key]", "pattern"),
        ({**JOB, "containers": [{"name": "a", "image": "b"}]}, "#/", "image and containers exclude"),
        ({"containers": [{"name": "a", "image": "b"}] * 2}, "#/", "two containers are called a"),
        ({"containers": [{"name": "a", "image": "b", "mounts": [{"volume": "v", "path": "/x"}]}]}, "#/", "not there"),
        ({**JOB, "volumes": [{"name": "v", "files": [], "host_path": "/"}]}, "#/volumes/0", "exclude one another"),
    ],
)
async def test_what_is_wrong_is_told_with_its_place(
    client: httpx.AsyncClient, jobs: FakeJobs, body: Any, pointer: str, words: str
) -> None:
    answer = await client.post("/v1/jobs", json=body)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid-request")
    fault = answer.json()["errors"][0]
    assert fault["pointer"] == pointer
    assert words in fault["detail"]
    assert jobs.requests == []


async def test_a_vo_that_one_does_not_act_for_is_refused(client: httpx.AsyncClient, jobs: FakeJobs) -> None:
    await make(client, vo="local")
    assert (await client.post("/v1/jobs", json={**JOB, "vo": "other"})).status_code == 403


async def test_jobs_are_listed_in_pages_with_filters(client: httpx.AsyncClient, jobs: FakeJobs) -> None:
    for n in range(5):
        await make(client, name=f"j{n}", site="a" if n else "b")
    seen, url = [], "/v1/jobs?limit=2&site=a"
    while url:
        page = await client.get(url)
        seen += [j["name"] for j in page.json()["items"]]
        url = page.links.get("next", {}).get("url", "")
    assert seen == ["j1", "j2", "j3", "j4"]
    assert (await client.get("/v1/jobs?state=sleeping")).status_code == 422


async def test_a_job_is_shown_by_name_and_without_its_tasks(client: httpx.AsyncClient, jobs: FakeJobs) -> None:
    await make(client, name="one", array="1-3")
    shown = await client.get("/v1/jobs/one")
    assert (shown.headers["etag"], len(shown.json()["details"])) == ('"1"', 3)
    assert (await client.get("/v1/jobs/one?tasks=false")).json()["details"] == []
    assert (await client.get("/v1/jobs/none")).status_code == 404


async def test_a_wait_answers_with_what_has_changed(client: httpx.AsyncClient, jobs: FakeJobs) -> None:
    await make(client, name="one")
    changed = await client.get("/v1/jobs/one?wait=5&version=1")
    assert (changed.json()["state"], changed.json()["version"]) == ("queued", "2")
    assert jobs.waits == [("1", 5.0)]
    assert (await client.get("/v1/jobs/one?wait=3600")).status_code == 422


async def test_a_wait_ends_when_the_server_stops(client: httpx.AsyncClient, jobs: FakeJobs, closing: Closing) -> None:
    await make(client, name="one")
    jobs.endless = True
    asyncio.get_running_loop().call_later(0.05, closing.start)
    answer = await asyncio.wait_for(client.get("/v1/jobs/one?wait=60&version=1"), 60)
    assert answer.json()["state"] == "pending"


async def test_a_cancel_may_name_tasks(client: httpx.AsyncClient, jobs: FakeJobs) -> None:
    number = (await make(client, name="one", array="1-9"))["id"]
    for body, wanted in (({"tasks": "2-4"}, (2, 3, 4)), ({"tasks": [7]}, (7,)), ({}, None), (None, None)):
        answer = await client.post("/v1/jobs/one/cancel", **({"json": body} if body is not None else {}))
        assert answer.status_code == 202, answer.text
        assert jobs.cancelled[-1] == (number, wanted)


async def test_a_deleted_job_is_gone(client: httpx.AsyncClient, jobs: FakeJobs) -> None:
    await make(client, name="one")
    gone = await client.delete("/v1/jobs/one")
    assert (gone.status_code, gone.content) == (204, b"")
    assert (await client.get("/v1/jobs/one")).status_code == 404


async def test_a_log_is_streamed_text(client: httpx.AsyncClient, jobs: FakeJobs) -> None:
    await make(client, name="one", array="3-5")
    answer = await client.get("/v1/jobs/one/log?tail=2&timestamps=true&previous=true&limit=100&container=main")
    assert answer.content == jobs.log_text
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.headers["x-content-type-options"] == "nosniff"
    index, container, options = jobs.logs[0]
    assert (index, container) == (3, "main")
    assert (options.tail, options.timestamps, options.previous, options.limit, options.follow) == (
        2, True, True, 100, False)  # fmt: skip
    assert jobs.closed == 1


async def test_a_log_may_begin_at_a_time(client: httpx.AsyncClient, jobs: FakeJobs) -> None:
    await make(client, name="one")
    await client.get("/v1/jobs/one/log?since_time=1970-01-01T00:01:00Z&task=0")
    assert jobs.logs[0][2].since == 60.0
    assert (await client.get("/v1/jobs/one/log?since_time=1970-01-01T00:01:00")).status_code == 422
    assert (await client.get("/v1/jobs/one/log?since_time=1970-01-01T00:01:00Z&since=5")).status_code == 422
    assert (await client.get("/v1/jobs/one/log?container=nothing")).status_code == 404


@pytest.mark.parametrize("asked", ["tail=99999999999999999999", "since=inf", "since=1e308", "limit=1e30", "limit=0"])
async def test_a_part_of_a_log_that_cannot_be_is_refused(client: httpx.AsyncClient, jobs: FakeJobs, asked: str) -> None:
    made = await make(client)
    assert (await client.get(f"/v1/jobs/{made['id']}/log?{asked}")).status_code == 422
    assert jobs.logs == []


async def test_a_log_since_long_ago_is_all_of_it(client: httpx.AsyncClient, jobs: FakeJobs) -> None:
    made = await make(client)
    for asked in ("since=2000000000", "since_time=0001-01-01T00:00:00Z"):
        assert (await client.get(f"/v1/jobs/{made['id']}/log?{asked}")).status_code == 200
        assert jobs.logs[-1][2].since == 0


async def test_a_followed_log_ends_when_the_server_stops(
    client: httpx.AsyncClient, jobs: FakeJobs, closing: Closing
) -> None:
    await make(client, name="one")
    jobs.endless = True
    asyncio.get_running_loop().call_later(0.05, closing.start)
    answer = await asyncio.wait_for(client.get("/v1/jobs/one/log?follow=true"), 60)
    assert answer.content == jobs.log_text
    assert jobs.closed == 1


async def test_who_stops_following_stops_what_reads(jobs: FakeJobs, closing: Closing) -> None:
    await jobs.create(LOCAL, JobBody.model_validate(JOB).request(None))
    jobs.endless = True
    chunks = content.until(
        closing, await jobs.output.log(None, "made-up", index=0, container=None, options=LogOptions(follow=True))
    )
    assert await anext(chunks) == jobs.log_text[:7]
    await chunks.aclose()  # type: ignore[attr-defined]
    assert jobs.closed == 1


async def test_files_are_listed_and_fetched_for_keeping_only(client: httpx.AsyncClient, jobs: FakeJobs) -> None:
    await make(client, name="one")
    path = 'out/a "b"\n<script>é.html'
    jobs.files_left[path] = b"<script>alert(1)</script>"
    [listed] = (await client.get("/v1/jobs/one/files")).json()["items"]
    assert (listed["path"], listed["size"]) == (path, 25)
    answer = await client.get("/v1/jobs/one/files/out/a%20%22b%22%0A%3Cscript%3E%C3%A9.html")
    assert answer.content == jobs.files_left[path]
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["content-disposition"].startswith('attachment; filename="a _b___script__.html"')
    assert answer.headers["content-security-policy"] == "sandbox"
    assert (await client.get("/v1/jobs/one/files/none")).status_code == 404


@pytest.mark.parametrize("path", ["..%2F..%2Fetc%2Fpasswd", "%2Fetc%2Fpasswd", "a%2F..%2Fb"])
async def test_a_path_that_leads_out_is_not_found(client: httpx.AsyncClient, jobs: FakeJobs, path: str) -> None:
    await make(client, name="one")
    assert (await client.get(f"/v1/jobs/one/files/{path}")).status_code == 404


@pytest.mark.parametrize(
    ("path", "header"),
    [
        ("a/b.txt", 'attachment; filename="b.txt"'),
        ("é", "attachment; filename=\"_\"; filename*=UTF-8''%C3%A9"),
        ('x"; y\r\nSet-Cookie: a', "attachment; filename=\"x__ y__Set-Cookie_ a\"; filename*=UTF-8''"
         "x%22%3B%20y%0D%0ASet-Cookie%3A%20a"),
        ("\udcff", "attachment; filename=\"_\"; filename*=UTF-8''%3F"),
    ],
)  # fmt: skip
def test_a_name_of_a_file_cannot_leave_its_header(path: str, header: str) -> None:
    assert disposition(path) == header


async def test_blobs_are_put_once_by_their_digest(client: httpx.AsyncClient, jobs: FakeJobs) -> None:
    body = b"x" * 200_000
    digest = hashlib.sha256(body).hexdigest()
    asked = await client.post("/v1/blobs/missing", json={"digests": [digest]})
    assert asked.json() == {"missing": [digest]}
    assert (await client.put(f"/v1/blobs/{digest}", content=body)).status_code == 204
    assert (await client.post("/v1/blobs/missing", json={"digests": [digest]})).json() == {"missing": []}
    assert (await client.put(f"/v1/blobs/{'0' * 64}", content=b"no")).status_code == 422
    assert (await client.put("/v1/blobs/..%2Fx", content=b"no")).status_code in (404, 422)
    assert (await client.put("/v1/blobs/ABC", content=b"no")).status_code == 422


async def test_an_upload_that_breaks_off_is_no_defect_of_the_server(
    client: httpx.AsyncClient, jobs: FakeJobs, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def broken_off(*_: object) -> None:
        raise ClientDisconnect

    monkeypatch.setattr(jobs, "put_blob", broken_off)
    assert (await client.put(f"/v1/blobs/{DIGEST}", content=b"x")).status_code == 422
    assert "unforeseen" not in caplog.text


async def test_a_blob_may_be_larger_than_other_bodies_and_needs_a_token(
    client: httpx.AsyncClient, jobs: FakeJobs
) -> None:
    assert (await client.post("/v1/jobs", content=b"x" * 200_000)).status_code == 413
    refused = await client.put(f"/v1/blobs/{'0' * 64}", content=b"x", headers={"Authorization": "Bearer no"})
    assert refused.status_code == 401
    assert jobs.blobs == {}


async def test_a_site_tells_what_it_offers(client: httpx.AsyncClient, jobs: FakeJobs) -> None:
    site = (await client.get("/v1/sites/hpc")).json()
    assert (site["scheduler"], site["partitions"][0]["gpus"], site["partitions"][1]["free_cpus"]) == (
        "slurm", {"a100": 2}, None)  # fmt: skip
    assert (await client.get("/v1/sites/none")).status_code == 404
