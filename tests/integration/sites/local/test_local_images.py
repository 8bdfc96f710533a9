"""Images of the local site: the machine image, and what is baked from machines."""

from __future__ import annotations

import asyncio
import io
import json
import secrets
import shlex
import tarfile
from collections.abc import AsyncIterator
from dataclasses import replace

import asyncssh
import pytest
from docker import APIClient

from isthmus.sites.contract import MachineWant, Ref
from isthmus.sites.errors import Temporary
from isthmus.sites.local import image
from isthmus.sites.local.image import has_image

pytestmark = pytest.mark.engine


@pytest.fixture
def image_key(bench) -> str:
    bench.images.append(f"test-{secrets.token_hex(8)}")
    return bench.images[-1]


async def test_a_machine_from_a_baked_image_has_its_files_and_a_name_and_keys_of_its_own(bench, image_key):
    network = await bench.network()
    cook = await bench.driver.create_machine(
        replace(await bench.spec(Ref(bench.deployment, "cook"), [network]), tags={"only": "cook"})
    )
    await bench.shell(cook, "head -c 5000000 /dev/urandom > /opt/baked; echo baked > /opt/name; sync")

    saved = await bench.driver.save_image(cook.ref, image_key)
    await bench.driver.delete_machine(cook.ref)
    spec = replace(await bench.spec(Ref(bench.deployment, "guest"), [network]), image=saved.id)
    guest = await bench.driver.create_machine(spec)

    assert (await bench.shell(guest, "cat /opt/name; hostname")).stdout == "baked\nguest-0\n"
    assert guest.host_key != cook.host_key
    assert dict(guest.tags) == {}
    assert 5_000_000 < saved.size < 50_000_000


async def test_several_savers_of_one_key_make_one_image(bench, image_key):
    cook = await bench.machine("cook", [await bench.network()])
    other = bench.another()

    saved = await asyncio.gather(*((bench.driver, other)[i % 2].save_image(cook.ref, image_key) for i in range(4)))
    await other.close()

    assert len({one.id for one in saved}) == 1
    assert [i.key for i in await bench.driver.list_images()].count(image_key) == 1
    tagged = [i for i in bench.api.images() if any(image_key in name for name in i.get("RepoTags") or ())]
    assert len(tagged) == 1


async def test_a_container_made_by_hand_from_a_baked_image_is_not_taken_for_a_machine(bench, image_key):
    cook = await bench.machine("cook", [await bench.network()])
    saved = await bench.driver.save_image(cook.ref, image_key)
    stranger = bench.api.create_container(saved.id, command=["/bin/true"])

    refs = [machine.ref for machine in await bench.driver.list_machines()]
    bench.api.remove_container(stranger["Id"], force=True)

    assert refs == [cook.ref]


async def test_an_image_that_the_engine_has_is_offered_and_another_is_refused(bench, image_key):
    cook = await bench.machine("cook", [await bench.network()])
    saved = await bench.driver.save_image(cook.ref, image_key)

    had, named, missing = [
        (await bench.driver.offers(MachineWant(image=name)))[0]
        for name in (saved.id, f"docker://{saved.id}", "localhost/isthmus/nobody:1")
    ]

    assert (had.refusal, had.image) == (None, saved.id)
    assert (named.refusal, named.image) == (None, saved.id)
    assert "localhost/isthmus/nobody:1" in missing.refusal


async def test_a_machine_image_that_is_there_is_not_made_again(bench):
    said: list[str] = []

    await bench.driver.prepare(said.append)

    assert said == []
    offer = (await bench.driver.offers(MachineWant()))[0]
    assert offer.refusal is None
    assert has_image(bench.driver._connection, offer.image)


OPEN_REGISTRY = """\
version: 0.1
storage: {filesystem: {rootdirectory: /var/lib/docker-registry}}
http: {addr: "127.0.0.1:5000"}
"""


@pytest.fixture
async def registry(bench) -> AsyncIterator[str]:
    """A registry on a machine, reached through SSH from the one address that Docker trusts without TLS."""
    machine = await bench.machine("registry", [await bench.network()])
    install = "apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq -y install docker-registry"
    write = f"echo {shlex.quote(OPEN_REGISTRY)} > /etc/docker/registry/config.yml"
    start = "systemctl restart docker-registry"
    done = await bench.shell(machine, f"({install} && {write} && {start}) >/dev/null 2>&1; echo $?")
    assert done.stdout == "0\n"
    known = asyncssh.import_known_hosts(f"{machine.private_address} {machine.host_key}\n")
    async with asyncssh.connect(
        machine.private_address, username="root", client_keys=[bench.key], known_hosts=known, config=None
    ) as connection:
        listener = await connection.forward_local_port("127.0.0.1", 0, "127.0.0.1", 5000)
        yield f"127.0.0.1:{listener.get_port()}"


@pytest.mark.parametrize("socket", ["docker_socket"], indirect=True)
async def test_a_machine_image_is_pulled_where_a_registry_has_it(bench, registry):
    source, said = f"{registry}/machine:1", list[str]()
    api = bench.api
    made = json.loads((await asyncio.to_thread(_import_something, api)).splitlines()[-1])["status"]
    api.tag(made, f"{registry}/machine", "1")
    await asyncio.to_thread(api.push, source)
    api.remove_image(source, force=True)

    site = bench.another(pull=source, prefix=f"localhost/{bench.driver.name}")
    await site.prepare(said.append)
    offer = (await site.offers(MachineWant()))[0]
    await site.close()

    assert said == [f"pulling machine image {source}"]
    assert offer.refusal is None
    assert api.inspect_image(offer.image)["Id"] == made
    api.remove_image(offer.image, force=True)
    api.remove_image(source, force=True)


def _import_something(api: APIClient) -> str:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        tar.addfile(tarfile.TarInfo("something"))
    return str(api.import_image_from_stream(iter([out.getvalue()]))).strip()


async def test_a_machine_image_that_no_registry_gives_is_made_from_packages(bench, monkeypatch):
    monkeypatch.setattr(image, "bootstrap", _no_mirror)
    site = bench.another(pull="127.0.0.1:9/machine:1", prefix=f"localhost/{bench.driver.name}")
    said: list[str] = []

    with pytest.raises(Temporary, match="no mirror"):
        await site.prepare(said.append)
    await site.close()

    assert said[0] == "pulling machine image 127.0.0.1:9/machine:1"
    assert said[1].startswith("no registry gave it (")
    assert said[2].startswith("making the machine image from Debian")


def _no_mirror(*_: object) -> object:
    raise Temporary("no mirror")
