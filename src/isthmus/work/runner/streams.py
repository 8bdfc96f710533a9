"""Answers that come in parts: logs and files. One thread serves all of them, a piece of each in turn.

A reader grants bytes (frames.WINDOW at first); a stream without any left waits, and the others do not.
"""

from __future__ import annotations

import threading
from typing import Dict, Iterator, Optional

from .frames import CHUNK, WINDOW, Sender
from .submissions import failure_of

PAUSE = 0.2
"""Seconds until a stream that had nothing is asked again."""
Parts = Iterator[Optional[bytes]]


class _Stream:
    def __init__(self, parts: Parts):
        self.parts = parts
        self.credit = WINDOW
        self.left = memoryview(b"")
        """What was read and not sent yet."""
        self.stopped = False


class Streams:
    """The streams of one agent; ``parts`` of one gives bytes, or None when it has nothing for now."""

    def __init__(self, sender: Sender):
        self._sender = sender
        self._streams: Dict[int, _Stream] = {}
        self._changed = threading.Condition()
        self._news = False
        threading.Thread(target=self._serve, name="streams", daemon=True).start()

    def add(self, number: int, parts: Parts) -> None:
        """Begin to answer request ``number``."""
        with self._changed:
            self._streams[number] = _Stream(parts)
            self._tell()

    def grant(self, number: object, size: object) -> None:
        """The reader takes ``size`` bytes more."""
        with self._changed:
            stream = self._streams.get(number) if isinstance(number, int) else None
            if stream is not None and isinstance(size, int) and 0 < size <= WINDOW:
                stream.credit = min(WINDOW, stream.credit + size)
                self._tell()

    def stop(self, number: object) -> None:
        """The reader wants no more."""
        with self._changed:
            stream = self._streams.get(number) if isinstance(number, int) else None
            if stream is not None:
                stream.stopped = True
                self._tell()

    def _tell(self) -> None:
        self._news = True
        self._changed.notify()

    def _serve(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._streams)
                self._news = False
                streams = list(self._streams.items())
            busy = False
            for number, stream in streams:
                if stream.stopped or stream.credit > 0:
                    busy = self._advance(number, stream) or busy
            if not busy:
                with self._changed:
                    self._changed.wait_for(lambda: self._news, PAUSE)

    def _advance(self, number: int, stream: _Stream) -> bool:
        """Send one piece; false when there was none."""
        if not stream.left and not stream.stopped:
            try:
                part = next(stream.parts)
            except StopIteration:
                stream.stopped = True
            except Exception as error:
                self._end(number, stream)
                self._sender.send({"id": number, "error": failure_of(error).told()})
                return True
            else:
                if part is None:
                    return False
                stream.left = memoryview(part)
                if not part:
                    return True
        if stream.stopped:
            self._end(number, stream)
            self._sender.send({"id": number, "ok": True})
            return True
        with self._changed:
            size = min(CHUNK, stream.credit, len(stream.left))
            stream.credit -= size
        piece, stream.left = stream.left[:size], stream.left[size:]
        self._sender.send({"id": number, "part": True}, bytes(piece))
        return True

    def _end(self, number: int, stream: _Stream) -> None:
        with self._changed:
            self._streams.pop(number, None)
        close = getattr(stream.parts, "close", None)
        if close is not None:
            close()
