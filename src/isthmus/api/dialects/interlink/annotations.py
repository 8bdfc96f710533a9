"""Annotations by which stock users steer what the site does: each is honoured, harmless, or refused by name."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from isthmus.api.dialects.interlink.paths import fault_of_absolute
from isthmus.api.dialects.interlink.policy import Policy
from isthmus.api.dialects.interlink.refusals import Refusals, show
from isthmus.api.dialects.interlink.slurm_flags import read_flags
from isthmus.api.dialects.interlink.volumes import fault_of_host_path
from isthmus.work.job import Launch

STEERING = ("slurm-job.vk.io/", "slurm-job.knoc.io/", "job.vk.io/")
"""What begins so is for the plugin, with the same meaning whichever it is."""
CONDOR = {
    "htcondor-job.vk.io/": frozenset({"singularity-options", "singularity-mounts", "pre-exec", "image-root"}),
    "htcondor-job.knoc.io/": frozenset({"image-root"}),
}
"""So is this, of which these names are taken."""
REFUSED = {
    "interlink.eu/wstunnel-client-commands": "the job runs no tunnel; disable it in the virtual kubelet",
    "interlink.eu/wireguard-client-snippet": "the job joins no mesh; annotate interlink.eu/mesh-network: disabled",
    "interlink.io/remote-pvc": "claims are of the cluster; the site cannot mount them",
}
"""What steers and cannot be honoured. The virtual kubelet's other annotations, interlink.eu/..., are for itself."""
FOREIGN = ("interlink.io/", "htcondor.interlink.io/")
"""What begins so is for other plugins, and steers."""
TRACES = "interlink.io/source."
"""Where a pod came from, as the plugin for Kubernetes notes it on what it makes."""


@dataclass(frozen=True, slots=True)
class Bind:
    """A path of the node that all containers see."""

    source: str
    target: str
    read_only: bool


@dataclass(frozen=True, slots=True)
class Wishes:
    """What a pod's annotations ask for. ``flags_path`` is where faults of the flags are told to be."""

    flags: Mapping[str, str] = field(default_factory=dict)
    flags_path: str = ""
    binds: tuple[Bind, ...] = ()
    runtime_options: tuple[str, ...] = ()
    image_root: str = ""
    pre_exec: str = ""
    launch: Launch = Launch.ONCE


def read_annotations(annotations: Mapping[str, str], policy: Policy, refusals: Refusals) -> Wishes:
    """What the annotations ask for; what is not honoured is noted."""
    reader = _Reader(policy, refusals)
    wishes = Wishes(flags_path="metadata.annotations[slurm-job.vk.io/flags]")
    taken: dict[str, str] = {}
    for key in _in_order(annotations):
        text, path = annotations[key], f"metadata.annotations[{show(key)}]"
        if not text.strip():
            continue
        if key in REFUSED:
            refusals.add(path, REFUSED[key])
        elif (name := _name(key)) is not None and name in reader.known:
            first = taken.setdefault(name, key)
            if first == key or name not in _SINGLE:
                wishes = reader.known[name](wishes, text, path)
            elif annotations[first] != text:
                refusals.add(path, f"{first} says something else", tolerable=False)
        elif name is not None or (key.startswith(FOREIGN) and not key.startswith(TRACES)):
            refusals.add(path, "this annotation is not honoured")
    return wishes


_LATER = ("flags", "mpi-flags")
_SINGLE = frozenset({"flavor", "mpi-flags", "pre-exec", "image-root"})
"""Of these one alone can hold; of flags the later go over the earlier, mounts and options add up."""


def _name(key: str) -> str | None:
    """What a plugin of interLink is told, by its name; empty for what it is not; None for what is for others."""
    for prefix in STEERING:
        if key.startswith(prefix):
            return key.removeprefix(prefix)
    for prefix, names in CONDOR.items():
        if key.startswith(prefix):
            name = key.removeprefix(prefix)
            return name if name in names else ""
    return None


def _in_order(annotations: Mapping[str, str]) -> list[str]:
    """A flavour first, then flags, which go over it, then what changes one of them."""

    def place(key: str) -> tuple[int, str]:
        name = _name(key)
        return _LATER.index(name) if name in _LATER else -1, key

    return sorted(annotations, key=place)


