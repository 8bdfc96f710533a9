"""The ``local`` driver: every capability of this machine's container engine, as the contract wants it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from isthmus.sites.contract import Image, Machine, MachineSpec, MachineWant, Network, Offer, Ref, Status, Volume
from isthmus.sites.errors import SiteError
from isthmus.sites.local import docker_engine, host
from isthmus.sites.local.baked import BakedImages
from isthmus.sites.local.connection import Connection
from isthmus.sites.local.image import MachineImage
from isthmus.sites.local.jobs import LentJobs, LocalQueue
from isthmus.sites.local.machines import Containers
from isthmus.sites.local.networks import Bridges
from isthmus.sites.local.offers import Offers
from isthmus.sites.local.options import read_options
from isthmus.sites.local.volumes import Disks


class LocalDriver(LentJobs):
    """One site on one container engine; connects when first used. See :class:`LocalOptions` for options."""

    kind = "local"

    def __init__(self, name: str, options: Mapping[str, Any]) -> None:
        self.name = name
        self._options = read_options(name, options)
        self._connection = Connection(self._options.socket, self._options.timeout)
        self._base = MachineImage(self._connection, self._options)
        self._offers = Offers(name, self._connection, self._options, self._base)
        self._bridges = Bridges(name, self._connection, self._options.subnets)
        self._disks = Disks(name, self._connection)
        self._machines = Containers(name, self._connection, self._bridges, self._disks, self._options)
        self.jobs = LocalQueue(name, self._options.jobs, self._options.socket)
        self._baked = BakedImages(self._connection, self._options.prefix)

    async def status(self) -> Status:
        """Whether the engine answers, and whether machines on it could be reached from here; never raises."""
        try:
            return await self._connection.run(host.status, self._connection)
        except SiteError as error:
            return Status(False, str(error))

    async def prepare(self, progress: Callable[[str], None]) -> None:
        """Start or install an engine where none answers, and make the machine image.

        The work is done in threads; ``progress`` is called from the event loop.
        """
        loop = asyncio.get_running_loop()

        def tell(line: str) -> None:
            loop.call_soon_threadsafe(progress, line)

        await self._connection.run(docker_engine.ensure_running, self._connection.socket, tell)
        await self._connection.run(self._base.ensure, tell)

    async def close(self) -> None:
        """Let go of the engine, and of the agent of jobs; jobs go on."""
        self._connection.close()
        await self.jobs.close()

    async def offers(self, want: MachineWant) -> Sequence[Offer]:
        """The one machine that this host would give, or in words why not."""
        return [await self._connection.run(self._offers.make, want)]

    async def find_machine(self, ref: Ref) -> Machine | None:
        return await self._connection.run(self._machines.find, ref)

    async def create_machine(self, spec: MachineSpec) -> Machine:
        """Find or make the machine and start it; makes the machine image again if somebody removed it."""
        if spec.image == self._base.reference:
            await self._connection.run(self._base.ensure, lambda _: None)
        return await self._connection.run(self._machines.create, spec)

    async def start_machine(self, ref: Ref) -> Machine:
        return await self._connection.run(self._machines.start, ref)

    async def stop_machine(self, ref: Ref) -> None:
        await self._connection.run(self._machines.stop, ref)

    async def delete_machine(self, ref: Ref) -> None:
        await self._connection.run(self._machines.delete, ref)

    async def list_machines(self, deployment: str | None = None) -> Sequence[Machine]:
        return await self._connection.run(self._machines.every, deployment)

    async def find_network(self, ref: Ref) -> Network | None:
        return await self._connection.run(self._bridges.find, ref)

    async def create_network(self, ref: Ref, tags: Mapping[str, str]) -> Network:
        return await self._connection.run(self._bridges.create, ref, tags)

    async def delete_network(self, ref: Ref) -> None:
        await self._connection.run(self._bridges.delete, ref)

    async def list_networks(self, deployment: str | None = None) -> Sequence[Network]:
        return await self._connection.run(self._bridges.every, deployment)

    async def find_volume(self, ref: Ref) -> Volume | None:
        return await self._connection.run(self._disks.find, ref)

    async def create_volume(self, ref: Ref, size: int | None, tags: Mapping[str, str]) -> Volume:
        return await self._connection.run(self._disks.create, ref, size, tags)

    async def create_shared_volume(self, ref: Ref, size: int | None, tags: Mapping[str, str]) -> Volume:
        """The same as any other: machines of one engine can all have it."""
        return await self.create_volume(ref, size, tags)

    async def delete_volume(self, ref: Ref) -> None:
        await self._connection.run(self._disks.delete, ref)

    async def list_volumes(self, deployment: str | None = None) -> Sequence[Volume]:
        return await self._connection.run(self._disks.every, deployment)

    async def find_image(self, key: str) -> Image | None:
        return await self._connection.run(self._baked.find, key)

    async def save_image(self, machine: Ref, key: str) -> Image:
        """Keep the disk of a machine that its caller has cleaned of what must not be handed on."""
        found = await self.find_machine(machine)
        return await self._connection.run(self._baked.save, found, key)

    async def delete_image(self, key: str) -> None:
        await self._connection.run(self._baked.delete, key)

    async def list_images(self) -> Sequence[Image]:
        return await self._connection.run(self._baked.every)
