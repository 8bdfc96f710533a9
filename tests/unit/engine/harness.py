"""An engine on a fake site, with a store in a file, driven without the service."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from isthmus.configure import Configurator
from isthmus.engine.job_nodes import JobEnd, JobOrder
from isthmus.engine.journal import Journal
from isthmus.engine.placing import Sites
from isthmus.engine.pulse import Pulse
from isthmus.engine.reconcile import Loaded, Reconciler
from isthmus.engine.state import first_instances
from isthmus.engine.worker import Worker
from isthmus.keys import make_key_pair
from isthmus.sites.fake import FakeDriver, World
from isthmus.store import Store, deployments, history, resources
from isthmus.store.deployments import Deployment
from isthmus.topology import Topology

from .topologies import FILES


@dataclass
class ToyDesk:
    """Runs jobs by the test's word: each ends as ``ends`` says for its node, well if it says nothing."""

    ends: dict[str, JobEnd] = field(default_factory=dict)
    submitted: list[JobOrder] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)

    async def submit(self, order: JobOrder) -> str:
        if order.key not in [known.key for known in self.submitted]:
            self.submitted.append(order)
        return "job-" + order.key

    async def wait(self, order: JobOrder, job: str, seconds: float) -> JobEnd:
        await asyncio.sleep(0)
        return self.ends.get(order.name, JobEnd(True, True, 0, ""))

    async def remove(self, owner: str, vo: str, job: str) -> None:
        self.removed.append(job)


class Harness:
    """A store and a world that outlive engines, and as many engines as a test wants."""

    def __init__(
        self, folder: Path, *, url: str = "", options: Mapping[str, Any] | None = None, store: type[Store] = Store
    ):
        self.store = store(url or f"sqlite:///{folder / 'isthmus.db'}", folder / "key")
        self.world_file = folder / "world.db"
        self.world = World(self.world_file)
        self.options = dict(options or {})
        self.desk = ToyDesk()
        self.topologies: dict[str, Topology] = {}

    def create(self, topology: Topology, name: str = "d1", **values: Any) -> str:
        """Add a deployment of ``topology``, due now; answers its id."""
        now, id_ = self.store.now(), f"{len(self.topologies):012x}"
        self.topologies[id_] = topology
        row = Deployment(
            id_, name, "alice", "vo", "test", "b" * 64, {}, None, None, first_instances(topology), "running",
            1, 0, "pending", "", {}, False, 0, now, None, None, now, now,
        )  # fmt: skip
        private, public = make_key_pair(name)
        with self.store.write() as c:
            deployments.save_bundle(c, row.bundle, b"", now)
            deployments.add(c, replace(row, **values))
            self.store.vault.put(c, id_, "ssh-key", private)
            self.store.vault.put(c, id_, "ssh-key.pub", public)
        return id_

    def change(self, id_: str, topology: Topology | None = None, **values: Any) -> None:
        """Change what is desired."""
        if topology is not None:
            self.topologies[id_] = topology
            values.setdefault("instances", first_instances(topology))
        with self.store.write() as c:
            assert deployments.change(c, id_, self.row(id_).version, self.store.now(), **values)

    def row(self, id_: str) -> Deployment:
        with self.store.read() as c:
            row = deployments.get(c, id_)
        assert row is not None
        return row

    def in_store(self, query: Callable[[Connection], Any]) -> Any:
        with self.store.read() as c:
            return query(c)

    def resources(self, id_: str) -> list[resources.ResourceRow]:
        return self.in_store(lambda c: resources.of_deployment(c, id_))

    def events(self, id_: str) -> list[str]:
        return [f"{e.kind} {e.message}" for e in self.in_store(lambda c: history.events_after(c, id_, 0, 10_000))]

    @asynccontextmanager
    async def engine(self, **options: Any):
        """An engine of its own, as a process would have."""
        journal = Journal(self.store, Pulse())
        sites = Sites({"fake": lambda: FakeDriver("fake", {"world": str(self.world_file), **self.options})})
        configurator = Configurator()
        reconcile = Reconciler(
            journal, sites, configurator, self.desk, lambda row: Loaded(self.topologies[row.id], FILES),
            actions_at_once=16, machine_timeout=60, operation_timeout=60,
        )  # fmt: skip
        settings = {"deployments_at_once": 8, "lease_seconds": 10, "tick_seconds": 0.05, **options}
        worker = Worker(journal, sites, reconcile, **settings)
        try:
            yield worker
        finally:
            await configurator.close()
            await sites.close()
            await journal.close()

    async def settle(self) -> None:
        """Work until nothing is due."""
        async with self.engine() as worker:
            await worker.drain()

    def machines(self, id_: str | None = None) -> set[str]:
        return {f"{r.ref.node}[{r.ref.index}]" for r in self.world.resources("fake", "machine", id_)}


async def until(condition: Callable[[], bool], seconds: float = 60.0) -> None:
    """Wait for a condition that another task brings about; fails when it does not come."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        await asyncio.sleep(0.005)
