"""Drift: what is at rest but no longer as it should be. One query for each site and tick, however many."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import Connection

from isthmus.engine.journal import Journal
from isthmus.engine.observe import list_site
from isthmus.engine.placing import Sites
from isthmus.sites.contract import Machine, Network, State, Volume
from isthmus.sites.errors import SiteError
from isthmus.store import deployments, history, resources
from isthmus.topology import NodeKind
from isthmus.views import Event


async def find_drift(site: str, sites: Sites, journal: Journal) -> int:
    """Make due every deployment on ``site`` that is not as the store says; answers how many.

    A site that does not answer shows nothing: that is no drift, and its own status tells it. What is shown of
    a deployment that was deleted was made by a worker that slept through its lease; it is deleted again.
    """
    at_rest, rows = await journal.read(lambda c: (deployments.at_rest(c, site), resources.on_site(c, site)))
    try:
        shown = await list_site(sites.get(site), None)
    except SiteError:
        return 0
    expected = [row for row in rows if row.deployment in at_rest]
    drifted = await asyncio.to_thread(lambda: dict(differences(expected, shown)))
    strangers = list({thing.ref.deployment for thing in shown} - {row.deployment for row in rows})
    if strangers:
        gone = await journal.read(lambda c: deployments.deleted_among(c, strangers))
        drifted |= dict.fromkeys(gone, "something of it has turned up after it was deleted")
    return await _wake(drifted, journal) if drifted else 0


async def _wake(drifted: Mapping[str, str], journal: Journal) -> int:
    now = journal.store.now()

    def write(c: Connection) -> list[str]:
        woken = deployments.wake(c, list(drifted), now)
        history.add_events(c, [Event(0, d, now, "engine", "drift.found", drifted[d]) for d in woken])
        return woken

    woken = await journal.write(write)
    journal.pulse.beat(*woken)
    return len(woken)


def differences(expected: Iterable[Any], shown: Iterable[Machine | Network | Volume]) -> Iterable[tuple[str, str]]:
    """Deployments that lack something, have it otherwise or have too much, and what is wrong.

    ``expected`` are rows with deployment, node, index, kind and site_id.
    """
    found = {_name(thing): thing for thing in shown}
    deployments = set()
    for row in expected:
        deployments.add(row.deployment)
        thing = found.pop((row.kind, row.deployment, row.node, row.index), None)
        name = row.kind if row.kind == NodeKind.NETWORK else f"{row.kind} {row.node}[{row.index}]"
        if thing is None:
            yield row.deployment, f"{name} is gone"
        elif isinstance(thing, Machine) and thing.state is not State.RUNNING:
            yield row.deployment, f"{name} is {thing.state}"
        elif thing.id != row.site_id:
            yield row.deployment, f"{name} is another one than was made"
    for kind, deployment, node, index in found:
        if deployment in deployments:
            yield deployment, f"{kind} {node}[{index}] is not one of its own"


def _name(thing: Machine | Network | Volume) -> tuple[str, str, str, int]:
    kinds = {Machine: NodeKind.MACHINE, Network: NodeKind.NETWORK, Volume: NodeKind.VOLUME}
    return kinds[type(thing)], thing.ref.deployment, thing.ref.node, thing.ref.index
