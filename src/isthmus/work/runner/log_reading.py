"""Reading the log of a container: from its end, since a time, on and on. The lines are those of CRI logs.

What is read was written beside hostile programs: a line may be of any length, a file may be anything. Memory is
bounded by a few blocks whatever is there.
"""

from __future__ import annotations

import contextlib
import os
import re
import time
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, Optional, Tuple

from .failures import Permanent
from .places import folder, open_file

BLOCK = 64 * 1024
HEAD = 64
"""Bytes at the start of a line within which its time, stream and tag end."""
JOINED = 256 * 1024
"""Bytes of a line in pieces that are held until it is whole; a longer one is given out in pieces."""
_HEADS = re.compile(rb"^[^ \n]+ [^ \n]+ F ", re.MULTILINE)
_FINAL = re.compile(rb"[^ ]{1,40} (?:stdout|stderr) F(?: |\n|\Z)")


class Options:
    """Which part of a log: see :class:`isthmus.sites.jobs.LogOptions`."""

    def __init__(self, given: Dict[str, Any]):
        self.tail = _number(given, "tail", int)
        self.since = _number(given, "since", float)
        self.limit = _number(given, "limit", int)
        self.timestamps = given.get("timestamps") is True
        self.follow = given.get("follow") is True
        self.previous = given.get("previous") is True


def _number(given: Dict[str, Any], name: str, kind: Any) -> Any:
    value = given.get(name)
    if value is None:
        return None
    if not isinstance(value, (int, float)) or isinstance(value, bool) or not 0 <= value < 2**62:
        raise Permanent("log: {} is {!r}".format(name, value)[:200])
    return kind(value)


def newest_run(task: Path, container: str, previous: bool = False) -> Optional[int]:
    """The last run of a container that has a log, or with ``previous`` the one before."""
    with contextlib.suppress(OSError):
        with folder(task, ("log",)) as place:
            matches = (re.fullmatch(re.escape(container) + r"\.([0-9]{1,9})\.log", name) for name in os.listdir(place))
            runs = sorted(int(match.group(1)) for match in matches if match)
        chosen = runs[:-1] if previous else runs
        return chosen[-1] if chosen else None
    return None


def read_log(task: Path, container: str, options: Options, ended: Callable[[int], bool]) -> Iterator[Optional[bytes]]:
    """Pieces of at most a few blocks; None when nothing is there now and it is worth asking again later.

    ``task`` is the folder of the task, ``ended`` says whether a run of the container has ended.
    """
    run = newest_run(task, container, options.previous)
    while run is None and options.follow and not options.previous and not ended(0):
        yield None
        run = newest_run(task, container)
    if run is None:
        run = newest_run(task, container, options.previous)
    if run is None:
        return
    try:
        descriptor = open_file(task, ("log", "{}.{}.log".format(container, run)))
    except OSError:
        return  # it went away, or it is a link and no log
    try:
        lines = Lines(options)
        position = start(descriptor, options)
        rest = b""
        while not lines.full:
            over = not options.follow or options.previous or ended(run)  # asked before the read: what was
            data = os.pread(descriptor, BLOCK, position)  # written before the end is then read
            position += len(data)
            if data:
                text, rest = lines.take(rest + data)
                yield text
            elif over:
                break
            else:
                yield None
        yield lines.end()
    finally:
        os.close(descriptor)


def start(descriptor: int, options: Options) -> int:
    """Where in the file to begin to read."""
    size = os.fstat(descriptor).st_size
    places = [0]
    if options.tail is not None:
        places.append(_before_last(descriptor, size, options.tail))
    if options.since is not None:
        places.append(_first_since(descriptor, size, timestamp(options.since)))
    return max(places)


def _feeds_backwards(descriptor: int, end: int) -> Iterator[Tuple[int, bytes]]:
    """Every line feed before ``end``, last first, with the head of the line after it; at last that of the file."""
    later = b""
    while end > 0:
        begin = max(0, end - BLOCK)
        text = os.pread(descriptor, end - begin, begin) + later
        at = end - begin
        while True:
            at = text.rfind(b"\n", 0, at)
            if at < 0:
                break
            yield begin + at, text[at + 1 : at + 1 + HEAD]
        later = text[:HEAD]
        end = begin
    yield -1, later


