"""The driver contract: the small capabilities that a site may lend, and the values they speak in.

A driver is a class with the capabilities that its technology has; :func:`lends` asks for one. Rules
for each of them:

* **Find before create.** A resource's name derives from its :class:`Ref` alone, and what a driver makes
  carries the deployment's tags, so that it is found again after a crash at any instant. ``create_*``
  called twice gives the same resource.
* **Gone is deleted.** ``delete_*`` of what is not there succeeds.
* **Typed errors.** Only :mod:`isthmus.sites.errors` leave a driver, with the site's own words.
* **Bounded.** Every call ends, by an answer or by :class:`~isthmus.sites.errors.Unreachable`.
* **Safe to cancel between calls**, and safe to call from several tasks at once.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol, TypeVar, runtime_checkable

from isthmus.topology import MachineWant as MachineWant
from isthmus.topology import Offer as Offer

GIB = 1024**3


@dataclass(frozen=True, slots=True, order=True)
class Ref:
    """The identity of one resource: its deployment (an id of 12 hex digits), node and index."""

    deployment: str
    node: str
    index: int = 0

    @property
    def name(self) -> str:
        """The resource's name on every site: at most 63 characters of ``a-z0-9-``."""
        return f"isthmus-{self.deployment}-{label(self.node)}-{self.index}"

    @property
    def host(self) -> str:
        """The host name of a machine: short, and unique inside its deployment."""
        return f"{label(self.node)}-{self.index}"


_TIDY = re.compile(r"[a-z0-9]+(?:[-_][a-z0-9]+)*")
_TAKEN = re.compile(r"xn--.*|(?:.*-)?x[0-9a-f]{12}")
"""What has a meaning in the DNS already, and what a digest looks like."""


def label(text: str, limit: int = 34) -> str:
    """``text`` as a DNS label (RFC 1123): itself, with ``_`` as ``--``, or a prefix and a digest.

    Different texts have different labels: ``--`` and an ending that looks like a digest never stay.
    """
    tidy = text.replace("_", "--")
    if _TIDY.fullmatch(text) and len(tidy) <= limit and not _TAKEN.fullmatch(tidy):
        return tidy
    prefix = re.sub("[^a-z0-9]+", "-", text.lower()).strip("-")[: limit - 14].rstrip("-")
    digest = "x" + hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:12]
    return f"{prefix}-{digest}" if prefix else digest


class State(StrEnum):
    """What a site says of one resource."""

    PENDING = "pending"
    RUNNING = "running"
    STOPPED = "stopped"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Mount:
    """A volume of the deployment and the path at which a machine has it."""

    volume: Ref
    path: str


@dataclass(frozen=True, slots=True)
class MachineSpec:
    """All that a driver needs to make one machine.

    ``image`` is an image id from an :class:`Offer` or from :class:`Images`; ``authorized_key`` is one
    line of OpenSSH public key for the login user. ``tags`` come back from every listing.
    ``nested_containers`` asks that ordinary users of the machine can run containers of their own, as they
    can on any machine that is no container itself.
    """

    ref: Ref
    image: str
    flavour: str
    cpus: float
    memory: int
    disk: int | None
    authorized_key: str
    networks: tuple[Ref, ...] = ()
    mounts: tuple[Mount, ...] = ()
    tags: Mapping[str, str] = field(default_factory=dict)
    nested_containers: bool = False


@dataclass(frozen=True, slots=True)
class Machine:
    """One machine as the site shows it now.

    ``id`` is the site's own and changes when a machine of the same name is made anew. ``host_key`` is
    the OpenSSH public host key where the site can vouch for it (else pinned at first contact).
    """

    ref: Ref
    id: str
    state: State
    private_address: str | None = None
    public_address: str | None = None
    user: str = "root"
    port: int = 22
    host_key: str | None = None
    reason: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Network:
    """A network as the site shows it; ``cidr`` is its address range."""

    ref: Ref
    id: str
    cidr: str | None = None


@dataclass(frozen=True, slots=True)
class Volume:
    """A block of storage as the site shows it; ``size`` is bytes, None when the site has no limit."""

    ref: Ref
    id: str
    size: int | None = None


