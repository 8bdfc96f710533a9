"""Networks of the local site: deployments see themselves and not each other."""

from __future__ import annotations

import asyncio
import ipaddress
import secrets

import pytest

from isthmus.sites.contract import Ref
from isthmus.sites.errors import QuotaExceeded, Temporary
from isthmus.sites.local.addresses import free_subnets

pytestmark = pytest.mark.engine


async def test_machines_of_one_network_find_each_other_by_host_name(bench):
    network = await bench.network()
    first, second = await asyncio.gather(*(bench.machine(node, [network]) for node in ("first", "second")))
    await bench.shell(second, "true")

    said = await bench.shell(
        first, "getent ahostsv4 second-0 | head -n1 | cut -d' ' -f1; exec 3<>/dev/tcp/second-0/22 && head -c4 <&3"
    )

    assert said.stdout == f"{second.private_address}\nSSH-"


async def test_two_deployments_do_not_see_each_other(bench):
    mine, theirs = await bench.network(), await bench.network(secrets.token_hex(6))
    here, there = await asyncio.gather(bench.machine("here", [mine]), bench.machine("there", [theirs]))
    await bench.shell(there, "true")

    ping = await bench.shell(here, f"ping -c1 -W1 {there.private_address}")
    ssh = await bench.shell(here, f"timeout 2 bash -c '</dev/tcp/{there.private_address}/22'")
    name = await bench.shell(here, "getent hosts there-0")

    assert ping.exit_status != 0
    assert ssh.exit_status != 0
    assert name.exit_status != 0
    assert (await bench.shell(there, "echo up")).stdout == "up\n"


async def test_the_packages_of_the_mirror_can_be_installed(bench):
    machine = await bench.machine("node", [await bench.network()])

    said = await bench.shell(machine, "apt-get -qq update && apt-get -qq -y install hello >/dev/null 2>&1 && hello")

    assert said.stdout == "Hello, world!\n", said.stderr


async def test_a_machine_may_stand_in_two_networks(bench):
    second = Ref(bench.deployment, "second-network")
    await bench.driver.create_network(second, {})
    first = await bench.network()
    machine = await bench.machine("both", [first, second])
    neighbour = await bench.machine("neighbour", [second])

    said = await bench.shell(machine, f"ping -qc1 -W5 {neighbour.private_address}")

    assert said.exit_status == 0, said.stdout
    cidr = (await bench.driver.find_network(first)).cidr
    assert ipaddress.ip_address(machine.private_address) in ipaddress.ip_network(cidr)


async def test_a_subnet_that_somebody_took_meanwhile_is_passed_over(bench):
    ref = Ref(bench.deployment, "network")
    small = bench.another(subnets="10.214.0.0/22")
    first, second = (str(net) for net in list(free_subnets("10.214.0.0/22", ref.name, []))[:2])
    strangers = [small._bridges._try(Ref(bench.deployment, f"n{n}"), {}, ipaddress.ip_network(first)) for n in range(2)]

    made = await small.create_network(ref, {})
    await small.close()

    assert strangers == [True, False]
    assert made.cidr == second


async def test_a_pool_without_a_free_subnet_is_a_matter_of_quota(bench):
    small = bench.another(subnets="10.214.8.0/24")
    await small.create_network(Ref(bench.deployment, "one"), {})

    with pytest.raises(QuotaExceeded, match=r"10\.214\.8\.0/24"):
        await small.create_network(Ref(bench.deployment, "two"), {})
    await small.close()


async def test_a_network_in_use_is_not_removed(bench):
    network = await bench.network()
    await bench.machine("node", [network])

    with pytest.raises(Temporary):
        await bench.driver.delete_network(network)

    assert await bench.driver.find_network(network) is not None
