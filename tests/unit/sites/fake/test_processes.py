"""Real processes that share a world and are really killed."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from isthmus.sites.fake import Fault, World, audit
from isthmus.sites.fake.__main__ import main

CREATE = """
import asyncio, sys
from isthmus.sites.contract import MachineSpec, Ref
from isthmus.sites.fake import FakeDriver

async def create(path, count):
    driver = FakeDriver("site", {"world": path, "latency": 0})
    for index in range(count):
        ref = Ref("0123456789ab", "node", index)
        await driver.create_machine(MachineSpec(ref, "debian", "small", 1, 2**31, None, "key"))

asyncio.run(create(sys.argv[1], int(sys.argv[2])))
"""


def _start(path: Path, count: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", CREATE, str(path), str(count)])


@pytest.mark.parametrize(("kind", "left"), [("crash_before", 0), ("crash_during", 1), ("crash_after", 1)])
def test_a_crash_fault_kills_the_process(tmp_path, kind, left):
    path = tmp_path / "world.db"
    world = World(path)
    world.set_fault(Fault("create_machine", kind))

    assert _start(path, 1).wait() == -signal.SIGKILL
    assert len(world.resources()) == left
    assert _start(path, 1).wait() == 0
    assert [e.what for e in world.effects()].count("created") == 1
    world.close()


def test_a_world_survives_kills_at_any_moment(tmp_path):
    path = tmp_path / "world.db"
    world = World(path)
    for round_ in range(3):
        child = _start(path, 100_000)
        begun = len(world.resources())
        while len(world.resources()) < begun + 50 * (round_ + 1) and child.poll() is None:
            time.sleep(0.001)
        child.kill()
        assert child.wait() == -signal.SIGKILL

    machines = world.resources()
    created = [e for e in world.effects() if e.what == "created"]
    assert [machine.id for machine in machines] == [effect.id for effect in created]
    assert world.usage("site") == (len(machines), len(machines), len(machines) * 2**31)
    assert audit(world) == []
    world.close()


def test_processes_at_once_make_each_machine_once(tmp_path):
    path = tmp_path / "world.db"

    children = [_start(path, 200) for _ in range(3)]

    assert [child.wait() for child in children] == [0, 0, 0]
    world = World(path)
    assert len(world.resources()) == 200
    assert [e.what for e in world.effects()].count("created") == 200
    world.close()


def test_the_command_line_sets_faults_and_shows_the_world(tmp_path, capsys):
    path = str(tmp_path / "world.db")

    assert main([path, "fault", "create_machine", "crash_after", "--node", "node"]) == 0
    assert _start(Path(path), 1).wait() == -signal.SIGKILL
    capsys.readouterr()

    assert main([path, "rules"]) == 0
    assert capsys.readouterr().out == ""
    assert main([path, "resources"]) == 0
    assert '"machine-00000001"' in capsys.readouterr().out
    assert main([path, "vanish", "machine-00000001"]) == 0
    assert main([path, "effects", "--deployment", "0123456789ab"]) == 0
    assert '"vanished"' in capsys.readouterr().out
    assert main([path, "audit"]) == 0
    assert main([path, "fault", "no_verb", "temporary"]) == 2
    assert main([path, "vanish", "machine-00000001"]) == 2
