"""The contract of every driver: what it is, how it is opened, how it refuses."""

from __future__ import annotations

import pytest

from isthmus.sites.contract import Driver
from isthmus.sites.errors import Permanent
from isthmus.sites.registry import DRIVERS, capabilities, open_site


async def test_it_is_a_driver_of_its_kind_and_name(bench):
    assert isinstance(bench.driver, Driver)
    assert bench.driver.kind in DRIVERS
    assert bench.driver.name == bench.other.name


async def test_it_lends_something(bench):
    assert capabilities(bench.driver)


async def test_a_prepared_site_is_ready(bench):
    status = await bench.driver.status()

    assert status.ready, status.detail


async def test_preparing_again_is_harmless(bench):
    said = []

    await bench.driver.prepare(said.append)

    assert all(isinstance(line, str) for line in said)


async def test_closing_twice_is_harmless(bench):
    driver = bench.place.open()
    await driver.status()

    await driver.close()
    await driver.close()


async def test_an_option_that_does_not_exist_is_refused_by_name(bench):
    with pytest.raises(Permanent, match="bogus"):
        open_site("site", bench.driver.kind, {"bogus": 1})
