"""Placing: asking the sites what they offer for a topology's machines, and letting placement choose."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

from isthmus.engine.state import is_shared, machine_spec, volume_mounts
from isthmus.placement import NoPlace, Placement, choose
from isthmus.sites.contract import Driver, Machines, SharedVolumes, Volumes, lends
from isthmus.sites.errors import Permanent, SiteError
from isthmus.topology import MachineWant, Node, NodeKind, Offer, Topology, quantity


class Sites:
    """The sites that a server has, in order of preference; drivers are opened when first used."""

    def __init__(self, openers: Mapping[str, Callable[[], Driver]]):
        self._openers = openers
        self._open: dict[str, Driver] = {}
        self._locks: dict[str, asyncio.Lock] = {}

    def names(self) -> tuple[str, ...]:
        return tuple(self._openers)

    def get(self, name: str) -> Driver:
        """The driver of a site; raises :class:`Permanent` when there is no such site."""
        if name not in self._openers:
            raise Permanent(f"there is no site {name}; there is {', '.join(self._openers) or 'none'}")
        if name not in self._open:
            self._open[name] = self._openers[name]()
        return self._open[name]

    async def prepare(self, name: str, progress: Callable[[str], None]) -> Driver:
        """The driver of a site that is ready to be used; two that ask at once wait for one."""
        driver = self.get(name)
        async with self._locks.setdefault(name, asyncio.Lock()):
            await driver.prepare(progress)
        return driver

    async def close(self) -> None:
        for driver in self._open.values():
            await driver.close()


def machine_want(spec: Mapping[str, Any]) -> MachineWant:
    """What a machine's template asks, from its ``host`` and ``os`` capabilities (see ``machine_spec``)."""
    return MachineWant(
        cpus=float(spec["num_cpus"]) if "num_cpus" in spec else None,
        memory=int(quantity(spec["mem_size"])) if "mem_size" in spec else None,
        disk=int(quantity(spec["disk_size"])) if "disk_size" in spec else None,
        flavour=spec.get("instance_type"),
        image=spec.get("image"),
        os=spec.get("os", {}),
        gpus=int(spec.get("num_gpus", 0)),
        nested_containers="nested_containers" in spec,
    )


def volume_refusal(topology: Topology, node: Node, driver: object) -> str | None:
    """Why a site cannot lend the volumes that a machine attaches; None when it can."""
    for volume in volume_mounts(topology, node):
        if lends(driver, Volumes) is None:
            return f"it has no volumes, and {node.name} attaches {volume}"
        if is_shared(topology.nodes[volume]) and lends(driver, SharedVolumes) is None:
            return f"its volumes have one machine each, and {volume} is shared"
    return None


async def place(
    topology: Topology, counts: Mapping[str, int], sites: Sites, pinned: str | None,
    progress: Callable[[str], None] | None,
) -> Placement | NoPlace:  # fmt: skip
    """Ask the sites for offers and choose. A site that cannot be asked falls out with its own words.

    Without ``progress`` the sites are asked as they stand and nothing is made ready.
    """
    offers: dict[str, dict[str, list[Offer]]] = {}
    nodes = {node.name: node for node in topology.of_kind(NodeKind.MACHINE)}
    wants = {name: machine_want(machine_spec(topology, node)) for name, node in nodes.items()}
    for site in sites.names():
        if pinned is not None and site != pinned:
            continue
        try:
            driver = sites.get(site) if progress is None else await sites.prepare(site, progress)
            machines = lends(driver, Machines)
            if machines is not None:
                offers[site] = {
                    name: refused(await machines.offers(want), volume_refusal(topology, nodes[name], driver))
                    for name, want in wants.items()
                }
        except SiteError as error:
            offers[site] = {name: [Offer(site, "", "", 0, 0, refusal=str(error))] for name in wants}
    return choose(counts, offers, pinned)


def refused(offers: Sequence[Offer], why: str | None) -> list[Offer]:
    """Offers of a site with one more reason against them, if there is one."""
    return [replace(o, refusal="; ".join(filter(None, (o.refusal, why)))) if why else o for o in offers]


def offer_values(offer: Offer) -> dict[str, Any]:
    """An offer as plain JSON, as placements are kept."""
    return asdict(offer)
