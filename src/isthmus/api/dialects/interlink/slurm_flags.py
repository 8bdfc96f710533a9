"""``slurm-job.vk.io/flags``: options of sbatch in a pod's annotation, as what a job asks for.

Each flag is read by itself, never by a shell; one that is not known here is refused by name.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from math import ceil

from isthmus.api.dialects.interlink.quantity import parse_quantity
from isthmus.api.dialects.interlink.refusals import Refusals, show
from isthmus.work.job import Resources

_SHORT = {
    "p": "partition", "A": "account", "q": "qos", "t": "time", "N": "nodes", "n": "ntasks", "c": "cpus-per-task",
    "G": "gpus", "C": "constraint", "L": "licenses", "x": "exclude", "w": "nodelist", "b": "begin", "m": "distribution",
    "S": "core-spec", "J": "job-name", "o": "output", "e": "error", "Q": "quiet", "v": "verbose",
}  # fmt: skip
_OPTIONS = (
    "partition", "account", "qos", "reservation", "wckey", "constraint", "prefer", "licenses", "nodelist", "exclude",
    "exclusive", "nice", "begin", "tmp", "switches", "hint", "ntasks-per-node", "ntasks-per-core", "ntasks-per-socket",
    "threads-per-core", "cores-per-socket", "sockets-per-node", "core-spec", "distribution", "gpu-bind", "mem-bind",
    "mpi",
)  # fmt: skip
"""What the site is told as it stands; a driver refuses by name what it does not know."""
_NUMBERS = ("ntasks", "nodes", "cpus-per-task")
_SIZES = ("mem", "mem-per-cpu")
_GPUS = ("gres", "gpus", "gpus-per-node", "gpus-per-task")
_BARE = frozenset({"no-requeue", "parsable", "quiet", "verbose"})
HARMLESS = _BARE | {"job-name", "comment", "output", "error", "open-mode", "mail-type", "mail-user", "export"}
"""What is passed over: Isthmus says it itself, or it changes nothing for a pod."""
KNOWN = frozenset({*_OPTIONS, *_NUMBERS, *_SIZES, *_GPUS, "time", *HARMLESS})
"""The flags of sbatch that are honoured or passed over."""
_ALONE = {"exclusive": "true", "nice": "100"}
"""What flags stand for that may have a value, when they have none."""
_INSTEAD = {
    "requeue": "a job is never run twice; Kubernetes's controllers make a new pod",
    "chdir": "the container's workingDir says where it starts",
    "uid": "runAsUser says who it runs as",
    "gid": "runAsGroup says who it runs as",
}
"""What to use in place of flags that are refused."""
_PLAIN = re.compile(r"\A[A-Za-z0-9_(\[!*:][A-Za-z0-9_.,:=+*&|@%/\[\]()!-]{0,254}\Z")
_BELOW_ZERO = re.compile(r"(?a)\A-\d{1,9}\Z")
_TIME = re.compile(r"(?a)\A(?:(\d{1,5})-)?(\d{1,8})(?::(\d{1,2}))?(?::(\d{1,2}))?\Z")
_MOST = 100_000
"""Nodes, tasks or processors that are asked for at most."""
_NO_LIMIT = frozenset({"unlimited", "infinite", "-1"})
_RANGE = re.compile(r"(?a)\A(\d{1,8})-(\d{1,8})\Z")
_TYPE = r"[A-Za-z0-9][\w.-]*"
_COUNT = re.compile(rf"(?a)\A(?:({_TYPE}):)?(\d{{1,4}})\Z")
_GRES = re.compile(rf"(?a)\Agpu(?::(?!\d+\Z)({_TYPE}))?(?::(\d{{1,4}}))?\Z")
"""A number alone is how many, as Slurm reads it; a type may be one (``gpu:4090:2``)."""


def read_flags(text: str, path: str, refusals: Refusals) -> dict[str, str]:
    """The flags by their long names, the last of each; those that are not honoured are noted."""
    try:
        words = shlex.split(text)
    except ValueError as error:
        refusals.add(path, str(error), tolerable=False)
        return {}
    found: dict[str, str] = {}
    while words:
        word = words.pop(0)
        name, value = _split(word)
        if name not in KNOWN:
            instead = f": {_INSTEAD[name]}" if name in _INSTEAD else ""
            refusals.add(path, f"the flag {show(word.partition('=')[0])} is not honoured{instead}", tolerable=False)
            if value is None and words and not words[0].startswith("-"):
                words.pop(0)
            continue
        if value is None and name not in _BARE:
            value = _ALONE.get(name) or (words.pop(0) if words else "")
        if fault := _fault(name, value or ""):
            refusals.add(path, f"the flag --{name} {fault}", tolerable=False)
        elif name not in HARMLESS:
            found[name] = value or ""
    return found


def _split(word: str) -> tuple[str, str | None]:
    """A flag's long name and the value that is joined to it; no name for what is no flag."""
    if word.startswith("--"):
        name, equals, value = word[2:].partition("=")
        return name, value if equals else None
    if word.startswith("-") and len(word) > 1:
        name = _SHORT.get(word[1], word)
        return name, None if name in _BARE and set(word[1:]) <= set("Qv") else word[2:].removeprefix("=") or None
    return "", None


