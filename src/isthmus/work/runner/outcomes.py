"""Why something that was asked for is not done, in the vocabulary of :class:`isthmus.work.job.Reason`."""

from __future__ import annotations

ERROR = "Error"
START_ERROR = "StartError"
IMAGE = "ImageUnavailable"
TIME_LIMIT = "TimeLimit"
OUT_OF_MEMORY = "OutOfMemory"
UNHEALTHY = "Unhealthy"
LOST = "Lost"
CANCELLED = "Cancelled"


class CannotStart(Exception):
    """A container cannot be started; ``reason`` is one of those above, ``code`` what a shell would say."""

    def __init__(self, message: str, reason: str = START_ERROR, code: int = 128):
        super().__init__(message)
        self.reason = reason
        self.code = code


class Outcome:
    """How a container ended."""

    __slots__ = ("code", "message", "peak_memory", "reason", "signal")

    def __init__(self, code: int, signal: int | None = None, reason: str = "", message: str = ""):
        self.code = code
        self.signal = signal
        self.reason = reason or (ERROR if code else "")
        self.message = message
        self.peak_memory = 0

    @classmethod
    def of_wait_status(cls, status: int) -> Outcome:
        """What ``wait`` told: 128 + n for a program that signal n ended, as shells and Kubernetes count."""
        if status & 0x7F:
            return cls(128 + (status & 0x7F), signal=status & 0x7F)
        return cls(status >> 8)
