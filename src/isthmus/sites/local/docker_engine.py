"""Getting a container engine to run where none answers: found, started, or installed on Debian."""

from __future__ import annotations

from collections.abc import Callable


def ensure_running(socket: str, progress: Callable[[str], None]) -> None:
    raise NotImplementedError
