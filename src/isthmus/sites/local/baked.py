"""Images that Isthmus baked: a machine's disk committed under a key of our own."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from isthmus.sites.contract import Image, Machine
from isthmus.sites.errors import Permanent
from isthmus.sites.local import labels
from isthmus.sites.local.connection import Connection
from isthmus.sites.local.locks import exclusive

_KEY = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")


class BakedImages:
    """Find, save, list and remove baked images; blocking calls, safe from many threads."""

    def __init__(self, connection: Connection, prefix: str) -> None:
        self._connection, self._repository = connection, f"{prefix}/baked"

    def find(self, key: str) -> Image | None:
        """The image saved under that key."""
        return next((self._image(i, name) for i, name in self._tagged() if name == self._reference(key)), None)

    def every(self) -> list[Image]:
        """Every baked image."""
        return [self._image(found, name) for found, name in self._tagged()]

    def save(self, machine: Machine | None, key: str) -> Image:
        """Commit a machine's disk, unless the key is there; its labels do not pass on to what is made from it."""
        if not _KEY.fullmatch(key):
            raise Permanent(f"{key!r} cannot be the key of an image")
        with exclusive(self._reference(key)):
            existing = self.find(key)
            if existing:
                return existing
            if machine is None:
                raise Permanent("the machine to keep as an image is not there")
            self._commit(machine.id, key)
            saved = self.find(key)
        if saved is None:
            raise Permanent(f"image {key} was removed while it was saved")
        return saved

    def delete(self, key: str) -> None:
        """Remove the image; machines that run from it keep running."""
        from docker.errors import NotFound

        try:
            self._connection.api.remove_image(self._reference(key), force=True)
        except NotFound:
            return

    def _reference(self, key: str) -> str:
        return f"{self._repository}:{key}"

    def _tagged(self) -> list[tuple[Mapping[str, Any], str]]:
        found = self._connection.api.images()
        names = ((image, name) for image in found for name in image.get("RepoTags") or ())
        return [(image, name) for image, name in names if name.startswith(f"{self._repository}:")]

    def _image(self, found: Mapping[str, Any], name: str) -> Image:
        """One image; its size is that of its last layer, since the layers below stay when it goes."""
        history: Callable[[str], list[dict[str, Any]]] = self._connection.api.history
        return Image(name.rpartition(":")[2], name, int(history(found["Id"])[0]["Size"]), float(found["Created"]))

    def _commit(self, container: str, key: str) -> None:
        emptied = " ".join(f'{name}=""' for name in labels.OF_MACHINES)
        self._connection.api.commit(
            container,
            repository=self._repository,
            tag=key,
            pause=True,  # costs nothing, and no file is caught half written
            changes=[f'LABEL {emptied} {labels.IMAGE_KEY}="{key}"'],
        )
