"""Files that users handed over, by the SHA-256 of their bytes: each owner's in a folder of its own.

Apart, because who could use a file by naming its digest would learn whether somebody else has it.
"""

from __future__ import annotations

import hashlib
import os
import re
import secrets
from collections.abc import AsyncIterator, Collection
from pathlib import Path

from isthmus.errors import Invalid, TooLarge

DIGEST = re.compile(r"[0-9a-f]{64}")
LARGEST = 64 * 1024**3
"""Bytes of one file."""
MONTH = 30 * 24 * 3600.0


class Blobs:
    """The folder of all blobs. A blob is there whole or not at all."""

    def __init__(self, folder: Path):
        self.folder = folder

    def path(self, owner: str, digest: str) -> Path:
        """Where a blob is, or would be."""
        if not DIGEST.fullmatch(digest):
            raise Invalid(f"{digest[:80]!r} is no SHA-256 in hex")
        home = hashlib.sha256(owner.encode("utf-8", "surrogatepass")).hexdigest()[:24]
        return self.folder / home / digest[:2] / digest

    def missing(self, owner: str, digests: Collection[str]) -> list[str]:
        """Those of ``digests`` that are not there; the others are kept for another month."""
        return [digest for digest in digests if not self.touch(owner, digest)]

    def touch(self, owner: str, digest: str) -> bool:
        """Whether a blob is there; it counts as used now."""
        try:
            os.utime(self.path(owner, digest))
        except FileNotFoundError:
            return False
        return True

    async def put(self, owner: str, digest: str, chunks: AsyncIterator[bytes]) -> None:
        """Keep a blob; raises :class:`Invalid` when the bytes are not those of its digest."""
        path = self.path(owner, digest)
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        part = path.with_name(f".{digest}.{secrets.token_hex(4)}")
        seen, size = hashlib.sha256(), 0
        try:
            with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                async for chunk in chunks:
                    size += len(chunk)
                    if size > LARGEST:
                        raise TooLarge(f"a file may have {LARGEST} bytes")
                    seen.update(chunk)
                    file.write(chunk)
            if seen.hexdigest() != digest:
                raise Invalid(f"these are not the bytes of {digest}: theirs is {seen.hexdigest()}")
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)

    def purge(self, now: float, unused: float = MONTH) -> int:
        """Remove blobs that nobody used for ``unused`` seconds; answers how many."""
        return sum(self._remove(file, now - unused) for file in self.folder.glob("*/*/*"))

    def _remove(self, file: Path, before: float) -> bool:
        """Remove a file last used before a time: set aside first, since somebody may begin to use it just now.

        Whoever asks for it meanwhile hears that it is missing, and hands it over again.
        """
        aside = file if file.name.startswith(".") else file.with_name(f".{file.name}.gone")
        try:
            if file.stat().st_mtime >= before:
                return False
            file.rename(aside)
            if aside.stat().st_mtime >= before:
                aside.rename(file)
                return False
            aside.unlink()
        except FileNotFoundError:
            return False
        return True
