"""What containers request and are limited to, as what a task of a job needs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from math import ceil

from isthmus.api.dialects.interlink.core import Quantity, Requirements
from isthmus.api.dialects.interlink.fields import is_harmless
from isthmus.api.dialects.interlink.policy import MIG, Policy
from isthmus.api.dialects.interlink.quantity import parse_quantity
from isthmus.api.dialects.interlink.refusals import Refusals, show
from isthmus.work.job import Resources

UNSAID = 256 * 1024**2
"""Bytes for a container that says nothing of memory beside others that do."""
_LARGEST = Decimal(2**62)


@dataclass(frozen=True, slots=True)
class Demand:
    """One container's: what it may use (its limits, else its requests); None where it says nothing."""

    cpus: Decimal | None = None
    memory: int | None = None
    gpus: Mapping[str, int] | None = None
    """By the name of the resource."""
    cpu_limit: Decimal | None = None
    memory_limit: int | None = None


def read_demand(requirements: Requirements, path: str, policy: Policy, refusals: Refusals) -> Demand:
    """What one container demands; resources that are not known are noted."""
    refusals.rest(requirements.model_extra, "resources", path)
    reader = _Reader(policy, refusals)
    limits = reader.read(requirements.limits, f"{path}.limits")
    requests = reader.read(requirements.requests, f"{path}.requests")
    both = {**requests, **limits}
    gpus = {name: int(n) for name, n in both.items() if name not in ("cpu", "memory") and n > 0}
    memory, limit = both.get("memory"), limits.get("memory")
    return Demand(
        cpus=both.get("cpu"),
        memory=ceil(memory) if memory else None,
        gpus=gpus,
        cpu_limit=limits.get("cpu"),
        memory_limit=ceil(limit) if limit else None,
    )


class _Reader:
    def __init__(self, policy: Policy, refusals: Refusals):
        self._policy = policy
        self._refusals = refusals

    def read(self, quantities: Mapping[str, Quantity], path: str) -> dict[str, Decimal]:
        found: dict[str, Decimal] = {}
        for name, text in quantities.items():
            where = f"{path}.{show(name)}"
            try:
                value = parse_quantity(str(text))
            except ValueError as error:
                self._refusals.add(where, show(str(error)), tolerable=False)
                continue
            if value > _LARGEST:
                self._refusals.add(where, "it is too large", tolerable=False)
            elif name in ("cpu", "memory") or self._is_gpu(name):
                found[name] = value
            elif value and not is_harmless("resources", name, value):
                self._refusals.add(where, "the site has no such resource")
        return found

    def _is_gpu(self, name: str) -> bool:
        return name in self._policy.accelerators or name.startswith(MIG)


def sum_up(
    main: Sequence[Demand], init: Sequence[Demand], whole: Demand, path: str, policy: Policy, refusals: Refusals
) -> Resources:
    """What the task needs: the containers together, or the most demanding init container if that is more.

    ``whole`` is what the pod itself demands; where it says something, that holds.
    """
    cpus = max([_sum_cpus(main), *((one.cpus or Decimal(0)) for one in init)])
    memory = _sum_memory(main, init)
    gpus = _sum_gpus(main, init)
    if len(gpus) > 1:
        refusals.add(f"{path}.containers", f"a job has one kind of GPU, not {', '.join(sorted(gpus))}", tolerable=False)
    name, count = next(iter(gpus.items()), ("", 0))
    kind = policy.accelerators.get(name) or (name.removeprefix(MIG) if name.startswith(MIG) else "")
    chosen = whole.cpus if whole.cpus is not None else cpus
    needed = whole.memory if whole.memory is not None else memory
    return Resources(
        cpus=float(chosen) if chosen > 0 else 1,
        memory=needed,
        gpus=count,
        gpu_type=kind or None,
    )


def _sum_cpus(demands: Sequence[Demand]) -> Decimal:
    return sum((one.cpus or Decimal(0) for one in demands), Decimal(0))


def _sum_memory(main: Sequence[Demand], init: Sequence[Demand]) -> int | None:
    said = [one.memory for one in main if one.memory is not None]
    beside = (len(main) - len(said)) * UNSAID if said else 0
    most = max((one.memory for one in init if one.memory is not None), default=0)
    if not said and not most:
        return None
    return max(sum(said) + beside, most) if said else max(most, len(main) * UNSAID)


def _sum_gpus(main: Sequence[Demand], init: Sequence[Demand]) -> dict[str, int]:
    total: Counter[str] = Counter()
    for one in main:
        total.update(one.gpus or {})
    for one in init:
        total |= Counter(one.gpus or {})
    return {name: count for name, count in total.items() if count}
