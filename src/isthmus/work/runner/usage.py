"""How much memory processes use, from ``/proc``. Bytes."""

from __future__ import annotations

import os

from .processes import descendants

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

_PAGE = os.sysconf("SC_PAGE_SIZE")


def tree_memory(root: int, limit: int | None = None, counts: Callable[[int], bool] = lambda pid: True) -> int:
    """What a process and all that descend from it have in memory, of those that ``counts`` says yes to.

    Resident sizes count a shared page once for each process that maps it. So when their sum is over ``limit``,
    the proportional sizes, which share it out but cost the kernel more, decide.
    """
    pids = [pid for pid in (root, *descendants(root)) if counts(pid)]
    resident = sum(_resident(pid) for pid in pids)
    if limit is None or resident <= limit:
        return resident
    return sum(_proportional(pid) for pid in pids)


def _resident(pid: int) -> int:
    try:
        with open("/proc/%d/statm" % pid, "rb") as file:
            return int(file.read().split()[1]) * _PAGE
    except (OSError, IndexError):
        return 0


def _proportional(pid: int) -> int:
    try:
        with open("/proc/%d/smaps_rollup" % pid, "rb") as file:
            for line in file:
                if line.startswith(b"Pss:"):
                    return int(line.split()[1]) * 1024
    except OSError:
        pass
    return _resident(pid)
