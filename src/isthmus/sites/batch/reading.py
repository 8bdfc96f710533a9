"""What an agent answered, as values: checked, since what runs on a site is not ours alone."""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Mapping
from typing import Any

from isthmus.sites.errors import Permanent
from isthmus.sites.jobs import Facilities, Partition, SandboxFile
from isthmus.work.job import ContainerStatus, JobState, Phase, TaskStatus

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
        partitions = tuple(Partition(**_known(Partition, p)) for p in given.pop("partitions"))
        for name in ("runtimes", "accounts"):
            given[name] = tuple(map(str, given.get(name) or ()))
        return Facilities(**given, partitions=partitions)
    except _WRONG as error:
        raise _unread("facilities", error) from None


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
