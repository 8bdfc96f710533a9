"""Workers and their leases: nobody acts on what another may act on, whatever becomes of the database."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import pytest
from sqlalchemy import Connection

from isthmus.engine import worker as worker_module
from isthmus.engine.owners import is_dead, this_process
from isthmus.engine.worker import Worker
from isthmus.sites.fake.audit import audit
from isthmus.store import Store, deployments, leases
from isthmus.store.database import StoreUnavailable

from .harness import Harness, until
from .topologies import cluster


class LostStore(Store):
    """A store whose database goes away when `gone` is set: in this process only, or so that it seems."""

    gone = False

    @contextmanager
    def write(self) -> Iterator[Connection]:
        self._refuse()
        with super().write() as connection:
            yield connection

    @contextmanager
    def read(self) -> Iterator[Connection]:
        self._refuse()
        with super().read() as connection:
            yield connection

    def _refuse(self) -> None:
        if self.gone:
            raise StoreUnavailable("the database is gone")


@asynccontextmanager
async def running(worker: Worker) -> AsyncIterator[None]:
    """The worker at work; stopped in the end."""
    task = asyncio.ensure_future(worker.run())
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


def runs(harness: Harness, id_: str) -> int:
    return len(harness.world.runs(id_))


async def test_a_change_right_after_the_claim_interrupts(tmp_path: Path) -> None:
    harness = Harness(tmp_path, options={"latency": {"create_machine": 0.6, "run": 0.2}})
    d = harness.create(cluster(1))
    async with harness.engine(lease_seconds=1.5) as worker, running(worker):
        await until(lambda: len(harness.machines(d)) == 2)
        harness.change(d, power="absent")  # before the first heartbeat
        await until(lambda: harness.row(d).phase == "deleted")
    assert not [e for e in harness.events(d) if e.startswith(("action.started slave", "action.started master"))]
    assert harness.world.resources("fake", deployment=d) == []


async def test_a_worker_does_not_take_what_it_is_still_at_though_its_lease_was_broken(tmp_path: Path) -> None:
    harness = Harness(tmp_path, options={"latency": {"create_machine": 0.5}})
    d = harness.create(cluster(2))
    async with harness.engine(lease_seconds=0.3) as worker, running(worker):
        await until(lambda: len(harness.machines(d)) == 3)
        with harness.store.write() as c:
            leases.break_leases(c, [worker.owner])
        await until(lambda: harness.row(d).phase == "running")
    assert audit(harness.world, d) == []


async def test_a_worker_whose_database_is_gone_lets_go_before_another_takes_over(tmp_path: Path) -> None:
    lost = Harness(tmp_path, options={"latency": {"run": 3600}}, store=LostStore)
    assert isinstance(lost.store, LostStore)
    d = lost.create(cluster(1))
    async with lost.engine(lease_seconds=0.3) as cut_off, running(cut_off):
        await until(lambda: runs(lost, d) > 0)
        lost.store.gone = True
        await until(lambda: not cut_off._held)
        before = runs(lost, d)
        other = Harness(tmp_path)
        other.topologies = lost.topologies
        async with other.engine() as another, running(another):
            await until(lambda: other.row(d).phase == "running")
        assert runs(other, d) > before
        lost.store.gone = False
    assert audit(other.world, d) == []


async def test_the_database_comes_back_and_the_same_worker_goes_on(tmp_path: Path) -> None:
    harness = Harness(tmp_path, options={"latency": {"create_machine": 0.1, "run": 0.05}}, store=LostStore)
    assert isinstance(harness.store, LostStore)
    d = harness.create(cluster(2))
    async with harness.engine(lease_seconds=0.3) as worker, running(worker):
        for _ in range(3):
            seen = len(harness.world.effects(d)) + runs(harness, d)
            await until(
                lambda seen=seen: (
                    len(harness.world.effects(d)) + runs(harness, d) > seen or harness.row(d).phase == "running"
                )
            )
            harness.store.gone = True
            await asyncio.sleep(0.4)
            harness.store.gone = False
            if harness.row(d).phase == "running":
                break
        await until(lambda: harness.row(d).phase == "running")
    assert audit(harness.world, d) == []
    assert harness.machines(d) == {"controller[0]", "worker[0]", "worker[1]"}


async def test_a_server_that_starts_while_its_database_is_gone_begins_when_it_is_back(tmp_path: Path) -> None:
    harness = Harness(tmp_path, store=LostStore)
    assert isinstance(harness.store, LostStore)
    d = harness.create(cluster(1))
    harness.store.gone = True
    async with harness.engine() as worker, running(worker):
        await asyncio.sleep(0.1)
        harness.store.gone = False
        await until(lambda: harness.row(d).phase == "running")


async def test_a_defect_is_told_to_the_owner_and_other_deployments_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    harness = Harness(tmp_path)
    bad, good = harness.create(cluster(1), "bad"), harness.create(cluster(1), "good")
    del harness.topologies[bad]
    async with harness.engine() as worker, running(worker):
        await until(lambda: harness.row(good).phase == "running")
        await until(lambda: harness.row(bad).phase == "degraded")
    row = harness.row(bad)
    assert "defect" in row.reason
    assert "KeyError" in row.reason
    assert row.due is not None
    assert any("defect" in e for e in harness.events(bad))


async def test_a_defect_in_looking_for_drift_does_not_stop_the_worker(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: object) -> int:
        raise KeyError("a driver's defect")

    monkeypatch.setattr(worker_module, "find_drift", broken)
    harness = Harness(tmp_path)
    async with harness.engine(tick_seconds=0.02) as worker, running(worker):
        await asyncio.sleep(0.05)
        d = harness.create(cluster(1))
        await until(lambda: harness.row(d).phase == "running")


async def test_a_cancel_that_comes_too_late_does_not_stay(tmp_path: Path) -> None:
    harness = Harness(tmp_path)
    d = harness.create(cluster(1))
    async with harness.engine(lease_seconds=3600) as worker:  # no heartbeat comes in between
        work = asyncio.ensure_future(worker.drain())
        await until(lambda: harness.row(d).phase == "deploying")
        with harness.store.write() as c:
            assert deployments.nudge(c, harness.row(d), 0.0, cancelled=True)
        await work
    assert (harness.row(d).phase, harness.row(d).cancelled) == ("running", False)


def test_a_worker_of_another_host_with_the_same_name_is_not_taken_for_dead() -> None:
    here, name = this_process().partition("/")[0], socket.gethostname()
    assert is_dead(f"{here}/99999999/1")
    assert not is_dead(f"{name}:another-boot:1/99999999/1")
    assert not is_dead(f"{name}/99999999/1")
    assert not is_dead(this_process())
