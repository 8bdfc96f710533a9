"""Memory that a scheduler is asked for beside what a job may use: what looks after the job takes some itself.

Schedulers count it as the job's own, while limits are those of the containers alone. Without it a site that enforces
memory would kill whatever is small. Pure.
"""

from __future__ import annotations

from typing import Any, Mapping

SUPERVISOR = 64 * 1024 * 1024
RUNTIME = 64 * 1024 * 1024
"""Bytes of Apptainer and what mounts the image, for each container: some 50 MB in fact."""


def allowance(spec: Mapping[str, Any], processes: int = 1) -> int:
    """Bytes on one node for ``spec``, a :class:`isthmus.work.job.JobSpec` as JSON has it.

    ``processes`` is how many containers of each main one a launcher starts there.
    """
    runtimes = sum(container.get("image") is not None for container in spec.get("containers") or ())
    if not runtimes and any(container.get("image") is not None for container in spec.get("init") or ()):
        runtimes = 1  # they run one after another
    return SUPERVISOR + RUNTIME * runtimes * processes


def processes_on_node(resources: Mapping[str, Any]) -> int:
    """How many of a job's processes a node of it has, at most."""
    return -(-int(resources.get("tasks") or 1) // int(resources.get("nodes") or 1))
