"""Frames between the server and the agent: two lengths, a header in JSON, a body.

The lengths are big-endian, four bytes each, and bounded: neither side trusts the other with its memory.
"""

from __future__ import annotations

import json
import os
import struct
import threading
from typing import Any, BinaryIO, Dict, Optional, Tuple

LENGTHS = struct.Struct("!II")
HEADER_LIMIT = 32 * 1024 * 1024
BODY_LIMIT = 2 * 1024 * 1024
CHUNK = 256 * 1024
"""Bytes of a file or log that travel in one frame."""
WINDOW = 1024 * 1024
"""Bytes of one stream that may be on their way; the reader grants more as it takes them."""

Header = Dict[str, Any]


class BadFrame(Exception):
    """The other side does not keep to the protocol."""


def pack(header: Header, body: bytes = b"") -> bytes:
    """One frame as bytes; raises :class:`BadFrame` when it is larger than the other side takes."""
    text = json.dumps(header, separators=(",", ":")).encode()
    check(len(text), len(body))
    return LENGTHS.pack(len(text), len(body)) + text + body


def check(head: int, body: int) -> Tuple[int, int]:
    """The lengths, unless they are too large."""
    if head > HEADER_LIMIT or body > BODY_LIMIT:
        raise BadFrame("a frame of {} + {} bytes is too large".format(head, body))
    return head, body


def parse(text: bytes) -> Header:
    """The header of a frame."""
    try:
        header = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadFrame("a frame's header is not JSON") from error
    if not isinstance(header, dict):
        raise BadFrame("a frame's header is not an object")
    return header


def receive(source: BinaryIO) -> Optional[Tuple[Header, bytes]]:
    """The next frame of a blocking file, None at its end."""
    lengths = source.read(LENGTHS.size)
    if len(lengths) < LENGTHS.size:
        return None
    head, body = check(*LENGTHS.unpack(lengths))
    text, rest = source.read(head), source.read(body)
    if len(text) < head or len(rest) < body:
        return None
    return parse(text), rest


class Sender:
    """Writes whole frames to a file descriptor, from any thread."""

    def __init__(self, descriptor: int):
        self._descriptor = descriptor
        self._lock = threading.Lock()

    def send(self, header: Header, body: bytes = b"") -> None:
        """Write one frame; waits while the other side does not read."""
        data = memoryview(pack(header, body))
        with self._lock:
            while data:
                data = data[os.write(self._descriptor, data) :]
