"""Control groups, of either version: what holds the processes of a task together, whatever they do.

Groups are made once for each slot and used again, since making one costs more than a short task. Where this
user may make none, a slot has none, and the supervisor's own watch and the task's environment have to do.
"""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Dict, List, Optional

OVERHEAD = 32 * 2**20
"""Bytes that the supervisor itself may use of its task's group."""


class Hierarchy:
    """One mounted hierarchy in which this user can make groups; ``base`` is ours, for all slots."""

    def __init__(self, base: Path, version: int, controller: str) -> None:
        self.base, self.version, self.controller = base, version, controller


def hierarchies(name: str, mounts: Optional[str] = None, own: Optional[str] = None) -> List[Hierarchy]:
    """The hierarchies in which a group called ``name`` could be made: at the root, else below our own."""
    mounts = _read(Path("/proc/self/mountinfo")) if mounts is None else mounts
    own = _read(Path("/proc/self/cgroup")) if own is None else own
    return [found for found in (_open(m, name, _own_paths(own)) for m in mounts.splitlines()) if found]


def _open(mount: str, name: str, own: Dict[str, str]) -> Optional[Hierarchy]:
    before, _, after = mount.partition(" - ")
    kind, _, options = [*after.split(" "), "", "", ""][:3]
    root = Path(before.split(" ")[4].replace("\\040", " "))
    named = options.split(",")
    if kind == "cgroup2":
        base = _make(root, own.get("", "/"), name)
        if base is None:
            return None
        _enable(base.parent, base)
        return Hierarchy(base, 2, "memory" if "memory" in _read(base / "cgroup.subtree_control").split() else "")
    if kind == "cgroup" and "memory" in named:
        base = _make(root, own.get("memory", "/"), name)
        return Hierarchy(base, 1, "memory") if base else None
    return None


def _make(root: Path, own: str, name: str) -> Optional[Path]:
    """Our group at the root of the hierarchy, where it outlives the service that started us; else below our own."""
    for parent in (root, root / own.lstrip("/")):
        try:
            (parent / name).mkdir(exist_ok=True)
            probe = parent / name / "probe"
            probe.mkdir(exist_ok=True)
            probe.rmdir()
            return parent / name
        except OSError:
            continue
    return None


def _enable(parent: Path, base: Path) -> None:
    for group in (parent, base):
        on = group / "cgroup.subtree_control"
        for controller in {"memory", "cpu"} - set(_read(on).split()):
            _write(on, "+" + controller)


def remove(found: List[Hierarchy]) -> None:
    """Remove all groups of ours in which nobody is any more."""
    for hierarchy in found:
        for group in [*hierarchy.base.glob("slot-*"), hierarchy.base]:
            try:
                group.rmdir()
            except OSError:
                continue


class Slot:
    """The groups of one worker and of the task that it runs."""

    def __init__(self, number: int, found: List[Hierarchy]) -> None:
        self.number = number
        self._groups = [(h, h.base / ("slot-%d" % number)) for h in found]
        self._limit = None  # type: Optional[int]
        self._shares = 0.0
        self._kills_before = 0

    def make(self) -> None:
        """Make the groups, unless they are there."""
        for _, group in self._groups:
            try:
                group.mkdir(exist_ok=True)
            except OSError:
                continue

    def prepare(self, memory: Optional[int], cpus: float) -> None:
        """Set the limits for the next task; None of ``memory`` for none."""
        if (memory, cpus) != (self._limit, self._shares):
            self._limit, self._shares = memory, cpus
            for hierarchy, group in self._groups:
                if hierarchy.controller:
                    _limit(hierarchy.version, group, memory, cpus)
        self._kills_before = self._kills() if memory is not None else 0

    def resume(self, memory: Optional[int]) -> None:
        """Take over a task that another queue process put here."""
        self._limit = memory
        self._kills_before = self._kills()

    def enter(self) -> None:
        """Put this process, and all that it will start, into the groups."""
        for _, group in self._groups:
            _write(group / "cgroup.procs", "0")

    def ran_out_of_memory(self) -> bool:
        """Whether the kernel killed something of this task because of its limit."""
        return self._limit is not None and self._kills() > self._kills_before

    def kill(self) -> None:
        """Kill all that is in the groups."""
        for _, group in self._groups:
            _kill(group)

    def _kills(self) -> int:
        return sum(_oom_kills(group) for hierarchy, group in self._groups if hierarchy.controller)


def _limit(version: int, group: Path, memory: Optional[int], cpus: float) -> None:
    # A task that may not have more memory shall not have swap in its place.
    if version == 1:
        _write(group / "memory.swappiness", "60" if memory is None else "0")
        _write(group / "memory.limit_in_bytes", "-1" if memory is None else str(memory + OVERHEAD))
        return
    _write(group / "memory.swap.max", "max" if memory is None else "0")
    _write(group / "memory.max", "max" if memory is None else str(memory + OVERHEAD))
    _write(group / "cpu.weight", str(max(1, min(10000, round(cpus * 100)))))


def _oom_kills(group: Path) -> int:
    for line in (_read(group / "memory.events") or _read(group / "memory.oom_control")).splitlines():
        name, _, count = line.partition(" ")
        if name == "oom_kill":
            return int(count)
    return 0


def _kill(group: Path) -> None:
    """Kill until nobody is left, for what forks faster than it is killed; at most a second."""
    deadline = time.monotonic() + 1
    while time.monotonic() < deadline:
        inside = _read(group / "cgroup.procs").split()
        if not inside:
            return
        if not _write(group / "cgroup.kill", "1"):
            for pid in inside:
                _signal(int(pid))
        time.sleep(0.002)


def _signal(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except OSError:
        return


def _own_paths(text: str) -> Dict[str, str]:
    """Our own group by controller; ``""`` is that of version 2."""
    found = {}
    for line in text.splitlines():
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        found.update(dict.fromkeys(controllers.split(","), path))
    return found


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""


def _write(path: Path, text: str) -> bool:
    try:
        path.write_text(text)
    except OSError:
        return False
    return True
