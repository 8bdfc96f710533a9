"""The volumes of a task: made before its first container, looked up for each mount, removed at the end.

Paths come from users and what is inside a volume from their programs. So a path with ``..`` is refused, links are
followed before a mount is allowed, never after, and folders of the node are mounted only where the site says so.
"""

from __future__ import annotations

import base64
import os
import stat

from .outcomes import CannotStart

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .order import Order

_MEMORY = "/dev/shm"  # noqa: S108 - what is made there has a name of its own and is for its owner only
_KINDS = {
    "Directory": stat.S_ISDIR,
    "DirectoryOrCreate": stat.S_ISDIR,
    "File": stat.S_ISREG,
    "FileOrCreate": stat.S_ISREG,
    "Socket": stat.S_ISSOCK,
    "CharDevice": stat.S_ISCHR,
    "BlockDevice": stat.S_ISBLK,
}


class Volumes:
    """The volumes of one task, as folders and files of the node."""

    def __init__(self, order: Order):
        self._order = order
        self._folder = os.path.join(order.place, "volumes")
        self._memory = os.path.join(_MEMORY, "isthmus-%s-%d" % (order.id, order.index))
        self._volumes: dict[str, dict[str, Any]] = {v["name"]: v for v in order.spec.get("volumes") or ()}

    def make(self) -> None:
        """Make the volumes anew. Raises :class:`CannotStart` for what cannot be honoured."""
        self.remove()
        for name, volume in self._volumes.items():
            if "/" in name or "\0" in name or name in ("", ".", ".."):
                raise CannotStart("volumes: %r is no name for a volume" % name)
            if volume.get("files") is not None:
                self._fill(self._place(volume), volume["files"])
            elif volume.get("host_path"):
                self._host_path(volume)
            else:
                if volume.get("in_memory") and not os.access(_MEMORY, os.W_OK):
                    raise CannotStart("volumes: %s: this node has no memory for volumes" % name)
                _make_folder(self._place(volume), 0o777)

    def remove(self) -> None:
        """Remove them, but for what is the node's own."""
        for folder in (self._folder, self._memory):
            if os.path.lexists(folder):
                import shutil

                shutil.rmtree(folder, ignore_errors=True)

    def scratch(self, name: str) -> str:
        """A folder for one container that its probes share with it; it goes with the volumes."""
        folder = os.path.join(self._folder, ".scratch", name)
        _make_folder(folder, 0o1777)
        return folder

    def source(self, mount: dict[str, Any]) -> str:
        """What of the node a mount shows, with all links followed. Raises :class:`CannotStart`."""
        volume = self._volumes.get(mount["volume"])
        if volume is None:
            raise CannotStart("mounts: there is no volume %r" % mount["volume"])
        if not mount["path"].startswith("/"):
            raise CannotStart("mounts: %r is not absolute" % mount["path"])
        inside(mount["path"].lstrip("/"), "mounts")
        root = self._host_path(volume) if volume.get("host_path") else os.path.realpath(self._place(volume))
        if not mount.get("sub_path"):
            return root
        place = os.path.join(root, *inside(mount["sub_path"], "sub_path"))
        if not _below(os.path.realpath(place), root):
            raise CannotStart("sub_path: %r leads out of volume %s" % (mount["sub_path"], volume["name"]))
        if not os.path.exists(place):
            os.makedirs(place, mode=0o777)
        found = os.path.realpath(place)
        if not _below(found, root):
            raise CannotStart("sub_path: %r leads out of volume %s" % (mount["sub_path"], volume["name"]))
        return found

    def _place(self, volume: dict[str, Any]) -> str:
        return os.path.join(self._memory if volume.get("in_memory") else self._folder, volume["name"])

    def _fill(self, folder: str, files: list[dict[str, Any]]) -> None:
        _make_folder(folder, 0o755)
        for file in files:
            *above, name = inside(file["path"], "volumes")
            for depth in range(len(above)):
                _make_folder(os.path.join(folder, *above[: depth + 1]), 0o755)
            path = os.path.join(folder, *above, name)
            mode = file.get("mode", 0o644) & 0o777
            with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600), "wb") as target:
                if file.get("digest"):
                    self._copy(file["digest"], target)
                else:
                    target.write(base64.b64decode(file.get("content") or ""))
                os.fchmod(target.fileno(), mode)

    def _copy(self, digest: str, target: Any) -> None:
        import shutil

        if not digest.isalnum():
            raise CannotStart("volumes: %r is no digest" % digest)
        try:
            with open(os.path.join(self._order.blobs, digest[:2], digest), "rb") as source:
                shutil.copyfileobj(source, target, 1024 * 1024)
        except FileNotFoundError:
            raise CannotStart("volumes: the blob %s is not on this site" % digest) from None

    def _host_path(self, volume: dict[str, Any]) -> str:
        """The real path of a volume of the node, if the site allows it."""
        path: str = volume["host_path"]
        kind: str = volume.get("host_path_type") or ""
        if not path.startswith("/") or ".." in path.split("/"):
            raise CannotStart("hostPath: %r is not absolute, or has '..' in it" % path)
        allowed = [os.path.realpath(p) for p in self._order.runtime.get("host_paths") or ()]
        real = os.path.realpath(path)
        if not any(_below(real, prefix) for prefix in allowed):
            raise CannotStart("hostPath: this site does not allow %r" % path)
        if kind and kind not in _KINDS:
            raise CannotStart("hostPath: there is no type %r" % kind)
        if not os.path.exists(real):
            if kind == "DirectoryOrCreate":
                os.makedirs(real, mode=0o755)
            elif kind == "FileOrCreate":
                os.close(os.open(real, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW, 0o644))
            else:
                raise CannotStart("hostPath: there is no %r" % path)
        if kind and not _KINDS[kind](os.stat(real).st_mode):
            raise CannotStart("hostPath: %r is not of type %s" % (path, kind))
        return real


def inside(path: str, field: str) -> list[str]:
    """The components of a path that stays where it begins. Raises :class:`CannotStart` naming ``field``."""
    parts = [part for part in path.split("/") if part not in ("", ".")]
    if path.startswith("/") or ".." in parts or "\0" in path or not parts:
        raise CannotStart("%s: %r leads elsewhere" % (field, path))
    return parts


def _below(path: str, root: str) -> bool:
    return root == "/" or path == root or path.startswith(root + "/")


def _make_folder(path: str, mode: int) -> None:
    if not os.path.isdir(path):
        os.makedirs(path, mode=0o700)
        os.chmod(path, mode)
