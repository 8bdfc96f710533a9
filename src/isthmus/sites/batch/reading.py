"""What an agent answered, as values: checked, since what runs on a site is not ours alone."""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Mapping
from typing import Any

from isthmus.sites.errors import Permanent
from isthmus.sites.jobs import Facilities, Nodes, Partition, SandboxFile
from isthmus.work.job import ContainerStatus, JobState, Phase, TaskStatus

_NUMBERS = frozenset({"nodes", "count", "cpus", "free_cpus", "memory", "time_limit", "queued", "running", "wait"})
_MOST = 2**63
_WRONG = (KeyError, TypeError, ValueError, AttributeError)


def read_task(told: object) -> TaskStatus:
    """A task; raises :class:`Permanent` when it is none."""
    try:
        given = _known(TaskStatus, told)
        containers = tuple(_container(c) for c in given.pop("containers", None) or ())
        return TaskStatus(**{**given, "state": JobState(given["state"]), "containers": containers})
    except _WRONG as error:
        raise _unread("a task", error) from None


def read_file(told: object) -> SandboxFile:
    """A file of a sandbox."""
    try:
        given = _known(SandboxFile, told)
        return SandboxFile(str(given["path"]), int(given["size"]), int(given["mode"]), str(given["digest"]))
    except _WRONG as error:
        raise _unread("a file", error) from None


def read_facilities(told: object) -> Facilities:
    """What a site offers."""
    try:
        given = _known(Facilities, told)
        partitions = tuple(map(_partition, given.pop("partitions")))
        for name in ("runtimes", "accounts", "qos"):
            given[name] = tuple(map(str, given.get(name) or ()))
        return Facilities(**given, partitions=partitions)
    except _WRONG as error:
        raise _unread("facilities", error) from None


def _partition(told: object) -> Partition:
    given = _known(Partition, told)
    shapes = tuple(map(_nodes, given.pop("shapes", None) or ()))
    return Partition(**_counted({**given, "name": str(given["name"])}), shapes=shapes)


def _nodes(told: object) -> Nodes:
    given = _counted(_known(Nodes, told))
    untold = isinstance(told, Mapping) and "gpus" in told and told["gpus"] is None
    return Nodes(**{**given, "gpus": None} if untold else given)


def _counted(given: dict[str, Any]) -> dict[str, Any]:
    """``given``, once its numbers are known to be some."""
    for name in _NUMBERS & set(given):
        if given[name] is not None and (isinstance(given[name], bool) or not isinstance(given[name], (int, float))):
            raise TypeError(f"{name} is no number")
    gpus = {str(kind): int(number) for kind, number in (given.get("gpus") or {}).items()}
    counts = [*gpus.values(), *(given[name] or 0 for name in _NUMBERS & set(given))]
    if any(abs(number) > _MOST for number in counts):  # what would be no number when they are compared
        raise ValueError("a number is beyond all measure")
    return {**given, "gpus": gpus}


def _container(told: object) -> ContainerStatus:
    given = _known(ContainerStatus, told)
    return ContainerStatus(**{**given, "phase": Phase(given["phase"])})


def _known(kind: Any, told: object) -> dict[str, Any]:
    """The fields of ``kind`` that are told; more is passed over, since an agent may be newer."""
    if not isinstance(told, Mapping):
        raise TypeError("it is no object")
    given = {name: told[name] for name in _names(kind) if name in told}
    for name, value in given.items():
        if isinstance(value, float) and not math.isfinite(value):
            raise ValueError(f"{name} is no number")
    return given


@functools.cache
def _names(kind: Any) -> tuple[str, ...]:
    return tuple(field.name for field in dataclasses.fields(kind))


def _unread(what: str, error: Exception) -> Permanent:
    return Permanent(f"the agent told {what} that cannot be read: {error}")
