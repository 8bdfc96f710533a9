"""What sites have for jobs, as the choice of a site sees it: asked seldom, and never waited for long."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import TypeVar

from isthmus.placement.job_fit import JobWant, Nodes, Queue, Room
from isthmus.sites.errors import SiteError
from isthmus.sites.jobs import Facilities, Partition
from isthmus.work.batch_sites import BatchSites
from isthmus.work.job import JobSpec
from isthmus.work.runner.allowance import SUPERVISOR
from isthmus.work.runner.image_names import is_of_a_registry

T = TypeVar("T")
PATIENCE = 3.0
"""Seconds for which a request waits for what a site has; the answer is kept also when it comes later."""

QUIET = 10.0
"""Seconds for which a site that did not answer is left in peace."""

MOST = 1000
"""Sites that are remembered: deployments come and go."""


class Silent(str):
    """Why nothing is known of a site: it did not answer, or not in time."""


class Rooms:
    """The rooms of sites by name; ``now`` is the time in seconds."""

    def __init__(self, places: BatchSites, now: Callable[[], float], patience: float = PATIENCE):
        self._places = places
        self._now = now
        self._patience = patience
        self._known: dict[str, tuple[float, Room]] = {}
        self._silent: dict[str, tuple[float, Silent]] = {}
        self._asking: dict[str, asyncio.Task[Room | Silent]] = {}

    async def of(self, site: str, age: float) -> Room | Silent:
        """What a site has, by an answer that is no older than ``age`` seconds, which is asked for if there is none."""
        known = self._known.get(site)
        if known is not None and known[0] > self._now() - age:
            return known[1]
        silent = self._silent.get(site)
        if silent is not None and silent[0] > self._now() - QUIET:
            return silent[1]
        asking = self._asking.get(site)
        if asking is None:
            asking = self._asking[site] = asyncio.create_task(self._ask(site))
            asking.add_done_callback(lambda _: self._asking.pop(site, None))
        await asyncio.wait({asking}, timeout=self._patience)
        if asking.done():
            return asking.result()
        return self._silence(site, f"did not answer within {self._patience:g} s")

    async def _ask(self, site: str) -> Room | Silent:
        try:
            _, lent = await self._places.get(site)
            room = room_of(await lent.facilities())
        except SiteError as error:
            return self._silence(site, f"does not answer: {error}")
        _remember(self._known, site, (self._now(), room))
        self._silent.pop(site, None)
        return room

    def _silence(self, site: str, words: str) -> Silent:
        silent = Silent(words)
        _remember(self._silent, site, (self._now(), silent))
        return silent


def _remember(those: dict[str, T], site: str, what: T) -> None:
    """Keep the latest of a site, and of the sites those that were told of last."""
    those.pop(site, None)
    those[site] = what
    while len(those) > MOST:
        del those[next(iter(those))]


def room_of(facilities: Facilities) -> Room:
    """What a site gives to jobs."""
    return Room(
        tuple(map(_queue, facilities.partitions)), bool(facilities.runtimes), facilities.pool, facilities.exact_types,
        image_files=facilities.runtimes != ("engine",),
    )  # fmt: skip


def want_of(spec: JobSpec, needs: Sequence[str]) -> JobWant:
    """What a job asks of its site."""
    r, options = spec.resources, spec.options
    images = [c.image for c in (*spec.containers, *spec.init) if c.image is not None]
    return JobWant(
        r.cpus, r.memory, r.gpus, r.gpu_type, r.nodes, r.tasks, spec.launch == "each",
        None if "qos" in options else r.time,  # which may allow more than a partition does
        bool(images), not all(map(is_of_a_registry, images)), needs,
        [name for name in options.get("partition", "").split(",") if name], SUPERVISOR,
    )  # fmt: skip


def _queue(p: Partition) -> Queue:
    """A partition; where nothing is told of its nodes none can have more than all of them together."""
    nodes = tuple(Nodes(n.count, n.cpus, n.memory, n.gpus) for n in p.shapes)
    together = Nodes(p.nodes, p.cpus, p.memory, p.gpus)
    return Queue(p.name, nodes or (together,), p.default, p.state, p.time_limit, p.wait, p.free_cpus)
