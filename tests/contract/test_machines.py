"""The contract of machines: found before made, made once, gone when deleted."""

from __future__ import annotations

import asyncio
import re

import pytest

from isthmus.sites.contract import MachineWant, State
from isthmus.sites.errors import Permanent, SiteError, Unsupported

HOSTILE = [
    'it\'s "$(reboot)" `x` ; rm -rf /',
    "Ünï↯code \u202e名前",
    "n" * 200,
    "-_-",
    "../../etc/passwd",
    "%s{0}",
]


async def test_what_was_never_made_is_not_found(bench, machines):
    assert await machines.find_machine(bench.ref()) is None
    assert list(await machines.list_machines(bench.deployments[0])) == []


async def test_a_machine_that_was_made_is_found_and_listed(bench, machines):
    made = await machines.create_machine(bench.spec())

    assert made.ref == bench.ref()
    assert made.state in (State.PENDING, State.RUNNING)
    assert made.id
    assert await machines.find_machine(bench.ref()) == made
    assert list(await machines.list_machines(bench.deployments[0])) == [made]
    assert made in await machines.list_machines()


async def test_another_process_sees_the_same_machine(bench, machines):
    made = await machines.create_machine(bench.spec())

    assert await bench.other.find_machine(bench.ref()) == made
    assert list(await bench.other.list_machines(bench.deployments[0])) == [made]


async def test_a_machine_can_be_reached_somewhere(bench, machines):
    made = await machines.create_machine(bench.spec())

    assert made.private_address or made.public_address
    assert made.user
    assert 0 < made.port < 65536


async def test_creating_twice_makes_one(bench, machines):
    first = await machines.create_machine(bench.spec())
    second = await machines.create_machine(bench.spec())
    third = await bench.other.create_machine(bench.spec())

    assert first.id == second.id == third.id
    assert len(await machines.list_machines(bench.deployments[0])) == 1


async def test_creating_at_once_makes_one(bench, machines):
    drivers = [machines, bench.other, machines, bench.other]

    made = await asyncio.gather(*(driver.create_machine(bench.spec()) for driver in drivers))

    assert len({machine.id for machine in made}) == 1
    assert [m.id for m in await machines.list_machines(bench.deployments[0])] == [made[0].id]


async def test_machines_made_at_once_are_different(bench, machines):
    refs = [bench.ref(index=index) for index in range(2)]

    made = await asyncio.gather(*(machines.create_machine(bench.spec(ref)) for ref in refs))

    assert [machine.ref for machine in made] == refs
    assert len({machine.id for machine in made}) == 2
    assert len({(machine.private_address, machine.port) for machine in made}) == 2
    assert sorted(m.ref for m in await machines.list_machines(bench.deployments[0])) == refs


async def test_tags_come_back(bench, machines):
    tags = {"isthmus.deployment": bench.deployments[0], "owner": 'Ada O\'Neil "ü" = {x}\n,', "empty": ""}

    made = await machines.create_machine(bench.spec(tags=tags))
    [listed] = await bench.other.list_machines(bench.deployments[0])

    assert tags.items() <= dict(made.tags).items()
    assert tags.items() <= dict(listed.tags).items()


async def test_a_deployment_lists_only_its_own(bench, machines):
    mine, others = bench.ref(), bench.ref(deployment=1)
    await machines.create_machine(bench.spec(mine))
    await machines.create_machine(bench.spec(others))

    assert [m.ref for m in await machines.list_machines(mine.deployment)] == [mine]
    assert [m.ref for m in await machines.list_machines(others.deployment)] == [others]


async def test_deleting_what_is_not_there_succeeds(bench, machines):
    await machines.delete_machine(bench.ref())


async def test_a_deleted_machine_is_gone_and_may_be_deleted_again(bench, machines):
    await machines.create_machine(bench.spec())

    await machines.delete_machine(bench.ref())

    assert await bench.other.find_machine(bench.ref()) is None
    assert list(await machines.list_machines(bench.deployments[0])) == []
    await machines.delete_machine(bench.ref())


async def test_a_machine_that_is_made_anew_has_a_new_id(bench, machines):
    before = await machines.create_machine(bench.spec())
    await machines.delete_machine(bench.ref())

    after = await machines.create_machine(bench.spec())

    assert after.ref == before.ref
    assert after.id != before.id


async def test_deleting_at_once_succeeds(bench, machines):
    await machines.create_machine(bench.spec())

    await asyncio.gather(machines.delete_machine(bench.ref()), bench.other.delete_machine(bench.ref()))

    assert await machines.find_machine(bench.ref()) is None


