"""Server-sent events: what is stored so far, then what comes, until the client or the server goes.

The format is that of the WHATWG HTML standard, section 9.2. Each item's ``id`` is its place in the
deployment's history, so that a client which lost the connection goes on by ``Last-Event-ID``.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any

from fastapi import Request
from starlette.responses import StreamingResponse

from isthmus.api.encode import encode
from isthmus.errors import Invalid, NotFound
from isthmus.views import Event, LogLine

if TYPE_CHECKING:
    from isthmus.service import Service

MEDIA_TYPE = "text/event-stream"
HEARTBEAT = 10.0
"""Seconds of silence after which a comment is sent, so that both ends see a dead connection."""
Fetch = Callable[[int], Awaitable[Sequence[Event | LogLine]]]
"""What came after an id; the empty sequence when nothing did."""


class Closing:
    """Tells the followers that the server is about to stop."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def start(self) -> None:
        self._event.set()

    @property
    def begun(self) -> bool:
        return self._event.is_set()

    async def wait(self) -> None:
        """Return once the server is about to stop."""
        await self._event.wait()

    async def or_done(self, waiting: asyncio.Task[Any]) -> None:
        """Wait for ``waiting`` or for the stop, whichever is first."""
        stop = asyncio.ensure_future(self._event.wait())
        try:
            await asyncio.wait({waiting, stop}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            stop.cancel()
        if waiting.done():
            waiting.result()


def wants_stream(request: Request, follow: bool) -> bool:
    """Whether the client asked for a stream, by ``follow`` or by ``Accept``."""
    return follow or MEDIA_TYPE in request.headers.get("accept", "")


def last_seen(request: Request, after: int) -> int:
    """Where to go on: after ``Last-Event-ID`` if the client sent one, else after ``after``."""
    sent = request.headers.get("last-event-id", "").strip()
    if not sent:
        return after
    if not sent.isdecimal() or len(sent) > 18:
        raise Invalid("Last-Event-ID must be the id of an event.", code="invalid-request")
    return int(sent)


def stream(
    service: Service, closing: Closing, reference: str, kind: str, fetch: Fetch, after: int
) -> StreamingResponse:
    """A response that follows a deployment; ``kind`` names its messages.

    ``reference`` is the deployment's id: its name may be another's before the stream ends.
    """
    frames = follow(service, closing, reference, kind, fetch, after)
    return StreamingResponse(frames, headers={"Cache-Control": "no-store"}, media_type=MEDIA_TYPE)


async def follow(
    service: Service, closing: Closing, reference: str, kind: str, fetch: Fetch, after: int
) -> AsyncIterator[bytes]:
    """The frames of the stream. It ends when the server stops or the deployment is forgotten."""
    clock = asyncio.get_running_loop().time
    yield b"retry: 1000\n\n"
    said = clock()
    while not closing.begun:
        # Waiting begins before the look, so that what comes between the two is not missed.
        waiting = asyncio.create_task(service.wait_changed(reference, HEARTBEAT))
        try:
            items = await fetch(after)
            if items:
                yield b"".join(frame(kind, item) for item in items)
                after, said = items[-1].id, clock()
                continue
            await closing.or_done(waiting)
            if clock() - said >= HEARTBEAT:
                yield b": still here\n\n"
                said = clock()
        except NotFound:
            return
        finally:
            waiting.cancel()


def frame(kind: str, item: Event | LogLine) -> bytes:
    """One message; JSON has no line breaks, so one ``data`` line holds it."""
    return b"id: %d\nevent: %s\ndata: %s\n\n" % (item.id, kind.encode(), encode(item))