class _Reader:
    def __init__(self, policy: Policy, refusals: Refusals):
        self._policy = policy
        self._refusals = refusals
        self.known: Mapping[str, Callable[[Wishes, str, str], Wishes]] = {
            "flags": self._flags,
            "flavor": self._flavor,
            "mpi-flags": self._mpi,
            "pre-exec": self._pre_exec,
            "singularity-mounts": self._mounts,
            "singularity-options": self._options,
            "image-root": self._image_root,
        }

    def _flags(self, wishes: Wishes, text: str, path: str) -> Wishes:
        flags = {**wishes.flags, **read_flags(text, path, self._refusals)}
        return replace(wishes, flags=flags, flags_path=path)

    def _flavor(self, wishes: Wishes, text: str, path: str) -> Wishes:
        flags = self._policy.flavors.get(text.strip())
        if flags is None:
            self._refusals.add(path, f"this site has no flavor {show(text.strip())}", tolerable=False)
            return wishes
        return self._flags(wishes, flags, path)

    def _mpi(self, wishes: Wishes, text: str, path: str) -> Wishes:
        """``-np N``: the container's command runs N times, started by the site's launcher."""
        words = self._words(text, path)
        if words and len(words) == 2 and words[0] in ("-n", "-np", "--np") and _is_count(words[1]):
            return replace(wishes, flags={**wishes.flags, "ntasks": words[1]}, launch=Launch.EACH)
        if words is not None:
            self._refusals.add(path, "only -np N is honoured", tolerable=False)
        return wishes

    def _pre_exec(self, wishes: Wishes, text: str, path: str) -> Wishes:
        if not self._policy.pre_exec:
            self._refusals.add(path, "this site runs no text of a pod in a shell of its nodes")
            return wishes
        if "\0" in text:
            self._refusals.add(path, "it holds a NUL character", tolerable=False)
            return wishes
        return replace(wishes, pre_exec=text)

    def _mounts(self, wishes: Wishes, text: str, path: str) -> Wishes:
        words = self._words(text, path) or []
        specs: list[str] = []
        while words:
            word = words.pop(0)
            if word in ("--bind", "-B") and words:
                specs += words.pop(0).split(",")
            elif word.startswith("--bind="):
                specs += word.removeprefix("--bind=").split(",")
            elif word.startswith("/"):
                specs += word.split(",")
            else:
                self._refusals.add(path, f"{show(word)} is no --bind", tolerable=False)
        binds = {bind.target.rstrip("/"): bind for bind in wishes.binds}
        for bind in (bind for spec in specs if (bind := self._bind(spec, path)) is not None):
            if binds.setdefault(bind.target.rstrip("/"), bind) != bind:
                self._refusals.add(path, f"something else is mounted at {show(bind.target)}", tolerable=False)
        return replace(wishes, binds=tuple(binds.values()))

    def _bind(self, spec: str, path: str) -> Bind | None:
        source, *rest = spec.split(":")
        target = rest[0] if rest else source
        options = rest[1] if len(rest) > 1 else "rw"
        fault = fault_of_host_path(source, self._policy.host_paths) or fault_of_absolute(target)
        if not fault and (len(rest) > 2 or options not in ("ro", "rw")):
            fault = f"{show(spec)} is not source:target:ro|rw"
        if fault:
            self._refusals.add(path, fault, tolerable=False)
            return None
        return Bind(source, target, options == "ro")

    def _options(self, wishes: Wishes, text: str, path: str) -> Wishes:
        words = self._words(text, path) or []
        for word in words:
            if word not in self._policy.runtime_options:
                self._refusals.add(path, f"the option {show(word)} is not allowed here", tolerable=False)
        return replace(wishes, runtime_options=tuple(dict.fromkeys([*wishes.runtime_options, *words])))

    def _image_root(self, wishes: Wishes, text: str, path: str) -> Wishes:
        root = text.strip()
        if not root.isprintable() or " " in root or root.startswith("-") or ".." in root.split("/"):
            self._refusals.add(path, "it is no beginning of an image's name", tolerable=False)
            return wishes
        return replace(wishes, image_root=root)

    def _words(self, text: str, path: str) -> list[str] | None:
        try:
            return shlex.split(text)
        except ValueError as error:
            self._refusals.add(path, str(error), tolerable=False)
            return None


def _is_count(text: str) -> bool:
    return text.isascii() and text.isdecimal() and 1 <= len(text) <= 6 and int(text) > 0
