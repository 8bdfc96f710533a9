"""Fetches imports by https: from allowed hosts at public addresses only, bounded in size and time, with a cache."""

from __future__ import annotations

import re
import ssl
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urljoin

from isthmus.tosca.reading.compose import MAX_DOCUMENT
from isthmus.tosca.reading.importers.addresses import check_public, resolve
from isthmus.tosca.reading.importers.allowing import Place, check_allowed, parse_allowed, parse_place
from isthmus.tosca.reading.importers.cache import Cache, Entry
from isthmus.tosca.reading.importers.contract import ImportRefused

if TYPE_CHECKING:
    from isthmus.tosca.reading.importers.wire import Deadline, Response

MAX_REDIRECTS = 5
_REDIRECTS = (301, 302, 303, 307, 308)
_NOT_MODIFIED, _OK = 304, 200
_TAG = re.compile(r'(?:W/)?"[!#-~]{0,500}"')
"""What an entity tag may be (RFC 9110 §8.8.3); any other is not sent back."""

Resolver = Callable[[str, int, float], list[str]]
Check = Callable[[str, list[str]], None]


class WebImporter:
    """An importer of https URLs; nothing is fetched that ``allow`` does not cover.

    ``allow`` holds `HOST`, `HOST:PORT` or `HOST/PATH`; each redirect must be covered as well. ``timeout`` is in
    seconds for one file with all its redirects, ``max_bytes`` bounds its size. With ``cache``, a folder, a file
    is not asked for again for ``fresh`` seconds, and then only whether it changed.

    ``resolver`` and ``check`` say what addresses a name has and which of these may be asked: the public ones, unless
    whoever calls knows better, as a test with a server on the loopback does. ``tls`` is for private authorities.
    """

    def __init__(
        self,
        allow: Iterable[str] = (),
        *,
        cache: Path | None = None,
        max_bytes: int = MAX_DOCUMENT,
        timeout: float = 20.0,
        fresh: float = 3600.0,
        resolver: Resolver = resolve,
        check: Check = check_public,
        tls: ssl.SSLContext | None = None,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.allowed = parse_allowed(allow)
        self.max_bytes = max_bytes
        self.timeout = timeout
        self.fresh = fresh
        self._cache = Cache(cache, now) if cache is not None else None
        self._resolver = resolver
        self._check = check
        self._tls = tls
        self._clock = clock
        self._now = now

    def fetch(self, url: str) -> bytes:
        """The content of an https URL; raises :class:`ImportRefused`."""
        url = url.partition("#")[0]
        self._place(url)
        kept = self._kept(url)
        if kept is not None and 0 <= self._now() - kept.checked < self.fresh:
            return kept.content
        found = self._follow(url, kept)
        if self._cache is not None:
            self._cache.put(found)
        return found.content

    def _kept(self, url: str) -> Entry | None:
        """What the cache has of a URL, if every place that led to it is still allowed."""
        kept = self._cache.get(url, self.max_bytes) if self._cache is not None else None
        try:
            for hop in kept.hops if kept is not None else ():
                self._place(hop)
        except ImportRefused:
            return None
        return kept

    def _follow(self, url: str, kept: Entry | None) -> Entry:
        from isthmus.tosca.reading.importers.wire import Deadline

        deadline = Deadline(self._clock() + self.timeout, self._clock)
        hops = [url]
        while True:
            tag = kept.etag if kept is not None and kept.hops == tuple(hops) and _TAG.fullmatch(kept.etag) else ""
            response = self._get(self._place(hops[-1]), tag, deadline)
            if response.status in _REDIRECTS:
                hops.append(self._next(hops, response))
            elif response.status == _NOT_MODIFIED and tag and kept is not None:
                return replace(kept, checked=self._now())
            elif response.status == _OK:
                return Entry(tuple(hops), response.headers.get("etag", "")[:600], self._now(), response.content)
            else:
                raise ImportRefused("import-failed", f"{hops[-1]!r} was answered with status {response.status}")

    def _next(self, hops: list[str], response: Response) -> str:
        if len(hops) > MAX_REDIRECTS:
            raise ImportRefused("import-failed", f"{hops[0]!r} leads on more than {MAX_REDIRECTS} times")
        location = response.headers.get("location", "")
        try:
            return urljoin(hops[-1], location).partition("#")[0]
        except ValueError:
            raise ImportRefused("import-failed", f"{hops[-1]!r} leads on to what is no URL") from None

    def _place(self, url: str) -> Place:
        place = parse_place(url)
        check_allowed(place, self.allowed)
        return place

    def _get(self, place: Place, etag: str, deadline: Deadline) -> Response:
        from isthmus.tosca.reading.importers.wire import get

        addresses = self._resolver(place.host.strip("[]"), place.port, self.timeout)
        self._check(place.host, addresses)
        headers = {"if-none-match": etag} if etag else {}
        return get(place, addresses, deadline, headers=headers, max_bytes=self.max_bytes, context=self._context())

    def _context(self) -> ssl.SSLContext:
        if self._tls is None:
            import httpx

            self._tls = httpx.create_ssl_context()
        return self._tls
