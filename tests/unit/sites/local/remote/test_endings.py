"""How a task of the local queue ended, from its worker's word and its supervisor's last status."""

from __future__ import annotations

import signal
from typing import Any

import pytest

from isthmus.sites.local.remote.endings import BROKEN, SUCCEEDED, UNSUCCESSFUL, after_reboot, ending

FAILED = {"state": "failed", "reason": "Error", "exit_code": 3, "containers": [], "peak_memory": None}
TOLD = {"state": "failed", "reason": "Error", "exit_code": 3}
RUNNING = {"state": "running"}


def lost(words: str) -> dict[str, str]:
    return {"state": "failed", "reason": "Lost", "words": words}


@pytest.mark.parametrize(
    ("exit", "status", "told"),
    [
        (SUCCEEDED, None, {"state": "succeeded", "exit_code": 0}),
        (UNSUCCESSFUL << 8, FAILED, TOLD),
        (signal.SIGKILL, FAILED, TOLD),
        (None, FAILED, TOLD),
        (None, {"state": "succeeded", "exit_code": 0}, {"state": "succeeded", "exit_code": 0}),
        (BROKEN << 8, None, lost("its supervisor failed; the queue's log on this machine says how")),
        (BROKEN << 8, RUNNING, lost("its supervisor failed; the queue's log on this machine says how")),
        (signal.SIGKILL, RUNNING, lost("its supervisor was killed")),
        (None, RUNNING, lost("its supervisor was gone")),
        (None, {}, lost("its supervisor was gone")),
        (None, None, None),
        (signal.SIGKILL, None, None),
    ],
)
def test_a_final_status_is_believed_and_what_never_began_is_started_again(
    exit: int | None, status: dict[str, Any] | None, told: dict[str, Any] | None
) -> None:
    assert ending(exit, status) == told


@pytest.mark.parametrize(
    ("status", "reason"), [(None, "NodeFail"), (RUNNING, "NodeFail"), ({}, "NodeFail"), (FAILED, "Error")]
)
def test_a_restart_of_the_machine_ends_what_had_not_ended(status: dict[str, Any] | None, reason: str) -> None:
    assert after_reboot(status)["reason"] == reason
