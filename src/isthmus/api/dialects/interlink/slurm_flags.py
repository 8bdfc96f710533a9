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
    "G": "gpus", "C": "constraint", "L": "licenses", "x": "exclude", "w": "nodelist",
}  # fmt: skip
_OPTIONS = ("partition", "account", "qos", "constraint", "reservation", "licenses", "exclude", "nodelist",
            "ntasks-per-node")  # fmt: skip
_NUMBERS = ("ntasks", "nodes", "cpus-per-task")
_SIZES = ("mem", "mem-per-cpu")
_GPUS = ("gres", "gpus", "gpus-per-node", "gpus-per-task")
KNOWN = frozenset({*_OPTIONS, *_NUMBERS, *_SIZES, *_GPUS, "time", "exclusive"})
"""The flags of sbatch that are honoured."""
_PLAIN = re.compile(r"\A[A-Za-z0-9_][A-Za-z0-9_.,:=+*&|@%/\[\]()-]{0,254}\Z")
_TIME = re.compile(r"\A(?:(\d{1,5})-)?(\d{1,8})(?::(\d{1,2}))?(?::(\d{1,2}))?\Z")
_GRES = re.compile(r"\A(?:gpu:)?(?:([A-Za-z][\w.]*|\d+g\.\w+):)?(\d{1,4})\Z")


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
            refusals.add(path, f"the flag {show(word.partition('=')[0])} is not honoured", tolerable=False)
            if value is None and words and not words[0].startswith("-"):
                words.pop(0)
            continue
        if value is None and name != "exclusive":
            value = words.pop(0) if words else ""
        if name == "exclusive" and not value:
            value = "true"
        if _PLAIN.match(value or ""):
            found[name] = value or ""
        else:
            refusals.add(path, f"the flag --{name} has no value that could be passed on", tolerable=False)
    return found


def _split(word: str) -> tuple[str, str | None]:
    if word.startswith("--"):
        name, equals, value = word[2:].partition("=")
        return name, value if equals else None
    if word.startswith("-") and len(word) > 1:
        return _SHORT.get(word[1], word), word[2:].removeprefix("=") or None
    return word, None


def apply_flags(
    flags: Mapping[str, str], resources: Resources, path: str, refusals: Refusals
) -> tuple[Resources, dict[str, str]]:
    """What the job needs once its flags were heard, and the options for its site."""
    asked = _Flags(flags, path, refusals)
    tasks, nodes = asked.number("ntasks", resources.tasks), asked.number("nodes", resources.nodes)
    if nodes > tasks:
        tasks = nodes
    cpus = asked.number("cpus-per-task", 0) or resources.cpus
    changed = replace(resources, tasks=tasks, nodes=nodes, cpus=cpus)
    changed = asked.memory(changed)
    changed = asked.gpus(changed)
    if "time" in flags and (seconds := asked.seconds()) is not None:
        changed = replace(changed, time=min(seconds, changed.time) if changed.time is not None else seconds)
    options = {name: flags[name] for name in (*_OPTIONS, "exclusive") if name in flags}
    return changed, options


class _Flags:
    def __init__(self, flags: Mapping[str, str], path: str, refusals: Refusals):
        self._flags = flags
        self._path = path
        self._refusals = refusals

    def _wrong(self, name: str) -> None:
        value = show(self._flags[name])
        self._refusals.add(self._path, f"--{name}={value} is not understood", tolerable=False)

    def number(self, name: str, default: int) -> int:
        if name not in self._flags:
            return default
        text = self._flags[name]
        if not (text.isascii() and text.isdecimal() and 1 <= int(text[:9]) <= 100_000 and len(text) < 9):
            self._wrong(name)
            return default
        return int(text)

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
            if not 0 < share < 2**60:
                self._wrong(name)
                continue
            resources = replace(resources, memory=int(share))
        return resources

    def gpus(self, resources: Resources) -> Resources:
        for name in _GPUS:
            if name not in self._flags:
                continue
            found = _GRES.match(self._flags[name])
            if found is None or (name == "gres") != self._flags[name].startswith("gpu:"):
                self._wrong(name)
                continue
            per = {"gpus": Decimal(1), "gpus-per-task": Decimal(resources.tasks)}.get(name, Decimal(resources.nodes))
            each = int(found[2]) * per / resources.tasks
            if each != int(each):
                self._refusals.add(self._path, f"--{name} does not give each task as many", tolerable=False)
                continue
            resources = replace(resources, gpus=int(each), gpu_type=found[1])
        return resources

    def seconds(self) -> float | None:
        """``minutes``, ``minutes:seconds``, ``hours:minutes:seconds``, ``days-hours[:minutes[:seconds]]``."""
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
        if total <= 0:
            self._wrong("time")
            return None
        return float(total)
