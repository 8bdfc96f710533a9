"""Offers and quota."""

from __future__ import annotations

from dataclasses import replace

import pytest

from isthmus.sites.contract import GIB, MachineWant, Ref
from isthmus.sites.errors import Permanent, QuotaExceeded

FLAVOURS = [
    {"name": "dear", "cpus": 2, "memory": "4GiB", "price": 9},
    {"name": "cheap", "cpus": 2, "memory": "4GiB", "price": 1},
    {"name": "tiny", "cpus": 1, "memory": "1GiB", "price": 0.1},
]


async def test_the_cheapest_that_fits_is_first_and_others_say_why_not(site):
    offers = await site(flavours=FLAVOURS, currency="CHF").offers(MachineWant(cpus=2))

    assert [(o.flavour, o.price, o.currency) for o in offers[:2]] == [("cheap", 1, "CHF"), ("dear", 9, "CHF")]
    assert offers[2].refusal == "2 cpus are asked, it has 1"


async def test_an_image_that_the_site_has_not_is_refused(site):
    offers = await site(images=["debian"]).offers(MachineWant(image="windows"))

    assert all("windows" in offer.refusal for offer in offers)


async def test_quota_left_counts_what_would_still_fit(site, spec):
    driver = site(quota={"machines": 10, "memory": "7GiB"})
    await driver.create_machine(spec)

    left = {offer.flavour: offer.quota_left for offer in await driver.offers(MachineWant())}

    assert left == {"small": 2, "medium": 1, "large": 0, "xlarge": 0}


async def test_what_is_larger_than_the_whole_quota_is_refused(site):
    offers = await site(quota={"cpus": 2}).offers(MachineWant(cpus=4))

    assert all(offer.refusal for offer in offers)


@pytest.mark.parametrize("quota", [{"machines": 1}, {"cpus": 1.5}, {"memory": 3 * GIB}])
async def test_a_create_over_quota_is_refused_until_room_is_made(site, world, spec, quota):
    driver = site(quota=quota)
    second = replace(spec, ref=Ref("0123456789ab", "second"))
    await driver.create_machine(spec)
    await driver.create_machine(spec)

    with pytest.raises(QuotaExceeded):
        await driver.create_machine(second)
    assert len(world.resources()) == 1

    await driver.delete_machine(spec.ref)
    await driver.create_machine(second)


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"qouta": {}}, "qouta"),
        ({"quota": {"disks": 1}}, "quota.disks"),
        ({"latency": -1}, "latency"),
        ({"latency": {"creat": 1}}, "creat"),
        ({"flavours": []}, "flavours"),
        ({"faults": [{"verb": "run", "kind": "explode"}]}, "faults.0"),
        ({"faults": [{"verb": "run", "kind": "temporary", "often": 1}]}, "often"),
    ],
)
def test_wrong_options_are_refused_by_name(site, options, named):
    with pytest.raises(Permanent, match=named):
        site(**options)
