"""Drift: what is at rest but no longer as it should be. One query for each site and tick, however many."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Connection

from isthmus.engine.journal import Journal
from isthmus.engine.placing import Sites
from isthmus.sites.contract import Machine, Machines, State, lends
from isthmus.sites.errors import SiteError
from isthmus.store import deployments, resources
from isthmus.views import Event


async def find_drift(site: str, sites: Sites, journal: Journal) -> int:
    """Make due every deployment on ``site`` that is not as the store says; answers how many.

    A site that does not answer shows nothing: that is no drift, and its own status tells it.
    """
    expected = await journal.read(lambda c: _expected(c, site))
    if not expected:
        return 0
    try:
        driver = sites.get(site)
        machines = lends(driver, Machines)
        shown = await machines.list_machines() if machines is not None else []
    except SiteError:
        return 0
    drifted = dict(differences(expected, shown))
    if drifted:
        now = journal.store.now()
        await journal.write(lambda c: deployments.wake(c, list(drifted), now))
        await journal.record(*(Event(0, d, now, "engine", "drift.found", why) for d, why in drifted.items()))
    return len(drifted)


def _expected(c: Connection, site: str) -> Sequence[Any]:
    """The machines of deployments at rest on a site that should all be up."""
    at_rest = deployments.converged(c, "running", site)
    return [row for row in resources.machines_on(c, site) if row.deployment in at_rest]


def differences(expected: Iterable[Any], shown: Iterable[Machine]) -> Iterable[tuple[str, str]]:
    """Deployments whose machines are gone, down or others than those that were made, and what is wrong."""
    found = {(m.ref.deployment, m.ref.node, m.ref.index): m for m in shown}
    for row in expected:
        machine = found.get((row.deployment, row.node, row.index))
        name = f"machine {row.node}[{row.index}]"
        if machine is None:
            yield row.deployment, f"{name} is gone"
        elif machine.state is not State.RUNNING:
            yield row.deployment, f"{name} is {machine.state}"
        elif machine.id != row.site_id:
            yield row.deployment, f"{name} is another one than was made"
