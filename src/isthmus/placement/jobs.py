"""Choosing a site for a job: filters first, then the shortest wait; each site with its reason. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

NEEDS = ("gpu", "containers", "mpi")
"""What a job may need by name: a GPU, something that runs containers, more than one node at a time."""


@dataclass(frozen=True, slots=True)
class Room:
    """The largest that a site gives to one job, and how long it would wait; None is not told.

    ``containers`` says whether it runs containers, ``multi_node`` whether jobs may span nodes.
    """

    cpus: int | None = None
    memory: int | None = None
    gpus: int = 0
    containers: bool = False
    multi_node: bool = False
    wait: float | None = None
    free_cpus: int | None = None


@dataclass(frozen=True, slots=True)
class JobWant:
    """What a job asks of its site."""

    cpus: float = 1
    memory: int | None = None
    gpus: int = 0
    nodes: int = 1
    containers: bool = False
    needs: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class JobPlace:
    """The chosen site (None: no site fits), and of each site why or why not, in order."""

    site: str | None
    reasons: Mapping[str, str]


def choose_for_job(want: JobWant, rooms: Mapping[str, Room | str]) -> JobPlace:
    """The site where the job starts soonest. A site whose room is a text cannot be used, for that reason."""
    reasons: dict[str, str] = {}
    fitting: list[tuple[float, int, str]] = []
    for order, (site, room) in enumerate(rooms.items()):
        refusal = room if isinstance(room, str) else _refusal(want, room)
        if refusal or isinstance(room, str):
            reasons[site] = refusal
            continue
        free = room.free_cpus is not None and room.free_cpus >= want.cpus
        wait = 0.0 if free else room.wait if room.wait is not None else float("inf")
        fitting.append((wait, order, site))
        reasons[site] = "has room now" if free else f"would start it in about {wait:.0f} s" if room.wait else "fits"
    if not fitting:
        return JobPlace(None, reasons)
    site = min(fitting)[2]
    reasons[site] = f"chosen: {reasons[site]}"
    return JobPlace(site, reasons)


def _refusal(want: JobWant, room: Room) -> str:
    """Why a site does not fit; empty when it does."""
    gpus = max(want.gpus, 1 if "gpu" in want.needs else 0)
    if gpus > room.gpus:
        return f"has {room.gpus} GPUs on a node, not {gpus}" if room.gpus else "has no GPU"
    if (want.containers or "containers" in want.needs) and not room.containers:
        return "runs no containers"
    if (want.nodes > 1 or "mpi" in want.needs) and not room.multi_node:
        return "runs no jobs over several nodes"
    if room.cpus is not None and want.cpus > room.cpus:
        return f"has {room.cpus} CPUs, not {want.cpus:g}"
    if room.memory is not None and want.memory is not None and want.memory > room.memory:
        return f"has nodes of {room.memory / 2**30:.1f} GiB, not {want.memory / 2**30:.1f}"
    return ""
