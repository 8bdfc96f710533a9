"""Machines of the local site: booted, reached, stopped, started, lost, repaired."""

from __future__ import annotations

import asyncio
import contextlib
import json
from dataclasses import replace

import asyncssh
import pytest

from isthmus.sites.contract import Mount, Ref, State
from isthmus.sites.errors import Permanent, Temporary, Unreachable
from isthmus.sites.local.driver import LocalDriver

pytestmark = pytest.mark.engine


async def test_a_machine_is_a_debian_system_of_its_own(bench):
    machine = await bench.machine("front_end", [await bench.network()])

    said = await bench.shell(
        machine,
        "cat /proc/1/comm; hostname; systemctl is-system-running --wait; . /etc/os-release; echo $ID $VERSION_ID;"
        " python3 -c 'import apt; print(\"apt\")'; systemctl --failed --no-legend",
    )

    assert said.stdout.split("\n")[:-1] == ["systemd", machine.ref.host, "running", "debian 13", "apt"]
    assert machine.state is State.RUNNING
    assert machine.reason == ""


async def test_the_host_key_of_the_site_is_the_one_that_the_machine_shows(bench):
    machine = await bench.machine("node", [await bench.network()])
    await bench.shell(machine, "true")

    shown = await asyncssh.get_server_host_key(machine.private_address)

    assert shown is not None
    assert shown.export_public_key().decode().split()[:2] == machine.host_key.split()[:2]
    assert (await bench.driver.find_machine(machine.ref)).host_key == machine.host_key


async def test_only_the_given_key_opens_a_machine(bench):
    machine = await bench.machine("node", [await bench.network()])
    await bench.shell(machine, "true")
    stranger = asyncssh.generate_private_key("ssh-ed25519")

    with pytest.raises(asyncssh.PermissionDenied):
        await asyncssh.connect(
            machine.private_address, username="root", client_keys=[stranger], known_hosts=None, config=None
        )


async def test_a_machine_gets_no_more_cpu_and_memory_than_asked_and_no_privilege(bench):
    machine = await bench.machine("node", [await bench.network()])

    settings = bench.api.inspect_container(machine.id)["HostConfig"]

    assert settings["NanoCpus"] == 10**9 or settings["CpuQuota"] == settings["CpuPeriod"]
    assert settings["Memory"] == 2**28
    assert not settings["Privileged"]
    # Slurm's accounting reads the processes of its jobs; it reaches those of the machine alone.
    assert {name.removeprefix("CAP_") for name in settings["CapAdd"] or ()} == {"SYS_PTRACE"}
    assert not settings["SecurityOpt"]
    assert settings["RestartPolicy"]["Name"] in ("", "no")


async def test_an_address_and_a_disk_outlive_stop_and_start(bench):
    network = await bench.network()
    machine = await bench.machine("first", [network])
    await bench.shell(machine, "echo kept > /root/kept; sync")

    await bench.driver.stop_machine(machine.ref)
    stopped = await bench.driver.find_machine(machine.ref)
    other = await bench.machine("second", [network])
    started = await bench.driver.start_machine(machine.ref)

    assert (stopped.state, stopped.private_address) == (State.STOPPED, machine.private_address)
    assert stopped.reason
    assert other.private_address != machine.private_address
    assert (started.private_address, started.host_key) == (machine.private_address, machine.host_key)
    assert (await bench.shell(started, "cat /root/kept")).stdout == "kept\n"


async def test_a_machine_that_was_shut_down_within_is_stopped_and_can_be_started(bench):
    machine = await bench.machine("node", [await bench.network()])
    with contextlib.suppress(asyncssh.Error, OSError):  # it may be down before it has answered
        await bench.shell(machine, "systemctl poweroff --no-block")

    async with asyncio.timeout(300):
        while (await bench.driver.find_machine(machine.ref)).state is State.RUNNING:  # noqa: ASYNC110 nobody tells us
            await asyncio.sleep(0.05)
    await bench.driver.start_machine(machine.ref)

    assert (await bench.shell(machine, "echo back")).stdout == "back\n"


async def test_a_machine_that_was_removed_behind_our_back_is_made_anew(bench):
    network = await bench.network()
    lost = await bench.machine("node", [network])
    bench.api.remove_container(lost.id, force=True)

    assert await bench.driver.find_machine(lost.ref) is None
    made = await bench.machine("node", [network])

    assert made.id != lost.id
    assert made.host_key != lost.host_key
    assert (await bench.shell(made, "echo here")).stdout == "here\n"


async def test_a_machine_that_was_left_half_made_is_made_anew(bench):
    network = await bench.network()
    whole = await bench.machine("node", [network])
    labels = bench.api.inspect_container(whole.id)["Config"]["Labels"]
    await bench.driver.delete_machine(whole.ref)
    half = bench.api.create_container(
        (await bench.spec(whole.ref)).image, command=["/sbin/init"], name=whole.ref.name, labels=labels
    )

    assert (await bench.driver.find_machine(whole.ref)).state is State.PENDING
    with pytest.raises(Permanent, match="not there"):
        await bench.driver.start_machine(whole.ref)
    made = await bench.machine("node", [network])

    assert made.id != half["Id"]
    assert (await bench.shell(made, "echo whole")).stdout == "whole\n"


