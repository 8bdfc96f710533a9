"""A real Slurm cluster of three nodes, deployed from the catalogue once for all tests, and its driver over SSH."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import shlex
import subprocess
import sys
import time
import uuid
from collections.abc import AsyncIterator, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import asyncssh
import pytest

from isthmus.sites.jobs import LogOptions, Submission
from isthmus.sites.slurm.driver import SlurmDriver
from isthmus.work.job import ENDED, Container, JobSpec, JobState, TaskStatus

ISTHMUS = Path(sys.executable).with_name("isthmus")
NAME = "cluster"
USER = "slurmuser"
INPUTS = ("workers=3", "worker_cpus=2", "accounting=true", "controller_memory=1.5 GiB", f"user={USER}")


@dataclass(frozen=True)
class Cluster:
    """A deployed cluster: the options with which a driver reaches it, and a way to be root on its machines."""

    home: Path
    options: dict[str, object]

    def root(self, script: str, node: str = "controller") -> str:
        """What a script prints that root runs on a machine."""
        return _isthmus(self.home, "exec", NAME, node, "--", "bash", "-c", script)

    def user(self, script: str) -> str:
        """What a script prints that the user runs on the controller."""
        return self.root(f"runuser --login {USER} --command {shlex.quote(script)}")


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """The cluster; ``ISTHMUS_TEST_CLUSTER`` names a home whose deployment ``cluster`` is used and left there."""
    kept = os.environ.get("ISTHMUS_TEST_CLUSTER")
    home = Path(kept) if kept else tmp_path_factory.mktemp("home")
    provision = [sys.executable, "-m", "isthmus.sites.local.provision"]
    ready = subprocess.run(provision, capture_output=True, text=True, check=False)
    if ready.returncode:
        pytest.skip(ready.stderr.strip())
    try:
        if NAME not in {one["name"] for one in json.loads(_isthmus(home, "list", "--json"))}:
            inputs = [word for value in INPUTS for word in ("--set", value)]
            _isthmus(home, "deploy", "slurm-cluster", "--name", NAME, "--yes", *inputs)
        yield Cluster(home, _reach(home, tmp_path_factory.mktemp("key")))
    finally:
        if not kept:
            _isthmus(home, "delete", NAME, "--yes")
            _isthmus(home, "server", "stop")


def _reach(home: Path, folder: Path) -> dict[str, object]:
    key = asyncssh.generate_private_key("ssh-ed25519")
    file = folder / "key"
    key.write_private_key(file)
    line = base64.b64encode(key.export_public_key()).decode()
    cluster = Cluster(home, {})
    cluster.root(f"base64 -d <<<{line} >>/home/{USER}/.ssh/authorized_keys")
    outputs = json.loads(_isthmus(home, "outputs", NAME, "--json"))
    return {
        "host": outputs["address"],
        "user": USER,
        "key_file": str(file),
        "host_key": " ".join(cluster.root("cat /etc/ssh/ssh_host_ed25519_key.pub").split()[:2]),
        "runtime": "none",
    }


def _isthmus(home: Path, *args: str) -> str:
    environment = {**os.environ, "ISTHMUS_HOME": str(home)}
    ran = subprocess.run(
        [str(ISTHMUS), *args], env=environment, capture_output=True, text=True, timeout=600, check=False,
        stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert ran.returncode == 0, f"isthmus {' '.join(args)}: {ran.stdout[-2000:]}\n{ran.stderr[-2000:]}"
    return ran.stdout


@dataclass
class Site:
    """The driver of the cluster, and what tests do with it."""

    driver: SlurmDriver
    cluster: Cluster

    async def hand_over(
        self, spec: JobSpec, name: str = "a test", id: str = "", blobs: Mapping[str, Path] | None = None
    ) -> str:
        """Submit; the id."""
        submission = Submission(id or new_id(), name, spec, spec.indices, blobs or {})
        assert await self.driver.submit_jobs([submission]) == [None]
        return submission.id

    async def look(self, id: str) -> Sequence[TaskStatus]:
        return (await self.driver.look_at_jobs([id]))[id]

    async def until(self, id: str, states: Collection[JobState] = ENDED, seconds: float = 60) -> Sequence[TaskStatus]:
        """All tasks, when each is in one of ``states``."""
        deadline = time.monotonic() + seconds
        while True:
            tasks = await self.look(id)
            if all(task.state in states for task in tasks):
                return tasks
            assert time.monotonic() < deadline, tasks
            await asyncio.sleep(0.2)

    async def run(self, spec: JobSpec) -> TaskStatus:
        """Submit one task, and how it ended."""
        [task] = await self.until(await self.hand_over(spec))
        return task

    async def log(self, id: str, index: int = 0, container: str = "main") -> str:
        parts = [part async for part in self.driver.read_log(id, index, container, LogOptions())]
        return b"".join(parts).decode(errors="replace")

    async def until_log(self, id: str, text: str, seconds: float = 30) -> None:
        """Returns when the log has ``text``."""
        deadline = time.monotonic() + seconds
        while text not in await self.log(id):
            assert time.monotonic() < deadline
            await asyncio.sleep(0.1)

    async def slurm(self, script: str) -> str:
        """What the user types on the controller, past the driver."""
        return await asyncio.to_thread(self.cluster.user, script)

    async def jobs_called(self, *ids: str) -> list[str]:
        """All jobs that Slurm ever had for submissions."""
        names = ",".join(f"isthmus-{id}" for id in ids)
        return (await self.slurm(f"sacct -X -n -P -o JobID --name={names} -S now-1days")).split()


@pytest.fixture
async def site(cluster: Cluster) -> AsyncIterator[Site]:
    driver = SlurmDriver("cluster", cluster.options)
    yield Site(driver, cluster)
    await driver.close()


def new_id() -> str:
    return f"{uuid.uuid4().hex[:12]}-1"


def shell(text: str, **more: object) -> Container:
    """A plain program: a shell with a script."""
    return Container("main", command=("/bin/sh", "-c", text), **more)  # type: ignore[arg-type]
