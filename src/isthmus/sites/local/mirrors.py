"""The Debian mirror that this host uses, read from its apt sources."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

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
    codename = _os_release(etc).get("VERSION_CODENAME")
    if not codename or _os_release(etc).get("ID") != "debian":
        return None
    uris: dict[str, str] = {}
    for uri, suite in _sources(etc / "apt"):
        if uri.startswith(("http://", "https://")):
            uris.setdefault(suite, uri)
    return Mirror(uris[codename], uris.get(f"{codename}-security")) if codename in uris else None


def is_debian(etc: Path = Path("/etc")) -> bool:
    """Whether this host is Debian, so that its packages may be installed on it."""
    return _os_release(etc).get("ID") == "debian"


def _os_release(etc: Path) -> dict[str, str]:
    try:
        text = (etc / "os-release").read_text()
    except OSError:
        return {}
    pairs = (line.split("=", 1) for line in text.splitlines() if "=" in line)
    return {name.strip(): value.strip().strip('"') for name, value in pairs}


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
