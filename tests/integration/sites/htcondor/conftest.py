"""A real HTCondor pool and its driver."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import replace

import pytest

from isthmus.sites.htcondor.driver import HTCondorDriver

from ..batch_cluster import Cluster, Site, deployed

REQUIREMENTS = {"linux": 'TARGET.OpSys == "LINUX"', "nowhere": "TARGET.Cpus > 100000"}


@pytest.fixture(scope="session")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """The pool; ``ISTHMUS_TEST_POOL`` names a home whose deployment ``pool`` is used and left there."""
    kept, template = "ISTHMUS_TEST_POOL", "htcondor-pool"
    with deployed(tmp_path_factory, kept, template, "pool", "manager", "condoruser") as pool:
        yield replace(pool, options={**pool.options, "requirements": REQUIREMENTS})


@pytest.fixture
async def site(pool: Cluster) -> AsyncIterator[Site]:
    driver = HTCondorDriver("pool", pool.options)
    yield Site(driver, pool)
    await driver.close()
