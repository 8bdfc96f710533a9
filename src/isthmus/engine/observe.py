"""Observing: what the store remembers and what the site shows, made into one value."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable, Mapping, Sequence
from typing import Any

from isthmus.engine.state import Done, Health, Key, Observed, OperationKey, Resource
from isthmus.sites.contract import Driver, Machine, Machines, Network, Networks, State, Volume, Volumes, lends
from isthmus.store.resources import ResourceRow
from isthmus.topology import NodeKind

IMAGE_TAG = "isthmus.image"
"""The tag of a machine that names the baked image from which it started."""


async def list_site(driver: Driver, deployment: str | None) -> list[Machine | Network | Volume]:
    """Everything of a deployment (or of all) that a site shows, from one query for each kind."""
    queries: list[Coroutine[Any, Any, Sequence[Machine | Network | Volume]]] = []
    if machines := lends(driver, Machines):
        queries.append(machines.list_machines(deployment))
    if networks := lends(driver, Networks):
        queries.append(networks.list_networks(deployment))
    if volumes := lends(driver, Volumes):
        queries.append(volumes.list_volumes(deployment))
    return [thing for answer in await asyncio.gather(*queries) for thing in answer]


def merge(
    rows: Iterable[ResourceRow],
    shown: Sequence[Machine | Network | Volume],
    installed: Mapping[str, tuple[str, Mapping[OperationKey, Done]]],
) -> Observed:
    """Join rows and site by node and index.

    What the site shows and no row knows was made just before a crash: it is adopted. A machine with
    another id than its row's was made anew: nothing that ran on the old one counts. ``installed`` says
    for each machine node the key of its baked image, and what a machine that started from it has run.
    """
    known = {Key(row.node, row.index): row for row in rows}
    found = {Key(thing.ref.node, thing.ref.index): thing for thing in shown}
    resources = {}
    for key in [*known, *(k for k in found if k not in known)]:
        row, thing = known.get(key), found.get(key)
        if row is not None and row.kind == NodeKind.JOB:
            resources[key] = Resource(key, NodeKind.JOB, Health(row.state), row.attributes, row.spec)
        elif thing is None and row is not None:
            resources[key] = Resource(key, NodeKind(row.kind), Health.MISSING)
        elif isinstance(thing, Machine):
            resources[key] = _machine(key, row, thing, installed)
        elif thing is not None:
            kind = NodeKind.NETWORK if isinstance(thing, Network) else NodeKind.VOLUME
            resources[key] = Resource(key, kind, Health.RUNNING)
    return Observed(resources)


def _machine(
    key: Key,
    row: ResourceRow | None,
    machine: Machine,
    installed: Mapping[str, tuple[str, Mapping[OperationKey, Done]]],
) -> Resource:
    same = row is not None and row.site_id == machine.id
    if row is not None and same:
        done = load_done(row.done)
    else:
        image, ran = installed.get(key.node, ("", {}))
        done = dict(ran) if image and machine.tags.get(IMAGE_TAG) == image else {}
    attributes = {**(row.attributes if row and same else {}), **machine_attributes(machine)}
    health = _health(machine, row.state if row and same else "")
    return Resource(key, NodeKind.MACHINE, health, attributes, row.spec if row else {}, done)


def _health(machine: Machine, recorded: str) -> Health:
    """What the site says, except that a machine runs only once it was seen to answer."""
    if machine.state is State.ERROR or recorded == Health.ERROR:
        return Health.ERROR
    if machine.state is State.STOPPED:
        return Health.STOPPED
    return Health.RUNNING if recorded == Health.RUNNING and machine.state is State.RUNNING else Health.PENDING


def machine_attributes(machine: Machine) -> dict[str, Any]:
    """The attributes that references may ask of a machine (TOSCA 1.3 §5.9.2.2, and ``hostname``).

    Where a site gives no public address, the private one is what its users reach.
    """
    return {
        "private_address": machine.private_address,
        "public_address": machine.public_address or machine.private_address,
        "hostname": machine.ref.host,
        "tosca_name": machine.ref.node,
        "tosca_id": machine.id,
        "state": "started" if machine.state is State.RUNNING else str(machine.state),
        "endpoint": {
            "ip_address": machine.public_address or machine.private_address,
            "credential": {
                "protocol": "ssh",
                "user": machine.user,
                "token_type": "private_key",
                "token": {"$secret": "ssh-key"},
            },
        },
    }


def load_done(stored: Mapping[str, Any]) -> dict[OperationKey, Done]:
    """What ran, from its JSON form: keys are ``NODE|OPERATION``."""
    done = {}
    for name, values in stored.items():
        node, _, operation = name.partition("|")
        done[node, operation] = Done(values["digest"], values["inputs"], values["outputs"])
    return done


def dump_done(done: Mapping[OperationKey, Done]) -> dict[str, Any]:
    """The JSON form of what ran."""
    return {
        f"{node}|{operation}": {"digest": d.digest, "inputs": dict(d.inputs), "outputs": dict(d.outputs)}
        for (node, operation), d in done.items()
    }
