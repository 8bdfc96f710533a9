"""Bearer tokens in a file, one a line; a change of the file holds from the next request on."""

from __future__ import annotations

import hashlib
import hmac
import logging
from pathlib import Path

from isthmus.errors import Invalid

log = logging.getLogger(__name__)
SHORTEST = 16


class TokenFile:
    """The tokens of a file; none is admitted while it cannot be read."""

    def __init__(self, path: Path):
        self._path = path
        self._seen: tuple[int, ...] = ()
        self._digests: tuple[bytes, ...] = ()
        if not self._load():
            raise Invalid(f"{path} holds no token of {SHORTEST} characters or more.")

    def admits(self, token: str) -> bool:
        """Whether the file has this token; how long it takes says nothing of how near it is."""
        self._load()
        digest = _digest(token)
        # Counted to the end: stopping at the first match would tell which line it stands on.
        return sum(hmac.compare_digest(digest, known) for known in self._digests) > 0

    def _load(self) -> bool:
        try:
            stat = self._path.stat()
            seen = (stat.st_ino, stat.st_mtime_ns, stat.st_size)
            if seen != self._seen:
                self._digests = tuple(map(_digest, read_tokens(self._path)))
                self._seen = seen
        except (OSError, UnicodeDecodeError) as error:
            log.error("the token file %s cannot be read: %s", self._path, type(error).__name__)
            self._digests, self._seen = (), ()
        return bool(self._digests)


def read_tokens(path: Path) -> list[str]:
    """The tokens of a file; those that are too short to be one are left out."""
    lines = (line.strip() for line in path.read_text().splitlines())
    return [line for line in lines if len(line) >= SHORTEST]


def first_token(path: Path) -> str:
    """The token to show to somebody else; raises :class:`~isthmus.errors.Invalid` if there is none."""
    try:
        return read_tokens(path)[0]
    except (OSError, UnicodeDecodeError, IndexError):
        raise Invalid(f"{path} holds no token.") from None


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()
