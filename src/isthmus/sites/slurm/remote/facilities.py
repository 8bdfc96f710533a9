"""What a cluster offers, read from ``scontrol show partition``, ``sinfo`` and ``squeue``. Pure."""

from __future__ import annotations

import re
import statistics
from typing import Any, Dict, Iterator, List, Mapping, Optional, Set

from isthmus.work.runner.shapes import Node, shapes

from .ranges import read_ranges
from .states import blank

NODES_FORMAT = "%R|%n|%C|%m|%G"
"""Partition, host, CPUs as allocated/idle/other/total, MB, generic resources."""
JOBS_FORMAT = "%P|%T|%V|%S|%K"
RECENT = 3600.0
"""Seconds for which a start says how long others will wait."""
_UNITS: Dict[str, Optional[float]] = {"UNLIMITED": None, "NONE": None, "infinite": None}
_GPU = re.compile(r"gpu(?::([A-Za-z][A-Za-z0-9_.-]*|[A-Za-z0-9_.-]+(?=:)))?:([0-9]+)")
Partition = Dict[str, Any]


def read_partitions(shown: str, nodes: str, jobs: str, now: float) -> List[Partition]:
    """The partitions that ``scontrol show partition --oneliner`` names, as :class:`isthmus.sites.jobs.Partition`."""
    found: Dict[str, Partition] = {}
    for line in shown.splitlines():
        fields = read_fields(line)
        if fields.get("PartitionName"):
            found[fields["PartitionName"]] = {
                "name": fields["PartitionName"],
                "default": fields.get("Default") == "YES",
                "state": fields.get("State", "UP").lower(),
                "nodes": _count(fields.get("TotalNodes")),
                "cpus": _count(fields.get("TotalCPUs")),
                "time_limit": read_time(fields.get("MaxTime", "UNLIMITED")),
            }
    _add_nodes(found, nodes)
    _add_jobs(found, jobs, now)
    return list(found.values())


def read_fields(line: str) -> Dict[str, str]:
    """``Name=Value Name=Value`` as a mapping."""
    return {name: value for name, found, value in (word.partition("=") for word in line.split()) if found}


def read_time(text: str) -> Optional[float]:
    """``days-hours:minutes:seconds`` in seconds; None for no limit."""
    if text in _UNITS:
        return None
    days, dash, rest = text.rpartition("-")
    parts = rest.split(":")
    try:
        if dash:
            values = [int(part) for part in parts] + [0, 0]
            return float(int(days) * 86400 + values[0] * 3600 + values[1] * 60 + values[2])
        values = [int(part) for part in ([*parts, "0"] if len(parts) == 1 else parts)]
        return float(sum(value * 60**place for place, value in enumerate(reversed(values))))
    except ValueError:
        return None


def read_gpus(text: str) -> Dict[str, int]:
    """GPUs by type, of ``gpu:a100:4(S:0-1),gpu:2``; those without a type are called ``gpu``."""
    found: Dict[str, int] = {}
    for kind, number in _GPU.findall(text):
        found[kind or "gpu"] = found.get(kind or "gpu", 0) + int(number)
    return found


def read_config(text: str) -> Dict[str, str]:
    """``scontrol show config`` as a mapping."""
    pairs = (line.partition("=") for line in text.splitlines())
    return {name.strip(): value.strip() for name, found, value in pairs if found}


def _add_nodes(found: Mapping[str, Partition], nodes: str) -> None:
    seen: Set[str] = set()
    each: Dict[str, List[Node]] = {name: [] for name in found}
    for line in nodes.splitlines():
        fields = line.split("|", 4)
        if len(fields) < 5 or fields[0] not in found or "|".join(fields[:2]) in seen:
            continue
        seen.add("|".join(fields[:2]))
        partition = found[fields[0]]
        cpus = [int(number) if number.isdigit() else 0 for number in fields[2].split("/")]
        partition["free_cpus"] = partition.get("free_cpus", 0) + (cpus[1] if len(cpus) > 1 else 0)
        memory = int(fields[3].rstrip("+") or 0) if fields[3].rstrip("+").isdigit() else 0
        partition["memory"] = max(partition.get("memory") or 0, memory * 1024 * 1024) or None
        gpus = partition.setdefault("gpus", {})
        here = read_gpus(fields[4])
        for kind, number in here.items():
            gpus[kind] = gpus.get(kind, 0) + number
        each[fields[0]].append((cpus[3] if len(cpus) > 3 else None, memory * 1024 * 1024 or None, here))
    for name, partition in found.items():
        # Nodes of a cloud that are powered down are counted by the partition, and not shown one by one.
        hidden = (partition.get("nodes") or 0) - len(each[name])
        partition["shapes"] = shapes([*each[name], *[(None, None, None)] * hidden])


def _add_jobs(found: Mapping[str, Partition], jobs: str, now: float) -> None:
    waits: Dict[str, List[float]] = {name: [] for name in found}
    for partition in found.values():
        partition.update(queued=0, running=0)
    for name, state, queued, started, number in _read_jobs(jobs):
        if name not in found:
            continue
        if state == "PENDING":
            found[name]["queued"] += number
        else:
            found[name]["running"] += number
            if queued.isdigit() and started.isdigit() and now - int(started) < RECENT:
                waits[name].append(max(0.0, float(int(started) - int(queued))))
    for name, partition in found.items():
        if partition.get("free_cpus") and not partition["queued"]:
            partition["wait"] = 0.0
        elif waits[name]:
            partition["wait"] = statistics.median(waits[name])


def _read_jobs(jobs: str) -> "Iterator[List[Any]]":
    for line in jobs.splitlines():
        fields: List[Any] = line.split("|", 4)
        if len(fields) < 5:
            continue
        number = 1
        if fields[1] == "PENDING" and blank(fields[4]):
            try:
                number = len(read_ranges(fields[4]))
            except ValueError:
                number = 1
        for name in fields[0].split(","):
            yield [name, *fields[1:4], number]


def _count(text: Optional[str]) -> Optional[int]:
    return int(text) if text and text.isdigit() else None
