"""The arguments of ``sbatch`` for one order: a list, in which no value can be more than a value. Pure.

The driver uses it too, so that what Slurm would not take is refused by name before anything travels.
"""

from __future__ import annotations

import math
import re
from typing import Any, Dict, List, Mapping, Optional, Pattern, Sequence

from isthmus.work.runner.allowance import allowance, processes_on_node
from isthmus.work.runner.failures import Permanent

from .ranges import write_ranges

MIB = 1024 * 1024
EARLY = 75.0
"""Seconds: Slurm may send a signal up to a minute before it is due."""
DEFAULTS = ("partition", "account", "qos", "constraint", "reservation")
"""Options for which a site may have a default."""

_WORD = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@+-]*")
_WORDS = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@+-]*(,[A-Za-z0-9_][A-Za-z0-9_.@+-]*)*")
_HOSTS = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.,\[\]-]*")
_COUNT = re.compile(r"[0-9]{1,9}")
OPTIONS: Dict[str, Pattern[str]] = {
    "partition": _WORDS,
    "account": _WORD,
    "qos": _WORD,
    "reservation": _WORDS,
    "wckey": _WORD,
    "constraint": re.compile(r"[A-Za-z0-9_(\[!][A-Za-z0-9_.&|*()\[\]!:,+-]*"),
    "prefer": re.compile(r"[A-Za-z0-9_(\[!][A-Za-z0-9_.&|*()\[\]!:,+-]*"),
    "licenses": re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@:,|+-]*"),
    "gres": re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:,()/+-]*"),
    "nodelist": _HOSTS,
    "exclude": _HOSTS,
    "exclusive": re.compile(r"true|user|mcs|topo"),
    "nice": re.compile(r"-?[0-9]{1,9}"),
    "begin": re.compile(r"now(\+[0-9]{1,9}(seconds|minutes|hours|days|weeks)?)?"
                        r"|[0-9]{4}-[0-9]{2}-[0-9]{2}(T[0-9]{2}:[0-9]{2}(:[0-9]{2})?)?|[0-9]{2}:[0-9]{2}"),
    "tmp": re.compile(r"[0-9]{1,9}[KMGT]?"),
    "switches": re.compile(r"[0-9]{1,4}(@[0-9:-]{1,20})?"),
    "hint": re.compile(r"compute_bound|memory_bound|multithread|nomultithread"),
    "ntasks-per-node": _COUNT,
    "ntasks-per-core": _COUNT,
    "ntasks-per-socket": _COUNT,
    "threads-per-core": _COUNT,
    "cores-per-socket": _COUNT,
    "sockets-per-node": _COUNT,
    "core-spec": _COUNT,
    "distribution": re.compile(r"[a-zA-Z:=,*]{1,60}"),
    "gpu-bind": re.compile(r"[a-z_:0-9,]{1,60}"),
    "mem-bind": re.compile(r"[a-z_:0-9,]{1,60}"),
    "mpi": re.compile(r"[a-z][a-z0-9_]{0,30}"),
}  # fmt: skip
"""What a job may ask of Slurm in its own words; all are options of ``sbatch``, but ``mpi`` is one of ``srun``."""
_GPU_TYPE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}")


def refuse(spec: Mapping[str, Any]) -> None:
    """Raise :class:`Permanent`, naming what is not honoured."""
    for name, value in (spec.get("options") or {}).items():
        pattern = OPTIONS.get(name)
        if pattern is None:
            raise Permanent("no option {} here; the options are {}".format(str(name)[:60], ", ".join(sorted(OPTIONS))))
        if not pattern.fullmatch(str(value)):
            raise Permanent("option {}: {!r} cannot be one".format(name, str(value)[:200]))
    asked = spec.get("resources") or {}
    nodes, tasks = int(asked.get("nodes", 1)), int(asked.get("tasks", 1))
    if not 1 <= nodes <= tasks:
        raise Permanent("resources.nodes: {} nodes for {} processes".format(nodes, tasks))
    if not math.isfinite(asked.get("cpus", 1)) or asked.get("cpus", 1) <= 0:
        raise Permanent("resources.cpus: more than 0 are needed")
    if asked.get("gpu_type") and not _GPU_TYPE.fullmatch(asked["gpu_type"]):
        raise Permanent("resources.gpu_type: {!r} cannot be one".format(asked["gpu_type"][:200]))
    if asked.get("gpus") and "gres" in (spec.get("options") or {}):
        raise Permanent("option gres: resources.gpus says it already")


