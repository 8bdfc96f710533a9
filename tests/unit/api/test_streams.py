"""Streams: history first, then news, resumed by id, ended by either side."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from isthmus.api import streams
from isthmus.api.streams import Closing, follow


@pytest.fixture
async def number(client: httpx.AsyncClient) -> str:
    made = await client.post("/v1/deployments", json={"template": {"catalogue": "machine"}, "name": "one"})
    return str(made.json()["id"])


def frames_of(service: Any, closing: Closing, number: str, after: int = 0) -> AsyncIterator[bytes]:
    async def fetch(seen: int) -> Any:
        return await service.events(None, number, after=seen, limit=2)

    return follow(service, closing, number, "event", fetch, after)


async def next_frame(frames: AsyncIterator[bytes]) -> bytes:
    return await asyncio.wait_for(anext(frames), 60)


async def test_history_comes_first_and_then_the_news(service: Any, closing: Closing, number: str) -> None:
    for n in range(3):
        service.add_event(f"e{n}")
    frames = frames_of(service, closing, number)
    assert await next_frame(frames) == b"retry: 1000\n\n"
    assert (await next_frame(frames)).count(b"event: event\n") == 2
    assert b'"message":"e2"' in await next_frame(frames)
    waiting = asyncio.create_task(next_frame(frames))
    await asyncio.sleep(0)
    service.add_event("news")
    assert b"id: 4\n" in await waiting


async def test_what_comes_while_it_looks_is_not_missed(service: Any, closing: Closing, number: str) -> None:
    seen: list[int] = []

    async def fetch(after: int) -> Any:
        found = await service.events(None, number, after=after, limit=2)
        await asyncio.sleep(0)
        if not seen:
            seen.append(after)
            service.add_event("just after the look")
        return found

    frames = follow(service, closing, number, "event", fetch, 0)
    await next_frame(frames)
    assert b"just after the look" in await next_frame(frames)


async def test_a_stream_ends_when_the_server_stops(service: Any, closing: Closing, number: str) -> None:
    frames = frames_of(service, closing, number)
    await next_frame(frames)
    end = asyncio.create_task(next_frame(frames))
    await asyncio.sleep(0)
    closing.start()
    with pytest.raises(StopAsyncIteration):
        await end


async def test_a_stream_ends_when_its_deployment_is_forgotten(service: Any, closing: Closing, number: str) -> None:
    frames = frames_of(service, closing, number)
    await next_frame(frames)
    service.deployments.clear()
    with pytest.raises(StopAsyncIteration):
        await next_frame(frames)


async def test_silence_is_broken_by_a_heartbeat(
    service: Any, closing: Closing, number: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "HEARTBEAT", 0.0)

    async def quick(_: str, timeout: float) -> None:
        await asyncio.sleep(timeout)

    service.wait_changed = quick
    frames = frames_of(service, closing, number)
    await next_frame(frames)
    assert (await next_frame(frames)).startswith(b":")


@pytest.mark.parametrize("ask", [{"params": {"follow": "true"}}, {"headers": {"Accept": "text/event-stream"}}])
async def test_a_client_goes_on_after_the_last_event_it_saw(
    client: httpx.AsyncClient, service: Any, closing: Closing, number: str, ask: dict[str, Any]
) -> None:
    for n in range(4):
        service.add_event(f"e{n}")

    async def stop_when_all_is_told(_: str, timeout: float) -> None:
        closing.start()

    service.wait_changed = stop_when_all_is_told
    headers = {**ask.get("headers", {}), "Last-Event-ID": "2"}
    answer = await client.get(f"/v1/deployments/{number}/events", **{**ask, "headers": headers})
    assert answer.headers["content-type"].startswith("text/event-stream")
    data = [json.loads(line[6:]) for line in answer.text.splitlines() if line.startswith("data: ")]
    assert [item["message"] for item in data] == ["e2", "e3"]


async def test_an_id_that_is_none_is_refused(client: httpx.AsyncClient, number: str) -> None:
    answer = await client.get(f"/v1/deployments/{number}/events?follow=true", headers={"Last-Event-ID": "yesterday"})
    assert answer.status_code == 422


async def test_history_is_a_list_too(client: httpx.AsyncClient, service: Any, number: str) -> None:
    service.add_event("e0")
    events = (await client.get(f"/v1/deployments/{number}/events")).json()["items"]
    assert [e["message"] for e in events] == ["e0"]
    logs = (await client.get(f"/v1/deployments/{number}/logs?instance=worker-1")).json()["items"]
    assert [(line["instance"], line["text"]) for line in logs] == [("worker-1", "hello")]
