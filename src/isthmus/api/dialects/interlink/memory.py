"""What our API server remembers of statuses, so that a plugin that lost a pod is noticed."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

LOST_AFTER = 300.0
"""Seconds for which a plugin may leave a pod out of its answers until the pod counts as lost."""
MOST = 50_000


@dataclass(slots=True)
class _Entry:
    status: dict[str, Any] | None = None
    left_out: float | None = None


class Statuses:
    """The last status of each pod, those of the most recent ones only."""

    def __init__(self, lost_after: float = LOST_AFTER, clock: Callable[[], float] = time.monotonic):
        self._lost_after = lost_after
        self._clock = clock
        self._entries: OrderedDict[str, _Entry] = OrderedDict()

    def remember(self, uid: str, status: dict[str, Any]) -> None:
        self._put(uid, _Entry(status))

    def left_out(self, uid: str) -> tuple[dict[str, Any] | None, bool]:
        """Note that the plugin answered without this pod: what was known of it, and whether it counts as lost."""
        entry = self._entries.get(uid) or _Entry()
        now = self._clock()
        if entry.left_out is None:
            entry.left_out = now
        self._put(uid, entry)
        return entry.status, now - entry.left_out >= self._lost_after

    def forget(self, uid: str) -> None:
        self._entries.pop(uid, None)

    def all(self) -> list[dict[str, Any]]:
        return [entry.status for entry in self._entries.values() if entry.status is not None]

    def _put(self, uid: str, entry: _Entry) -> None:
        self._entries[uid] = entry
        self._entries.move_to_end(uid)
        while len(self._entries) > MOST:
            self._entries.popitem(last=False)
