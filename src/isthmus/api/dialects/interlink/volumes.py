"""Volumes of a pod, with what the virtual kubelet sent along for them, as volumes of a job."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from isthmus.api.dialects.interlink.core import (
    ConfigMapSource,
    DownwardItem,
    DownwardVolume,
    EmptyDir,
    HostPath,
    KeyToPath,
    PodVolume,
    ProjectedConfigMap,
    ProjectedSource,
    Projection,
    SecretSource,
)
from isthmus.api.dialects.interlink.paths import fault_of_absolute, fault_of_relative, fault_of_tree, is_below
from isthmus.api.dialects.interlink.policy import Policy
from isthmus.api.dialects.interlink.refusals import Refusals, show
from isthmus.api.dialects.interlink.wire import Contents, RetrievedContainer
from isthmus.work.job import File, Volume

_WHY = {
    "persistentVolumeClaim": "claims are of the cluster; the site cannot mount them",
    "ephemeral": "claims are of the cluster; the site cannot mount them",
    "image": "images as volumes are not honoured",
}


@dataclass(frozen=True, slots=True)
class Sent:
    """What came with a pod, by name; base64 by key."""

    config_maps: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    secrets: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    projected: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """By the name of the volume; keys are paths."""


def collect_sent(containers: Iterable[RetrievedContainer]) -> Sent:
    """What all containers were sent; the same map comes with each container that mounts it."""
    config_maps: dict[str, Mapping[str, str]] = {}
    secrets: dict[str, Mapping[str, str]] = {}
    projected: dict[str, Mapping[str, str]] = {}
    for one in containers:
        for found, into, encoded in (
            (one.config_maps, config_maps, False),
            (one.secrets, secrets, True),
            (one.projected_volume_maps, projected, False),
        ):
            for contents in found:
                if contents.metadata.name not in into:
                    into[contents.metadata.name] = _content(contents, encoded)
    return Sent(config_maps, secrets, projected)


def _content(contents: Contents, encoded: bool) -> Mapping[str, str]:
    data = contents.data if encoded else {key: _encode(text) for key, text in contents.data.items()}
    plain = {key: _encode(text) for key, text in contents.string_data.items()}
    return {**contents.binary_data, **data, **plain}


def _encode(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


class Volumes:
    """Turns volumes into those of a job; what cannot be is noted in ``refusals``.

    ``shared`` says that the pod's files are for a group (``fsGroup``). A site gives none away: all users of the
    pod's containers may read them then.
    """

    def __init__(self, sent: Sent, policy: Policy, refusals: Refusals, *, shared: bool = False):
        self._sent = sent
        self._read_by = 0o444 if shared else 0
        self._policy = policy
        self._refusals = refusals

    def translate(self, volume: PodVolume, path: str, mounted: bool) -> Volume | None:
        """The volume, or None for one that is refused, or that nobody mounts and so came without content."""
        self._refuse_kinds(volume, path)
        sources: dict[str, Callable[[], Volume | None]] = {}
        if (config_map := volume.config_map) is not None:
            sources["configMap"] = lambda: self._config_map(volume.name, config_map, f"{path}.configMap")
        if (secret := volume.secret) is not None:
            sources["secret"] = lambda: self._secret(volume.name, secret, f"{path}.secret")
        if (projected := volume.projected) is not None:
            sources["projected"] = lambda: self._projected(volume.name, projected, f"{path}.projected")
        if (downward := volume.downward_api) is not None:
            sources["downwardAPI"] = lambda: self._downward(volume.name, downward, f"{path}.downwardAPI")
        if (empty := volume.empty_dir) is not None:
            sources["emptyDir"] = lambda: self._empty(volume.name, empty, f"{path}.emptyDir")
        if (host := volume.host_path) is not None:
            sources["hostPath"] = lambda: self._host(volume.name, host, f"{path}.hostPath")
        if len(sources) > 1:
            self._refusals.add(path, f"it has several sources: {', '.join(sources)}", tolerable=False)
            return None
        if not sources:
            return None if volume.model_extra else Volume(volume.name)
        kind, make = next(iter(sources.items()))
        return make() if mounted or kind in ("emptyDir", "hostPath") else None

    def _refuse_kinds(self, volume: PodVolume, path: str) -> None:
        for kind in volume.model_extra or {}:
            self._refusals.add(
                f"{path}.{show(kind)}", _WHY.get(kind, "volumes of this kind are not honoured"), tolerable=False
            )

    def _config_map(self, name: str, source: ConfigMapSource, path: str) -> Volume | None:
        self._refusals.rest(source.model_extra, "configMap", path)
        content = self._sent.config_maps.get(source.name)
        return self._keyed(name, content, source.name, source, path)

    def _secret(self, name: str, source: SecretSource, path: str) -> Volume | None:
        self._refusals.rest(source.model_extra, "secret", path)
        content = self._sent.secrets.get(source.secret_name)
        return self._keyed(name, content, source.secret_name, source, path)

    def _keyed(
        self,
        name: str,
        content: Mapping[str, str] | None,
        called: str,
        source: ConfigMapSource | SecretSource,
        path: str,
    ) -> Volume | None:
        if content is None:
            if source.optional:
                return Volume(name, files=())
            self._refusals.add(path, f"{show(called)} was not sent with the pod", tolerable=False)
            return None
        if not source.items:
            return self._files(name, ((key, text, source.default_mode) for key, text in content.items()), path)
        chosen = []
        for index, item in enumerate(source.items):
            if item.key in content:
                mode = source.default_mode if item.mode is None else item.mode
                chosen.append((item.path, content[item.key], mode))
            elif not source.optional:
                self._refusals.add(f"{path}.items[{index}].key", f"{show(called)} has no {show(item.key)}",
                                   tolerable=False)  # fmt: skip
        return self._files(name, chosen, path)

    def _projected(self, name: str, source: ProjectedSource, path: str) -> Volume | None:
        self._refusals.rest(source.model_extra, "projected", path)
        content = self._sent.projected.get(name)
        modes: dict[str, int] = {}
        for index, one in enumerate(source.sources):
            at = f"{path}.sources[{index}]"
            self._refusals.rest(one.model_extra, "projection", at)
            if one.secret is not None:
                self._refuse_missing_secret(one.secret, content or {}, f"{at}.secret")
                modes |= _modes(one.secret.items)
            if one.downward_api is not None:
                modes |= self._downward_modes(one.downward_api.items, content or {}, f"{at}.downwardAPI")
            if one.service_account_token is not None:
                token, where = one.service_account_token, f"{at}.serviceAccountToken"
                self._refusals.rest(token.model_extra, "serviceAccountToken", where)
                if token.audience:
                    self._refusals.add(f"{where}.audience", "the virtual kubelet asks for a token without it")
            if one.config_map is not None:
                self._refusals.rest(one.config_map.model_extra, "configMap", f"{at}.configMap")
                modes |= _modes(one.config_map.items)
        return self._flat(name, content, modes, source.default_mode, not all(map(_is_optional, source.sources)), path)

    def _refuse_missing_secret(self, secret: ProjectedConfigMap, content: Mapping[str, str], path: str) -> None:
        """The stock virtual kubelet drops this source without a word; then its files would be missing."""
        there = bool(secret.items) and all(item.path in content for item in secret.items)
        if not there and not secret.optional:
            self._refusals.add(path, "the virtual kubelet does not send secrets in projected volumes")

    def _downward(self, name: str, source: DownwardVolume, path: str) -> Volume | None:
        self._refusals.rest(source.model_extra, "downwardAPI", path)
        content = self._sent.projected.get(name)
        modes = self._downward_modes(source.items, content or {}, path)
        return self._flat(name, content, modes, source.default_mode, bool(source.items), path)

    def _downward_modes(self, items: Sequence[DownwardItem], content: Mapping[str, str], path: str) -> dict[str, int]:
        for index, item in enumerate(items):
            if item.resource_field_ref and item.path not in content:
                self._refusals.add(f"{path}.items[{index}].resourceFieldRef", "the virtual kubelet does not send it")
        return {item.path: item.mode for item in items if item.mode is not None}

    def _flat(
        self, name: str, content: Mapping[str, str] | None, modes: Mapping[str, int], mode: int, needed: bool, path: str
    ) -> Volume | None:
        if content is None:
            if not needed:
                return Volume(name, files=())
            self._refusals.add(path, "its content was not sent with the pod", tolerable=False)
            return None
        return self._files(name, ((p, text, modes.get(p, mode)) for p, text in content.items()), path)

    def _files(self, name: str, files: Iterable[tuple[str, str, int]], path: str) -> Volume | None:
        made: dict[str, File] = {}
        for where, content, mode in files:
            if fault := fault_of_relative(where) or _fault_of_base64(content):
                self._refusals.add(f"{path}[{show(where)}]", fault, tolerable=False)
                return None
            made[where] = File(where, content=content, mode=mode | self._read_by)
        if fault := fault_of_tree(made):
            self._refusals.add(path, show(fault), tolerable=False)
            return None
        return Volume(name, files=tuple(made[where] for where in sorted(made)))

    def _empty(self, name: str, source: EmptyDir, path: str) -> Volume | None:
        self._refusals.rest(source.model_extra, "emptyDir", path)
        if source.medium not in ("", "Memory"):
            self._refusals.add(f"{path}.medium", f"{show(source.medium)} is not honoured")
        return Volume(name, in_memory=source.medium == "Memory")

    def _host(self, name: str, source: HostPath, path: str) -> Volume | None:
        self._refusals.rest(source.model_extra, "hostPath", path)
        if fault := fault_of_host_path(source.path, self._policy.host_paths):
            self._refusals.add(f"{path}.path", fault, tolerable=False)
            return None
        return Volume(name, host_path=source.path, host_path_type=source.type)


def is_only_read(volume: PodVolume) -> bool:
    """Whether containers only read it, as the files are that came with a pod."""
    return any((volume.config_map, volume.secret, volume.projected, volume.downward_api))


def fault_of_host_path(path: str, allowed: Iterable[str]) -> str:
    """Why a pod may not mount this path of the node; empty if it may."""
    if fault := fault_of_absolute(path):
        return fault
    return "" if is_below(path, allowed) else f"{show(path)} of the node may not be mounted here"


def _is_optional(source: Projection) -> bool:
    named = source.config_map or source.secret
    return named is not None and named.optional


def _modes(items: Iterable[KeyToPath]) -> dict[str, int]:
    return {item.path: item.mode for item in items if item.mode is not None}


def _fault_of_base64(content: str) -> str:
    try:
        base64.b64decode(content, validate=True)
    except (binascii.Error, ValueError):
        return "it is not base64"
    return ""
