"""Volumes of a ``local`` site: named volumes of the engine, which have no size limit of their own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from isthmus.sites.contract import Ref, Volume
from isthmus.sites.errors import Permanent, QuotaExceeded
from isthmus.sites.local import labels
from isthmus.sites.local.connection import Connection
from isthmus.sites.local.host import free_disk


class Disks:
    """Find, make, list and remove volumes; blocking calls, safe from many threads."""

    def __init__(self, site: str, connection: Connection) -> None:
        self._site, self._connection = site, connection

    def find(self, ref: Ref) -> Volume | None:
        """The volume of that name."""
        found = self._query(ref=ref)
        return _volume(found[0]) if found else None

    def every(self, deployment: str | None = None) -> list[Volume]:
        """Every volume of one deployment, or of all."""
        return [_volume(found) for found in self._query(deployment)]

    def create(self, ref: Ref, size: int | None, tags: Mapping[str, str]) -> Volume:
        """Find or make a volume; raises :class:`QuotaExceeded` where the disk has less than ``size`` bytes left."""
        existing = self.find(ref)
        if existing:
            return existing
        room = free_disk(self._connection)
        if size is not None and room is not None and size > room:
            raise QuotaExceeded(f"volume {ref.name} asks {size} bytes, this disk has {room} left")
        self._connection.api.create_volume(ref.name, labels=labels.of_ref(self._site, ref, tags))
        made = self.find(ref)
        if made is None:
            raise Permanent(f"a volume that is not ours has the name {ref.name}")
        return made

    def delete(self, ref: Ref) -> None:
        """Remove the volume with its data; fails as temporary while a machine has it."""
        from docker.errors import NotFound

        for found in self._query(ref=ref):
            try:
                self._connection.api.remove_volume(found["Name"])
            except NotFound:
                continue

    def _query(self, deployment: str | None = None, ref: Ref | None = None) -> list[dict[str, Any]]:
        answer = self._connection.api.volumes(filters=labels.filters(self._site, deployment, ref))
        found = answer.get("Volumes") or ()
        return [v for v in found if labels.match(v["Labels"], self._site, deployment, ref)]


def _volume(found: Mapping[str, Any]) -> Volume:
    return Volume(labels.to_ref(found["Labels"]), found["Name"])