@dataclass(frozen=True, slots=True)
class Image:
    """An image that Isthmus baked: ``key`` says from what, ``size`` is bytes on the site."""

    key: str
    id: str
    size: int
    created: float
    """Seconds since the epoch."""


@dataclass(frozen=True, slots=True)
class Status:
    """Whether a site can be used now, and why not."""

    ready: bool
    detail: str = ""


@runtime_checkable
class Driver(Protocol):
    """What every driver is: one configured site of its kind."""

    name: str
    kind: str

    async def status(self) -> Status:
        """Whether the site answers; never raises."""

    async def prepare(self, progress: Callable[[str], None]) -> None:
        """Make the site usable (start an engine, build a base image); quick when it already is."""

    async def close(self) -> None:
        """Let go of connections."""


@runtime_checkable
class Machines(Protocol):
    """A site that has machines."""

    async def offers(self, want: MachineWant) -> Sequence[Offer]:
        """What the site would give, best first; an offer with a ``refusal`` says why not."""

    async def find_machine(self, ref: Ref) -> Machine | None: ...

    async def create_machine(self, spec: MachineSpec) -> Machine:
        """Find or make the machine and start it; it need not answer SSH yet."""

    async def start_machine(self, ref: Ref) -> Machine: ...

    async def stop_machine(self, ref: Ref) -> None: ...

    async def delete_machine(self, ref: Ref) -> None: ...

    async def list_machines(self, deployment: str | None = None) -> Sequence[Machine]:
        """Every machine of one deployment, or of all, from one query."""


@runtime_checkable
class Networks(Protocol):
    """A site that can give a deployment a network of its own."""

    async def find_network(self, ref: Ref) -> Network | None: ...

    async def create_network(self, ref: Ref, tags: Mapping[str, str]) -> Network: ...

    async def delete_network(self, ref: Ref) -> None: ...

    async def list_networks(self, deployment: str | None = None) -> Sequence[Network]: ...


@runtime_checkable
class Volumes(Protocol):
    """A site that has volumes which outlive a machine."""

    async def find_volume(self, ref: Ref) -> Volume | None: ...

    async def create_volume(self, ref: Ref, size: int | None, tags: Mapping[str, str]) -> Volume: ...

    async def delete_volume(self, ref: Ref) -> None: ...

    async def list_volumes(self, deployment: str | None = None) -> Sequence[Volume]: ...


@runtime_checkable
class SharedVolumes(Protocol):
    """A site with :class:`Volumes` that many machines can have at once."""

    async def create_shared_volume(self, ref: Ref, size: int | None, tags: Mapping[str, str]) -> Volume:
        """Find or make a volume for many machines; it is found, listed and deleted as any other."""


@runtime_checkable
class Images(Protocol):
    """A site that can keep a machine's disk as an image, by a key of our own."""

    async def find_image(self, key: str) -> Image | None: ...

    async def save_image(self, machine: Ref, key: str) -> Image:
        """Keep the disk of a running machine; the same key gives the image that is there already."""

    async def delete_image(self, key: str) -> None: ...

    async def list_images(self) -> Sequence[Image]: ...


@dataclass(frozen=True, slots=True)
class Errand:
    """One run of one operation on one machine, as the configure layer hands it over.

    ``files`` maps paths relative to the run's folder to contents; ``entry`` is the one to run.
    ``env`` holds the inputs as text and ``variables`` the same as plain JSON (what a playbook gets);
    both may hold secrets and must never reach an argv.
    """

    label: str
    entry: str
    files: Mapping[str, bytes]
    env: Mapping[str, str]
    timeout: float
    variables: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Result:
    """How a run ended: exit code, and the outputs that it wrote by name."""

    code: int
    outputs: Mapping[str, object] = field(default_factory=dict)
    message: str = ""


@runtime_checkable
class Commands(Protocol):
    """A site that runs operations itself, without SSH (the fake one; agents later)."""

    async def run(self, machine: Ref, errand: Errand, line: Callable[[str], None]) -> Result: ...


C = TypeVar("C")


def lends(driver: object, capability: type[C]) -> C | None:
    """``driver`` as that capability, or None when the site does not have it."""
    return driver if isinstance(driver, capability) else None
