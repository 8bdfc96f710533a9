"""Looking at a deployment: what its row desires and what its site shows, ready to be planned from."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace

from isthmus.engine.baking import bake_keys, installed
from isthmus.engine.observe import list_site, merge
from isthmus.engine.state import Desired, Observed, Power
from isthmus.sites.contract import Driver, Images, Networks, lends
from isthmus.store.deployments import Deployment
from isthmus.store.resources import ResourceRow
from isthmus.topology import Offer, Topology


async def look(
    row: Deployment,
    driver: Driver,
    offers: Mapping[str, Offer],
    topology: Topology,
    rows: Sequence[ResourceRow],
    marks: Mapping[str, str],
) -> tuple[Desired, Observed]:
    """What is desired and what is observed of a deployment; asks the site and changes nothing.

    ``marks`` are those of the deployment's secrets.
    """
    instances = {n: i for n, i in row.instances.items() if n in topology.nodes}
    desired = await desire(topology, instances, Power(row.power), driver, offers, f"{row.vo}/{row.owner}")
    desired = replace(desired, marks=marks)
    runs = installed(topology) if desired.bake_keys else {}
    ran = {node: (key, runs[node]) for node, key in desired.bake_keys.items()}
    return desired, merge(rows, await list_site(driver, row.id), ran)


async def desire(
    topology: Topology,
    instances: Mapping[str, Sequence[int]],
    power: Power,
    driver: Driver,
    offers: Mapping[str, Offer],
    owner: str,
) -> Desired:
    """The desired state, with the images of ``owner`` that the site could start from."""
    keys, baked = {}, frozenset[str]()
    images = lends(driver, Images)
    if images is not None and power is Power.RUNNING:
        keys = bake_keys(topology, {n: o.image for n, o in offers.items()}, owner)
        # By key, not from a list: a site may keep many images, and this is asked in every run.
        found = await asyncio.gather(*(images.find_image(key) for key in sorted(set(keys.values()))))
        baked = frozenset(image.key for image in found if image is not None)
    indices = {n: tuple(i) for n, i in instances.items()}
    return Desired(topology, indices, power, keys, baked, lends(driver, Networks) is not None)
