"""This machine as its kernel shows it: processors, memory, NVIDIA devices, this boot, and which process is which."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Dict, List, Optional

_DEVICE = re.compile(r"nvidia([0-9]+)")


def processors() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0))


def memory() -> int:
    """Bytes of memory that this machine has."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def boot() -> str:
    """What tells this boot of the machine from the one before."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def gpus(devices: Path = Path("/dev"), driver: Path = Path("/proc/driver/nvidia/gpus")) -> Dict[int, str]:
    """The NVIDIA devices by number, with the name of their model where the kernel module tells it."""
    try:
        numbers = sorted(int(m.group(1)) for m in (_DEVICE.fullmatch(path.name) for path in devices.iterdir()) if m)
    except OSError:
        return {}
    models = _models(driver)
    return {number: models.get(number, "nvidia") for number in numbers}


def _models(driver: Path) -> Dict[int, str]:
    found = {}
    for told in driver.glob("*/information"):
        try:
            lines = dict(line.split(":", 1) for line in told.read_text().splitlines() if ":" in line)
            found[int(lines["Device Minor"])] = lines["Model"].strip()
        except (OSError, KeyError, ValueError):
            continue
    return found


def born(pid: int) -> Optional[int]:
    """When a process began, in clock ticks since boot; with its number it names one process. None when it is gone."""
    fields = _stat(pid)
    return int(fields[19]) if fields and fields[0] not in ("Z", "X") else None


def _stat(pid: int) -> List[str]:
    """The fields of proc_pid_stat(5) from the third one, its state, on."""
    try:
        return Path("/proc/%d/stat" % pid).read_text().rpartition(")")[2].split()
    except OSError:
        return []


def carrying(submission: str, index: int) -> List[int]:
    """The processes that have a task's name in their environment: also those that left its session."""
    wanted = {b"ISTHMUS_SUBMISSION=" + submission.encode(), b"ISTHMUS_TASK=%d" % index}
    running = (int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit())
    return [pid for pid in running if wanted <= _environment(pid)]


def _environment(pid: int) -> "set[bytes]":
    try:
        return set(Path("/proc/%d/environ" % pid).read_bytes().split(b"\0"))
    except OSError:
        return set()
