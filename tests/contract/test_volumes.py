"""The contract of volumes."""

from __future__ import annotations

import asyncio

from isthmus.sites.contract import GIB, Mount


async def test_a_volume_that_was_made_is_found_and_listed(bench, volumes):
    assert await volumes.find_volume(bench.ref("disk")) is None

    made = await volumes.create_volume(bench.ref("disk"), GIB, {"a": "b"})

    assert made.ref == bench.ref("disk")
    assert made.size is None or made.size >= GIB
    assert await bench.other.find_volume(bench.ref("disk")) == made
    assert list(await volumes.list_volumes(bench.deployments[0])) == [made]
    assert made in await volumes.list_volumes()


async def test_creating_a_volume_at_once_makes_one(bench, volumes):
    drivers = [volumes, bench.other, volumes, bench.other]

    made = await asyncio.gather(*(driver.create_volume(bench.ref("disk"), None, {}) for driver in drivers))

    assert len({volume.id for volume in made}) == 1
    assert len(await volumes.list_volumes(bench.deployments[0])) == 1


async def test_a_deployment_lists_only_its_own_volumes(bench, volumes):
    await volumes.create_volume(bench.ref("disk"), None, {})
    other = await volumes.create_volume(bench.ref("disk", deployment=1), None, {})

    assert list(await volumes.list_volumes(bench.deployments[1])) == [other]


async def test_a_deleted_volume_is_gone_and_may_be_deleted_again(bench, volumes):
    await volumes.create_volume(bench.ref("disk"), None, {})

    await volumes.delete_volume(bench.ref("disk"))

    assert await volumes.find_volume(bench.ref("disk")) is None
    await volumes.delete_volume(bench.ref("disk"))


async def test_a_volume_outlives_its_machine(bench, volumes, machines):
    disk = bench.ref("disk")
    made = await volumes.create_volume(disk, None, {})
    await machines.create_machine(bench.spec(mounts=[Mount(disk, "/data")]))

    await machines.delete_machine(bench.ref())

    assert await volumes.find_volume(disk) == made


async def test_many_machines_have_a_shared_volume_which_outlives_them_all(bench, shared_volumes, machines):
    disk = bench.ref("disk")
    made = await shared_volumes.create_shared_volume(disk, GIB, {})
    refs = [bench.ref("one"), bench.ref("two"), bench.ref("two", 1)]

    for ref in refs:
        await machines.create_machine(bench.spec(ref, mounts=[Mount(disk, "/data")]))

    assert await shared_volumes.create_shared_volume(disk, GIB, {}) == made
    for ref in refs:
        await machines.delete_machine(ref)
        assert await bench.other.find_volume(disk) == made
    await shared_volumes.delete_volume(disk)
    assert await shared_volumes.find_volume(disk) is None
