"""What a submission left in its sandbox: which of it its outputs name, with digests, and the bytes.

Programs wrote it, so that links are never followed and what is no regular file is no output.
"""

from __future__ import annotations

import contextlib
import fnmatch
import hashlib
import os
import stat
import threading
from collections import OrderedDict
from pathlib import Path
from typing import Any, Dict, Iterator, List, Sequence, Tuple

from .failures import Permanent
from .frames import CHUNK
from .places import folder, open_file, parts

FILES = 100_000
"""How many outputs one submission may have."""
BYTES = 2**40
"""How large they may be together: a file of holes costs its writer nothing, and its reader the time of its size."""
DEPTH = 100
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_Names = Tuple[str, ...]


class Sandbox:
    """Reads sandboxes; remembers the digests of files that have not changed."""

    def __init__(self) -> None:
        self._digests: OrderedDict[Tuple[int, int, int, int, int], str] = OrderedDict()
        self._lock = threading.Lock()

    def files(self, work: Path, patterns: Sequence[str]) -> List[Dict[str, Any]]:
        """The files that ``patterns`` name: by themselves, or by a folder above them."""
        listed = []
        for names in find(work, patterns):
            try:
                listed.append(self._describe(work, names))
            except OSError:
                continue  # it went away since
        return listed

    def _describe(self, work: Path, names: _Names) -> Dict[str, Any]:
        descriptor = open_file(work, names)
        try:
            seen = os.fstat(descriptor)
            digest = self._digest(descriptor, seen)
        finally:
            os.close(descriptor)
        return {
            "path": "/".join(names),
            "size": seen.st_size,
            "mode": stat.S_IMODE(seen.st_mode),
            "digest": digest,
        }

    def _digest(self, descriptor: int, seen: os.stat_result) -> str:
        key = (seen.st_dev, seen.st_ino, seen.st_size, seen.st_mtime_ns, seen.st_ctime_ns)
        with self._lock:
            known = self._digests.get(key)
        if known is not None:
            return known
        digest = hashlib.sha256()
        for block in _blocks(descriptor, seen.st_size):
            digest.update(block)
        with self._lock:
            self._digests[key] = digest.hexdigest()
            while len(self._digests) > FILES:
                self._digests.popitem(last=False)
        return digest.hexdigest()


def find(work: Path, patterns: Sequence[str]) -> List[_Names]:
    """The paths of the regular files that ``patterns`` name, sorted."""
    found: Dict[_Names, os.stat_result] = {}
    for pattern in patterns:
        with contextlib.suppress(FileNotFoundError), folder(work, ()) as descriptor:  # before the job's start
            _match(descriptor, (), parts(pattern), found)
    if sum(seen.st_size for seen in found.values()) > BYTES:
        raise Permanent("outputs: more than {} bytes".format(BYTES))
    return sorted(found)


def read(work: Path, path: object) -> Iterator[bytes]:
    """The bytes of one file, as many as it had when it was opened."""
    names = parts(path)
    try:
        descriptor = open_file(work, names)
    except OSError as error:
        raise Permanent("no file {}: {}".format("/".join(names), error.strerror or error)) from None
    try:
        yield from _blocks(descriptor, os.fstat(descriptor).st_size)
    finally:
        os.close(descriptor)


def _blocks(descriptor: int, size: int) -> Iterator[bytes]:
    position = 0
    while position < size:
        block = os.pread(descriptor, min(CHUNK, size - position), position)
        if not block:
            return
        position += len(block)
        yield block


def _match(place: int, above: _Names, pattern: _Names, found: Dict[_Names, os.stat_result]) -> None:
    """Add to ``found`` what ``pattern`` names in the folder ``place``, whose own path is ``above``."""
    if len(above) > DEPTH:
        raise Permanent("outputs: folders are deeper than {}".format(DEPTH))
    first, rest = (pattern[0], pattern[1:]) if pattern else ("*", ())
    if first == "**":
        _match(place, above, rest, found)
    for name in _names(place, first):
        try:
            seen = os.stat(name, dir_fd=place, follow_symlinks=False)
        except OSError:
            continue
        names = (*above, name)
        if stat.S_ISDIR(seen.st_mode):
            try:
                deeper = os.open(name, _FOLDER, dir_fd=place)
            except OSError:
                continue
            try:
                _match(deeper, names, pattern if first == "**" else rest, found)
            finally:
                os.close(deeper)
        elif stat.S_ISREG(seen.st_mode) and not rest and first != "**":
            found[names] = seen
            if len(found) > FILES:
                raise Permanent("outputs: more than {} files".format(FILES))


def _names(place: int, pattern: str) -> List[str]:
    if not any(c in pattern for c in "*?["):
        return [pattern]
    listed = os.listdir(place)
    if pattern in ("*", "**"):
        return listed
    return [name for name in listed if fnmatch.fnmatchcase(name, pattern)]
