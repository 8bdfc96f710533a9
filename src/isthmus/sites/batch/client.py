"""Requests to the agent of a site, any number at once over one session, which is opened again when it was lost.

All requests may be asked again after a lost answer: so one that was under way when a session died is, once. A
stream is not, when a part of it was given out already.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncGenerator, Mapping

from isthmus.sites.batch.channel import Channel, Session
from isthmus.sites.batch.link import LOST, Gone, Header, Link, clean
from isthmus.sites.errors import Permanent, SiteError, Unreachable
from isthmus.work.program import Program, bootstrap

AT_ONCE = 64
"""Requests under way; more wait here rather than in the agent."""
STREAMS = 512
START_PATIENCE = 60.0
"""Seconds until the agent serves: a login node may be slow, and the program may have to go there."""
PING_PATIENCE = 15.0
REFUSAL_KEPT = 1.0
"""Seconds for which a failure to connect answers those who ask next, so that they do not all try."""
_NOISE = 64 * 1024
_LINE = 64 * 1024


class Client:
    """The agent of one site, in the folder ``folder`` there, with ``config`` for its batch module.

    ``python`` names an interpreter on the site. ``timeout`` is seconds for a request that says nothing else.
    """

    def __init__(
        self, channel: Channel, program: Program, *, folder: str, config: Mapping[str, object],
        python: str | None = None, timeout: float = 60.0,
    ):  # fmt: skip
        self.channel = channel
        self._program = program
        self._folder = folder
        self._config = dict(config)
        self._python = python
        self._timeout = timeout
        self._link: Link | None = None
        self._opening = asyncio.Lock()
        self._refused: tuple[float, SiteError] | None = None
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._streams = asyncio.Semaphore(STREAMS)
        self.about: Header = {}
        """What the agent said of itself last: user, host, python, root, pid."""

    async def request(self, verb: str, body: bytes = b"", *, within: float | None = None, **header: object) -> Header:
        """Ask and wait for the answer. Raises a :class:`SiteError` in the site's own words."""
        async with self._slots:
            link = await self._connected()
            try:
                return await self._ask(link, verb, body, within, header)
            except Gone:
                link = await self._connected()
            try:
                return await self._ask(link, verb, body, within, header)
            except Gone as gone:
                raise Unreachable(str(gone)) from None

    async def stream(self, verb: str, **header: object) -> AsyncGenerator[bytes, None]:
        """Ask for an answer in parts; leaving the loop early ends it on the site too."""
        async with self._streams:
            given = False
            while True:
                link = await self._connected()
                try:
                    async with contextlib.aclosing(link.stream({**header, "verb": verb})) as parts:
                        async for part in parts:
                            given = True
                            yield part
                    return
                except Gone as gone:
                    if given:
                        raise Unreachable(str(gone)) from None
                    given = True  # once more, not for ever

    async def connect(self) -> Header:
        """Connect unless we are; what the agent says of itself."""
        await self._connected()
        return self.about

    async def close(self) -> None:
        """End the session; the agent ends with it, jobs do not."""
        async with self._opening:
            link, self._link = self._link, None
            if link is not None:
                await link.close()
            await self.channel.close()

    async def _ask(
        self, link: Link, verb: str, body: bytes, within: float | None, header: Mapping[str, object]
    ) -> Header:
        patience = within or self._timeout
        try:
            async with asyncio.timeout(patience):
                return await link.request({**header, "verb": verb}, body)
        except TimeoutError:
            await self._probe(link)
            raise Unreachable(f"{self.channel.place}: no answer to {verb} in {patience:g} s") from None

    async def _probe(self, link: Link) -> None:
        """Drop a session whose agent does not even answer a ping."""
        try:
            async with asyncio.timeout(PING_PATIENCE):
                await link.request({"verb": "ping"}, b"")
        except (TimeoutError, SiteError, Gone):
            await link.close()

    async def _connected(self) -> Link:
        async with self._opening:
            if self._link is not None and self._link.alive:
                return self._link
            if self._refused is not None and time.monotonic() - self._refused[0] < REFUSAL_KEPT:
                raise self._refused[1].with_traceback(None)
            if self._link is not None:
                await self._link.close()
                self._link = None
            try:
                self._link = await self._open()
            except SiteError as error:
                self._refused = (time.monotonic(), error)
                raise
            return self._link

    async def _open(self) -> Link:
        session = await self.channel.open()
        link: Link | None = None
        try:
            async with asyncio.timeout(START_PATIENCE):
                await self._start(session)
                link = Link(session, self.channel.place)
                header = {"verb": "hello", "folder": self._folder, "config": self._config}
                self.about = await link.request(header, b"")
                return link
        except (TimeoutError, *LOST, Gone) as error:
            await (link or session).close()
            said = session.errors.decode(errors="replace").strip().rpartition("\n")[2]
            if "no Python 3" in said:
                raise Permanent(f"{self.channel.place}: {clean(said)}") from None
            told = said or ("no answer" if isinstance(error, TimeoutError) else "the connection was lost")
            raise Unreachable(f"{self.channel.place}: its agent does not start: {clean(told)}") from None
        except BaseException:
            await (link or session).close()
            raise

    async def _start(self, session: Session) -> None:
        program = self._program
        order = {"digest": program.digest, "folder": self._folder, "python": self._python}
        await session.write(json.dumps(bootstrap()).encode() + b"\n" + json.dumps(order).encode() + b"\n")
        if await self._word(session) == "need":
            await session.write(b"%d\n" % len(program.data) + program.data)
            await self._word(session)

    async def _word(self, session: Session) -> str:
        """The next word of the bootstrap; what a login shell says before it is passed over."""
        passed = 0
        while passed < _NOISE:
            line = await session.read_line(_LINE)
            if not line:
                raise asyncio.IncompleteReadError(b"", 1)
            with contextlib.suppress(ValueError, TypeError):
                mark, word, message = json.loads(line)
                if mark == "isthmus-agent-1" and word == "error":
                    raise Permanent(f"{self.channel.place}: {clean(str(message))}")
                if mark == "isthmus-agent-1":
                    return str(word)
            passed += len(line)
        raise Permanent(f"{self.channel.place}: its login shell writes too much to be talked to: {clean(str(line))}")
