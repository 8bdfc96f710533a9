"""A stream is closed at its source whoever leaves, and whenever."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from isthmus.api.dialects.interlink import logs
from isthmus.api.dialects.interlink.upstream import Local
from isthmus.errors import NotFound


class Source:
    """A log that says something when told to, and knows whether it is still read."""

    def __init__(self) -> None:
        self.said: asyncio.Queue[bytes | Exception] = asyncio.Queue()
        self.open = False

    async def chunks(self) -> AsyncIterator[bytes]:
        self.open = True
        try:
            while True:
                chunk = await self.said.get()
                if isinstance(chunk, Exception):
                    raise chunk
                yield chunk
        finally:
            self.open = False


@pytest.fixture(autouse=True)
def no_head_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "HEAD_START", 0.01)


async def test_an_answer_that_nobody_reads_is_closed() -> None:
    source = Source()
    response = await logs.stream(source.chunks())
    assert source.open
    await response.close()
    assert not source.open


async def test_what_goes_wrong_at_once_is_raised() -> None:
    source = Source()
    source.said.put_nowait(NotFound("There is no such job."))
    with pytest.raises(NotFound):
        await logs.stream(source.chunks())
    assert not source.open


async def test_a_client_that_left_before_the_first_chunk() -> None:
    source = Source()
    response = await logs.stream(source.chunks())

    async def receive() -> dict[str, Any]:
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        raise OSError("gone")

    with pytest.raises(Exception):  # noqa: B017, PT011 -- Starlette's own word for it
        await response({"type": "http", "asgi": {"spec_version": "2.4"}}, receive, send)
    assert not source.open


async def test_a_reply_in_this_process_is_closed_unread() -> None:
    from isthmus.api.dialects.interlink.door import Call, Route

    source = Source()

    async def handler(call: Call) -> logs.LogResponse:
        return await logs.stream(source.chunks())

    reply = await Local({"/getLogs": Route(handler)}).send("GET", "/getLogs", b"", "s")
    assert source.open
    await reply.close()
    assert not source.open
