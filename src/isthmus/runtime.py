"""The runtime: settings made into a store, sites, an engine and the service, and closed again."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial

from isthmus.configure import Configurator
from isthmus.engine.journal import Journal
from isthmus.engine.owners import this_process
from isthmus.engine.placing import Sites
from isthmus.engine.pulse import Pulse
from isthmus.engine.reconcile import Reconciler
from isthmus.engine.worker import Worker
from isthmus.job_desk import ServedJobDesk
from isthmus.job_service import JobService
from isthmus.library import Library
from isthmus.service import Service
from isthmus.settings import Settings
from isthmus.shelf import Shelf
from isthmus.sites.registry import open_site
from isthmus.store import Store
from isthmus.store.blobs import Blobs
from isthmus.work.batch_sites import BatchSites
from isthmus.work.keeper import Keeper
from isthmus.work.sweep import Sweep


@dataclass(frozen=True, slots=True)
class Runtime:
    """A service that answers, the worker and the keeper that make it real, and the store between them."""

    service: Service
    worker: Worker
    keeper: Keeper
    sweep: Sweep
    store: Store

    async def work(self) -> None:
        """Until cancelled make things real, deployments by the worker and jobs by the keeper, and sweep up."""
        await asyncio.gather(self.worker.run(), self.keeper.run(), self.sweep.run())


@asynccontextmanager
async def open_runtime(settings: Settings) -> AsyncIterator[Runtime]:
    """A runtime in this event loop; its worker works until the end, unless ``settings.worker`` is off."""
    store = await asyncio.to_thread(Store, settings.database_url, settings.home / "master.key")
    pulse, library, configurator = Pulse(), Library(), Configurator()
    sites = Sites({s.name: partial(open_site, s.name, s.kind, s.options) for s in settings.sites})
    shelf, journal = Shelf(store, library), Journal(store, pulse)
    batch, blobs = BatchSites(sites, store, shelf, open_site), Blobs(settings.home / "blobs")
    keeper = Keeper(journal, batch, blobs, this_process(), settings.lease)
    jobs = JobService(store, batch, blobs, pulse, keeper.wake)
    reconcile = Reconciler(
        journal, sites, configurator, ServedJobDesk(jobs), shelf.load, actions_at_once=settings.actions_at_once,
        machine_timeout=settings.machine_timeout, operation_timeout=settings.operation_timeout,
    )  # fmt: skip
    worker = Worker(
        journal, sites, reconcile, deployments_at_once=settings.deployments_at_once,
        lease_seconds=settings.lease, tick_seconds=settings.tick,
    )  # fmt: skip
    service = Service(store, sites, library, shelf, pulse, worker.wake, jobs)
    runtime = Runtime(service, worker, keeper, Sweep(journal, blobs), store)
    task = asyncio.ensure_future(runtime.work()) if settings.worker else None
    try:
        yield runtime
    finally:
        if task is not None:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        await batch.close()
        await configurator.close()
        await sites.close()
        await journal.close()
        store.close()


async def run_worker(settings: Settings) -> None:
    """Work, without answering, until cancelled: one more process on the same database."""
    async with open_runtime(settings.model_copy(update={"worker": False})) as runtime:
        await runtime.work()
