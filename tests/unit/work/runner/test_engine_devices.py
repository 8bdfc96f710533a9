"""Which GPUs a container of an engine is given."""

from __future__ import annotations

from typing import Any

import pytest

from isthmus.work.runner.runtimes.engine import _devices

ASKED = {"Driver": "nvidia", "Capabilities": [["gpu"]]}


@pytest.mark.parametrize(
    ("seen", "devices"),
    [
        ("1,3", {"DeviceIDs": ["1", "3"]}),
        ("0", {"DeviceIDs": ["0"]}),
        (None, {"Count": 2}),
        ("", {"Count": 2}),
        ("all", {"Count": 2}),
    ],
)
def test_the_devices_that_the_queue_chose(seen: str | None, devices: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NVIDIA_VISIBLE_DEVICES", raising=False)
    if seen is not None:
        monkeypatch.setenv("NVIDIA_VISIBLE_DEVICES", seen)
    assert _devices(2) == {**ASKED, **devices}
