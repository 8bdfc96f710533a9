"""Containers by an engine of this machine: Docker, or Podman through its Docker interface.

What belongs to a task is found by its labels, so whoever comes after a supervisor that died removes it. Containers
of a task share one network: each joins that of one that runs already, the first one's as a rule.
"""

from __future__ import annotations

import contextlib
import json
import os
import threading
from functools import partial

from ..image_names import is_of_a_registry
from ..outcomes import IMAGE, CannotStart
from ..volumes import Volumes
from .engine_program import EngineProgram
from .engine_socket import EngineError, EngineSocket

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from ..loop import Loop
    from ..order import Order

SOCKET = "/var/run/docker.sock"
_GONE = (404, 409)


class Engine:
    """Runs the containers of one task. ``runtime`` may have ``socket``, ``network`` and ``image_prefix``."""

    def __init__(self, order: Order, loop: Loop):
        self.api = EngineSocket(order.runtime.get("socket") or SOCKET)
        self.order = order
        self.running: list[str] = []
        """The ids of containers that run, in the order of their starts."""
        self.starting = threading.Lock()
        """Held by who starts a container, so that the next one sees whose network it can join."""
        self._loop = loop
        self._volumes = Volumes(order)
        self._clean = False

    def program(self, container: dict[str, Any], init: bool) -> EngineProgram:
        """One run of a container. Raises :class:`CannotStart` for what cannot be honoured."""
        if container.get("runtime_options"):
            raise CannotStart("runtime_options: an engine takes none")
        if container.get("group") is not None and container.get("user") is None:
            raise CannotStart("group: an engine takes it with a user only")
        resources = self.order.resources
        if not init and self.order.spec.get("launch", "once") == "each" and resources.get("tasks", 1) > 1:
            raise CannotStart("launch: an engine cannot start a job of several processes")
        image = container["image"]
        if not is_of_a_registry(image):
            raise CannotStart("image: an engine takes images by name, not %r" % image, reason=IMAGE)
        image = self.order.runtime.get("image_prefix", "") + image.replace("docker://", "", 1)
        has_parts = any(mount.get("sub_path") for mount in container.get("mounts") or ())
        mounts = partial(self._mounts, container) if has_parts else None
        return EngineProgram(self, self._loop, self._request(container, image), image, mounts)

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Have the task's containers stand still: so what a path in a volume leads to stays so. In ``starting``."""
        paused: list[str] = []
        try:
            for id in list(self.running):
                try:
                    self.api.ask("POST", "/containers/%s/pause" % id)
                    paused.append(id)
                except EngineError as error:
                    if error.status not in _GONE:
                        raise
            yield
        finally:
            for id in paused:
                with contextlib.suppress(EngineError):
                    self.api.ask("POST", "/containers/%s/unpause" % id)

    def sweep_once(self) -> None:
        """Remove what a supervisor that died has left of this task."""
        if not self._clean:
            _sweep(self.api, self.order)
            self._clean = True

    def remove(self, id: str) -> None:
        _remove(self.api, id)

    def close(self) -> None:
        """Remove the containers of the task; one whose engine is gone stays for the next."""
        clear(self.order)

    def _request(self, container: dict[str, Any], image: str) -> dict[str, Any]:
        """What to create, as the engine's interface has it."""
        if container.get("sandbox", True):
            os.chmod(self.order.work, 0o777)  # noqa: S103 - its parent is for its owner only; inside, anybody may be it
        network = self.order.runtime.get("network") or "bridge"
        host: dict[str, Any] = {
            "Mounts": self._mounts(container), "NetworkMode": network, "LogConfig": {"Type": "none"}
        }  # fmt: skip
        if container.get("memory"):
            host["Memory"] = host["MemorySwap"] = container["memory"]
        if container.get("cpus"):
            host["NanoCpus"] = int(container["cpus"] * 1e9)
        if self.order.resources.get("gpus"):
            host["DeviceRequests"] = [_devices(self.order.resources["gpus"])]
        request = {
            "Image": image,
            "Env": ["%s=%s" % item for item in self.order.environment(container).items()],
            "Labels": {**_labels(self.order), "isthmus.container": container["name"]},
            "HostConfig": host,
        }
        if container.get("command"):
            request["Entrypoint"] = list(container["command"])
            request["Cmd"] = list(container.get("args") or ())
        elif container.get("args"):
            request["Cmd"] = list(container["args"])
        folder = container.get("workdir") or ("/work" if container.get("sandbox", True) else None)
        if folder:
            request["WorkingDir"] = folder
        if container.get("user") is not None:
            group = "" if container.get("group") is None else ":%d" % container["group"]
            request["User"] = "%d%s" % (container["user"], group)
        return request

    def _mounts(self, container: dict[str, Any]) -> list[dict[str, Any]]:
        """What it mounts, with all links followed as they lead now."""
        sandbox = [self._mount(self.order.work, "/work", {})] if container.get("sandbox", True) else []
        mounts = container.get("mounts") or ()
        return sandbox + [self._mount(self._volumes.source(mount), mount["path"], mount) for mount in mounts]

    @staticmethod
    def _mount(source: str, target: str, mount: dict[str, Any]) -> dict[str, Any]:
        return {"Type": "bind", "Source": source, "Target": target, "ReadOnly": bool(mount.get("read_only"))}


def _devices(count: int) -> dict[str, Any]:
    """The devices that a queue chose for this task, by their numbers; any so many where none has."""
    chosen = [number for number in os.environ.get("NVIDIA_VISIBLE_DEVICES", "").split(",") if number]
    asked: dict[str, Any] = {"Driver": "nvidia", "Capabilities": [["gpu"]]}
    if chosen and chosen[0] not in ("all", "none", "void"):
        return {**asked, "DeviceIDs": chosen}
    return {**asked, "Count": count}


def clear(order: Order) -> None:
    """Remove the containers of a task, if its engine answers."""
    with contextlib.suppress(EngineError):
        _sweep(EngineSocket(order.runtime.get("socket") or SOCKET), order)


def _sweep(api: EngineSocket, order: Order) -> None:
    labels = ["%s=%s" % label for label in _labels(order).items()]
    for container in api.ask("GET", "/containers/json", {"all": 1, "filters": json.dumps({"label": labels})}):
        _remove(api, container["Id"])


def _remove(api: EngineSocket, id: str) -> None:
    try:
        api.ask("DELETE", "/containers/" + id, {"force": 1, "v": 1})
    except EngineError as error:
        if error.status not in _GONE:
            raise


def _labels(order: Order) -> dict[str, str]:
    return {"isthmus.submission": order.id, "isthmus.index": str(order.index)}
