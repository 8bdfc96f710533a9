"""A folder of fetched files: one file for a URL, written at once, bounded, and checked when it is read."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

MAX_BYTES = 256 * 2**20
MAX_ENTRIES = 2_000
_SUFFIX = ".import"


@dataclass(frozen=True, slots=True)
class Entry:
    """A file that was fetched: the URLs that led to it, its tag, and when it was last known to be right."""

    hops: tuple[str, ...]
    etag: str
    checked: float
    content: bytes


class Cache:
    """Keeps what was fetched in a folder of its own; ``now`` tells seconds since the epoch."""

    def __init__(self, folder: Path, now: Callable[[], float]) -> None:
        self.folder = folder
        self.now = now

    def get(self, url: str, limit: int) -> Entry | None:
        """What is kept of a URL; nothing when that is not there, too large, or damaged."""
        try:
            with self._path(url).open("rb") as stream:
                line = stream.readline(2**16)
                content = stream.read(limit + 1)
            head = json.loads(line)
            entry = Entry(tuple(head["hops"]), str(head["etag"]), float(head["checked"]), content)
            whole = len(content) <= limit and head["sha256"] == hashlib.sha256(content).hexdigest()
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            return None
        return entry if whole and entry.hops[:1] == (url,) else None

    def put(self, entry: Entry) -> None:
        """Keep an entry under the first of its URLs; a folder that cannot be written is no reason to fail."""
        digest = hashlib.sha256(entry.content).hexdigest()
        head = {"hops": entry.hops, "etag": entry.etag, "checked": entry.checked, "sha256": digest}
        with suppress(OSError):
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(dir=self.folder)
            try:
                with os.fdopen(handle, "wb") as stream:
                    stream.write(json.dumps(head).encode() + b"\n" + entry.content)
                Path(name).replace(self._path(entry.hops[0]))
            except BaseException:
                Path(name).unlink(missing_ok=True)
                raise
            self._trim()

    def _path(self, url: str) -> Path:
        return self.folder / f"{hashlib.sha256(url.encode()).hexdigest()}{_SUFFIX}"

    def _trim(self) -> None:
        """Drop the oldest files until the rest is within bounds."""
        found = sorted((s.st_mtime, s.st_size, p) for p in self.folder.glob(f"*{_SUFFIX}") for s in [p.stat()])
        total, count = sum(size for _, size, _ in found), len(found)
        for _, size, path in found:
            if total <= MAX_BYTES and count <= MAX_ENTRIES:
                return
            path.unlink(missing_ok=True)
            total, count = total - size, count - 1
