"""The sites that take jobs: those of the settings, and batch systems that users have deployed.

A deployed one is called ``deployment/ID``; its driver is made from what the deployment knows: the node whose
capability says what batch system it is, the address and the key of its machine.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from isthmus.engine.placing import Sites
from isthmus.shelf import Shelf
from isthmus.sites.contract import Driver, lends
from isthmus.sites.errors import Permanent, Temporary, Unsupported
from isthmus.sites.jobs import Jobs
from isthmus.store import Store, deployments, resources
from isthmus.store.deployments import Deployment
from isthmus.store.resources import ResourceRow
from isthmus.topology import NodeKind, Topology, digest

DEPLOYED = re.compile(r"deployment/([0-9a-f]{12})")
CAPABILITY = "isthmus.capabilities.BatchSystem"
Opener = Callable[[str, str, Mapping[str, Any]], Driver]


class Gone(Permanent):
    """A site that is no more and will not come back: what it had is lost."""


@dataclass(frozen=True, slots=True)
class BatchNode:
    """What makes a deployment a batch system: its kind, the machine node to log in to, as whom, where to work.

    ``containers`` says whether its nodes run containers.
    """

    kind: str
    machine: str
    user: str
    folder: str | None
    containers: bool


def batch_node(topology: Topology) -> BatchNode | None:
    """The batch system of a topology; None when it has none."""
    for node in topology.nodes.values():
        jobs, machine = node.capabilities.get("jobs"), topology.host_of(node.name)
        if node.kind is NodeKind.SOFTWARE and machine is not None and jobs and jobs.get("kind"):
            folder = jobs.get("folder")
            return BatchNode(
                str(jobs["kind"]), machine.name, str(jobs["user"]), str(folder) if folder else None,
                bool(jobs.get("containers")),
            )  # fmt: skip
    return None


class BatchSites:
    """Drivers that take jobs, opened when first used."""

    def __init__(self, sites: Sites, store: Store, shelf: Shelf, opener: Opener):
        self.sites = sites
        self.store = store
        self.shelf = shelf
        self._opener = opener
        self._deployed: dict[str, tuple[str, Driver]] = {}
        self._lock = asyncio.Lock()

    def names(self) -> tuple[str, ...]:
        """The sites of the settings, whether they take jobs or not."""
        return self.sites.names()

    async def get(self, site: str) -> tuple[Driver, Jobs]:
        """The driver of a site; raises :class:`SiteError` when there is none, or none that takes jobs.

        Only :class:`Gone` is final: settings and logins that are wrong now may be put right.
        """
        if found := DEPLOYED.fullmatch(site):
            driver = await self._deployed_driver(site, found[1])
        else:
            driver = self.sites.get(site)
        jobs = lends(driver, Jobs)
        if jobs is None:
            raise Unsupported(f"site {site} takes no jobs")
        return driver, jobs

    async def close(self) -> None:
        for _, driver in self._deployed.values():
            await driver.close()

    async def _deployed_driver(self, site: str, id_: str) -> Driver:
        async with self._lock:
            kind, options = await self._describe(id_)
            mark = digest([kind, options])
            known = self._deployed.get(site)
            if known is not None and known[0] == mark:
                return known[1]
            if known is not None:
                await known[1].close()
            driver = self._opener(site, kind, options)
            self._deployed[site] = (mark, driver)
            return driver

    async def _describe(self, id_: str) -> tuple[str, dict[str, Any]]:
        """The kind and the options of a deployed batch system's driver."""

        def query(c: Any) -> tuple[Deployment | None, list[ResourceRow], str | None]:
            key = self.store.vault.get(c, id_, "ssh-key")
            return deployments.get(c, id_), list(resources.of_deployment(c, id_)), key

        row, rows, key = await self.store.reading(query)
        if row is None or row.phase == "deleted":
            raise Gone(f"the cluster {row.name if row else id_} is deleted")
        if row.phase == "deleting":  # its scheduler would be waited for in vain
            raise Temporary(f"the cluster {row.name} is being deleted", delay=1.0)
        loaded = await asyncio.to_thread(self.shelf.load, row)
        node = batch_node(loaded.topology)
        if node is None:
            raise Gone(f"deployment {row.name} is no batch system any more")
        machine = next((r for r in rows if r.node == node.machine and r.attributes.get("ssh")), None)
        if machine is None or key is None:
            raise Temporary(f"{row.name} cannot be reached yet: it is {row.phase}", delay=2.0)
        ssh = machine.attributes["ssh"]
        options = {
            "host": ssh["host"], "port": ssh["port"], "user": node.user, "key": key,
            "host_key": ssh["host_key"], "runtime": "apptainer" if node.containers else "none",
        }  # fmt: skip
        if node.folder is not None:
            options["folder"] = node.folder
        return node.kind, options