def arguments(
    order: Mapping[str, Any],
    defaults: Mapping[str, str],
    folder: str,
    longest: Mapping[str, Optional[float]],
    largest: Mapping[str, Optional[int]],
) -> List[str]:
    """The options of ``sbatch``. ``folder`` is the submission's, ``defaults`` those of the site.

    ``longest`` has the time limits of partitions, ``largest`` the bytes of memory of their largest nodes; those of
    the default one are under an empty name.
    """
    spec = order["spec"]
    refuse(spec)
    options = {name: defaults[name] for name in DEFAULTS if defaults.get(name)}
    options.update(spec.get("options") or {})
    partition = options.get("partition", "")
    output = _plain(folder) + ("/slurm-%a.out" if spec.get("array") is not None else "/slurm-0.out")
    made = [
        "--parsable",
        "--job-name=isthmus-{}".format(order["id"]),
        "--comment={}".format(comment(str(order.get("name") or ""))),
        "--chdir={}".format(folder),
        "--output={}".format(output),
        "--error={}".format(output),
        "--open-mode=append",
        "--input=/dev/null",
        "--no-requeue",
        "--export=ALL",
        *_resources(spec, largest.get(partition)),
        *_times((spec.get("resources") or {}).get("time"), float(spec.get("grace", 30)), longest.get(partition)),
    ]
    if spec.get("array") is not None:
        most = spec.get("array_limit")
        made.append("--array={}{}".format(write_ranges(order["indices"]), "%{:d}".format(most) if most else ""))
    options.pop("mpi", None)
    if options.get("exclusive") == "true":
        del options["exclusive"]
        made.append("--exclusive")
    return made + ["--{}={}".format(name, options[name]) for name in sorted(options)]


def launcher(spec: Mapping[str, Any], folder: str = "") -> List[str]:
    """What starts all processes of a job of several: ``srun`` over what the job was given.

    ``--overlap`` lets it have the processors that the supervisor's own step has.
    """
    asked = spec.get("resources") or {}
    made = [
        folder.rstrip("/") + "/srun" if folder else "srun",
        "--ntasks={:d}".format(asked.get("tasks", 1)),
        "--nodes={:d}".format(asked.get("nodes", 1)),
        "--cpus-per-task={:d}".format(_cpus(asked)),
        "--overlap",
        "--export=ALL",
        "--input=none",
        "--kill-on-bad-exit=1",
    ]
    mpi: Optional[str] = (spec.get("options") or {}).get("mpi")
    return made + (["--mpi={}".format(mpi)] if mpi else [])


def comment(name: str) -> str:
    """A job's name for people who look at the queue: printable, and short."""
    return "".join(c if c.isprintable() else " " for c in name)[:200]


def _cpus(asked: Mapping[str, Any]) -> int:
    return max(1, math.ceil(float(asked.get("cpus", 1))))


def _resources(spec: Mapping[str, Any], largest: Optional[int]) -> Sequence[str]:
    asked = spec.get("resources") or {}
    tasks, cpus, gpus = int(asked.get("tasks", 1)), _cpus(asked), int(asked.get("gpus") or 0)
    made = [
        "--nodes={:d}".format(asked.get("nodes", 1)),
        "--ntasks={}".format(tasks),
        "--cpus-per-task={}".format(cpus),
    ]
    if asked.get("memory") is not None and tasks == 1:
        made.append("--mem={}M".format(_memory(int(asked["memory"]), allowance(spec), largest)))
    elif asked.get("memory") is not None:
        # By CPU, since nobody knows yet how many processes a node will get.
        here = processes_on_node(asked)
        started = here if spec.get("launch") == "each" else 1
        room = None if largest is None else largest // here
        each = _memory(int(asked["memory"]), allowance(spec, started) // here, room)
        made.append("--mem-per-cpu={}M".format(math.ceil(each / cpus)))
    if gpus:
        kind = "{}:".format(asked["gpu_type"]) if asked.get("gpu_type") else ""
        made.append("--gres=gpu:{}{}".format(kind, gpus) if tasks == 1 else "--gpus-per-task={}{}".format(kind, gpus))
    return made


def _memory(asked: int, beside: int, largest: Optional[int]) -> int:
    """MiB to ask for. What the job asks may be all that a node has: then nothing is added."""
    most = math.ceil((asked + beside) / MIB)
    if largest is not None:
        most = min(most, largest // MIB)
    return max(1, math.ceil(asked / MIB), most)


def _times(seconds: Optional[float], grace: float, longest: Optional[float]) -> Sequence[str]:
    """Slurm's limit leaves the supervisor, which ends the job to the second, time to do so.

    The signal is for limits of the site that are shorter; Slurm may send it a minute early. What the job asks
    may be all that its partition allows: then nothing is added.
    """
    made = ["--signal=B:TERM@{}".format(max(1, math.ceil(min(grace, 65000))))]
    if seconds is not None:
        asked, most = max(1, math.ceil(seconds / 60)), math.ceil((seconds + grace + EARLY) / 60)
        if longest is not None:
            most = min(most, int(longest // 60))
        made.append("--time={}".format(max(asked, most)))
    return made


def _plain(path: str) -> str:
    """A path in which Slurm replaces nothing."""
    return path.replace("%", "%%")
