"""How a task ended: what its worker's word and its supervisor's last status tell together."""

from __future__ import annotations

import os
from typing import Any, Dict, Optional

SUCCEEDED, BROKEN, UNSUCCESSFUL = 0, 1, 3
"""A worker's word: the task ended well; its supervisor failed; it ended otherwise."""
FINAL = ("succeeded", "failed", "cancelled")
_KEPT = ("state", "reason", "words", "exit_code", "ended", "cpu_seconds", "peak_memory")


def ending(exit: Optional[int], status: Optional[Dict[str, Any]]) -> Optional[Dict[str, Any]]:
    """How a task ended, by its worker's word or end (None when it was not ours) and its status file.

    None when it has not begun, so that it is to be started again. A status that is not final, of a worker that is
    gone, means that nobody knows how the program ended.
    """
    if exit == SUCCEEDED:
        return {"state": "succeeded", "exit_code": 0}
    if status is not None and status.get("state") in FINAL:
        return {name: status[name] for name in _KEPT if status.get(name) is not None}
    if exit is not None and os.WIFEXITED(exit) and os.WEXITSTATUS(exit) in (BROKEN, UNSUCCESSFUL):
        return lost("its supervisor failed; the queue's log on this machine says how")
    if status is None:
        return None
    return lost("its supervisor was killed" if exit else "its supervisor was gone")


def lost(words: str) -> Dict[str, Any]:
    """The end of a task that left no word of it."""
    return {"state": "failed", "reason": "Lost", "words": words}


def after_reboot(status: Optional[Dict[str, Any]]) -> Dict[str, Any]:
    """The end of a task that ran when the machine was restarted, unless it had ended before."""
    restarted = {"state": "failed", "reason": "NodeFail", "words": "this machine was restarted"}
    return (ending(None, status) if status and status.get("state") in FINAL else None) or restarted
