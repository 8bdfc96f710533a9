"""Faults: which calls they meet, how often, and what is left of the world."""

from __future__ import annotations

from dataclasses import replace

import pytest

from isthmus.sites.contract import Ref, State
from isthmus.sites.errors import Permanent, QuotaExceeded, Temporary, Unreachable
from isthmus.sites.fake import Fault, Kind


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        (Kind.TEMPORARY, Temporary),
        (Kind.PERMANENT, Permanent),
        (Kind.QUOTA, QuotaExceeded),
        (Kind.UNREACHABLE, Unreachable),
    ],
)
async def test_an_error_leaves_nothing_behind_and_is_over_after_its_times(site, world, spec, kind, error):
    driver = site()
    world.set_fault(Fault("create_machine", kind, message="no luck"))

    with pytest.raises(error, match="no luck"):
        await driver.create_machine(spec)

    assert world.resources() == []
    assert (await driver.create_machine(spec)).state is State.RUNNING


async def test_a_timeout_does_its_work_and_says_nothing(site, world, spec):
    world.set_fault(Fault("create_machine", Kind.TIMEOUT))

    with pytest.raises(Unreachable):
        await site().create_machine(spec)

    assert [r.state for r in world.resources()] == [State.RUNNING]


@pytest.mark.parametrize(
    ("kind", "left"),
    [(Kind.CRASH_BEFORE, []), (Kind.CRASH_DURING, [State.PENDING]), (Kind.CRASH_AFTER, [State.RUNNING])],
)
async def test_a_crash_leaves_what_was_durable_and_the_next_create_completes_it(site, world, spec, crash, kind, left):
    world.set_fault(Fault("create_machine", kind))

    with pytest.raises(crash):
        await site().create_machine(spec)

    assert [r.state for r in world.resources()] == left
    assert (await site().create_machine(spec)).state is State.RUNNING
    assert [e.what for e in world.effects()].count("created") == 1


async def test_a_crash_in_an_operation_leaves_a_run_that_never_ended(site, world, spec, errand, crash):
    driver = site()
    await driver.create_machine(spec)
    world.set_fault(Fault("run", Kind.CRASH_DURING))

    with pytest.raises(crash):
        await driver.run(spec.ref, errand, print)
    await driver.run(spec.ref, errand, print)

    assert [(run.count, run.code) for run in world.runs()] == [(1, None), (2, 0)]


async def test_a_half_saved_image_is_not_there_and_the_next_save_completes_it(site, world, spec, crash):
    driver = site()
    await driver.create_machine(spec)
    world.set_fault(Fault("save_image", Kind.CRASH_DURING))

    with pytest.raises(crash):
        await driver.save_image(spec.ref, "key")

    assert await driver.find_image("key") is None
    assert list(await driver.list_images()) == []
    saved = await driver.save_image(spec.ref, "key")
    assert list(await driver.list_images()) == [saved]


async def test_after_lets_calls_go_well_first(site, world):
    driver = site()
    world.set_fault(Fault("list_machines", Kind.TEMPORARY, after=2, times=2))

    outcomes = []
    for _ in range(6):
        try:
            await driver.list_machines()
            outcomes.append("well")
        except Temporary:
            outcomes.append("fault")

    assert outcomes == ["well", "well", "fault", "fault", "well", "well"]
    assert world.rules() == []


async def test_a_fault_without_times_lasts_until_it_is_cleared(site, world):
    driver = site()
    number = world.set_fault(Fault("status", Kind.UNREACHABLE, times=None))

    assert not (await driver.status()).ready
    assert not (await driver.status()).ready
    world.clear_rules(number)
    assert (await driver.status()).ready


async def test_a_fault_meets_only_the_node_index_and_site_that_it_names(site, world, spec):
    world.set_fault(Fault("create_*", Kind.PERMANENT, node="work*", index=1, site="one", times=None))
    one, two = site("one"), site("two")
    victim = replace(spec, ref=Ref("0123456789ab", "worker", 1))

    await one.create_machine(spec)
    await one.create_machine(replace(spec, ref=Ref("0123456789ab", "worker", 0)))
    await two.create_machine(victim)
    with pytest.raises(Permanent):
        await one.create_machine(victim)


async def test_a_fault_in_the_options_is_not_set_again_by_the_next_driver(site):
    fault = {"verb": "list_machines", "kind": "temporary"}

    with pytest.raises(Temporary):
        await site(faults=[fault]).list_machines()

    assert await site(faults=[fault]).list_machines() == []


def test_a_fault_for_a_verb_that_does_not_exist_is_refused():
    with pytest.raises(ValueError, match="create_machin"):
        Fault("create_machin", Kind.TEMPORARY)


def test_a_verb_that_is_never_half_done_cannot_crash_in_the_middle():
    with pytest.raises(ValueError, match="never half done"):
        Fault("delete_machine", Kind.CRASH_DURING)


async def test_an_operation_rule_says_how_it_ends(site, world, spec, errand):
    driver = site()
    await driver.create_machine(spec)
    world.fail_operation("*/Standard.create", 3, ["boom", "bang"], message="it broke", times=1)
    lines = []

    failed = await driver.run(spec.ref, errand, lines.append)
    passed = await driver.run(spec.ref, errand, lines.append)

    assert (failed.code, failed.message, passed.code) == (3, "it broke", 0)
    assert lines[:2] == ["boom", "bang"]
