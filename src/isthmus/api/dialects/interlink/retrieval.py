"""What the virtual kubelet sends, as what a plugin wants: each container with what its volumes name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from isthmus.api.dialects.interlink.wire import CreateRequest

JOB_CONFIG: Mapping[str, Mapping[str, Any]] = {
    "SingularityHubProxy": {"server": "", "master_token": "", "cache_validity_seconds": 0},
    "ApptainerOptions": {
        "executable": "", "fakeroot": False, "containall": False, "fuseMode": "", "noInit": False, "noHome": False,
        "noPrivs": False, "nvidiaSupport": False, "cleanenv": False, "unsquash": False,
    },
    "Volumes": {
        "scratch_area": "", "apptainer_cachedir": "", "image_dir": "", "additional_directories_in_path": None,
        "fuse_sleep_seconds": 0,
    },
}  # fmt: skip
"""The stock API server sends it empty unless its own configuration says otherwise."""


def retrieve(request: CreateRequest) -> dict[str, Any]:
    """The body of ``/create`` for a plugin: init containers first, then containers."""
    spec = _mapping(request.pod.get("spec"))
    volumes = {_text(one.get("name")): one for one in _mappings(spec.get("volumes"))}
    containers = [*_mappings(spec.get("initContainers")), *_mappings(spec.get("containers"))]
    return {
        "pod": request.pod,
        "container": [_contents(one, volumes, request) for one in containers],
        "jobConfig": JOB_CONFIG,
    }


def _contents(
    container: Mapping[str, Any], volumes: Mapping[str, Mapping[str, Any]], request: CreateRequest
) -> dict[str, Any]:
    config_maps, secrets, projected = set(), set(), set()
    for mount in _mappings(container.get("volumeMounts")):
        name = _text(mount.get("name"))
        volume = volumes.get(name, {})
        config_maps.add(_text(_mapping(volume.get("configMap")).get("name")))
        secrets.add(_text(_mapping(volume.get("secret")).get("secretName")))
        if volume.get("projected") is not None or volume.get("downwardAPI") is not None:
            projected.add(name)
    return {
        "name": container.get("name"),
        "configMaps": _named(request.configmaps, config_maps),
        "projectedvolumemaps": _named(request.projectedvolumesmaps, projected),
        "secrets": _named(request.secrets, secrets),
        "emptyDirs": None,
    }


def _named(objects: Sequence[dict[str, Any]], names: Iterable[str]) -> list[dict[str, Any]] | None:
    """Each object of these names once, however often it was sent."""
    wanted = {name for name in names if name}
    found: dict[str, dict[str, Any]] = {}
    for one in objects:
        name = _text(_mapping(one.get("metadata")).get("name"))
        if name in wanted:
            found.setdefault(name, one)
    return list(found.values()) or None


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _mappings(value: Any) -> list[Mapping[str, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
