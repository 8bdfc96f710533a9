"""Virtual kubelet, API server and plugin as three parties, with real sockets between them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest

from isthmus.api.dialects.interlink.edge import Edge
from isthmus.api.dialects.interlink.listening import Listening
from isthmus.api.dialects.interlink.plugin import Plugin
from isthmus.api.dialects.interlink.upstream import Address, Local, Remote, Upstream
from isthmus.work.job import JobState

from ...unit.api.interlink.ledger import Ledger, ended, running
from ...unit.api.interlink.pods import UID, config_map, container, log_request, pod
from .certificates import Authority
from .conftest import client, listening, until

TOKEN = "a-token-of-the-cluster-1"


@pytest.fixture(params=["in process", "tcp", "unix", "https"])
async def kubelet(request: pytest.FixtureRequest, plugin: Plugin, tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    """A client of an API server, before a plugin that is reached in one of the ways there are."""
    async with AsyncExitStack() as stack:
        upstream = await upstream_of(request.param, plugin, tmp_path, stack)
        stack.push_async_callback(upstream.close)
        routes = Edge(upstream, patience=0.3, pause=0.1).routes()
        url = await stack.enter_async_context(listening(routes, Listening(path=tmp_path / "edge.sock")))
        yield await stack.enter_async_context(client(url))


async def upstream_of(kind: str, plugin: Plugin, folder: Path, stack: AsyncExitStack) -> Upstream:
    if kind == "in process":
        return Local(plugin.routes())
    if kind != "https":
        where = Listening("127.0.0.1:0") if kind == "tcp" else Listening(path=folder / "plugin.sock")
        return Remote(Address(await stack.enter_async_context(listening(plugin.routes(), where))))
    authority, tokens = Authority(folder / "ca", "ca"), folder / "tokens"
    own, shown = authority.issue("plugin"), authority.issue("edge")
    tokens.write_text(TOKEN)
    where = Listening(
        "127.0.0.1:0", tls_cert=own.cert, tls_key=own.key, client_ca=authority.file, token_file=tokens
    )  # fmt: skip
    url = await stack.enter_async_context(listening(plugin.routes(), where))
    return Remote(Address(url, authority.file, shown.cert, shown.key, tokens))


async def ask(kubelet: httpx.AsyncClient, method: str, path: str, body: Any = None) -> httpx.Response:
    return await kubelet.request(method, path, json=body, headers={"Interlink-Http-Session": "CreatePod#1"})


def create_body(made: dict[str, Any], **sent: Any) -> dict[str, Any]:
    return {
        "pod": made, "configmaps": None, "secrets": None, "projectedvolumesmaps": None, "jobscriptURL": "", **sent,
    }  # fmt: skip


async def test_a_pod_from_its_creation_to_its_end(kubelet: httpx.AsyncClient, ledger: Ledger) -> None:
    made = pod(
        container(command=["sh", "-c", "cat /c/k"], volumeMounts=[{"name": "cm", "mountPath": "/c"}]),
        volumes=[{"name": "cm", "configMap": {"name": "cm1"}}],
    )
    assert (await ask(kubelet, "POST", "/pinglink")).json()["resources"]["cpu"] == "64"
    created = await ask(kubelet, "POST", "/create", create_body(made, configmaps=[config_map("cm1", k="v")]))
    assert (created.status_code, created.json()) == (200, {"PodUID": UID, "PodJID": "1001"})
    made["metadata"]["annotations"]["JobID"] = "1001"
    for state, status, kind in (
        (JobState.QUEUED, (), "waiting"), (JobState.RUNNING, (running(),), "running"),
        (JobState.FAILED, (ended(code=7),), "terminated"),
    ):  # fmt: skip
        ledger.move(UID, state, *status)
        found = (await ask(kubelet, "GET", "/status", [made])).json()
        assert [list(one["state"]) for one in found[0]["containers"]] == [[kind]]
    ledger.write(UID, "main", b"hello\n")
    assert (await ask(kubelet, "GET", "/getLogs", log_request(Tail=3))).content == b"hello\n"
    assert ledger.asked[-1][2].tail == 3
    assert (await ask(kubelet, "DELETE", "/delete", made)).status_code == 200
    assert ledger.removed == [UID]


async def test_a_refusal_crosses_both_hops(kubelet: httpx.AsyncClient) -> None:
    answer = await ask(kubelet, "POST", "/create", create_body(pod(container(), hostPID=True)))
    assert answer.status_code == 422
    assert answer.text.startswith("HTTP InterLink session CreatePod#1:  call exit status: 500. Body: ")
    assert "spec.hostPID" in answer.text


async def test_a_followed_log_comes_line_by_line_and_ends_with_its_container(
    kubelet: httpx.AsyncClient, ledger: Ledger
) -> None:
    await ask(kubelet, "POST", "/create", create_body(pod()))
    ledger.move(UID, JobState.RUNNING, running())
    ledger.write(UID, "main", b"1\n")
    body = log_request(Follow=True)
    async with asyncio.timeout(60), kubelet.stream("GET", "/getLogs", json=body) as stream:
        assert stream.status_code == 200
        chunks = stream.aiter_bytes()
        assert await anext(chunks) == b"1\n"
        ledger.write(UID, "main", b"2\n")
        assert await anext(chunks) == b"2\n"
        ledger.move(UID, JobState.SUCCEEDED, ended())
        assert [chunk async for chunk in chunks] == []


async def test_a_client_that_goes_away_ends_its_stream_at_the_source(
    kubelet: httpx.AsyncClient, ledger: Ledger
) -> None:
    """Behind the stock API server it was read on to its end."""
    await ask(kubelet, "POST", "/create", create_body(pod()))
    ledger.move(UID, JobState.RUNNING, running())
    ledger.write(UID, "main", b"1\n")
    async with kubelet.stream("GET", "/getLogs", json=log_request(Follow=True)) as stream:
        assert await anext(stream.aiter_bytes()) == b"1\n"
        assert ledger.followers == 1
    await until(lambda: not ledger.followers)


async def test_a_hundred_followers_hold_up_nobody(kubelet: httpx.AsyncClient, ledger: Ledger) -> None:
    await ask(kubelet, "POST", "/create", create_body(pod()))
    ledger.move(UID, JobState.RUNNING, running())

    async def follow() -> bytes:
        return (await ask(kubelet, "GET", "/getLogs", log_request(Follow=True))).content

    async with asyncio.timeout(180):
        tasks = [asyncio.create_task(follow()) for _ in range(100)]
        await until(lambda: ledger.followers == 100)
        assert (await ask(kubelet, "POST", "/pinglink")).status_code == 200
        ledger.write(UID, "main", b"x\n")
        ledger.move(UID, JobState.SUCCEEDED, ended())
        assert set(await asyncio.gather(*tasks)) == {b"x\n"}


async def test_a_log_that_fails_at_once_is_no_200(kubelet: httpx.AsyncClient) -> None:
    answer = await ask(kubelet, "GET", "/getLogs", log_request())
    assert answer.status_code == 404


async def test_a_large_log_arrives_whole(kubelet: httpx.AsyncClient, ledger: Ledger) -> None:
    await ask(kubelet, "POST", "/create", create_body(pod()))
    ledger.move(UID, JobState.SUCCEEDED, ended())
    for _ in range(200):
        ledger.write(UID, "main", b"x" * 99_999 + b"\n")
    assert len((await ask(kubelet, "GET", "/getLogs", log_request())).content) == 20_000_000


async def test_a_plugin_that_is_not_there(tmp_path: Path) -> None:
    upstream = Remote(Address(f"unix://{tmp_path / 'nothing.sock'}"))
    routes = Edge(upstream, patience=0.3, pause=0.1).routes()
    async with listening(routes, Listening(path=tmp_path / "edge.sock")) as url, client(url) as kubelet:
        assert (await ask(kubelet, "GET", "/status", [pod()])).status_code == 500
        ping = await ask(kubelet, "POST", "/pinglink")
        assert (ping.status_code, ping.text) == (500, "503")
        assert (await ask(kubelet, "POST", "/create", create_body(pod()))).status_code == 500
    await upstream.close()
