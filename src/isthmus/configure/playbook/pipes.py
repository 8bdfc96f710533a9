"""A queue between two processes that needs no shared memory, which the sandbox does not have."""

from __future__ import annotations

import multiprocessing
from typing import Any


class PipeQueue:
    """Stands in for the queue that answers prompts: one writer, one reader."""

    def __init__(self, ctx: object = None):
        self._reader, self._writer = multiprocessing.Pipe(duplex=False)

    def put(self, value: Any) -> None:
        """Send one value."""
        self._writer.send(value)

    def get(self) -> Any:
        """Wait for one value; one that is an error is raised."""
        value = self._reader.recv()
        if isinstance(value, Exception):
            raise value
        return value
