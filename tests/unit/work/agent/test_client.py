"""The server's side, against an agent that does not keep to the protocol, or goes away."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from isthmus.sites.batch import client as module
from isthmus.sites.batch.client import Client
from isthmus.sites.batch.link import read_error
from isthmus.sites.errors import Permanent, QuotaExceeded, SiteError, Temporary, Unreachable, Unsupported
from isthmus.work.program import Program
from isthmus.work.runner import frames

Answer = Callable[[dict[str, Any]], bytes]


def fine(header: dict[str, Any]) -> bytes:
    return frames.pack({"id": header["id"], "ok": True, "verb": header["verb"]})


class Session:
    """Says what it has to say at once, then answers each request with ``answer``."""

    errors = b""

    def __init__(self, answer: Answer, begin: bytes):
        self._answer = answer
        self._coming = asyncio.StreamReader()
        self._coming.feed_data(begin)
        self._lines = 2
        self.closed = False
        self.sent: list[dict[str, Any]] = []

    async def read(self, size: int) -> bytes:
        return await self._coming.readexactly(size)

    async def read_line(self, limit: int) -> bytes:
        return await self._coming.readline()

    async def write(self, data: bytes) -> None:
        if self._lines:
            self._lines -= data.count(b"\n")
            return
        head, _ = frames.LENGTHS.unpack(data[: frames.LENGTHS.size])
        header = frames.parse(data[frames.LENGTHS.size : frames.LENGTHS.size + head])
        self.sent.append(header)
        if "id" not in header:
            return
        answer = fine(header) if header["verb"] == "hello" else self._answer(header)
        if answer == b"end":
            self._coming.feed_eof()
        else:
            self._coming.feed_data(answer)

    async def close(self) -> int | None:
        self.closed = True
        if not self._coming.at_eof():
            self._coming.feed_eof()
        return 0


HAVE = json.dumps(["isthmus-agent-1", "have", ""]).encode() + b"\n"


class Channel:
    place = "there"

    def __init__(self, *answers: Answer, begin: bytes = HAVE):
        self.answers = list(answers)
        self.begin = begin
        self.sessions: list[Session] = []

    async def open(self) -> Session:
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        self.sessions.append(Session(answer, self.begin))
        return self.sessions[-1]

    async def close(self) -> None:
        pass


Make = Callable[..., Client]


@pytest.fixture
async def make() -> AsyncIterator[Make]:
    made: list[Client] = []

    def begin(channel: Channel, **more: Any) -> Client:
        made.append(Client(channel, Program(b"", "0" * 64), folder="/x", config={}, **more))
        return made[-1]

    yield begin
    for client in made:
        await client.close()


@pytest.mark.parametrize(
    "answer",
    [
        frames.LENGTHS.pack(2**31, 0),
        frames.LENGTHS.pack(2, 2**31) + b"{}",
        frames.LENGTHS.pack(3, 0) + b"xxx",
        frames.LENGTHS.pack(2, 0) + b"[]",
        frames.LENGTHS.pack(2, 0) + b"{}",
        b"end",
    ],
)
async def test_an_agent_that_talks_nonsense(make: Make, answer: bytes) -> None:
    """Is tried once more, and then it is not reachable; nothing waits for ever."""
    channel = Channel(lambda header: answer)
    client = make(channel)
    with pytest.raises(Unreachable):
        await client.request("list")
    assert len(channel.sessions) == 2


async def test_an_agent_that_goes_away_is_replaced(make: Make) -> None:
    """A request that was under way is asked again."""
    client = make(Channel(lambda header: b"end", fine))
    assert (await client.request("list"))["verb"] == "list"


async def test_a_stream_that_was_begun_is_not_begun_again(make: Make) -> None:
    """Its reader would have a part twice."""
    parts = iter([frames.pack({"id": 2, "part": True}, b"abc")])
    channel = Channel(lambda header: next(parts))
    stream = make(channel).stream("log")
    assert await anext(stream) == b"abc"
    channel.sessions[0]._coming.feed_eof()
    with pytest.raises(Unreachable):
        await anext(stream)
    assert len(channel.sessions) == 1


async def test_a_stream_that_sends_more_than_was_granted(make: Make) -> None:
    """Memory is bounded: the session ends."""
    much = frames.pack({"id": 2, "part": True}, b"x" * frames.CHUNK) * 5
    stream = make(Channel(lambda header: much)).stream("log")
    with pytest.raises(Unreachable):
        _ = [part async for part in stream]


async def test_a_stream_grants_what_was_taken(make: Make) -> None:
    """Half a window at a time; leaving it ends it there."""
    part = frames.pack({"id": 2, "part": True}, b"x" * frames.CHUNK)
    channel = Channel(lambda header: part * 4)
    stream = make(channel).stream("log")
    for _ in range(3):
        await anext(stream)
    await stream.aclose()
    assert channel.sessions[0].sent[2:] == [
        {"verb": "more", "of": 2, "size": frames.WINDOW // 2}, {"verb": "stop", "of": 2},
    ]  # fmt: skip


async def test_an_agent_that_says_nothing(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """A request ends; a session that does not even answer a ping is dropped."""
    monkeypatch.setattr(module, "PING_PATIENCE", 0.05)
    channel = Channel(lambda header: b"", fine)
    client = make(channel, timeout=0.3)
    with pytest.raises(Unreachable, match=r"no answer to list in 0\.3 s"):
        await client.request("list")
    assert channel.sessions[0].closed
    assert (await client.request("list"))["verb"] == "list"


@pytest.mark.parametrize(
    ("begin", "kind", "words"),
    [
        (b"x" * 100 + b"\n", None, "talked to"),
        (json.dumps(["isthmus-agent-1", "error", "no \x1b[31mroom"]).encode() + b"\n", Permanent, "no  .31mroom"),
    ],
)
async def test_a_start_that_fails(make: Make, begin: bytes, kind: type[SiteError] | None, words: str) -> None:
    """A site's words come without control characters; one that talks on and on is left."""
    client = make(Channel(fine, begin=begin * (1 if kind else 1000)))
    with pytest.raises(kind or Permanent, match=words):
        await client.connect()


@pytest.mark.parametrize(
    ("told", "kind", "delay"),
    [
        ({"kind": "permanent", "message": "m"}, Permanent, None),
        ({"kind": "unsupported", "message": "m"}, Unsupported, None),
        ({"kind": "quota", "message": "m"}, QuotaExceeded, 60),
        ({"kind": "quota", "message": "m", "delay": 5}, QuotaExceeded, 5),
        ({"kind": "temporary", "message": "m", "delay": 1e9}, Temporary, 3600),
        ({"kind": "temporary", "message": "m", "delay": "soon"}, Temporary, 1),
        ({}, Temporary, 1),
        ("what", Permanent, None),
    ],
)
def test_errors(told: object, kind: type[SiteError], delay: float | None) -> None:
    """Kinds, and waits within bounds."""
    error = read_error(told)
    assert type(error) is kind
    if delay is not None:
        assert isinstance(error, Temporary)
        assert error.delay == delay
