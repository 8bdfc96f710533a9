"""What each task of a submission asks of the machine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Mapping, Optional


@dataclass(frozen=True)
class Want:
    """Processors, bytes, devices and seconds of one task, with all of its processes."""

    cpus: float = 1
    memory: int = 0
    limit: Optional[int] = None
    """The most bytes that plain processes may use; containers are limited by their engine."""
    engine: bool = False
    """Whether it has containers."""
    gpus: int = 0
    gpu_type: Optional[str] = None
    time: Optional[float] = None
    grace: float = 30
    array_limit: Optional[int] = None

    @classmethod
    def of(cls, spec: Mapping[str, Any]) -> "Want":
        """What ``spec`` asks, a :class:`isthmus.work.job.JobSpec` as JSON has it."""
        asked = spec.get("resources") or {}
        count = asked.get("tasks", 1)
        memory = (asked.get("memory") or 0) * count
        is_plain = all(c.get("image") is None for c in [*(spec.get("init") or ()), *spec["containers"]])
        return cls(
            cpus=asked.get("cpus", 1) * count,
            memory=memory,
            limit=memory if memory and is_plain else None,
            engine=not is_plain,
            gpus=asked.get("gpus", 0) * count,
            gpu_type=asked.get("gpu_type"),
            time=asked.get("time"),
            grace=spec.get("grace", 30),
            array_limit=spec.get("array_limit"),
        )