async def test_a_machine_that_could_not_start_is_not_left_behind(bench):
    network = await bench.network()
    spec = await bench.spec(Ref(bench.deployment, "node"), [network])
    # An image without systemd: the engine takes it, and cannot start it.
    empty = json.loads(bench.api.import_image_from_stream(iter([bytes(10240)])).strip().splitlines()[-1])["status"]

    with pytest.raises(Permanent):
        await bench.driver.create_machine(replace(spec, image=empty))

    assert await bench.driver.find_machine(spec.ref) is None
    bench.api.remove_image(empty, force=True)


async def test_a_name_that_a_stranger_has_is_refused(bench):
    spec = await bench.spec(Ref(bench.deployment, "node"))
    stranger = bench.api.create_container(spec.image, command=["/bin/true"], name=spec.ref.name)

    with pytest.raises(Permanent, match=r"not this site's"):
        await bench.driver.create_machine(spec)

    await bench.driver.delete_machine(spec.ref)
    assert bench.api.inspect_container(stranger["Id"])["Id"] == stranger["Id"]
    bench.api.remove_container(stranger["Id"], force=True)


async def test_ten_machines_at_once_get_ten_addresses_from_two_processes(bench):
    network = await bench.network()
    other = bench.another()
    specs = [await bench.spec(Ref(bench.deployment, "node", index), [network]) for index in range(10)]

    made = await asyncio.gather(*((bench.driver, other)[i % 2].create_machine(s) for i, s in enumerate(specs)))
    await other.close()

    assert len({machine.private_address for machine in made}) == 10
    names = await asyncio.gather(*(bench.shell(machine, "hostname") for machine in made))
    assert [name.stdout.strip() for name in names] == [machine.ref.host for machine in made]


async def test_a_volume_keeps_its_data_when_its_machine_is_made_anew(bench):
    disk = Ref(bench.deployment, "disk")
    await bench.driver.create_volume(disk, None, {})
    network = await bench.network()
    mounts = [Mount(disk, "/srv/data")]
    before = await bench.machine("node", [network], mounts)
    await bench.shell(before, "echo safe > /srv/data/file")
    await bench.driver.delete_machine(before.ref)

    after = await bench.machine("node", [network], mounts)

    assert (await bench.shell(after, "cat /srv/data/file")).stdout == "safe\n"


async def test_a_volume_in_use_is_not_removed(bench):
    disk = Ref(bench.deployment, "disk")
    await bench.driver.create_volume(disk, None, {})
    await bench.machine("node", [], [Mount(disk, "/srv/data")])

    with pytest.raises(Temporary):
        await bench.driver.delete_volume(disk)

    assert await bench.driver.find_volume(disk) is not None


async def test_a_missing_network_or_volume_is_named_and_nothing_is_made(bench):
    network, disk = Ref(bench.deployment, "network"), Ref(bench.deployment, "disk")

    with pytest.raises(Temporary, match=network.name):
        await bench.machine("node", [network])
    with pytest.raises(Temporary, match=disk.name):
        await bench.machine("node", [], [Mount(disk, "/srv")])

    assert await bench.leftovers() == []


async def test_nothing_is_left_after_delete(bench):
    def anonymous() -> set[str]:
        return {volume["Name"] for volume in bench.api.volumes()["Volumes"] or ()}

    before = anonymous()
    network = await bench.network()
    disk = Ref(bench.deployment, "disk")
    await bench.driver.create_volume(disk, None, {})
    machine = await bench.machine("node", [network], [Mount(disk, "/srv/data")])

    await bench.driver.delete_machine(machine.ref)
    await bench.driver.delete_volume(disk)
    await bench.driver.delete_network(network)

    assert await bench.leftovers() == []
    assert disk.name not in anonymous()
    assert not [name for name in anonymous() - before if bench.deployment in name]


async def test_an_engine_that_is_not_there_is_unreachable_within_bounds(tmp_path):
    driver = LocalDriver("gone", {"socket": f"unix://{tmp_path}/none.sock", "timeout": 2})

    with pytest.raises(Unreachable, match="no container engine answers"):
        await driver.list_machines()
    status = await driver.status()
    await driver.close()

    assert not status.ready
    assert "no container engine answers" in status.detail


async def test_an_engine_that_never_answers_is_unreachable_within_bounds(tmp_path):
    asking = set()

    async def say_nothing(reader, writer):
        asking.add(asyncio.current_task())
        await reader.read()
        writer.close()

    server = await asyncio.start_unix_server(say_nothing, tmp_path / "mute.sock")
    driver = LocalDriver("mute", {"socket": f"unix://{tmp_path}/mute.sock", "timeout": 1})

    async with asyncio.timeout(120):
        with pytest.raises(Unreachable):
            await driver.find_machine(Ref("0123456789ab", "node"))
    await driver.close()
    server.close()
    await asyncio.wait(asking)
