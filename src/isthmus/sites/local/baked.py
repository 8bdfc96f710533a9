"""Images that Isthmus baked: a machine's disk committed under a key of our own."""

from __future__ import annotations

import builtins
import re
from collections.abc import Mapping
from typing import Any

from isthmus.sites.contract import Image, Machine
from isthmus.sites.errors import Permanent
from isthmus.sites.local import labels
from isthmus.sites.local.connection import Connection
from isthmus.sites.local.locks import Locks

_KEY = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")


class BakedImages:
    """Find, save, list and remove baked images; blocking calls, safe from many threads."""

    def __init__(self, connection: Connection, prefix: str) -> None:
        self._connection, self._repository = connection, f"{prefix}/baked"
        self._locks = Locks()

    def find(self, key: str) -> Image | None:
        """The image saved under that key."""
        return next((image for image in self.list() if image.key == key), None)

    def list(self) -> builtins.list[Image]:
        """Every baked image; its size is what it adds to the image that it began from."""
        found = self._connection.api.images(all=True)
        sizes = {image["Id"]: int(image["Size"]) for image in found}
        return [
            _image(image, reference, sizes)
            for image in found
            for reference in image.get("RepoTags") or ()
            if reference.startswith(f"{self._repository}:")
        ]

    def save(self, machine: Machine | None, key: str) -> Image:
        """Commit a machine's disk, unless the key is there; its labels do not pass on to what is made from it."""
        if not _KEY.fullmatch(key):
            raise Permanent(f"{key!r} cannot be the key of an image")
        with self._locks.of(key):
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
        from docker.errors import ImageNotFound

        try:
            self._connection.api.remove_image(f"{self._repository}:{key}", force=True)
        except ImageNotFound:
            return

    def _commit(self, container: str, key: str) -> None:
        emptied = " ".join(f'{name}=""' for name in labels.OF_MACHINES)
        self._connection.api.commit(
            container,
            repository=self._repository,
            tag=key,
            pause=False,
            changes=[f'LABEL {emptied} {labels.IMAGE_KEY}="{key}"'],
        )


def _image(found: Mapping[str, Any], reference: str, sizes: Mapping[str, int]) -> Image:
    below = sizes.get(found.get("ParentId") or "", 0)
    return Image(reference.rpartition(":")[2], reference, int(found["Size"]) - below, float(found["Created"]))
