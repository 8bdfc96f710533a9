"""What this machine's kernel tells."""

from __future__ import annotations

import os
import secrets
import subprocess
from pathlib import Path

from isthmus.sites.local.remote import machine


def test_a_process_is_known_by_its_number_and_its_birth_until_it_has_ended() -> None:
    with subprocess.Popen(["sleep", "60"]) as process:
        assert machine.born(process.pid) == machine.born(process.pid)
        assert (machine.born(process.pid) or 0) >= (machine.born(os.getpid()) or 0)
        process.kill()
        process.wait()
        assert machine.born(process.pid) is None


def test_the_processes_of_a_task_are_found_by_their_environment() -> None:
    job = secrets.token_hex(6)  # nobody else's on this machine
    environment = {"ISTHMUS_SUBMISSION": f"{job}-77", "ISTHMUS_TASK": "3"}
    with subprocess.Popen(["sleep", "60"], env=environment) as process:
        try:
            while not machine.carrying(f"{job}-77", 3):
                assert process.poll() is None
            assert machine.carrying(f"{job}-77", 3) == [process.pid]
            assert machine.carrying(f"{job}-77", 33) == []
            assert machine.carrying(f"{job}-7", 3) == []
        finally:
            process.kill()


def test_gpus_are_told_with_their_models(tmp_path: Path) -> None:
    devices, driver = tmp_path / "dev", tmp_path / "gpus"
    for name in ("nvidia0", "nvidia1", "nvidiactl", "nvidia-uvm", "null"):
        (devices / name).parent.mkdir(exist_ok=True)
        (devices / name).touch()
    (driver / "0000:01:00.0").mkdir(parents=True)
    (driver / "0000:01:00.0" / "information").write_text("Model: \t NVIDIA H200\nDevice Minor: \t 1\n")
    assert machine.gpus(devices, driver) == {0: "nvidia", 1: "NVIDIA H200"}
    assert machine.gpus(tmp_path / "none", driver) == {}
