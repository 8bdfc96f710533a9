"""What of this machine tasks may have, and what of it is free."""

from __future__ import annotations

from typing import Any, Mapping, Optional, Set, Tuple

from isthmus.work.runner.sizes import sizes

from . import machine
from .want import Want

_ROUNDING = 1e-6


class Capacity:
    """Processors, bytes of memory, and NVIDIA devices by number and model."""

    def __init__(self, cpus: float, memory: int, gpus: Mapping[int, str]) -> None:
        self.cpus, self.memory, self.gpus = cpus, memory, dict(gpus)
        self.free_cpus, self.free_memory = cpus, memory
        self._free_gpus: Set[int] = set(gpus)

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> "Capacity":
        """What ``config`` lends (``cpus``, ``memory``), by default all of this machine."""
        return cls(config.get("cpus") or machine.processors(), config.get("memory") or machine.memory(), machine.gpus())

    @property
    def has_gpus(self) -> bool:
        return bool(self.gpus)

    def refusal(self, want: Want) -> Optional[str]:
        """Why a task could never run here."""
        if want.cpus > self.cpus + _ROUNDING:
            return "asks %g CPUs, this site has %g" % (want.cpus, self.cpus)
        if want.memory > self.memory:
            return "asks %s of memory, this site has %s" % sizes(want.memory, self.memory)
        suited = len(self._suited(want, set(self.gpus)))
        if want.gpus > suited:
            kind = "" if want.gpu_type is None else " of type %s" % want.gpu_type
            return "asks %d GPUs%s, this machine has %d" % (want.gpus, kind, suited)
        return None

    def fits(self, want: Want) -> bool:
        """Whether a task can start now."""
        return (
            want.cpus <= self.free_cpus + _ROUNDING
            and want.memory <= self.free_memory
            and want.gpus <= len(self._suited(want, self._free_gpus))
        )

    def choose(self, want: Want) -> Tuple[int, ...]:
        """The devices for a task that fits."""
        return tuple(sorted(self._suited(want, self._free_gpus))[: want.gpus])

    def take(self, want: Want, gpus: Tuple[int, ...]) -> None:
        """Count a task that starts."""
        self.free_cpus -= want.cpus
        self.free_memory -= want.memory
        self._free_gpus -= set(gpus)

    def give(self, want: Want, gpus: Tuple[int, ...]) -> None:
        """Count a task that has ended."""
        self.free_cpus += want.cpus
        self.free_memory += want.memory
        self._free_gpus |= set(gpus)

    def _suited(self, want: Want, among: Set[int]) -> Set[int]:
        if want.gpu_type is None:
            return among
        asked = want.gpu_type.lower()
        return {number for number in among if asked in self.gpus[number].lower()}
