"""The table of drivers."""

from __future__ import annotations

import subprocess
import sys

import pytest

from isthmus.sites.contract import Driver
from isthmus.sites.errors import Permanent
from isthmus.sites.registry import capabilities, open_site


async def test_a_site_is_opened_by_its_kind():
    driver = open_site("lab", "fake", {})

    assert isinstance(driver, Driver)
    assert (driver.name, driver.kind) == ("lab", "fake")
    assert capabilities(driver) == ("machines", "networks", "volumes", "shared volumes", "images", "commands")
    await driver.close()


def test_an_unknown_kind_is_refused_with_the_known_ones():
    with pytest.raises(Permanent, match=r"'fog'.*fake, htcondor, local, slurm, ssh"):
        open_site("lab", "fog", {})


def test_no_driver_is_imported_before_it_is_used():
    code = "import sys, isthmus.sites.registry; print([m for m in sys.modules if m in ('docker', 'asyncssh')])"

    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"
