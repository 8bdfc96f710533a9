"""Choosing a site for a job: filters first, then the shortest wait; each site with its reason. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from isthmus.placement.job_fit import JobWant, Room, refusal

NEEDS = ("gpu", "containers", "mpi")
"""What a job may need by name: a GPU, something that runs containers, more than one node at a time."""


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
        words = room if isinstance(room, str) else refusal(want, room)
        if words or isinstance(room, str):
            reasons[site] = words
            continue
        wait, reasons[site] = _wait(want, room)
        fitting.append((wait, order, site))
    if not fitting:
        return JobPlace(None, reasons)
    site = min(fitting)[2]
    reasons[site] = f"chosen: {reasons[site]}"
    return JobPlace(site, reasons)


def _wait(want: JobWant, room: Room) -> tuple[float, str]:
    """Seconds until the job would start, by what the site tells, and that in words."""
    open_ = [q for q in room.open_to(want) if q.state == "up"]
    fitting = [q for q in open_ if not refusal(want, replace(room, queues=(q,)))]
    if any(q.free_cpus is not None and q.free_cpus >= want.cpus * want.tasks for q in fitting):
        return 0.0, "has room now"
    wait = min((q.wait for q in fitting if q.wait is not None), default=None)
    if wait is None:
        return float("inf"), "fits"
    return wait, f"would start it in about {wait:.0f} s" if wait else "fits"
