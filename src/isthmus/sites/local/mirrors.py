"""The Debian mirror that this host uses, read from its apt sources."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from isthmus.sites.local.debian import os_release

_LINE = re.compile(r"deb\s+(?:\[[^\]]*\]\s+)?(?P<uri>\S+)\s+(?P<suite>\S+)\s+\S")


@dataclass(frozen=True, slots=True)
class Mirror:
    """Where packages of Debian, and of its security archive, come from."""

    main: str
    security: str | None = None

    def sources(self, suite: str) -> list[str]:
        """The lines of ``sources.list`` for a release."""
        lines = [f"deb {self.main} {s} main" for s in (suite, f"{suite}-updates")]
        return lines + ([f"deb {self.security} {suite}-security main"] if self.security else [])


def find_mirror(etc: Path = Path("/etc")) -> Mirror | None:
    """The mirror of a Debian host's own release; None on another host, or when it names none over HTTP."""
    system = os_release(etc)
    codename = system.get("VERSION_CODENAME")
    if not codename or system.get("ID") != "debian":
        return None
    uris: dict[str, str] = {}
    for uri, suite in _sources(etc / "apt"):
        if uri.startswith(("http://", "https://")):
            uris.setdefault(suite, uri)
    return Mirror(uris[codename], uris.get(f"{codename}-security")) if codename in uris else None


def _sources(apt: Path) -> Iterator[tuple[str, str]]:
    for path in (apt / "sources.list", *sorted((apt / "sources.list.d").glob("*"))):
        if path.suffix == ".sources":
            yield from _stanzas(path.read_text())
        elif path.suffix == ".list" and path.is_file():
            yield from ((m["uri"], m["suite"]) for m in map(_LINE.match, path.read_text().splitlines()) if m)


def _stanzas(text: str) -> Iterator[tuple[str, str]]:
    plain = "\n".join(line for line in text.splitlines() if not line.startswith("#"))
    for stanza in re.split(r"\n\s*\n", plain):
        fields = {k.lower(): v.split() for k, _, v in (line.partition(":") for line in stanza.splitlines())}
        if "deb" in fields.get("types", ()) and fields.get("enabled", ["yes"]) != ["no"]:
            yield from ((uri, suite) for uri in fields.get("uris", ()) for suite in fields.get("suites", ()))
