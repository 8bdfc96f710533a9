"""The engine on the fake site: what users ask comes true, in the world and in the store."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from isthmus.sites.contract import Ref
from isthmus.sites.fake import FakeDriver, Fault, Kind, OperationRule, audit
from isthmus.store import history
from isthmus.topology import Topology

from .harness import Harness, until
from .topologies import attached, cluster, machine, topology, volume


@pytest.fixture
def harness(tmp_path: Path) -> Harness:
    return Harness(tmp_path)


def runs(harness: Harness, id_: str, since: int = 0) -> list[str]:
    return [f"{r.label} {r.ref.node}[{r.ref.index}]" for r in harness.world.runs(id_)[since:]]


async def test_a_deployment_is_made_and_configured(harness: Harness) -> None:
    d = harness.create(cluster(2))
    await harness.settle()
    assert harness.row(d).phase == "running"
    assert harness.machines(d) == {"controller[0]", "worker[0]", "worker[1]"}
    assert len(runs(harness, d)) == 9
    assert harness.row(d).due is None


async def test_a_converged_deployment_is_left_alone(harness: Harness) -> None:
    d = harness.create(cluster(2))
    await harness.settle()
    effects = len(harness.world.effects(d))
    harness.change(d)
    await harness.settle()
    assert len(harness.world.effects(d)) == effects
    assert harness.row(d).phase == "running"


async def test_scaling_out_and_in_touches_only_what_it_must(harness: Harness) -> None:
    d = harness.create(cluster(2))
    await harness.settle()
    before = len(runs(harness, d))
    harness.change(d, instances={"controller": [0], "worker": [0, 1, 2]})
    await harness.settle()
    assert sorted(runs(harness, d, before)) == [
        "master.Standard.configure controller[0]", "master.Standard.start controller[0]",
        "slave.Standard.configure worker[2]", "slave.Standard.start worker[2]",
    ]  # fmt: skip
    before = len(runs(harness, d))
    harness.change(d, instances={"controller": [0], "worker": [0, 2]})
    await harness.settle()
    assert runs(harness, d, before) == [
        "slave.Standard.stop worker[1]", "master.Standard.configure controller[0]",
        "master.Standard.start controller[0]", "slave.Standard.delete worker[1]",
    ] or sorted(runs(harness, d, before))[-1].startswith("slave")  # fmt: skip
    assert harness.machines(d) == {"controller[0]", "worker[0]", "worker[2]"}


async def test_a_second_deployment_starts_from_the_baked_images(harness: Harness) -> None:
    one, two = harness.create(cluster(2)), harness.create(cluster(2), "d2")
    harness.change(two, power="absent")
    await harness.settle()
    assert len(harness.world.resources("fake", "image")) == 2
    three = harness.create(cluster(2), "d3")
    await harness.settle()
    assert not [r for r in runs(harness, three) if ".create" in r]
    assert [r for r in runs(harness, one) if ".create" in r]


async def test_a_lost_machine_is_noticed_and_made_again(harness: Harness) -> None:
    d = harness.create(cluster(2))
    async with harness.engine() as worker:
        task = asyncio.ensure_future(worker.run())
        await until(lambda: harness.row(d).phase == "running")
        harness.world.vanish("fake", "machine", Ref(d, "worker", 1))
        await until(lambda: any("drift.found" in e for e in harness.events(d)))
        await until(lambda: harness.row(d).phase == "running" and harness.row(d).due is None)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert harness.machines(d) == {"controller[0]", "worker[0]", "worker[1]"}
    assert audit(harness.world, d) == []


async def test_stop_start_delete(harness: Harness) -> None:
    d = harness.create(cluster(1))
    await harness.settle()
    harness.change(d, power="stopped")
    await harness.settle()
    assert harness.row(d).phase == "stopped"
    before = len(runs(harness, d))
    harness.change(d, power="running")
    await harness.settle()
    assert sorted(runs(harness, d, before)) == ["master.Standard.start controller[0]", "slave.Standard.start worker[0]"]
    harness.change(d, power="absent")
    await harness.settle()
    assert harness.row(d).phase == "deleted"
    assert harness.world.resources("fake", deployment=d) == []
    assert harness.resources(d) == []


async def test_quota_leaves_it_degraded_with_the_sites_words_and_it_goes_on_when_there_is_room(tmp_path: Path) -> None:
    harness = Harness(tmp_path)
    harness.world.set_fault(Fault("create_machine", kind=Kind.QUOTA, message="no room", delay=60))
    d = harness.create(cluster(2))
    await harness.settle()
    row = harness.row(d)
    assert row.phase == "degraded"
    assert "no room" in row.reason
    assert row.due is not None
    harness.change(d)
    await harness.settle()
    assert harness.row(d).phase == "running"


async def test_a_passing_fault_is_tried_again_at_once(harness: Harness) -> None:
    harness.world.set_fault(Fault("create_machine", kind=Kind.TEMPORARY, delay=0.01, times=2))
    d = harness.create(cluster(1))
    await harness.settle()
    assert harness.row(d).phase == "running"
    assert any(e.startswith("action.retried") for e in harness.events(d))


async def test_a_change_in_the_middle_interrupts_and_is_worked_on_next(tmp_path: Path) -> None:
    harness = Harness(tmp_path, options={"latency": {"run": 0.3}})
    d = harness.create(cluster(1))
    async with harness.engine(lease_seconds=0.3) as worker:
        task = asyncio.ensure_future(worker.run())
        await until(lambda: len(harness.world.runs(d)) > 0)
        harness.change(d, power="absent")
        worker.wake()
        await until(lambda: harness.row(d).phase == "deleted")
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert harness.world.resources("fake", deployment=d) == []


async def test_many_deployments_do_not_get_in_each_others_way(harness: Harness) -> None:
    many = [harness.create(cluster(2), f"d{n}") for n in range(20)]
    await harness.settle()
    assert {harness.row(d).phase for d in many} == {"running"}
    assert len(harness.machines()) == 3
    assert len(harness.world.resources("fake", "machine")) == 60
    assert audit(harness.world) == []


async def test_a_leaving_machine_leaves_though_an_operation_of_others_fails(
    harness: Harness,
) -> None:
    d = harness.create(cluster(2))
    await harness.settle()
    harness.world.fail_operation("master.Standard.configure", 1, ["it broke"])
    harness.change(d, instances={"controller": [0], "worker": [0]})
    await harness.settle()
    assert harness.row(d).phase == "failed"
    assert harness.machines(d) == {"controller[0]", "worker[0]"}


async def test_a_secret_that_a_script_prints_is_told_to_nobody(harness: Harness) -> None:
    d = harness.create(cluster(1))
    with harness.store.write() as c:
        harness.store.vault.put(c, d, "key", "open sesame")
    harness.world.set_operation(OperationRule("master.Standard.configure", code=1, lines=("it is open sesame",),
                                              message="cannot use open sesame"))  # fmt: skip
    await harness.settle()
    told = [harness.row(d).reason, *harness.events(d)]
    told += [line.text for line in harness.in_store(lambda c: history.lines_after(c, d, 0, 99, None))]
    assert any("cannot use ***" in text for text in told)
    assert not [text for text in told if "sesame" in text]


async def test_an_output_that_is_a_secret_is_kept_by_its_name(harness: Harness) -> None:
    d = harness.create(cluster(1))
    with harness.store.write() as c:
        harness.store.vault.put(c, d, "key", "open sesame")
    outputs = {"password": "open sesame", "url": "http://x:open sesame@y"}
    harness.world.set_operation(OperationRule("master.Standard.configure", outputs=outputs))
    await harness.settle()
    (row,) = [r for r in harness.resources(d) if r.node == "controller"]
    kept = row.done["master|Standard.configure"]["outputs"]
    assert kept == {"password": {"$secret": "key"}, "url": "http://x:***@y"}


async def test_what_turns_up_after_a_deletion_is_deleted_again(harness: Harness) -> None:
    d = harness.create(cluster(1))
    await harness.settle()
    harness.change(d, power="absent")
    await harness.settle()
    late = FakeDriver("fake", {"world": str(harness.world_file)})
    await late.create_network(Ref(d, ".network"), {})
    await late.close()
    async with harness.engine() as worker:
        task = asyncio.ensure_future(worker.run())
        await until(lambda: harness.world.resources("fake", deployment=d) == [])
        await until(lambda: harness.row(d).due is None)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert harness.row(d).phase == "deleted"


async def test_a_machine_that_is_slow_to_start_keeps_its_disk(harness: Harness) -> None:
    d = harness.create(cluster(1))
    await harness.settle()
    before = {m.id for m in harness.world.resources("fake", "machine", d)}
    harness.change(d, power="stopped")
    await harness.settle()
    harness.world.set_fault(Fault("start_machine", kind=Kind.UNREACHABLE, delay=60, times=2))
    harness.change(d, power="running")
    await harness.settle()
    assert harness.row(d).phase == "degraded"
    harness.change(d)
    await harness.settle()
    assert harness.row(d).phase == "running"
    assert {m.id for m in harness.world.resources("fake", "machine", d)} == before


async def test_machines_that_share_a_volume_have_one_from_the_first_to_the_last(harness: Harness) -> None:
    def shared(workers: int) -> Topology:
        return topology(
            volume("home", shared=True),
            attached(machine("controller"), "home"),
            attached(machine("worker", workers, 10), "home"),
        )

    def volumes() -> list[str]:
        return [r.id for r in harness.world.resources("fake", "volume")]

    id_ = harness.create(shared(2))
    await harness.settle()
    (made,) = volumes()
    assert all(made in m.draft.uses for m in harness.world.resources("fake", "machine"))

    harness.world.vanish("fake", "machine", Ref(id_, "worker", 1))
    harness.change(id_, shared(3))
    await harness.settle()
    assert volumes() == [made]
    assert len(harness.world.users(harness.world.resources("fake", "volume")[0])) == 4

    harness.change(id_, power="absent")
    await harness.settle()
    assert volumes() == []
