"""What a machine prints, made into lines that are safe to keep and to show."""

from __future__ import annotations

import json
import re
from collections import deque
from collections.abc import Callable

LINE_LIMIT = 64 * 1024
"""Bytes of a line; a longer one is split."""
TOTAL_LIMIT = 16 * 1024 * 1024
"""Bytes of one run that are passed on; the rest is dropped, and said so."""
OUTPUTS_LIMIT = 1024 * 1024
_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\^_])")
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff]")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")


def clean_line(text: str) -> str:
    """``text`` without terminal escapes, control and bidirectional characters.

    Of a line that was drawn over with carriage returns (a progress bar) the last state is kept.
    """
    text = _ESCAPES.sub("", text).rstrip("\r")
    return _CONTROLS.sub("", text.rpartition("\r")[2])


class Lines:
    """Cuts a stream of bytes into clean lines and passes each on as it ends."""

    def __init__(self, line: Callable[[str], None], line_limit: int = LINE_LIMIT, total: int = TOTAL_LIMIT):
        self._line = line
        self._limit = line_limit
        self._left = total
        self._total = total
        self._rest = b""
        self.tail: deque[str] = deque(maxlen=8)
        """The last lines that were not empty."""

    def feed(self, data: bytes) -> None:
        """Take the next bytes of the stream."""
        *whole, rest = (self._rest + data).split(b"\n")
        for one in whole:
            self._split(one)
        while len(rest) > self._limit:
            rest, piece = rest[self._limit :], rest[: self._limit]
            self._emit(piece)
        self._rest = rest

    def end(self) -> None:
        """Pass on what follows the last line break."""
        rest, self._rest = self._rest, b""
        if rest:
            self._split(rest)

    def _split(self, whole: bytes) -> None:
        for at in range(0, max(len(whole), 1), self._limit):
            self._emit(whole[at : at + self._limit])

    def _emit(self, raw: bytes) -> None:
        if self._left <= 0:
            return
        self._left -= len(raw) + 1
        text = clean_line(raw.decode(errors="replace"))
        if text.strip():
            self.tail.append(text)
        self._line(text)
        if self._left <= 0:
            self._line(f"(more than {self._total // 1024} KiB of output; what follows is not shown)")


def parse_outputs(text: str) -> dict[str, object]:
    """The outputs that a script wrote: one JSON object, or lines ``NAME=VALUE`` whose last wins.

    Raises :class:`ValueError` that names the line, never its value.
    """
    if text.lstrip().startswith("{"):
        value = json.loads(text)
        if not isinstance(value, dict):
            raise ValueError("the outputs are not one JSON object")
        return value
    outputs: dict[str, object] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        name, equals, value = line.partition("=")
        if not equals or not _NAME.fullmatch(name.strip()):
            raise ValueError(f"line {number} of the outputs is not NAME=VALUE")
        outputs[name.strip()] = value
    return outputs
