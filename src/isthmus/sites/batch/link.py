"""One session with an agent that serves: numbers its requests, and tells their answers apart."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Mapping
from typing import Any

import asyncssh

from isthmus.sites.batch.channel import Session
from isthmus.sites.errors import Permanent, QuotaExceeded, SiteError, Temporary, Unsupported
from isthmus.work.runner import frames

Header = dict[str, Any]
LOST = (OSError, asyncssh.Error, asyncio.IncompleteReadError)
"""How a session that ended shows."""


class Gone(Exception):
    """The session ended before the answer came."""


class _Stream:
    def __init__(self) -> None:
        self.parts: asyncio.Queue[bytes | Header | Gone] = asyncio.Queue()
        self.room = frames.WINDOW

    def take(self, part: bytes) -> None:
        self.room -= len(part)
        if self.room < 0:
            raise frames.BadFrame("a stream sent more than it was granted")
        self.parts.put_nowait(part)


class Link:
    """One session with an agent that serves."""

    def __init__(self, session: Session, place: str):
        self._session = session
        self._place = place
        self._last = 0
        self._answers: dict[int, asyncio.Future[Header]] = {}
        self._streams: dict[int, _Stream] = {}
        self._writing = asyncio.Lock()
        self._closing: asyncio.Task[None] | None = None
        self._listening = asyncio.create_task(self._listen())

    @property
    def alive(self) -> bool:
        """Whether requests can be sent."""
        return not self._listening.done() and self._closing is None

    async def request(self, header: Header, body: bytes) -> Header:
        """Raises :class:`Gone` when the session ends before the answer."""
        number = self._number()
        answer: asyncio.Future[Header] = asyncio.get_running_loop().create_future()
        self._answers[number] = answer
        try:
            await self._send({**header, "id": number}, body)
            return self._checked(await answer)
        finally:
            self._answers.pop(number, None)
            answer.cancel()

    async def stream(self, header: Header) -> AsyncGenerator[bytes, None]:
        """The parts of an answer; at most a window of them waits here."""
        number = self._number()
        stream = self._streams[number] = _Stream()
        taken = 0
        ended = False
        try:
            await self._send({**header, "id": number})
            while True:
                part = await stream.parts.get()
                if isinstance(part, Gone):
                    raise part
                if isinstance(part, dict):
                    ended = True
                    self._checked(part)
                    return
                yield part
                taken += len(part)
                if taken >= frames.WINDOW // 2:
                    stream.room += taken
                    await self._send({"verb": "more", "of": number, "size": taken})
                    taken = 0
        finally:
            self._streams.pop(number, None)
            if not ended and self.alive:
                with contextlib.suppress(Gone):
                    await self._send({"verb": "stop", "of": number})

    async def close(self) -> None:
        """End the session, once; all who wait are told."""
        if self._closing is None:
            self._closing = asyncio.create_task(self._close())
        await asyncio.shield(self._closing)

    async def _close(self) -> None:
        await self._session.close()
        self._listening.cancel()
        await asyncio.wait([self._listening])
        self._tell_all()

    def _number(self) -> int:
        self._last += 1
        return self._last

    async def _send(self, header: Header, body: bytes = b"") -> None:
        if not self.alive:
            raise Gone(f"{self._place}: the connection was lost")
        try:
            data = frames.pack(header, body)
        except frames.BadFrame as error:
            raise Permanent(f"{self._place}: {error}") from None
        try:
            async with self._writing:
                await self._session.write(data)
        except (OSError, asyncssh.Error) as error:
            raise Gone(f"{self._place}: {error or 'the connection was lost'}") from None

    def _checked(self, header: Header) -> Header:
        error = header.get("error")
        if error is None:
            return header
        raise read_error(error)

    async def _listen(self) -> None:
        try:
            while True:
                head, body = frames.check(*frames.LENGTHS.unpack(await self._session.read(frames.LENGTHS.size)))
                self._take(frames.parse(await self._session.read(head)), await self._session.read(body))
        except (*LOST, frames.BadFrame):
            pass
        finally:
            self._tell_all()

    def _take(self, header: Header, body: bytes) -> None:
        number = header.get("id")
        if not isinstance(number, int):
            raise frames.BadFrame("a frame without a number")
        stream = self._streams.get(number)
        answer = self._answers.get(number)
        if stream is not None:
            if header.get("part") is True:
                stream.take(body)
            else:
                stream.parts.put_nowait(header)
        elif answer is not None and not answer.done():
            answer.set_result(header)

    def _tell_all(self) -> None:
        said = self._session.errors.decode(errors="replace").strip().rpartition("\n")[2]
        lost = f"{self._place}: the connection was lost{': ' if said else ''}{clean(said)}"
        for answer in self._answers.values():
            if not answer.done():
                answer.set_exception(Gone(lost))
        for stream in self._streams.values():
            stream.parts.put_nowait(Gone(lost))


def read_error(told: object) -> SiteError:
    """What an agent or its batch system told as a failure, as ours."""
    if not isinstance(told, Mapping):
        return Permanent("the agent told an error that cannot be read")
    message = clean(str(told.get("message") or "no reason given"))
    delay = told.get("delay")
    seconds = min(max(float(delay), 0.0), 3600.0) if isinstance(delay, int | float) else None
    match told.get("kind"):
        case "permanent":
            return Permanent(message)
        case "unsupported":
            return Unsupported(message)
        case "quota":
            return QuotaExceeded(message) if seconds is None else QuotaExceeded(message, seconds)
        case _:
            return Temporary(message) if seconds is None else Temporary(message, seconds)


def clean(text: str) -> str:
    """A site's words on a few lines at most, without control characters."""
    kept = "".join(c if c.isprintable() or c == "\n" else " " for c in text[:4000])
    return kept.strip()
