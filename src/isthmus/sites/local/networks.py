"""Networks of a ``local`` site: a bridge for each, with a subnet of our own choice."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Any

from isthmus.sites.contract import Network, Ref
from isthmus.sites.errors import Permanent, QuotaExceeded
from isthmus.sites.local import labels
from isthmus.sites.local.addresses import Net, free_subnets, routed_here
from isthmus.sites.local.connection import Connection
from isthmus.sites.local.locks import exclusive

_OVERLAPS = ("overlap", "already used", "is being used")


class Bridges:
    """Find, make, list and remove bridges; blocking calls, safe from many threads."""

    def __init__(self, site: str, connection: Connection, pool: str) -> None:
        self._site, self._connection, self._pool = site, connection, pool

    def find(self, ref: Ref) -> Network | None:
        """The network of that name; of doubles, which Docker allows, the one with the lowest id."""
        return min(map(_network, self._query(ref=ref)), key=lambda n: n.id, default=None)

    def every(self, deployment: str | None = None) -> list[Network]:
        """Every network of one deployment, or of all."""
        return [_network(n) for n in self._query(deployment)]

    def create(self, ref: Ref, tags: Mapping[str, str]) -> Network:
        """Find or make a network; a subnet that somebody else takes meanwhile is passed over."""
        with exclusive(ref.name):
            return self.find(ref) or self._make(ref, tags)

    def delete(self, ref: Ref) -> None:
        """Remove the network, and doubles of it; fails as temporary while machines hang on it."""
        from docker.errors import NotFound

        for found in self._query(ref=ref):
            try:
                self._connection.api.remove_network(found["Id"])
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
        for network in self._connection.api.networks():
            yield from (Net(c) for c in _subnets(network) if ":" not in c)

    def _query(self, deployment: str | None = None, ref: Ref | None = None) -> list[dict[str, Any]]:
        found = self._connection.api.networks(filters=labels.filters(self._site, deployment, ref))
        return [n for n in found if labels.match(n.get("Labels"), self._site, deployment, ref)]


def _subnets(network: Mapping[str, Any]) -> list[str]:
    return [c["Subnet"] for c in (network.get("IPAM") or {}).get("Config") or () if c.get("Subnet")]


def _network(found: Mapping[str, Any]) -> Network:
    return Network(labels.to_ref(found["Labels"]), found["Id"], next(iter(_subnets(found)), None))
