"""Frames between the server, a playbook's process and the agents on machines.

Two lengths (big-endian, four bytes each), a header in JSON and a body: the same as in ``agent.py``, which
cannot import this. What comes from a playbook's process or from a machine is hostile, so lengths are bounded.
"""

from __future__ import annotations

import asyncio
import json
import struct
from typing import Any, BinaryIO

LENGTHS = struct.Struct("!II")
HEADER_LIMIT = 4 * 1024 * 1024
BODY_LIMIT = 80 * 1024 * 1024
CHUNK = 4 * 1024 * 1024
"""Bytes of a file that travel in one frame."""

Header = dict[str, Any]


class BadFrame(Exception):
    """The other side does not keep to the protocol."""


def pack(header: Header, body: bytes = b"") -> bytes:
    """One frame as bytes."""
    text = json.dumps(header).encode()
    return LENGTHS.pack(len(text), len(body)) + text + body


async def receive(reader: asyncio.StreamReader) -> tuple[Header, bytes]:
    """Read one frame; raises :class:`BadFrame`, or :class:`asyncio.IncompleteReadError` at the end."""
    head, body = _check(*LENGTHS.unpack(await reader.readexactly(LENGTHS.size)))
    return _parse(await reader.readexactly(head)), await reader.readexactly(body)


def receive_from(file: BinaryIO) -> tuple[Header, bytes]:
    """Read one frame from a blocking file; raises :class:`EOFError` at the end."""
    head, body = _check(*LENGTHS.unpack(_exactly(file, LENGTHS.size)))
    return _parse(_exactly(file, head)), _exactly(file, body)


def _exactly(file: BinaryIO, size: int) -> bytes:
    data = file.read(size)
    if len(data) < size:
        raise EOFError
    return data


def _check(head: int, body: int) -> tuple[int, int]:
    if head > HEADER_LIMIT or body > BODY_LIMIT:
        raise BadFrame(f"a frame of {head} + {body} bytes is too large")
    return head, body


def _parse(text: bytes) -> Header:
    try:
        header = json.loads(text)
    except ValueError as error:
        raise BadFrame("a frame's header is not JSON") from error
    if not isinstance(header, dict):
        raise BadFrame("a frame's header is not an object")
    return header
