"""What this host would give for a machine, or in words why not."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

from isthmus.sites.contract import GIB, MachineWant, Offer
from isthmus.sites.local import host, nesting
from isthmus.sites.local.connection import Connection
from isthmus.sites.local.image import MachineImage, has_image
from isthmus.sites.local.options import LocalOptions

_DEBIAN_VERSIONS = {"bookworm": "12", "trixie": "13", "forky": "14"}
_ARCHITECTURES = {"amd64": "x86_64", "arm64": "aarch64"}


class Offers:
    """Answers offers from the host's size, its free memory and disk, and the images it has."""

    def __init__(self, site: str, connection: Connection, options: LocalOptions, base: MachineImage) -> None:
        self._site, self._connection, self._options, self._base = site, connection, options, base

    def make(self, want: MachineWant) -> Offer:
        """The one offer: cut to measure, free of charge, or refused with every reason there is."""
        cpus = want.cpus or self._options.cpus
        memory = int(want.memory or self._options.memory)
        image = self._image(want)
        reasons = [
            *self._size_refusals(cpus, memory, want),
            *self._other_refusals(want),
            *self._image_refusals(want, image),
        ]
        return Offer(
            site=self._site,
            flavour=f"{cpus:g}-cpu-{memory // 2**20}-mib",
            image=image or "",
            cpus=cpus,
            memory=memory,
            disk=want.disk,
            quota_left=self._left(memory),
            refusal="; ".join(reasons) or None,
        )

    def _size_refusals(self, cpus: float, memory: int, want: MachineWant) -> Iterator[str]:
        had, room, disk = host.cpus(self._connection), host.memory(self._connection), host.free_disk(self._connection)
        if cpus > had:
            yield f"asks {cpus:g} CPUs, this machine has {had}"
        if memory > room:
            yield f"asks {_gib(memory)} of memory, this machine has {_gib(room)}"
        if want.disk and disk is not None and want.disk > disk:
            yield f"asks {_gib(want.disk)} of disk, this machine has {_gib(disk)} free"

    def _other_refusals(self, want: MachineWant) -> Iterator[str]:
        if want.gpus:
            yield f"asks {want.gpus} GPUs, machines of this site have none"
        if want.flavour:
            yield f"asks flavour {want.flavour!r}; this site has none, it makes machines to measure"
        if want.nested_containers and (why := nesting.refusal(self._connection, self._options.nested_containers)):
            yield why

    def _image(self, want: MachineWant) -> str | None:
        """The image that the template means; None when no image of this site can be meant."""
        if want.image:
            name = want.image.removeprefix("docker://")
            return self._options.images.get(name, name)
        distribution, version = (want.os.get(k, "").lower() for k in ("distribution", "version"))
        for name in (f"{distribution}-{version}", distribution):
            if name in self._options.images:
                return self._options.images[name]
        return self._base.reference if self._is_base(distribution, version) else None

    def _is_base(self, distribution: str, version: str) -> bool:
        own = (self._options.suite, _DEBIAN_VERSIONS.get(self._options.suite, self._options.suite))
        return distribution in ("", "debian") and (not version or version in own or version.split(".")[0] in own)

    def _image_refusals(self, want: MachineWant, image: str | None) -> Iterator[str]:
        if image is None:
            asked = " ".join(filter(None, (want.os.get("distribution"), want.os.get("version"))))
            yield f"asks {asked}, this site has debian {self._options.suite} and {_listed(self._options.images)}"
        elif image != self._base.reference and not has_image(self._connection, image):
            yield f"asks image {image!r}, which this machine's container engine does not have"
        kind, architecture = want.os.get("type", "linux"), want.os.get("architecture", "").lower()
        here = self._connection.info["Architecture"]
        if kind.lower() != "linux":
            yield f"asks a {kind} machine, this site has Linux only"
        if architecture and _ARCHITECTURES.get(architecture, architecture) != _ARCHITECTURES.get(here, here):
            yield f"asks architecture {architecture}, this machine is {here}"

    def _left(self, memory: int) -> int | None:
        free = host.free_memory(self._connection)
        return None if free is None else math.floor(free / memory)


def _gib(size: float) -> str:
    return f"{size / GIB:.3g} GiB"


def _listed(images: Mapping[str, str]) -> str:
    return ", ".join(sorted(images)) or "no other image configured"
