"""Images of the local site: the machine image, and what is baked from machines."""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import replace

import pytest

from isthmus.sites.contract import MachineWant, Ref
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

    image = await bench.driver.save_image(cook.ref, image_key)
    await bench.driver.delete_machine(cook.ref)
    spec = replace(await bench.spec(Ref(bench.deployment, "guest"), [network]), image=image.id)
    guest = await bench.driver.create_machine(spec)

    assert (await bench.shell(guest, "cat /opt/name; hostname")).stdout == "baked\nguest-0\n"
    assert guest.host_key != cook.host_key
    assert dict(guest.tags) == {}
    assert 5_000_000 < image.size < 50_000_000


async def test_several_savers_of_one_key_make_one_image(bench, image_key):
    cook = await bench.machine("cook", [await bench.network()])
    other = bench.another()

    saved = await asyncio.gather(*((bench.driver, other)[i % 2].save_image(cook.ref, image_key) for i in range(4)))
    await other.close()

    assert len({image.id for image in saved}) == 1
    assert [i.key for i in await bench.driver.list_images()].count(image_key) == 1
    tagged = [i for i in bench.api.images() if any(image_key in name for name in i.get("RepoTags") or ())]
    assert len(tagged) == 1


async def test_a_container_made_by_hand_from_a_baked_image_is_not_taken_for_a_machine(bench, image_key):
    cook = await bench.machine("cook", [await bench.network()])
    image = await bench.driver.save_image(cook.ref, image_key)
    stranger = bench.api.create_container(image.id, command=["/bin/true"])

    refs = [machine.ref for machine in await bench.driver.list_machines()]
    bench.api.remove_container(stranger["Id"], force=True)

    assert refs == [cook.ref]


async def test_an_image_that_the_engine_has_is_offered_and_another_is_refused(bench, image_key):
    cook = await bench.machine("cook", [await bench.network()])
    image = await bench.driver.save_image(cook.ref, image_key)

    had, named, missing = [
        (await bench.driver.offers(MachineWant(image=name)))[0]
        for name in (image.id, f"docker://{image.id}", "localhost/isthmus/nobody:1")
    ]

    assert (had.refusal, had.image) == (None, image.id)
    assert (named.refusal, named.image) == (None, image.id)
    assert "localhost/isthmus/nobody:1" in missing.refusal


async def test_a_machine_image_that_is_there_is_not_made_again(bench):
    said: list[str] = []

    await bench.driver.prepare(said.append)

    assert said == []
    offer = (await bench.driver.offers(MachineWant()))[0]
    assert offer.refusal is None
    assert has_image(bench.driver._connection, offer.image)