def _fault(name: str, value: str) -> str:
    """What is wrong with a value; empty where nothing is."""
    if name in _BARE:
        return "has no value" if value else ""
    if name == "export":
        return "" if value.upper() == "ALL" else "may be ALL only: a pod's variables are those that it names"
    if name in HARMLESS:
        return "" if value else "needs a value"
    if _PLAIN.match(value) or (name in ("nice", "time") and _BELOW_ZERO.match(value)):
        return ""
    return "has no value that could be passed on"


def apply_flags(
    flags: Mapping[str, str], resources: Resources, path: str, refusals: Refusals
) -> tuple[Resources, dict[str, str]]:
    """What the job needs once its flags were heard, and the options for its site."""
    asked = _Flags(flags, path, refusals)
    nodes = asked.nodes(resources.nodes)
    spread = asked.number("ntasks-per-node", 0, most=_MOST // nodes) * nodes
    tasks = max(asked.number("ntasks", spread or resources.tasks), nodes)
    cpus = asked.number("cpus-per-task", 0) or resources.cpus
    changed = replace(resources, tasks=tasks, nodes=nodes, cpus=cpus)
    changed = asked.memory(changed)
    changed = asked.gpus(changed)
    if "time" in flags and (seconds := asked.seconds()) is not None:
        changed = replace(changed, time=min(seconds, changed.time) if changed.time is not None else seconds)
    options = {name: flags[name] for name in _OPTIONS if name in flags}
    if "gres" in flags and not any(map(_is_gpu, flags["gres"].split(","))):
        options["gres"] = flags["gres"]
    return changed, options


def _is_gpu(gres: str) -> bool:
    return gres.partition(":")[0] == "gpu"


class _Flags:
    def __init__(self, flags: Mapping[str, str], path: str, refusals: Refusals):
        self._flags = flags
        self._path = path
        self._refusals = refusals

    def _wrong(self, name: str) -> None:
        value = show(self._flags[name])
        self._refusals.add(self._path, f"--{name}={value} is not understood", tolerable=False)

    def number(self, name: str, default: int, most: int = _MOST) -> int:
        if name not in self._flags:
            return default
        text = self._flags[name]
        if not (text.isascii() and text.isdecimal() and 1 <= int(text[:9]) <= most and len(text) < 9):
            self._wrong(name)
            return default
        return int(text)

    def nodes(self, default: int) -> int:
        """A number, or a least and a greatest that are the same."""
        found = _RANGE.match(self._flags.get("nodes", ""))
        if found is None:
            return self.number("nodes", default)
        least, most = map(int, found.groups())
        if least == most and 1 <= least <= _MOST:
            return least
        why = f"--nodes={found[0]} leaves open how many; say one number"
        self._refusals.add(self._path, why, tolerable=False)
        return default

    def memory(self, resources: Resources) -> Resources:
        """``--mem`` is of a node, ``--mem-per-cpu`` of a processor; a job's memory is that of a process."""
        for name in _SIZES:
            if name not in self._flags:
                continue
            text = self._flags[name].upper().removesuffix("B")
            try:
                size = parse_quantity(text[:-1] if text[-1:] in "KMGT" else text)
            except ValueError:
                self._wrong(name)
                continue
            whole = size * 1024 ** {"K": 1, "M": 2, "G": 3, "T": 4}.get(text[-1:], 2)
            share = whole * resources.nodes / resources.tasks if name == "mem" else whole * ceil(resources.cpus)
            if not size:
                why = f"--{name}=0, all memory of a node, cannot be asked for; say how much, or limit the container's"
                self._refusals.add(self._path, why, tolerable=False)
                continue
            if not 0 < share < 2**60:
                self._wrong(name)
                continue
            resources = replace(resources, memory=int(share))
        return resources

    def gpus(self, resources: Resources) -> Resources:
        for name in _GPUS:
            text = self._flags.get(name)
            if text is None or (name == "gres" and not any(map(_is_gpu, text.split(",")))):
                continue
            found = (_GRES if name == "gres" else _COUNT).match(text)
            if found is None:
                self._wrong(name)
                continue
            per = {"gpus": Decimal(1), "gpus-per-task": Decimal(resources.tasks)}.get(name, Decimal(resources.nodes))
            each = int(found[2] or 1) * per / resources.tasks
            if each != int(each):
                self._refusals.add(self._path, f"--{name} does not give each task as many", tolerable=False)
                continue
            resources = replace(resources, gpus=int(each), gpu_type=found[1])
        return resources

    def seconds(self) -> float | None:
        """``minutes``, ``minutes:seconds``, ``hours:minutes:seconds``, ``days-hours[:minutes[:seconds]]``.

        None for no limit, which 0 is too.
        """
        if self._flags["time"].lower() in _NO_LIMIT:
            return None
        found = _TIME.match(self._flags["time"])
        if found is None:
            self._wrong("time")
            return None
        days, *rest = (int(part) if part is not None else None for part in found.groups())
        first, second, third = rest[0] or 0, rest[1], rest[2]
        if days is not None:
            total = days * 86400 + first * 3600 + (second or 0) * 60 + (third or 0)
        elif third is not None:
            total = first * 3600 + (second or 0) * 60 + third
        else:
            total = first * 60 + (second or 0)
        return float(total) if total else None
