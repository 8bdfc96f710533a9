"""Networks of a ``local`` site: a bridge for each, with a subnet of our own choice."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus

from isthmus.sites.contract import Network, Ref
from isthmus.sites.errors import Permanent, QuotaExceeded, Temporary
from isthmus.sites.local import labels
from isthmus.sites.local.addressbook import given_addresses
from isthmus.sites.local.addresses import Net, free_subnets, routed_here
from isthmus.sites.local.connection import Connection
from isthmus.sites.local.locks import exclusive

_PODMAN_LIST = "/v4.0.0/libpod/networks/json"
_OVERLAPS = ("overlap", "already used", "is being used")


@dataclass(frozen=True, slots=True)
class Bridge:
    """A network as an engine lists it, ours or not."""

    id: str
    labels: Mapping[str, str]
    subnets: tuple[str, ...]

    def as_network(self) -> Network:
        """One of ours as the contract speaks of it."""
        return Network(labels.to_ref(self.labels), self.id, next(iter(self.subnets), None))


class Bridges:
    """Find, make, list and remove bridges; blocking calls, safe from many threads."""

    def __init__(self, site: str, connection: Connection, pool: str) -> None:
        self._site, self._connection, self._pool = site, connection, pool

    def find(self, ref: Ref) -> Network | None:
        """The network of that name; of doubles, which Docker allows, the one with the lowest id."""
        return min((b.as_network() for b in self._query(ref=ref)), key=lambda n: n.id, default=None)

    def every(self, deployment: str | None = None) -> list[Network]:
        """Every network of one deployment, or of all."""
        return [bridge.as_network() for bridge in self._query(deployment)]

    def create(self, ref: Ref, tags: Mapping[str, str]) -> Network:
        """Find or make a network; a subnet that somebody else takes meanwhile is passed over."""
        with exclusive(ref.name):
            return self.find(ref) or self._make(ref, tags)

    def delete(self, ref: Ref) -> None:
        """Remove the network, and doubles of it; fails as temporary while machines hang on it."""
        from docker.errors import NotFound

        for bridge in self._query(ref=ref):
            # Asked here, since Podman would take its machines along, and Docker overlooks stopped ones.
            if any(network == bridge.id for network, _ in given_addresses(self._connection)):
                raise Temporary(f"network {ref.name} still has machines", delay=0.5)
            try:
                self._connection.api.remove_network(bridge.id)
            except NotFound:
                continue

    def _make(self, ref: Ref, tags: Mapping[str, str]) -> Network:
        for subnet in free_subnets(self._pool, ref.name, self._taken()):
            if self._try(ref, tags, subnet):
                found = self.find(ref)
                if found is None:
                    raise Permanent(f"a network that is not ours has the name {ref.name}")
                return found
        raise QuotaExceeded(f"no free subnet is left in {self._pool}")

    def _try(self, ref: Ref, tags: Mapping[str, str], subnet: Net) -> bool:
        from docker.errors import APIError
        from docker.types import IPAMConfig, IPAMPool

        ipam = IPAMConfig(pool_configs=[IPAMPool(subnet=str(subnet), gateway=str(subnet[1]))])
        # Docker keeps bridges apart by itself; Podman does when asked.
        options = {"isolate": "true"} if self._connection.is_podman else {}
        try:
            self._connection.api.create_network(
                ref.name,
                driver="bridge",
                ipam=ipam,
                options=options,
                labels=labels.of_ref(self._site, ref, tags),
                check_duplicate=True,
            )
        except APIError as error:
            if any(sign in str(error).lower() for sign in _OVERLAPS):
                return False
            if error.status_code != HTTPStatus.CONFLICT:
                raise
        return True

    def _taken(self) -> Iterator[Net]:
        if self._connection.is_here:
            yield from routed_here()
        for bridge in list_bridges(self._connection):
            yield from (Net(subnet) for subnet in bridge.subnets if ":" not in subnet)

    def _query(self, deployment: str | None = None, ref: Ref | None = None) -> list[Bridge]:
        found = list_bridges(self._connection)
        return [b for b in found if labels.match(b.labels, self._site, deployment, ref)]


def list_bridges(connection: Connection) -> list[Bridge]:
    """Every network of the engine.

    Podman is asked in its own words: its 4.3 forgets that a network is isolated once Docker's call lists it.
    """
    if connection.is_podman:
        answer = connection.api.get(f"{connection.api.base_url}{_PODMAN_LIST}", timeout=connection.timeout)
        answer.raise_for_status()
        return [
            Bridge(n["id"], n.get("labels") or {}, tuple(s["subnet"] for s in n.get("subnets") or ()))
            for n in answer.json()
        ]
    return [
        Bridge(n["Id"], n.get("Labels") or {}, tuple(c["Subnet"] for c in n["IPAM"].get("Config") or ()))
        for n in connection.api.networks()
    ]
