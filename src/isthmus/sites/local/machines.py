"""Machines of a ``local`` site: system containers with systemd as PID 1, found, made, started and removed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from isthmus.sites.contract import Machine, MachineSpec, Network, Ref
from isthmus.sites.errors import Permanent, SiteError, Temporary, Unsupported
from isthmus.sites.local import labels, nesting
from isthmus.sites.local.addressbook import AddressBook
from isthmus.sites.local.connection import Connection
from isthmus.sites.local.containers import as_machine, host_config, is_half_made, machine_labels, networking_config
from isthmus.sites.local.hostkey import HostKey, identity_archive, make_host_key
from isthmus.sites.local.locks import exclusive
from isthmus.sites.local.networks import Bridges
from isthmus.sites.local.options import LocalOptions
from isthmus.sites.local.volumes import Disks

STOP_SECONDS = 10
"""How long a machine may take to shut down before it is killed."""

ADDRESS_TRIES = 3
_ADDRESS_TAKEN = ("address already in use", "already allocated")


class Containers:
    """Find, make, start, stop, list and remove machines; blocking calls, safe from many threads."""

    def __init__(
        self, site: str, connection: Connection, bridges: Bridges, disks: Disks, options: LocalOptions
    ) -> None:
        self._site, self._connection, self._bridges, self._disks = site, connection, bridges, disks
        self._nested = options.nested_containers
        self._addresses = AddressBook(connection)

    def find(self, ref: Ref) -> Machine | None:
        """The machine of that name, in whatever state."""
        found = self._look(ref)
        return as_machine(found) if found else None

    def every(self, deployment: str | None = None) -> list[Machine]:
        """Every machine of one deployment, or of all, from one query."""
        return [as_machine(found) for found in self._query(deployment)]

    def create(self, spec: MachineSpec) -> Machine:
        """Find or make the machine and start it; one that was left half made is made anew."""
        with exclusive(spec.ref.name):
            found = self._look(spec.ref)
            if found and is_half_made(found):
                self._remove(found["Id"])
                found = None
            if found:
                self._wake(found)
            else:
                self._check(spec)
                self._make(spec, self._networks(spec), self._binds(spec))
            return self._seen(spec.ref)

    def start(self, ref: Ref) -> Machine:
        """Start a machine that is stopped; raises :class:`Permanent` when it is not there."""
        with exclusive(ref.name):
            found = self._look(ref)
            if not found or is_half_made(found):
                raise Permanent(f"machine {ref.name} is not there to be started")
            self._wake(found)
            return self._seen(ref)

    def stop(self, ref: Ref) -> None:
        """Shut a machine down, at last by force; its disk stays. Nothing to do when it does not run."""
        from docker.errors import NotFound

        with exclusive(ref.name):
            found = self._look(ref)
            if not found:
                return
            try:
                self._connection.api.stop(found["Id"], timeout=STOP_SECONDS)
            except NotFound:
                return

    def delete(self, ref: Ref) -> None:
        """Remove a machine with its disk, running or not."""
        with exclusive(ref.name):
            found = self._look(ref)
            if found:
                self._remove(found["Id"])

    def _look(self, ref: Ref) -> dict[str, Any] | None:
        return next(iter(self._query(ref=ref)), None)

    def _query(self, deployment: str | None = None, ref: Ref | None = None) -> list[dict[str, Any]]:
        wanted = labels.filters(self._site, deployment, ref)
        found = self._connection.api.containers(all=True, filters=wanted)
        return [c for c in found if labels.match(c.get("Labels"), self._site, deployment, ref)]

    def _seen(self, ref: Ref) -> Machine:
        machine = self.find(ref)
        if machine is None:
            raise Temporary(f"machine {ref.name} went away meanwhile")
        return machine

    def _wake(self, found: Mapping[str, Any]) -> None:
        if found["State"] == "paused":
            self._connection.api.unpause(found["Id"])
        elif found["State"] != "running":
            self._connection.api.start(found["Id"])

    def _remove(self, container: str) -> None:
        from docker.errors import NotFound

        try:
            self._connection.api.remove_container(container, force=True, v=True)
        except NotFound:
            return

    def _check(self, spec: MachineSpec) -> None:
        """Refuse by name what the offer would have refused, had it been asked."""
        why = nesting.refusal(self._connection, self._nested) if spec.nested_containers else None
        if why:
            raise Unsupported(f"machine {spec.ref.name} {why}")

    def _networks(self, spec: MachineSpec) -> list[Network]:
        found = [(ref, self._bridges.find(ref)) for ref in spec.networks]
        missing = [ref.name for ref, network in found if network is None]
        if missing:
            raise Temporary(f"machine {spec.ref.name} needs network {', '.join(missing)}, which is not there")
        return [network for _, network in found if network]

    def _binds(self, spec: MachineSpec) -> dict[str, str]:
        found = [(mount, self._disks.find(mount.volume)) for mount in spec.mounts]
        missing = [mount.volume.name for mount, volume in found if volume is None]
        if missing:
            raise Temporary(f"machine {spec.ref.name} needs volume {', '.join(missing)}, which is not there")
        return {volume.id: mount.path for mount, volume in found if volume}

    def _make(self, spec: MachineSpec, networks: Sequence[Network], binds: Mapping[str, str]) -> None:
        refused: set[str] = set()
        for _ in range(ADDRESS_TRIES):
            key = make_host_key()
            with self._addresses.given(networks, refused) as addresses:
                container = self._create(spec, key, addresses, binds)
            try:
                return self._begin(container, spec, key, addresses)
            except Exception as error:
                # Whatever went wrong, a machine that never started must not be left behind.
                self._remove(container)
                if not any(sign in str(error).lower() for sign in _ADDRESS_TAKEN):
                    raise
                refused |= set(addresses.values())
        raise Temporary(f"machine {spec.ref.name}: its addresses were taken {ADDRESS_TRIES} times")

    def _create(self, spec: MachineSpec, key: HostKey, addresses: Mapping[str, str], binds: Mapping[str, str]) -> str:
        from docker.errors import APIError

        api = self._connection.api
        first = next(iter(addresses.items()), None)
        settings = host_config(self._connection, spec, first[0] if first else None, binds)
        if spec.nested_containers:
            settings |= nesting.settings(self._connection, self._nested)
        try:
            made = api.create_container(
                spec.image,
                command=["/sbin/init"],
                name=spec.ref.name,
                hostname=spec.ref.host,
                stop_signal="SIGRTMIN+3",
                environment={"container": "docker"},
                labels=machine_labels(self._site, spec, key, addresses),
                host_config=settings,
                networking_config=networking_config(api, spec.ref, *first) if first else None,
            )
        except APIError as error:
            if error.status_code == HTTPStatus.CONFLICT or "already in use" in str(error):
                raise self._name_taken(spec.ref) from error
            raise
        return str(made["Id"])

    def _name_taken(self, ref: Ref) -> SiteError:
        """Our lock keeps this user's processes apart; another user's, or another's container, is met here."""
        if self._look(ref):
            return Temporary(f"machine {ref.name} is just being made by somebody else")
        return Permanent(f"a container that is not this site's has the name {ref.name}")

    def _begin(self, container: str, spec: MachineSpec, key: HostKey, addresses: Mapping[str, str]) -> None:
        api = self._connection.api
        api.put_archive(container, "/", identity_archive(key, spec.authorized_key))
        for network, address in list(addresses.items())[1:]:
            api.connect_container_to_network(container, network, ipv4_address=address, aliases=[spec.ref.host])
        api.start(container)
