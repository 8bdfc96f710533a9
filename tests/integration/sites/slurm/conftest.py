"""A real Slurm cluster of three nodes and its driver."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest

from isthmus.sites.slurm.driver import SlurmDriver

from .. import batch_cluster
from ..batch_cluster import Cluster, deployed

USER = "slurmuser"
INPUTS = ("workers=3", "worker_cpus=2", "accounting=true", "controller_memory=1.5 GiB", f"user={USER}")


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """The cluster; ``ISTHMUS_TEST_CLUSTER`` names a home whose deployment ``cluster`` is used and left there."""
    kept, template = "ISTHMUS_TEST_CLUSTER", "slurm-cluster"
    with deployed(tmp_path_factory, kept, template, "cluster", "controller", USER, *INPUTS) as cluster:
        yield cluster


class Site(batch_cluster.Site):
    """A cluster, past its driver too."""

    async def slurm(self, script: str) -> str:
        """What the user types on the controller, past the driver."""
        return await asyncio.to_thread(self.cluster.script, script)

    async def jobs_called(self, *ids: str) -> list[str]:
        """All jobs that Slurm ever had for submissions."""
        names = ",".join(f"isthmus-{id}" for id in ids)
        return (await self.slurm(f"sacct -X -n -P -o JobID --name={names} -S now-1days")).split()


@pytest.fixture
async def site(cluster: Cluster) -> AsyncIterator[Site]:
    driver = SlurmDriver("cluster", cluster.options)
    yield Site(driver, cluster)
    await driver.close()
