"""The world: what it remembers of operations and effects, and what its audit finds."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from isthmus.sites.contract import GIB, Mount, Ref, State
from isthmus.sites.errors import Permanent, Temporary, Unreachable
from isthmus.sites.fake import FakeDriver, OperationRule, World, audit


async def test_every_effect_is_logged_in_order(site, world, spec):
    driver = site()
    await driver.create_machine(spec)
    await driver.create_machine(spec)
    await driver.stop_machine(spec.ref)
    await driver.start_machine(spec.ref)
    await driver.delete_machine(spec.ref)
    await driver.delete_machine(spec.ref)

    assert [e.what for e in world.effects()] == ["created", "started", "found", "stopped", "started", "deleted"]
    assert audit(world) == []


async def test_the_same_ref_on_two_sites_is_doubled(site, world, spec):
    await site("one").create_machine(spec)
    await site("two").create_machine(spec)

    [finding] = audit(world)

    assert finding.startswith("doubled: machine")


async def test_creates_that_overlap_are_raced(world, spec):
    drivers = [FakeDriver("site", {"latency": 0.001}, world=world) for _ in range(2)]

    await asyncio.gather(*(driver.create_machine(spec) for driver in drivers))

    assert any(finding.startswith("raced:") for finding in audit(world))


async def test_a_create_after_a_cancelled_one_is_no_race(world, spec):
    reached = asyncio.Event()

    async def sleep_for_ever(_):
        reached.set()
        await asyncio.Event().wait()

    driver = FakeDriver("site", {"latency": 10}, world=world, sleep=sleep_for_ever)
    creating = asyncio.create_task(driver.create_machine(spec))
    await reached.wait()
    creating.cancel()
    await asyncio.gather(creating, return_exceptions=True)

    await FakeDriver("site", {}, world=world).create_machine(spec)

    assert audit(world) == []


async def test_a_run_is_recorded_with_names_of_inputs_and_no_value(site, world, spec, errand):
    driver = site()
    machine = await driver.create_machine(spec)

    await driver.run(spec.ref, errand, print)
    await driver.run(spec.ref, replace(errand, env={"PASSWORD": "other"}), print)

    first, second = world.runs("0123456789ab")
    assert (first.machine, first.label, first.env) == (machine.id, errand.label, ("PASSWORD",))
    assert (first.count, second.count) == (1, 2)
    assert first.digest != second.digest
    assert first.ended is not None
    assert "s3cr3t" not in str(world.runs())


async def test_a_machine_remembers_what_ended_well_and_hands_it_on_by_its_image(site, world, spec, errand):
    driver = site()
    await driver.create_machine(spec)
    world.set_operation(OperationRule("bad", code=1))
    await driver.run(spec.ref, errand, print)
    await driver.run(spec.ref, replace(errand, label="bad"), print)

    image = await driver.save_image(spec.ref, "key")
    other = Ref("0123456789ab", "other")
    await driver.create_machine(replace(spec, ref=other, image=image.id))

    assert world.find("site", "machine", spec.ref).draft.labels == (errand.label,)
    assert world.find("site", "machine", other).draft.labels == (errand.label,)


async def test_an_operation_that_takes_too_long_ends_as_timed_out(site, world, slept, spec, errand):
    driver = site(latency={"run": 100})
    await driver.create_machine(spec)

    result = await driver.run(spec.ref, errand, print)

    assert result.code == 124
    assert slept == [60]
    assert world.runs()[0].code == 124


async def test_latency_is_slept_by_verb(site, slept, spec):
    driver = site(latency={"create_*": 5, "*": 1})

    await driver.create_machine(spec)
    await driver.list_machines()

    assert slept == [5, 1]


async def test_a_machine_that_does_not_run_answers_no_operation(site, spec, errand):
    driver = site()
    await driver.create_machine(spec)
    await driver.stop_machine(spec.ref)

    with pytest.raises(Unreachable, match="stopped"):
        await driver.run(spec.ref, errand, print)


async def test_drift_is_seen(site, world, spec):
    driver = site()
    await driver.create_machine(spec)
    world.set_state("site", "machine", spec.ref, State.ERROR, reason="the disk died")

    broken = await driver.find_machine(spec.ref)
    assert (broken.state, broken.reason) == (State.ERROR, "the disk died")

    world.vanish("site", "machine", spec.ref)
    assert await driver.find_machine(spec.ref) is None
    assert [e.what for e in world.effects()][-2:] == ["broken", "vanished"]


async def test_networks_and_volumes_in_use_are_not_deleted(site, spec):
    driver = site()
    net, disk = Ref("0123456789ab", "net"), Ref("0123456789ab", "disk")
    await driver.create_network(net, {})
    await driver.create_volume(disk, GIB, {})
    await driver.create_machine(replace(spec, networks=(net,), mounts=(Mount(disk, "/data"),)))

    for deleting in (driver.delete_network(net), driver.delete_volume(disk)):
        with pytest.raises(Temporary, match="in use"):
            await deleting
    await driver.delete_machine(spec.ref)
    await driver.delete_network(net)
    await driver.delete_volume(disk)


async def test_a_machine_needs_its_network_to_be_there(site, world, spec):
    with pytest.raises(Temporary, match="network"):
        await site().create_machine(replace(spec, networks=(Ref("0123456789ab", "net"),)))

    assert world.resources() == []


async def test_an_unknown_flavour_is_refused_with_the_known_ones(site, spec):
    with pytest.raises(Permanent, match=r"huge.*small"):
        await site().create_machine(replace(spec, flavour="huge"))


async def test_addresses_are_apart_and_the_same_in_every_world(spec):
    seen = []
    for _ in range(2):
        driver = FakeDriver("site", {})
        made = [await driver.create_machine(replace(spec, ref=Ref("0123456789ab", "n", index))) for index in range(300)]
        seen.append([(m.private_address, m.public_address) for m in made])
        await driver.close()

    assert seen[0] == seen[1]
    assert len(set(seen[0])) == 300


async def test_a_world_that_cannot_be_opened_is_unreachable(tmp_path):
    with pytest.raises(Unreachable, match="world"):
        FakeDriver("site", {"world": str(tmp_path / "no" / "such" / "folder")})


async def test_a_world_that_goes_away_is_unreachable(spec):
    world = World()
    driver = FakeDriver("site", {}, world=world)
    world.close()

    with pytest.raises(Unreachable):
        await driver.create_machine(spec)
    assert not (await driver.status()).ready


async def test_two_machines_have_a_volume_only_where_it_is_shared(site, spec):
    driver = site()
    own, shared = Ref("0123456789ab", "own"), Ref("0123456789ab", "shared")
    await driver.create_volume(own, GIB, {})
    await driver.create_shared_volume(shared, GIB, {})
    other = Ref("0123456789ab", "other")
    await driver.create_machine(replace(spec, mounts=(Mount(own, "/own"), Mount(shared, "/shared"))))

    await driver.create_machine(replace(spec, ref=other, mounts=(Mount(shared, "/shared"),)))

    with pytest.raises(Permanent, match="not shared"):
        await driver.create_machine(replace(spec, ref=Ref("0123456789ab", "third"), mounts=(Mount(own, "/own"),)))
