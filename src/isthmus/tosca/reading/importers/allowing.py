"""The allow list of an importer: which https URLs may be fetched."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from isthmus.tosca.reading.importers.contract import ImportRefused

HTTPS = 443
MAX_URL = 2_000

_HOST = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?|\[[0-9a-f:.]{2,45}\]")
_PLAIN = re.compile(r"[!-~]+")


@dataclass(frozen=True, slots=True)
class Place:
    """What a URL asks for: a host, a port, and a path with its query."""

    host: str
    port: int
    path: str
    target: str

    @property
    def authority(self) -> str:
        """The host as a request names it, with its port unless that is the usual one."""
        return self.host if self.port == HTTPS else f"{self.host}:{self.port}"


def parse_place(url: str) -> Place:
    """The place that an https URL means; raises :class:`ImportRefused` for other URLs, and where it would hide."""
    short = url[:200]
    if len(url) > MAX_URL or not _PLAIN.fullmatch(url) or "\\" in url:
        raise ImportRefused("import-refused", f"{short!r} is not written as a URL must be")
    try:
        parts = urlsplit(url)
        port = HTTPS if parts.port is None else parts.port
    except ValueError:
        raise ImportRefused("import-refused", f"{short!r} is not a URL") from None
    if parts.scheme != "https":
        suggestion = "import it by https" if parts.scheme == "http" else ""
        raise ImportRefused("import-refused", f"{short!r} is not an https URL", suggestion)
    if "@" in parts.netloc:
        raise ImportRefused(
            "import-refused", f"a URL of {parts.hostname!r} holds a user or a password, and none are sent"
        )
    host = parts.netloc.rpartition(":")[0] if parts.port is not None else parts.netloc.rstrip(":")
    if not _HOST.fullmatch(host.lower()) or ".." in host:
        raise ImportRefused("import-refused", f"{short!r} names no host")
    path = parts.path or "/"
    if _hides(path):
        raise ImportRefused("import-refused", f"the path of {short!r} is not the plain one")
    return Place(host.lower(), port, path, path + (f"?{parts.query}" if parts.query else ""))


def _hides(path: str) -> bool:
    """Whether a path has segments that servers resolve: dots, or slashes in disguise, even twice encoded."""
    for segment in path.split("/"):
        plain = unquote(unquote(segment))
        if plain in (".", "..") or "/" in plain or "\\" in plain or "\0" in plain:
            return True
    return False


@dataclass(frozen=True, slots=True)
class Allowed:
    """One entry of an allow list: `HOST`, `HOST:PORT`, or either with `/PATH` in front of what it allows."""

    host: str
    port: int
    path: str

    def covers(self, place: Place) -> bool:
        return (self.host, self.port) == (place.host, place.port) and (f"{place.path}/").startswith(f"{self.path}/")


def parse_allowed(entries: Iterable[str]) -> tuple[Allowed, ...]:
    """The entries of an allow list; raises ValueError for one that is none."""
    return tuple(map(_parse_entry, entries))


def _parse_entry(entry: str) -> Allowed:
    try:
        place = parse_place(entry if entry.startswith("https://") else f"https://{entry}")
    except ImportRefused as refused:
        raise ValueError(f"{entry!r} cannot be allowed: HOST or HOST/PATH is wanted ({refused.summary})") from None
    if place.target != place.path or "//" in place.path:
        raise ValueError(f"{entry!r} cannot be allowed: HOST or HOST/PATH is wanted")
    return Allowed(place.host, place.port, place.path.rstrip("/"))


def check_allowed(place: Place, allowed: Iterable[Allowed]) -> None:
    """Refuse a place that no entry of the list covers; raises :class:`ImportRefused`."""
    if not any(a.covers(place) for a in allowed):
        summary = f"{place.authority + place.path!r} is not on the list of what may be fetched"
        raise ImportRefused("import-refused", summary, f"allow the host {place.authority!r} if you trust it")
