"""The contract of networks."""

from __future__ import annotations

import asyncio

from isthmus.sites.contract import State


async def test_a_network_that_was_made_is_found_and_listed(bench, networks):
    assert await networks.find_network(bench.ref("net")) is None

    made = await networks.create_network(bench.ref("net"), {"a": "b"})

    assert made.ref == bench.ref("net")
    assert await bench.other.find_network(bench.ref("net")) == made
    assert list(await networks.list_networks(bench.deployments[0])) == [made]
    assert made in await networks.list_networks()


async def test_creating_a_network_at_once_makes_one(bench, networks):
    drivers = [networks, bench.other, networks, bench.other]

    made = await asyncio.gather(*(driver.create_network(bench.ref("net"), {}) for driver in drivers))

    assert len({network.id for network in made}) == 1
    assert len(await networks.list_networks(bench.deployments[0])) == 1


async def test_networks_have_address_ranges_of_their_own(bench, networks):
    made = [await networks.create_network(bench.ref("net", index), {}) for index in range(2)]

    assert made[0].id != made[1].id
    assert made[0].cidr is None or made[0].cidr != made[1].cidr


async def test_a_deployment_lists_only_its_own_networks(bench, networks):
    await networks.create_network(bench.ref("net"), {})
    other = await networks.create_network(bench.ref("net", deployment=1), {})

    assert list(await networks.list_networks(bench.deployments[1])) == [other]


async def test_a_deleted_network_is_gone_and_may_be_deleted_again(bench, networks):
    await networks.create_network(bench.ref("net"), {})

    await networks.delete_network(bench.ref("net"))

    assert await networks.find_network(bench.ref("net")) is None
    await networks.delete_network(bench.ref("net"))


async def test_a_machine_stands_in_its_network(bench, networks, machines):
    net = bench.ref("net")
    await networks.create_network(net, {})

    made = await machines.create_machine(bench.spec(networks=[net]))

    assert made.state in (State.PENDING, State.RUNNING)
    await machines.delete_machine(bench.ref())
    await networks.delete_network(net)
    assert await networks.find_network(net) is None