def _before_last(descriptor: int, size: int, count: int) -> int:
    """Where the last ``count`` lines begin; one in pieces is one, and what has no line feed yet is none."""
    line_end: Optional[int] = None
    for feed, head in _feeds_backwards(descriptor, size):
        if line_end is not None and _FINAL.match(head):
            if count == 0:
                return line_end + 1
            count -= 1
        line_end = feed
    return 0


def _first_since(descriptor: int, size: int, since: bytes) -> int:
    """Where the first line begins that is not older than ``since``: times only grow in a log."""
    low, high = 0, size
    while low < high:
        middle = (low + high) // 2
        begin = _line_at(descriptor, middle, size)
        if begin >= size or os.pread(descriptor, len(since), begin) >= since:
            high = middle
        else:
            low = max(middle, begin) + 1
    return _line_at(descriptor, low, size)


def _line_at(descriptor: int, position: int, size: int) -> int:
    """The first beginning of a line at or after ``position``."""
    if position == 0:
        return 0
    position -= 1
    while position < size:
        block = os.pread(descriptor, BLOCK, position)
        at = block.find(b"\n")
        if at >= 0:
            return position + at + 1
        position += len(block) or size
    return size


class Lines:
    """Turns the lines of a log into what the container wrote; ``full`` says that the limit is reached."""

    def __init__(self, options: Options):
        self._times = options.timestamps
        self._left = options.limit
        self._pending: Dict[bytes, List[bytes]] = {}
        self._skipping = False

    @property
    def full(self) -> bool:
        """Whether there is nothing more to give out."""
        return self._left is not None and self._left <= 0

    def take(self, data: bytes) -> Tuple[bytes, bytes]:
        """What whole lines in ``data`` give, and the rest, which comes again with what follows it."""
        whole, feed, rest = data.rpartition(b"\n")
        if not feed:
            if self._skipping or len(data) <= JOINED:
                return b"", b"" if self._skipping else data
            self._skipping = True  # no log of ours has such a line
            return b"", b""
        if not (self._times or self._pending or self._skipping):
            text, heads = _HEADS.subn(b"", whole)  # a third of the time of what follows
            if heads == whole.count(b"\n") + 1:
                return self._limited(text + b"\n"), rest
        lines = whole.split(b"\n")
        if self._skipping:
            self._skipping, lines = False, lines[1:]
        out: List[bytes] = []
        for line in lines:
            fields = line.split(b" ", 3)
            if len(fields) > 2:
                self._piece(out, fields[0], fields[1], fields[2] == b"P", fields[3] if len(fields) > 3 else b"")
        return self._limited(b"".join(out)), rest

    def end(self) -> bytes:
        """What the container wrote last without a line feed."""
        return self._limited(b"".join(piece for pieces in self._pending.values() for piece in pieces))

    def _piece(self, out: List[bytes], when: bytes, stream: bytes, partial: bool, text: bytes) -> None:
        pieces = self._pending.get(stream)
        if pieces is None:
            head = when + b" " if self._times else b""
            if not partial:
                out.append(head + text + b"\n")
                return
            pieces = self._pending[stream] = [head]
        pieces.append(text)
        if not partial:
            out.extend(self._pending.pop(stream))
            out.append(b"\n")
        elif len(pieces) > 2 and sum(map(len, pieces)) > JOINED:
            out.extend(pieces)
            pieces[:] = [b""]

    def _limited(self, text: bytes) -> bytes:
        if self._left is None:
            return text
        text = text[: max(0, self._left)]
        self._left -= len(text)
        return text


def timestamp(seconds: float) -> bytes:
    """Seconds since the epoch as logs have them, so that bytes compare as times do."""
    whole = int(seconds)
    nanoseconds = min(999_999_999, round((seconds - whole) * 1e9))
    return "{}.{:09d}Z".format(time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(whole)), nanoseconds).encode()
