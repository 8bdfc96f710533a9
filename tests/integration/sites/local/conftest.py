"""The two engines that the local site is tested on, and a bench on which one test works and leaves nothing."""

from __future__ import annotations

import asyncio
import secrets
import shutil
import subprocess
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncssh
import pytest
from docker import APIClient

from isthmus.sites.contract import Machine, MachineSpec, MachineWant, Mount, Ref
from isthmus.sites.local import docker_engine
from isthmus.sites.local.connection import Connection, find_socket
from isthmus.sites.local.driver import LocalDriver
from isthmus.sites.local.image import MachineImage
from isthmus.sites.local.options import LocalOptions

PATIENCE = 300.0

# Where the host gives no CAP_SYS_RESOURCE, Podman's own defaults ask for more than may be had.
PODMAN_SETTINGS = """\
[containers]
default_ulimits = ["nproc=30000:30000", "nofile=20000:20000"]
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
"""


@pytest.fixture(scope="session")
def docker_socket() -> str:
    """Docker as it runs here, with the machine image."""
    socket = find_socket(None, {})
    docker_engine.ensure_running(socket, print)
    connection = Connection(socket, 600)
    MachineImage(connection, LocalOptions()).ensure(print)
    connection.close()
    return socket


@pytest.fixture(scope="session")
def podman_socket(docker_socket: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A Podman of the tests' own behind its Docker-compatible socket, with the same machine image."""
    if shutil.which("podman") is None:
        pytest.skip("Podman is not installed")
    home = tmp_path_factory.mktemp("podman")
    (home / "containers.conf").write_text(PODMAN_SETTINGS)
    socket = f"unix://{home}/podman.sock"
    command = ["podman", "--root", f"{home}/root", "--runroot", f"{home}/run", "--tmpdir", f"{home}/tmp"]
    with (home / "log").open("wb") as log:
        service = subprocess.Popen(
            [*command, "system", "service", "--time=0", socket],
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "CONTAINERS_CONF": f"{home}/containers.conf"},
            stdout=log,
            stderr=log,
        )
    try:
        _wait_until(lambda: docker_engine.answers(socket))
        _hand_over(docker_socket, socket)
        yield socket
    finally:
        service.terminate()
        service.wait(PATIENCE)
        subprocess.run([*command, "system", "reset", "--force"], capture_output=True, check=False)
        shutil.rmtree(home, ignore_errors=True)


def _wait_until(met: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not met():
        assert time.monotonic() < end, "it did not come true in time"
        time.sleep(0.05)


def _hand_over(source: str, target: str) -> None:
    """Copy the machine image from one engine to the other, quicker than making it twice."""
    reader, writer = (APIClient(base_url=url, version="auto", timeout=600) for url in (source, target))
    reference = MachineImage(Connection(source, 600), LocalOptions()).reference
    list(writer.load_image(reader.get_image(reference)))
    reader.close()
    writer.close()


@pytest.fixture(params=["docker_socket", "podman_socket"])
def socket(request: pytest.FixtureRequest) -> str:
    """The URL of one engine after the other."""
    return str(request.getfixturevalue(request.param))


@dataclass(slots=True)
class Bench:
    """One test's site, key and deployments, with the few things that tests do on machines."""

    socket: str
    driver: LocalDriver
    api: APIClient
    key: asyncssh.SSHKey
    deployment: str = field(default_factory=lambda: secrets.token_hex(6))
    images: list[str] = field(default_factory=list)

    @property
    def public_key(self) -> str:
        return self.key.export_public_key().decode().strip()

    def another(self, **options: Any) -> LocalDriver:
        """A second driver on the same site, as another process would have it."""
        return LocalDriver(self.driver.name, {"socket": self.socket, **options})

    async def spec(self, ref: Ref, networks: Sequence[Ref] = (), mounts: Sequence[Mount] = ()) -> MachineSpec:
        """What makes a small machine."""
        offer = (await self.driver.offers(MachineWant(cpus=1, memory=2**28)))[0]
        return MachineSpec(
            ref, offer.image, offer.flavour, offer.cpus, offer.memory, None, self.public_key,
            tuple(networks), tuple(mounts),
        )  # fmt: skip

    async def network(self, deployment: str | None = None) -> Ref:
        """A network of the deployment."""
        ref = Ref(deployment or self.deployment, "network")
        await self.driver.create_network(ref, {})
        return ref

    async def machine(self, node: str, networks: Sequence[Ref] = (), mounts: Sequence[Mount] = ()) -> Machine:
        """A machine of the deployment of its first network, or of the test's."""
        deployment = networks[0].deployment if networks else self.deployment
        return await self.driver.create_machine(await self.spec(Ref(deployment, node), networks, mounts))

    async def shell(self, machine: Machine, command: str) -> asyncssh.SSHCompletedProcess:
        """Run a command over SSH as soon as the machine answers, trusting only the host key that the site names."""
        assert machine.host_key
        assert machine.private_address
        known = asyncssh.import_known_hosts(f"{machine.private_address} {machine.host_key}\n")
        async with asyncio.timeout(PATIENCE):
            while True:
                try:
                    connection = await asyncssh.connect(
                        machine.private_address, username=machine.user, port=machine.port,
                        client_keys=[self.key], known_hosts=known, config=None,
                    )  # fmt: skip
                except (OSError, asyncssh.ConnectionLost):
                    await asyncio.sleep(0.02)
                    continue
                async with connection:
                    return await connection.run(command)

    async def leftovers(self) -> list[object]:
        """All that the site has."""
        site = self.driver
        return [*await site.list_machines(), *await site.list_networks(), *await site.list_volumes()]

    async def clear(self) -> None:
        """Take away all that the test made."""
        for machine in await self.driver.list_machines():
            await self.driver.delete_machine(machine.ref)
        for network in await self.driver.list_networks():
            await self.driver.delete_network(network.ref)
        for volume in await self.driver.list_volumes():
            await self.driver.delete_volume(volume.ref)
        for key in self.images:
            await self.driver.delete_image(key)
        await self.driver.close()
        self.api.close()


@pytest.fixture
async def bench(socket: str) -> AsyncIterator[Bench]:
    """A site of the test's own on each engine."""
    driver = LocalDriver(f"test-{secrets.token_hex(4)}", {"socket": socket})
    api = APIClient(base_url=socket, version="auto", timeout=600)
    bench = Bench(socket, driver, api, asyncssh.generate_private_key("ssh-ed25519"))
    try:
        yield bench
    finally:
        await bench.clear()


@pytest.fixture
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A state folder of the test's own."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path
