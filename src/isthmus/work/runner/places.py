"""Where things lie in the agent's folder, and how they are opened: names are checked, links never followed.

The sandbox and the logs are written by programs that may be hostile. They can put a link, a pipe or a huge
file wherever the agent looks, so that every component of a path is opened by itself and without following.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import stat
import tempfile
from pathlib import Path
from typing import Any, Iterator, List, Sequence, Tuple

from .failures import Permanent

ID = re.compile(r"[0-9a-f]{12}-[0-9]{1,9}")
DIGEST = re.compile(r"[0-9a-f]{64}")
NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,127})?")
STATUS_LIMIT = 1024 * 1024


def checked_id(value: object) -> str:
    """``value`` if it can be a submission's id."""
    if not isinstance(value, str) or not ID.fullmatch(value):
        raise Permanent("not the id of a submission: {!r}".format(value)[:200])
    return value


def checked_digest(value: object) -> str:
    """``value`` if it can be a SHA-256 in hex."""
    if not isinstance(value, str) or not DIGEST.fullmatch(value):
        raise Permanent("not a digest: {!r}".format(value)[:200])
    return value


def checked_name(value: object) -> str:
    """``value`` if it can be the name of a container."""
    if not isinstance(value, str) or not NAME.fullmatch(value):
        raise Permanent("not the name of a container: {!r}".format(value)[:200])
    return value


def checked_index(value: object) -> int:
    """``value`` if it can be the index of a task."""
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 2**31:
        raise Permanent("not the index of a task: {!r}".format(value)[:200])
    return value


def parts(path: object) -> Tuple[str, ...]:
    """The components of a relative path that stays below where it starts."""
    if not isinstance(path, str) or not path or len(path) > 4096 or "\0" in path or path.startswith("/"):
        raise Permanent("not a path below the sandbox: {!r}".format(path)[:200])
    found = tuple(part for part in path.split("/") if part not in ("", "."))
    if not found or ".." in found:
        raise Permanent("not a path below the sandbox: {!r}".format(path)[:200])
    return found


def mode(value: object) -> int:
    """Permission bits alone."""
    if not isinstance(value, int) or not 0 <= value <= 0o7777:
        raise Permanent("not a file mode: {!r}".format(value)[:200])
    return value & 0o777


@contextlib.contextmanager
def folder(base: Path, names: Sequence[str], make: bool = False) -> Iterator[int]:
    """A descriptor of the folder ``names`` below ``base``; OSError when one of them is no real folder."""
    descriptor = os.open(str(base), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for name in names:
            if make:
                with contextlib.suppress(FileExistsError):
                    os.mkdir(name, 0o700, dir_fd=descriptor)
            flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
            deeper = os.open(name, flags, dir_fd=descriptor)
            os.close(descriptor)
            descriptor = deeper
        yield descriptor
    finally:
        os.close(descriptor)


def open_file(base: Path, names: Sequence[str]) -> int:
    """A descriptor of the regular file ``names`` below ``base``, for reading; OSError when it is none."""
    with folder(base, names[:-1]) as place:
        descriptor = os.open(names[-1], os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=place)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise FileNotFoundError("{} is not a regular file".format("/".join(names)))
    return descriptor


def read_small(base: Path, names: Sequence[str], limit: int = STATUS_LIMIT) -> bytes:
    """A file of at most ``limit`` bytes; OSError when there is none, or a larger one."""
    descriptor = open_file(base, names)
    with os.fdopen(descriptor, "rb") as file:
        data = file.read(limit + 1)
    if len(data) > limit:
        raise OSError("{} is larger than {} bytes".format("/".join(names), limit))
    return data


def write_whole(place: Path, data: bytes, durable: bool = True) -> None:
    """Put a file in place with one rename, readable to its owner only."""
    descriptor, name = tempfile.mkstemp(prefix=".new-", dir=str(place.parent))
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            if durable:
                os.fsync(file.fileno())
        os.replace(name, str(place))
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(name)
        raise
    if durable:
        sync_folder(place.parent)


def sync_folder(place: Path) -> None:
    """Make what was renamed or made in a folder last."""
    with contextlib.suppress(OSError):  # some shared file systems know no fsync of folders
        descriptor = os.open(str(place), os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def write_json(place: Path, value: Any, durable: bool = True) -> None:
    """:func:`write_whole` of ``value``."""
    write_whole(place, json.dumps(value, separators=(",", ":")).encode(), durable)


class Places:
    """The folders below ``root``, made at need for their owner only."""

    def __init__(self, root: Path):
        self.root = root
        self.blobs = root / "blobs"
        self.programs = root / "programs"
        self.submissions = root / "submissions"
        self.handing = root / "handing"

    def make(self) -> None:
        """Make the folders."""
        for place in (self.root, self.blobs, self.programs, self.submissions):
            place.mkdir(mode=0o700, parents=True, exist_ok=True)

    def submission(self, id: object) -> Path:
        """The folder of a submission."""
        return self.submissions / checked_id(id)

    def all(self) -> List[str]:
        """The ids of all submissions that have a folder."""
        try:
            return sorted(name for name in os.listdir(str(self.submissions)) if ID.fullmatch(name))
        except FileNotFoundError:
            return []
