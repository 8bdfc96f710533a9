"""A container's output as a log of the Container Runtime Interface: ``<time> <stream> <F|P> <text>`` a line.

``P`` says that the line goes on in the next entry of its stream: longer ones than :data:`LONGEST` are cut, and so
is what a container wrote last without a line feed. So the very bytes that it wrote can be told from the log.
"""

from __future__ import annotations

import os
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

LONGEST = 16 * 1024
STDOUT = b"stdout"
STDERR = b"stderr"
_TAIL = 2048


class LogWriter:
    """Writes the log of one run of a container, each line as soon as it is whole. It holds a cut line at most.

    ``also`` gets every piece of text that was written, without its last line feed. When the disk takes no more,
    output is dropped and ``lost`` counts its bytes: a full disk must not stop the program.
    Unless it is to be there ``at_once``, the file is made with its first line, and its folder with it.
    """

    def __init__(self, path: str, also: Callable[[bytes], None] | None = None, at_once: bool = True):
        self._path = path
        self._file = _open(path) if at_once else -1
        self._also = also
        self._open = {STDOUT: b"", STDERR: b""}
        self.last_words = b""
        """The end of what came on stderr: there a container runtime says why it could not start."""
        self.lost = 0

    def feed(self, stream: bytes, data: bytes) -> None:
        """Take what was read from one of the streams."""
        if stream is STDERR:
            self.last_words = (self.last_words + data[-_TAIL:])[-_TAIL:]
        if self._open[stream]:
            data = self._open[stream] + data
        head = timestamp() + b" " + stream
        whole = head + b" F "
        entries: list[bytes] = []
        start = 0
        while True:
            # As many lines as are sure to be short enough are framed at once, in C.
            end = data.rfind(b"\n", start, start + LONGEST + 1)
            if end >= 0:
                entries += (whole, data[start:end].replace(b"\n", b"\n" + whole), b"\n")
                start = end + 1
            elif len(data) - start > LONGEST:
                entries += (head, b" P ", data[start : start + LONGEST], b"\n")
                start += LONGEST
            else:
                break
        self._open[stream] = data[start:]
        if entries:
            self._write(b"".join(entries))

    def close(self) -> None:
        """Write what is still open, and let go of the file."""
        for stream, text in self._open.items():
            if text:
                self._write(timestamp() + b" " + stream + b" P " + text + b"\n")
        self._open = {STDOUT: b"", STDERR: b""}
        if self._file >= 0:
            os.close(self._file)

    def _write(self, data: bytes) -> None:
        if self._also is not None:
            self._also(data[:-1])
        view = memoryview(data)
        try:
            if self._file < 0:
                os.makedirs(os.path.dirname(self._path), mode=0o700, exist_ok=True)
                self._file = _open(self._path)
            while view:
                view = view[os.write(self._file, view) :]
        except OSError:
            self.lost += len(view)


def _open(path: str) -> int:
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)


_second = (-1, b"")


def timestamp() -> bytes:
    """Now, in UTC, as RFC 3339 with nanoseconds."""
    global _second
    now = time.time_ns()
    seconds, rest = divmod(now, 1_000_000_000)
    if _second[0] != seconds:
        _second = (seconds, time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)).encode())
    return _second[1] + b".%09dZ" % rest
