"""Files by their SHA-256: put in pieces, kept by rename, copied to where a job may write to them."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import os
import shutil
import tempfile
import threading
import time
from pathlib import Path
from typing import Any, BinaryIO, Dict, Iterable, List, Tuple

from .failures import Permanent, Temporary
from .places import checked_digest, sync_folder

_CLONE = 0x40049409
"""FICLONE of linux/fs.h: let two files share their blocks until one of them is written to."""


class Receiving:
    """A blob on its way in; ``end`` puts it in place under its digest."""

    def __init__(self, blobs: Path):
        self._blobs = blobs
        blobs.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor, self.name = tempfile.mkstemp(prefix=".part-", dir=str(blobs))
        self._file = os.fdopen(descriptor, "wb")
        self._hash = hashlib.sha256()
        self.size = 0

    def add(self, data: bytes) -> None:
        """The next bytes."""
        self._file.write(data)
        self._hash.update(data)
        self.size += len(data)

    def end(self) -> str:
        """The digest under which the blob lies now."""
        self._file.flush()
        os.fsync(self._file.fileno())
        digest = self._hash.hexdigest()
        place = self._blobs / digest[:2] / digest
        place.parent.mkdir(mode=0o700, exist_ok=True)
        os.replace(self.name, str(place))
        sync_folder(place.parent)
        self._file.close()
        return digest

    def matches(self, digest: str) -> bool:
        """Whether what came in has this digest."""
        return self._hash.hexdigest() == digest

    def drop(self) -> None:
        """Forget it."""
        with contextlib.suppress(OSError):
            self._file.close()
        with contextlib.suppress(OSError):
            os.unlink(self.name)


class Blobs:
    """The blobs below a folder."""

    def __init__(self, place: Path):
        self.place = place
        self._coming: Dict[str, Receiving] = {}
        self._lock = threading.Lock()

    def path(self, digest: object) -> Path:
        """Where a blob lies, or would."""
        name = checked_digest(digest)
        return self.place / name[:2] / name

    def missing(self, digests: Iterable[object]) -> List[str]:
        """Those that are not here; the others are kept from being swept for a while."""
        missing = []
        for digest in digests:
            try:
                os.utime(str(self.path(digest)))
            except FileNotFoundError:
                missing.append(str(digest))
        return missing

    def put(self, digest: object, offset: object, last: object, data: bytes) -> Dict[str, Any]:
        """Take the next piece of a blob; the first begins it anew."""
        name = checked_digest(digest)
        with self._lock:
            if offset == 0:
                self._drop(name)
                self._coming[name] = Receiving(self.place)
            coming = self._coming.get(name)
            if coming is None or coming.size != offset:
                raise Temporary("blob {} does not go on at {!r}".format(name, offset))
            try:
                coming.add(data)
                if last is not True:
                    return {}
                if not coming.matches(name):
                    raise Permanent("what came is not blob {}".format(name))
                coming.end()
                del self._coming[name]
            except BaseException:
                self._drop(name)
                raise
        return {}

    def _drop(self, name: str) -> None:
        coming = self._coming.pop(name, None)
        if coming is not None:
            coming.drop()

    def copy(self, digest: object, folder: int, name: str, mode: int) -> None:
        """Copy a blob to a new file in a folder; FileExistsError when there is one, Temporary without the blob."""
        try:
            source = open(str(self.path(digest)), "rb")  # noqa: SIM115 (closed just below)
        except FileNotFoundError:
            raise Temporary("blob {} is not here".format(digest)) from None
        with source:
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
            with os.fdopen(os.open(name, flags, 0o600, dir_fd=folder), "wb") as target:
                _copy(source, target)
                os.fchmod(target.fileno(), mode)

    def sweep(self, used: Iterable[str], keep: float) -> int:
        """Remove what no submission names and nobody asked for in ``keep`` seconds; how many that were."""
        needed, before, swept = set(used), time.time() - keep, 0
        for entry in list(os.scandir(str(self.place))):
            if entry.name.startswith(".part-"):
                swept += _remove_old(entry, min(before, time.time() - 86400))
            elif entry.is_dir(follow_symlinks=False):
                swept += sum(_remove_old(blob, before) for blob in os.scandir(entry.path) if blob.name not in needed)
        return swept


def _remove_old(entry: "os.DirEntry[str]", before: float) -> int:
    with contextlib.suppress(OSError):
        if entry.stat(follow_symlinks=False).st_mtime < before:
            os.unlink(entry.path)
            return 1
    return 0


def _copy(source: BinaryIO, target: BinaryIO) -> None:
    """Share the blocks where the file system can, else copy them inside the kernel, else here."""
    with contextlib.suppress(OSError):
        fcntl.ioctl(target.fileno(), _CLONE, source.fileno())
        return
    shutil.copyfileobj(source, target, 1024 * 1024)


def words(error: OSError) -> Tuple[str, bool]:
    """What an OSError says, and whether it is for want of room."""
    full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
    place = "{}: ".format(error.filename) if error.filename else ""
    return "{}{}".format(place, error.strerror or error), full
