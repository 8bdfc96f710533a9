"""Prepares a machine for being kept as an image, and gives it its identity back afterwards."""

from __future__ import annotations

from importlib import resources

from isthmus.configure.connections import Connections
from isthmus.configure.scripts import run_script
from isthmus.configure.target import Target
from isthmus.sites.contract import Job
from isthmus.sites.errors import Permanent

_RESTORE = b"if [ -s /run/isthmus.machine-id ]; then cat /run/isthmus.machine-id >/etc/machine-id; fi\n"
TIMEOUT = 120.0


async def clean_for_image(connections: Connections, target: Target) -> None:
    """Empty caches, logs and the machine's identity; raises :class:`Permanent` with what went wrong."""
    await _run(connections, target, resources.files(__package__).joinpath("clean.sh").read_bytes(), "clean")


async def restore_after_image(connections: Connections, target: Target) -> None:
    """Give the machine, which lives on, the machine-id back that :func:`clean_for_image` emptied."""
    await _run(connections, target, _RESTORE, "restore")


async def _run(connections: Connections, target: Target, script: bytes, label: str) -> None:
    said: list[str] = []
    result = await run_script(connections, target, Job(label, "run.sh", {"run.sh": script}, {}, TIMEOUT), said.append)
    if result.code != 0:
        raise Permanent(f"{target}: cleaning for an image failed: {result.message}")
