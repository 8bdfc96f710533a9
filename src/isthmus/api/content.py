"""Bytes as they come: logs and files, streamed, never held whole."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from urllib.parse import quote

from starlette.responses import StreamingResponse

from isthmus.api.streams import Closing

_HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}


async def begun(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The same chunks, with the first one fetched already: what is wrong from the start is still told as an error."""
    return _continued(await anext(chunks, b""), chunks)


async def _continued(first: bytes, chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    try:
        if first:
            yield first
        async for chunk in chunks:
            yield chunk
    finally:
        await _close(chunks)


async def until(closing: Closing, chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The same chunks, which end when the server is about to stop."""
    stop = asyncio.ensure_future(closing.wait())
    coming: asyncio.Task[bytes | None] | None = None
    try:
        while True:
            coming = asyncio.ensure_future(_next(chunks))
            await asyncio.wait({coming, stop}, return_when=asyncio.FIRST_COMPLETED)
            if not coming.done() or (chunk := coming.result()) is None:
                return
            yield chunk
    finally:
        stop.cancel()
        if coming is not None and not coming.done():
            coming.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await coming
        await _close(chunks)


async def _next(chunks: AsyncIterator[bytes]) -> bytes | None:
    return await anext(chunks, None)


async def _close(chunks: AsyncIterator[bytes]) -> None:
    """Whoever follows may go at any time: what reads at the site ends with it, not with the garbage."""
    close = getattr(chunks, "aclose", None)
    if close is not None:
        await close()


def answer_text(chunks: AsyncIterator[bytes]) -> StreamingResponse:
    """Text as a program wrote it."""
    return StreamingResponse(chunks, headers=_HEADERS, media_type="text/plain; charset=utf-8")


def answer_file(chunks: AsyncIterator[bytes], path: str) -> StreamingResponse:
    """A file to be kept, never shown: a browser must not take for a page of ours what a job has written."""
    headers = {**_HEADERS, "Content-Disposition": disposition(path), "Content-Security-Policy": "sandbox"}
    return StreamingResponse(chunks, headers=headers, media_type="application/octet-stream")


def disposition(path: str) -> str:
    """``Content-Disposition`` (RFC 6266) for the last part of a path, whatever is in it."""
    name = path.rpartition("/")[2] or "file"
    plain = "".join(c if c.isascii() and (c.isalnum() or c in " ._-+") else "_" for c in name)
    exact = "" if plain == name else f"; filename*=UTF-8''{quote(name.encode('utf-8', 'replace'), safe='')}"
    return f'attachment; filename="{plain}"{exact}'
