"""What goes wrong on a site, in the words of the protocol: a kind that says what to do, and a message for people."""

from __future__ import annotations

from typing import Any, Dict, Optional


class Failure(Exception):
    """Something was not done; ``kind`` says whether another try is worth it."""

    kind = "permanent"

    def __init__(self, message: str, delay: Optional[float] = None):
        super().__init__(message)
        self.message = message
        self.delay = delay

    def told(self) -> Dict[str, Any]:
        """It as the protocol tells it."""
        error: Dict[str, Any] = {"kind": self.kind, "message": self.message}
        if self.delay is not None:
            error["delay"] = self.delay
        return error


class Permanent(Failure):
    """Trying again without a change would give the same answer."""

    kind = "permanent"


class Temporary(Failure):
    """Worth another try."""

    kind = "temporary"


class Quota(Failure):
    """Refused for want of quota or room."""

    kind = "quota"
