"""What a pool offers, from what its collector says of slots."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from isthmus.sites.htcondor.remote import batch
from isthmus.sites.htcondor.remote.batch import Batch

MIB = 2**20


def slot(machine: str, cpus: int, memory: int, **more: Any) -> dict[str, Any]:
    return {"Machine": machine, "State": "Unclaimed", "PartitionableSlot": True, "Cpus": cpus, "TotalSlotCpus": cpus,
            "TotalSlotMemory": memory, **more}  # fmt: skip


SLOTS = [
    slot("a", 16, 64000, Cpus=4),
    slot("a", 12, 32000, DynamicSlot=True, PartitionableSlot=False, State="Claimed"),
    slot("b", 16, 64000),
    slot("c", 8, 128000, TotalSlotGPUs=2, GPUs_DeviceName="NVIDIA A100-SXM4-80GB"),
    slot("d", 1, 2000, PartitionableSlot=False, State="Claimed"),
]


def facilities(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, slots: list[dict[str, Any]]) -> dict[str, Any]:
    def ask(*words: str) -> list[dict[str, Any]]:
        return [{"TotalIdleJobs": 3, "TotalRunningJobs": 2}] if "-schedd" in words else slots

    monkeypatch.setattr(batch, "ask", ask)
    monkeypatch.setattr(batch, "run", lambda words: SimpleNamespace(stdout="$CondorVersion: 23.4.0 2024-02-08 $"))
    return Batch({"runtimes": ["apptainer"]}, tmp_path).facilities()


def test_a_pool_tells_what_its_machines_have(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    told = facilities(monkeypatch, tmp_path, SLOTS)
    [pool] = told["partitions"]
    assert told["pool"] is True
    assert (pool["nodes"], pool["cpus"], pool["free_cpus"], pool["memory"]) == (4, 41, 28, 128000 * MIB)
    assert pool["gpus"] == {"NVIDIA A100-SXM4-80GB": 2}
    assert pool["shapes"] == [
        {"count": 1, "cpus": 8, "memory": 128000 * MIB, "gpus": {"NVIDIA A100-SXM4-80GB": 2}},
        {"count": 2, "cpus": 16, "memory": 64000 * MIB, "gpus": {}},
        {"count": 1, "cpus": 1, "memory": 2000 * MIB, "gpus": {}},
    ]


def test_a_pool_without_machines_is_down(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    [pool] = facilities(monkeypatch, tmp_path, [])["partitions"]
    assert (pool["state"], pool["nodes"], pool["shapes"]) == ("down", 0, [])
