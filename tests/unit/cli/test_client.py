"""The client: streams that survive, servers that are found again."""

from __future__ import annotations

from itertools import islice
from typing import Any

import httpx
import pytest

from isthmus.cli import client as module
from isthmus.cli.client import Client, Endpoint
from isthmus.cli.failures import Failure

from .conftest import Canned, event, frames

HERE = Endpoint("http://server", "token", local=True)


def test_a_stream_goes_on_after_what_it_saw(canned: Canned) -> None:
    seen: list[str] = []

    def tell(request: httpx.Request) -> httpx.Response:
        seen.append(request.headers["last-event-id"])
        if len(seen) == 2:
            raise httpx.ReadError("cut")
        return httpx.Response(200, content=frames(event(len(seen))))

    canned.answers["GET /deployments/one/events"] = tell
    items = list(islice(Client(lambda: HERE).follow("/deployments/one/events"), 2))
    assert [item["id"] for item in items] == [1, 3]
    assert seen == ["0", "1", "1"]


def test_a_stream_gives_up_after_its_patience(canned: Canned, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(0, 10_000, 25))
    monkeypatch.setattr(module.time, "monotonic", lambda: next(clock))

    def cut(_: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused")

    canned.answers["GET /deployments/one/events"] = cut
    with pytest.raises(Failure) as caught:
        list(Client(lambda: HERE).follow("/deployments/one/events"))
    assert caught.value.code == 5


def test_a_local_server_that_has_gone_is_found_again(canned: Canned) -> None:
    found: list[Endpoint] = []

    def find() -> Endpoint:
        found.append(HERE)
        return HERE

    def tell(_: httpx.Request) -> httpx.Response:
        if len(found) == 1:
            raise httpx.ConnectError("refused")
        return httpx.Response(200, json={"items": []})

    canned.answers["GET /sites"] = tell
    assert Client(find).get("/sites") == {"items": []}
    assert len(found) == 2


def test_a_remote_server_that_has_gone_is_unreachable(canned: Canned) -> None:
    def refuse(_: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused")

    canned.answers["GET /sites"] = refuse
    with pytest.raises(Failure) as caught:
        Client(lambda: Endpoint("http://far", "t", local=False)).get("/sites")
    assert caught.value.code == 5


def test_who_is_patient_asks_again_until_there_is_an_answer(canned: Canned) -> None:
    asked: list[int] = []

    def tell(_: httpx.Request) -> httpx.Response:
        asked.append(1)
        if len(asked) < 4:
            raise httpx.ReadError("cut")
        return httpx.Response(200, json={"items": []})

    canned.answers["GET /sites"] = tell
    client = Client(lambda: HERE)
    assert client.patiently(lambda: client.get("/sites")) == {"items": []}


def test_patience_is_for_what_is_away_and_has_an_end(canned: Canned, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(0, 10_000, 4))
    monkeypatch.setattr(module.time, "monotonic", lambda: next(clock))
    canned.problem("GET /sites", 503)
    client = Client(lambda: HERE)
    with pytest.raises(Failure) as caught:
        client.patiently(lambda: client.get("/sites"))
    assert (caught.value.code, len(canned.asked) < 20) == (5, True)
    canned.problem("GET /sites", 404)
    before = len(canned.asked)
    with pytest.raises(Failure):
        client.patiently(lambda: client.get("/sites"))
    assert len(canned.asked) == before + 1


def test_an_answer_that_is_no_problem_document_is_told_by_its_status(canned: Canned) -> None:
    canned.answers["GET /sites"] = httpx.Response(502, text="<html>")
    with pytest.raises(Failure, match="502"):
        Client(lambda: HERE).get("/sites")


def test_the_token_is_sent(canned: Canned) -> None:
    canned.on("GET /sites", {})
    Client(lambda: HERE).get("/sites")
    assert canned.asked[0].headers["authorization"] == "Bearer token"


def test_local_servers_are_not_asked_through_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://proxy:1")
    opened: Any = module._open(HERE)
    assert not any(opened._mounts.values())
    opened.close()
