"""Looks through the history of a fake world for what must never have happened."""

from __future__ import annotations

from isthmus.sites.contract import Ref
from isthmus.sites.fake.world import World


def audit(world: World, deployment: str | None = None) -> list[str]:
    """What was doubled or done twice at once, a line each; empty is well.

    A resource is doubled when it was created again, on this site or on another, while the earlier
    incarnation lived. A real site may double what two creates at once ask for, so races count as well.
    """
    return [*_doubled(world, deployment), *_raced(world, deployment), *_overlapping(world, deployment)]


def _doubled(world: World, deployment: str | None) -> list[str]:
    alive: dict[tuple[str, Ref], set[str]] = {}
    found = []
    for effect in world.effects(deployment):
        ids = alive.setdefault((effect.kind, effect.ref), set())
        if effect.what == "created":
            if ids and effect.kind != "image":
                found.append(f"doubled: {effect.kind} {effect.ref.name} as {effect.id} beside {', '.join(ids)}")
            ids.add(effect.id)
        elif effect.what in ("deleted", "vanished"):
            ids.discard(effect.id)
    return found


def _raced(world: World, deployment: str | None) -> list[str]:
    return [
        f"raced: two creates of {effect.kind} {effect.ref.name} at once, one of them by {effect.owner}"
        for effect in world.effects(deployment, "raced")
    ]


def _overlapping(world: World, deployment: str | None) -> list[str]:
    ended: dict[tuple[str, str], float] = {}
    found = []
    for run in world.runs(deployment):
        key = (run.machine, run.label)
        if run.began < ended.get(key, run.began):
            found.append(f"overlapping: {run.label} began on {run.ref.name} while an earlier run of it went on")
        if run.ended is not None:
            ended[key] = max(run.ended, ended.get(key, run.ended))
    return found
