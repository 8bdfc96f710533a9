"""The contract of images."""

from __future__ import annotations

import pytest

from isthmus.sites.contract import State
from isthmus.sites.errors import SiteError


async def test_an_image_that_was_saved_is_found_and_listed(bench, images):
    key = bench.image_key()
    await images.create_machine(bench.spec())
    assert await images.find_image(key) is None

    saved = await images.save_image(bench.ref(), key)

    assert saved.key == key
    assert saved.size > 0
    assert saved.created > 0
    assert await bench.other.find_image(key) == saved
    assert saved in await images.list_images()


async def test_saving_under_the_same_key_gives_the_image_that_is_there(bench, images):
    key = bench.image_key()
    await images.create_machine(bench.spec())

    first = await images.save_image(bench.ref(), key)
    second = await bench.other.save_image(bench.ref(), key)

    assert first == second


async def test_a_machine_is_made_from_a_saved_image(bench, images):
    await images.create_machine(bench.spec())
    saved = await images.save_image(bench.ref(), bench.image_key())

    made = await images.create_machine(bench.spec(bench.ref("other"), image=saved.id))

    assert made.state in (State.PENDING, State.RUNNING)


async def test_a_deleted_image_is_gone_and_may_be_deleted_again(bench, images):
    key = bench.image_key()
    await images.create_machine(bench.spec())
    await images.save_image(bench.ref(), key)

    await images.delete_image(key)

    assert await images.find_image(key) is None
    await images.delete_image(key)


async def test_saving_a_machine_that_is_not_there_is_a_typed_error(bench, images):
    key = bench.image_key()

    with pytest.raises(SiteError):
        await images.save_image(bench.ref(), key)

    assert await images.find_image(key) is None