async def _stop_or_skip(bench, machines):
    made = await machines.create_machine(bench.spec())
    try:
        await machines.stop_machine(bench.ref())
    except Unsupported as error:
        refusal = str(error)
    else:
        return made
    assert bench.ref().name in refusal
    assert (await machines.find_machine(bench.ref())) == made, "what is refused changes nothing"
    pytest.skip(f"this site cannot stop machines: {refusal}")


async def test_a_stopped_machine_is_still_there(bench, machines):
    made = await _stop_or_skip(bench, machines)

    found = await machines.find_machine(bench.ref())

    assert (found.id, found.state) == (made.id, State.STOPPED)
    assert [m.state for m in await machines.list_machines(bench.deployments[0])] == [State.STOPPED]


async def test_stopping_twice_is_harmless(bench, machines):
    await _stop_or_skip(bench, machines)

    await machines.stop_machine(bench.ref())

    assert (await machines.find_machine(bench.ref())).state is State.STOPPED


async def test_a_machine_keeps_its_id_and_tags_over_a_stop_and_a_start(bench, machines):
    made = await _stop_or_skip(bench, machines)

    started = await machines.start_machine(bench.ref())

    assert started.state in (State.PENDING, State.RUNNING)
    assert (started.id, dict(started.tags)) == (made.id, dict(made.tags))
    assert started.host_key == made.host_key
    assert (await machines.start_machine(bench.ref())).id == made.id


async def test_creating_a_stopped_machine_starts_it(bench, machines):
    made = await _stop_or_skip(bench, machines)

    again = await machines.create_machine(bench.spec())

    assert again.id == made.id
    assert again.state in (State.PENDING, State.RUNNING)


async def test_starting_what_is_not_there_is_a_typed_error(bench, machines):
    with pytest.raises(SiteError):
        await machines.start_machine(bench.ref())


@pytest.mark.parametrize("moment", [0.0, 0.0005, 0.0015, 0.02, 0.2])
async def test_a_create_that_was_cancelled_is_completed_by_the_next(bench, machines, moment):
    creating = asyncio.create_task(machines.create_machine(bench.spec()))
    await asyncio.wait([creating], timeout=moment)
    creating.cancel()
    await asyncio.gather(creating, return_exceptions=True)

    made = await bench.other.create_machine(bench.spec())

    assert made.state in (State.PENDING, State.RUNNING)
    assert [m.id for m in await machines.list_machines(bench.deployments[0])] == [made.id]


@pytest.mark.parametrize("node", HOSTILE, ids=range(len(HOSTILE)))
async def test_any_node_name_comes_back_as_it_was(bench, machines, node):
    ref = bench.ref(node)

    made = await machines.create_machine(bench.spec(ref, tags={"node": node}))

    assert made.ref == ref
    assert [m.ref for m in await bench.other.list_machines(bench.deployments[0])] == [ref]
    await machines.delete_machine(ref)
    assert await machines.find_machine(ref) is None


async def test_names_that_differ_little_are_different_machines(bench, machines):
    refs = [bench.ref(node) for node in ("web_1", "web-1")]

    made = [await machines.create_machine(bench.spec(ref)) for ref in refs]

    assert len({machine.id for machine in made}) == 2


async def test_offers_say_what_they_are(bench, machines):
    offers = await machines.offers(MachineWant())

    assert any(offer.refusal is None for offer in offers)
    for offer in offers:
        assert offer.site == bench.driver.name
        assert offer.cpus > 0
        assert offer.memory > 0
        assert offer.price >= 0
        assert re.fullmatch("[A-Z]{3}", offer.currency)
        assert offer.quota_left is None or offer.quota_left >= 0


async def test_an_offer_that_fits_gives_at_least_what_is_asked(bench, machines):
    want = MachineWant(cpus=1, memory=2**29)

    fitting = [offer for offer in await machines.offers(want) if offer.refusal is None]

    assert fitting
    assert all(offer.cpus >= 1 and offer.memory >= 2**29 for offer in fitting)


@pytest.mark.parametrize(
    "want",
    [
        MachineWant(cpus=1e6),
        MachineWant(memory=2**60),
        MachineWant(gpus=999),
        MachineWant(flavour="no-such-flavour"),
    ],
    ids=["cpus", "memory", "gpus", "flavour"],
)
async def test_what_a_site_does_not_have_is_refused_in_words(bench, machines, want):
    offers = await machines.offers(want)

    assert offers, "an empty list tells nobody why"
    assert all(offer.refusal for offer in offers)


async def test_an_image_that_is_not_there_is_refused_for_good(bench, machines):
    with pytest.raises(Permanent):
        await machines.create_machine(bench.spec(image="image-of-nobody-12345"))

    assert await machines.find_machine(bench.ref()) is None
    assert list(await machines.list_machines(bench.deployments[0])) == []
