"""The sites on which the contract suite runs, and the bench on which one test works.

A new driver is added by one fixture that gives a :class:`Place`, and one line in ``PLACES``.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import asyncssh
import pytest

from isthmus.sites.contract import (
    GIB,
    Commands,
    Driver,
    Images,
    Machines,
    MachineSpec,
    MachineWant,
    Mount,
    Networks,
    Offer,
    Ref,
    SharedVolumes,
    Volumes,
    lends,
)
from isthmus.sites.fake import FakeDriver, World
from isthmus.sites.registry import open_site

WANT = MachineWant(cpus=1, memory=GIB // 2)
PLACES = [
    "fake_in_memory",
    "fake_in_a_file",
    pytest.param("local_engine", marks=pytest.mark.engine),
    pytest.param("ssh_hosts", marks=pytest.mark.engine),
]


@dataclass(frozen=True, slots=True)
class Place:
    """A real counterpart: ``open`` gives a new driver on it each time, as another process would have."""

    open: Callable[[], Driver]


@pytest.fixture
def fake_in_memory() -> Iterator[Place]:
    world = World()
    yield Place(lambda: FakeDriver("site", {"latency": 0.001}, world=world))
    world.close()


@pytest.fixture
def fake_in_a_file(tmp_path: Path) -> Place:
    options = {"world": str(tmp_path / "world.db"), "latency": 0.001}
    return Place(lambda: open_site("site", "fake", options))


@pytest.fixture
def local_engine() -> Place:
    return Place(lambda: open_site("contract", "local", {}))


@pytest.fixture
def ssh_hosts(three_hosts: Sequence[Mapping[str, Any]]) -> Place:
    return Place(lambda: open_site("site", "ssh", {"hosts": list(three_hosts)}))


@pytest.fixture(scope="session")
def key_pair(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A private key; the public one lies beside it, with the suffix ``.pub``."""
    path = tmp_path_factory.mktemp("keys") / "key"
    key = asyncssh.generate_private_key("ssh-ed25519")
    key.write_private_key(path)
    key.write_public_key(path.with_suffix(".pub"))
    return path


@pytest.fixture(scope="session")
def three_hosts(key_pair: Path) -> Iterator[Sequence[Mapping[str, Any]]]:
    """Three hosts with sshd, as options of a site of hosts: machines of the embedded site."""
    deployment = secrets.token_hex(6)
    public = key_pair.with_suffix(".pub").read_text()

    async def make() -> list[dict[str, Any]]:
        driver: Any = open_site("contract-hosts", "local", {})
        await driver.prepare(print)
        offer = (await driver.offers(WANT))[0]
        refs = [Ref(deployment, "host", index) for index in range(3)]
        specs = [_spec(ref, offer, authorized_key=public) for ref in refs]
        machines = [await driver.create_machine(spec) for spec in specs]
        await driver.close()
        return [
            {
                "host": machine.private_address,
                "key_file": str(key_pair),
                "cpus": 1,
                "memory": "1GiB",
                "host_key": machine.host_key,
            }
            for machine in machines
        ]

    async def clear() -> None:
        driver: Any = open_site("contract-hosts", "local", {})
        for machine in await driver.list_machines(deployment):
            await driver.delete_machine(machine.ref)
        await driver.close()

    try:
        hosts = asyncio.run(make())
        asyncio.run(_answer(hosts))
        yield hosts
    finally:
        asyncio.run(clear())


async def _answer(hosts: list[dict[str, Any]]) -> None:
    """Wait until the hosts answer: sshd starts a moment after its machine."""
    driver = open_site("hosts", "ssh", {"hosts": hosts})
    for _ in range(600):
        if f"{len(hosts)} of {len(hosts)} " in (await driver.status()).detail:
            break
        await asyncio.sleep(0.1)
    await driver.close()


def _spec(ref: Ref, offer: Offer, **more: Any) -> MachineSpec:
    return MachineSpec(
        ref=ref,
        image=offer.image,
        flavour=offer.flavour,
        cpus=offer.cpus,
        memory=offer.memory,
        disk=None,
        **more,
    )


@dataclass(slots=True)
class Bench:
    """One test's view of a place: a driver, another one as of another process, and refs of its own."""

    place: Place
    key: str
    driver: Any
    other: Any
    offer: Offer | None = None
    deployments: list[str] = field(default_factory=list)
    images: list[str] = field(default_factory=list)

    def ref(self, node: str = "node", index: int = 0, deployment: int = 0) -> Ref:
        """A ref of this test's deployment, or of a second one of its own."""
        return Ref(self.deployments[deployment], node, index)

    def image_key(self) -> str:
        """A key for an image that goes when the test ends."""
        self.images.append(secrets.token_hex(16))
        return self.images[-1]

    def spec(
        self,
        ref: Ref | None = None,
        tags: Mapping[str, str] | None = None,
        networks: Sequence[Ref] = (),
        mounts: Sequence[Mount] = (),
        **changes: Any,
    ) -> MachineSpec:
        """What makes a small machine here, from the site's best offer."""
        assert self.offer is not None
        spec = _spec(
            ref or self.ref(),
            self.offer,
            authorized_key=self.key,
            tags=tags or {},
            networks=tuple(networks),
            mounts=tuple(mounts),
        )
        return replace(spec, **changes)

    async def clear(self) -> None:
        """Take away all that the test made."""
        if lends(self.driver, Machines):
            for machine in await self._mine(self.driver.list_machines):
                await self.driver.delete_machine(machine.ref)
        if lends(self.driver, Networks):
            for network in await self._mine(self.driver.list_networks):
                await self.driver.delete_network(network.ref)
        if lends(self.driver, Volumes):
            for volume in await self._mine(self.driver.list_volumes):
                await self.driver.delete_volume(volume.ref)
        for key in self.images:
            await self.driver.delete_image(key)

    async def _mine(self, listing: Any) -> list[Any]:
        return [one for deployment in self.deployments for one in await listing(deployment)]


@pytest.fixture(params=PLACES)
def place(request: pytest.FixtureRequest) -> Place:
    """The place on which a test runs."""
    found: Place = request.getfixturevalue(request.param)
    return found


@pytest.fixture
async def bench(place: Place, key_pair: Path) -> AsyncIterator[Bench]:
    """The site on which a test works, empty of what is the test's at its beginning and its end."""
    bench = Bench(place, key_pair.with_suffix(".pub").read_text(), place.open(), place.open())
    bench.deployments = [secrets.token_hex(6), secrets.token_hex(6)]
    await bench.driver.prepare(lambda _: None)
    if machines := lends(bench.driver, Machines):
        bench.offer = (await machines.offers(WANT))[0]
    try:
        yield bench
    finally:
        await bench.clear()
        await bench.driver.close()
        await bench.other.close()


def _needing(capability: type[Any]) -> Any:
    @pytest.fixture
    async def needed(bench: Bench) -> Any:
        if lends(bench.driver, capability) is None:
            pytest.skip(f"a site of kind {bench.driver.kind} lends no {capability.__name__.lower()}")
        return bench.driver

    return needed


machines = _needing(Machines)
networks = _needing(Networks)
volumes = _needing(Volumes)
shared_volumes = _needing(SharedVolumes)
images = _needing(Images)
commands = _needing(Commands)
