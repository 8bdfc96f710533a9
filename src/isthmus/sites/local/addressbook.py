"""Fixed addresses for machines: each keeps its own over stop and start, no two threads take the same."""

from __future__ import annotations

import json
import threading
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager

from isthmus.sites.contract import Network
from isthmus.sites.local import labels
from isthmus.sites.local.addresses import free_address
from isthmus.sites.local.connection import Connection


class AddressBook:
    """Gives addresses out; those of machines that exist, stopped ones too, stand in their labels."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._lock = threading.Lock()
        self._reserved: set[tuple[str, str]] = set()

    @contextmanager
    def given(self, networks: Sequence[Network], refused: Collection[str]) -> Iterator[dict[str, str]]:
        """An address on each network, by network id, kept from others until the machine carries its label."""
        with self._lock:
            addresses = self._choose(networks, refused)
            self._reserved |= set(addresses.items())
        try:
            yield addresses
        finally:
            with self._lock:
                self._reserved -= set(addresses.items())

    def _choose(self, networks: Sequence[Network], refused: Collection[str]) -> dict[str, str]:
        taken = self._reserved | set(given_addresses(self._connection)) if networks else set()
        return {
            n.id: free_address(n.cidr, {a for network, a in taken if network == n.id} | set(refused))
            for n in networks
            if n.cidr
        }


def given_addresses(connection: Connection) -> Iterator[tuple[str, str]]:
    """Network id and address of every machine of this engine, running or not."""
    for found in connection.api.containers(all=True, filters={"label": [labels.ADDRESSES]}):
        yield from json.loads(found["Labels"].get(labels.ADDRESSES) or "{}").items()
