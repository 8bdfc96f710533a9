"""The log of a job's task as it comes, to stdout: nothing twice and nothing lost, though connections break.

The server is always asked for times, which tell where to go on; they are taken off unless they are wanted.
"""

from __future__ import annotations

import codecs
import re
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from isthmus.cli.failures import NOT_FOUND, Failure
from isthmus.cli.output import clean, emit_line, note, on_terminal

if TYPE_CHECKING:
    from isthmus.cli.client import Client

Write = Callable[[bytes], None]
_STAMP = re.compile(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?Z")
_LONGEST_STAMP = 31
_LOCK = threading.Lock()


@dataclass(frozen=True, slots=True)
class Wish:
    """Which part of which log."""

    task: int | None = None
    container: str | None = None
    tail: int | None = None
    since: float | None = None
    previous: bool = False
    timestamps: bool = False


class Reader:
    """Takes chunks of a log with times and hands on what is new; knows where it is when it begins again."""

    def __init__(self, write: Write, *, timestamps: bool = False):
        self._write = write
        self._timestamps = timestamps
        self.last = b""
        """The time of the newest line that was handed on."""
        self._lines = 0
        """How many whole lines of that time were handed on."""
        self._bytes = 0
        """How much of the line after those."""
        self.restart()

    def restart(self) -> None:
        """What comes now begins at, or before, the newest line."""
        self._mark, self._known_lines, self._known_bytes = self.last, self._lines, self._bytes
        self._head = b""
        self._inside = False

    def feed(self, chunk: bytes) -> None:
        """Take a chunk; it may end anywhere."""
        while chunk:
            if not self._inside:
                chunk = self._take_head(chunk)
                continue
            text, newline, chunk = chunk.partition(b"\n")
            self._take_text(text + newline)
            if newline:
                self._end_line()

    def _take_head(self, chunk: bytes) -> bytes:
        """Read the time before a line; what remains is its text."""
        self._head += chunk
        stamp, space, rest = self._head.partition(b" ")
        if not space and len(self._head) < _LONGEST_STAMP and b"\n" not in self._head:
            return b""
        known = bool(space and _STAMP.fullmatch(stamp))
        # A line without a time counts to the one before it.
        self._begin_line(stamp[:-1] if known else self.last)
        text, self._head = rest if known else self._head, b""
        return text

    def _begin_line(self, stamp: bytes) -> None:
        self._inside, self._passed, self._skip = True, 0, self._known(stamp)
        if self._skip is None:
            return
        if stamp != self.last:
            self.last, self._lines = stamp, 0
        self._bytes = self._skip
        if self._timestamps and stamp and not self._skip:
            self._write(stamp + b"Z ")

    def _known(self, stamp: bytes) -> int | None:
        """How many bytes of a line were handed on before; None: all of it."""
        if not self._mark or stamp > self._mark:
            self._mark = b""
            return 0
        if stamp < self._mark:
            return None
        if self._known_lines:
            self._known_lines -= 1
            return None
        known, self._known_bytes = self._known_bytes, 0
        return known

    def _take_text(self, text: bytes) -> None:
        if self._skip is None:
            return
        if fresh := text[max(0, self._skip - self._passed) :]:
            self._write(fresh)
        self._passed += len(text)
        self._bytes = max(self._skip, self._passed)

    def _end_line(self) -> None:
        self._inside = False
        if self._skip is not None:
            self._lines += 1
            self._bytes = 0

    def since(self) -> str | None:
        """From when to ask again: a little before the newest line, since clients and servers round differently."""
        if not self.last:
            return None
        second = datetime.strptime(self.last[:19].decode(), "%Y-%m-%dT%H:%M:%S").replace(tzinfo=UTC)
        return second.strftime("%Y-%m-%dT%H:%M:%SZ")


def read_log(client: Client, job: str, wish: Wish, reader: Reader, *, follow: bool = False) -> None:
    """Hand on what a log holds that the reader has not seen, or go on until the container has ended.

    A lost connection is made again, and the log goes on where it was.
    """
    client.patiently(lambda: _read(client, job, wish, reader, follow=follow))


def _read(client: Client, job: str, wish: Wish, reader: Reader, *, follow: bool) -> None:
    reader.restart()
    # Only the first time: what was seen since then is what one goes on after.
    first = {"tail": wish.tail, "since": wish.since} if not reader.last else {"since_time": reader.since()}
    asked: dict[str, Any] = {**first, "task": wish.task, "container": wish.container, "timestamps": "true"}
    if follow:
        asked["follow"] = "true"
    if wish.previous:
        asked["previous"] = "true"
    for chunk in client.content(f"/jobs/{job}/log", endless=follow, **asked):
        reader.feed(chunk)


def to_stdout() -> Write:
    """Writes bytes as they are into a pipe; a terminal gets text that cannot play tricks on it."""
    if not on_terminal():

        def write_raw(text: bytes) -> None:
            with _LOCK:
                sys.stdout.flush()
                sys.stdout.buffer.write(text)
                sys.stdout.buffer.flush()

        return write_raw
    decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def write_text(text: bytes) -> None:
        words = decoder.decode(text)
        with _LOCK:
            # A carriage return draws a progress bar; it is the one that terminals may have.
            sys.stdout.write("\r".join(map(clean, words.split("\r"))))
            sys.stdout.flush()

    return write_text


def by_lines(tell: Callable[[str, str], None]) -> Write:
    """Collects lines that begin with their time, and tells time and text of each whole one."""
    pending = b""

    def write(text: bytes) -> None:
        nonlocal pending
        pending += text
        while b"\n" in pending:
            line, _, pending = pending.partition(b"\n")
            stamp, _, words = line.decode("utf-8", "replace").partition(" ")
            tell(stamp, words)

    return write


def prefixed(write: Write, name: str) -> Write:
    """Hands on whole lines, each behind the name of its container."""
    pending = b""

    def collect(text: bytes) -> None:
        nonlocal pending
        *lines, pending = (pending + text).split(b"\n")
        if lines:
            write(b"".join(f"{name} | ".encode() + line + b"\n" for line in lines))

    return collect


def json_lines(task: int | None, container: str | None) -> Write:
    """Tells each line as JSON."""
    return by_lines(lambda time, text: emit_line({"task": task, "container": container, "time": time, "text": text}))


def quietly(read: Callable[[], None]) -> None:
    """Read a log that may be gone already; why is told, and is no failure of the command."""
    try:
        read()
    except Failure as failure:
        if failure.code != NOT_FOUND:
            note(f"isthmus: the log cannot be read: {failure.detail or failure.summary}")
