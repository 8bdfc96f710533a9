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

STEERING = ("slurm-job.vk.io/", "htcondor-job.vk.io/", "htcondor-job.knoc.io/")
"""What begins so is for the plugin."""
NETWORK = {
    "interlink.eu/wstunnel-client-commands": "the job runs no tunnel; disable it in the virtual kubelet",
    "interlink.eu/wireguard-client-snippet": "the job joins no mesh; annotate interlink.eu/mesh-network: disabled",
}
"""What the virtual kubelet writes for a job that should open a tunnel. Its other annotations are for itself."""


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
    for key in _in_order(annotations):
        text, path = annotations[key], f"metadata.annotations[{show(key)}]"
        if key in NETWORK and text:
            refusals.add(path, NETWORK[key])
        prefix = next((p for p in STEERING if key.startswith(p)), None)
        if prefix is None or not text.strip():
            continue
        read = reader.known.get(key.removeprefix(prefix))
        if read is None or (prefix != STEERING[0] and key not in _CONDOR):
            refusals.add(path, "this annotation is not honoured")
        else:
            wishes = read(wishes, text, path)
    return wishes


_CONDOR = frozenset({
    "htcondor-job.vk.io/singularity-options", "htcondor-job.vk.io/singularity-mounts",
    "htcondor-job.vk.io/pre-exec", "htcondor-job.vk.io/image-root", "htcondor-job.knoc.io/image-root",
})  # fmt: skip
_LATER = ("slurm-job.vk.io/flags", "slurm-job.vk.io/mpi-flags")


def _in_order(annotations: Mapping[str, str]) -> list[str]:
    """A flavour first, then flags, which go over it, then what changes one of them."""
    return sorted(annotations, key=lambda key: (_LATER.index(key) if key in _LATER else -1, key))


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
        return replace(wishes, flags={**wishes.flags, **read_flags(text, path, self._refusals)})

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
        binds = tuple(bind for spec in specs if (bind := self._bind(spec, path)) is not None)
        return replace(wishes, binds=wishes.binds + binds)

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
        return replace(wishes, runtime_options=wishes.runtime_options + tuple(words))

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
