"""Owners of leases: what a process is called, and whether one on this host is known to be dead."""

from __future__ import annotations

import os
import socket
from pathlib import Path


def this_process() -> str:
    """The name under which this process holds leases."""
    return f"{_here()}/{os.getpid()}/{_started(os.getpid())}"


def _here() -> str:
    """The space in which a process number means one process: this boot of this host, and its container if any.

    Hosts that share a database often share a name too.
    """
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text()[:13]
        space = Path("/proc/self/ns/pid").stat().st_ino
    except OSError:
        return socket.gethostname()
    return f"{socket.gethostname()}:{boot}:{space}"


def _started(pid: int) -> str:
    """When a process began, in clock ticks since boot: tells apart two that had the same number."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return "0"


def is_dead(owner: str) -> bool:
    """Whether a worker was a process of ours that is no more; of others nothing can be known."""
    host, _, rest = owner.partition("/")
    pid, _, started = rest.partition("/")
    return host == _here() and pid.isdigit() and _started(int(pid)) != started
