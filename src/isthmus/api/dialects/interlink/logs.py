"""``/getLogs``: which part of a log is wanted, and the stream of it."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import suppress
from datetime import UTC

from pydantic import ValidationError
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from isthmus.api.dialects.interlink.door import Malformed, read_json
from isthmus.api.dialects.interlink.fields import is_unset
from isthmus.api.dialects.interlink.refusals import Refusals, show
from isthmus.api.dialects.interlink.wire import LogRequest, PodLogOptions
from isthmus.errors import Unsupported
from isthmus.sites.jobs import LogOptions

HEAD_START = 1.0
"""Seconds that a log may stay silent before its answer begins; an error until then becomes the answer's status."""
_LABEL = re.compile(r"[0-9a-z](?:[-0-9a-z]{0,61}[0-9a-z])?")
_MOST = 2**53
"""More lines or bytes than any log has."""
_YEAR_ZERO = 1
"""Go writes a time that is not set as one of the year 1."""


def read_request(content: bytes) -> LogRequest:
    """The body of ``/getLogs``; raises :class:`Malformed` for what the stock API server refuses too."""
    try:
        request = LogRequest.model_validate(read_json(content))
    except ValidationError as error:
        raise Malformed(tell(error)) from None
    for name, text in (("Namespace", request.namespace), ("ContainerName", request.container_name)):
        if text and not _LABEL.fullmatch(text):
            raise Malformed(f"{name} is no DNS label: {show(text)}")
    opts = request.opts
    if opts.since_seconds and _since_time(opts) is not None:
        raise Malformed("Both SinceSeconds and SinceTime set. Set only one of them")
    for name, value in (opts.model_extra or {}).items():
        if not is_unset(value):
            raise Malformed(f"Opts.{show(name)} is not honoured")
    return request


def tell(error: ValidationError) -> str:
    """What is wrong with a body, by path, without its values."""
    refusals = Refusals()
    refusals.malformed(error)
    try:
        refusals.check()
    except Unsupported as found:
        return found.detail.removeprefix("The pod is refused. ")
    return "The body does not have the right shape."


def options_of(opts: PodLogOptions, now: float) -> LogOptions:
    """The wanted part of a log. A tail of 0 is how the stock virtual kubelet says that none was given."""
    if opts.bytes and opts.limit_bytes and opts.bytes != opts.limit_bytes:
        raise Malformed("Bytes and LimitBytes differ. Set only one of them")
    since = now - opts.since_seconds if opts.since_seconds else _since_time(opts)
    return LogOptions(
        tail=min(opts.tail, _MOST) or None,
        since=since if since is None or since > 0 else None,
        limit=min(opts.bytes or opts.limit_bytes, _MOST) or None,
        timestamps=opts.timestamps,
        follow=opts.follow,
        previous=opts.previous,
    )


def _since_time(opts: PodLogOptions) -> float | None:
    time = opts.since_time
    if time is None or time.year == _YEAR_ZERO:
        return None
    return (time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp()


class LogResponse(StreamingResponse):
    """An answer of chunks; what they come from is closed at the end, also when nobody read any of them."""

    def __init__(self, chunks: AsyncIterator[bytes], close: Callable[[], Awaitable[None]]):
        super().__init__(chunks, media_type="text/plain; charset=utf-8")
        self.close = close

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            await self.close()


async def stream(chunks: AsyncIterator[bytes]) -> LogResponse:
    """An answer that passes chunks on as they come; raises what goes wrong before the first of them."""
    first = asyncio.ensure_future(anext(chunks, None))

    async def close() -> None:
        if not first.done():
            first.cancel()
            with suppress(asyncio.CancelledError):
                await first
        if isinstance(chunks, AsyncGenerator):
            await chunks.aclose()

    try:
        await asyncio.wait({first}, timeout=HEAD_START)
        if first.done():
            first.result()
    except BaseException:
        await close()
        raise
    return LogResponse(_pass_on(first, chunks), close)


async def _pass_on(first: asyncio.Future[bytes | None], chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    chunk = await first
    while chunk is not None:
        if chunk:
            yield chunk
        chunk = await anext(chunks, None)
