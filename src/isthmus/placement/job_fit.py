"""Whether a job fits on a site, and in words why not. What a site does not tell never speaks against it. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from isthmus.work.runner.sizes import sizes

_ROUNDING = 1e-6


@dataclass(frozen=True, slots=True)
class JobWant:
    """What a job asks of its site: ``cpus``, ``memory`` and ``gpus`` of each of ``tasks`` processes on ``nodes``.

    ``each`` says that the site starts every process itself, ``image_files`` that an image is a file or folder of
    the node, ``partitions`` are those that the job names, ``beside`` are bytes that what looks after it takes there.
    """

    cpus: float = 1
    memory: int | None = None
    gpus: int = 0
    gpu_type: str | None = None
    nodes: int = 1
    tasks: int = 1
    each: bool = False
    time: float | None = None
    containers: bool = False
    image_files: bool = False
    needs: Sequence[str] = ()
    partitions: Sequence[str] = ()
    beside: int = 0


@dataclass(frozen=True, slots=True)
class Nodes:
    """So many equal nodes, and what each one has; None is not told."""

    count: int | None = None
    cpus: float | None = None
    memory: int | None = None
    gpus: Mapping[str, int] | None = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Queue:
    """A partition of a site: its nodes, the seconds that a job may run, how long one would wait."""

    name: str = ""
    nodes: Sequence[Nodes] = ()
    default: bool = False
    state: str = "up"
    time_limit: float | None = None
    wait: float | None = None
    free_cpus: int | None = None


@dataclass(frozen=True, slots=True)
class Room:
    """What a site gives to jobs. ``containers`` says whether it runs them, ``image_files`` also such from files.

    In a ``pool`` machines come and go, and two of a job's nodes may be on one machine. With ``exact_types`` a type of
    GPU is its whole name; else one such as ``a100`` is any that has it in its name.
    """

    queues: Sequence[Queue] = ()
    containers: bool = False
    pool: bool = False
    exact_types: bool = False
    image_files: bool = True

    def open_to(self, want: JobWant) -> Sequence[Queue]:
        """Where the job would go: the partitions that it names, else the default one, else any."""
        if want.partitions:
            return [q for q in self.queues if q.name in want.partitions]
        return [q for q in self.queues if q.default] or self.queues


def refusal(want: JobWant, room: Room, *, ever: bool = False) -> str:
    """Why a site does not fit; empty when it does.

    ``ever`` asks whether it could at any time: then what is down now, or not told of, may be there another time,
    and only needs that were named count for what is not sure.
    """
    if ("containers" in want.needs or (want.containers and not ever)) and not room.containers:
        return "runs no containers"
    if want.image_files and not room.image_files:
        return "takes images from registries alone, no files or folders"
    queues = room.open_to(want)
    if want.partitions and not queues:
        there = ", ".join(q.name for q in room.queues) or "none"
        return "" if ever else f"has no partition {', '.join(want.partitions)}, it has {there}"
    if not ever:
        up = [q for q in queues if q.state == "up"]
        if queues and not up:
            return f"its partition {queues[0].name} is {queues[0].state}"
        queues = up
    lacks = {q.name: _lack(want, q, room, ever) for q in queues} or {"": _lack(want, Queue(), room, ever)}
    return "" if "" in lacks.values() else _told(want, room, lacks)


def _told(want: JobWant, room: Room, lacks: Mapping[str, str]) -> str:
    """What each partition lacks, and which one would do."""
    if len(room.queues) < 2 or (len(lacks) == len(room.queues) and len(set(lacks.values())) == 1):
        return next(iter(lacks.values()))
    others = [q for q in room.queues if q.name not in lacks and q.state == "up"]
    fitting = [q.name for q in others if not _lack(want, q, room, False)]
    told = ", ".join(f"partition {name} {words}" for name, words in lacks.items())
    return told + (f", but {fitting[0]} would do: --option partition={fitting[0]}" if fitting else "")


def _lack(want: JobWant, queue: Queue, room: Room, ever: bool) -> str:
    """What a partition lacks for the job; empty when nothing."""
    if ever and room.pool and not any(map(_count, queue.nodes)):  # its machines have yet to make themselves known
        return ""
    if "gpu" in want.needs and not any(_gpus(node, None) for node in queue.nodes):
        return "has no GPU"
    several = not queue.nodes or sum(_count(node) for node in queue.nodes) > 1
    if "mpi" in want.needs and not several:
        return "runs no jobs over several nodes"
    if ever and room.pool:  # what fits no machine now waits for one
        return ""
    if want.time is not None and queue.time_limit is not None and want.time > queue.time_limit:
        return f"lets a job run for {_span(queue.time_limit)}, not {_span(want.time)}"
    if not queue.nodes:
        return ""
    if not any(map(_count, queue.nodes)):
        return "has no nodes"
    if want.nodes > 1 and not several:
        return "runs no jobs over several nodes"
    spread = room.pool and want.each
    return next(_too_small(want, queue, room, 1 if spread else -(-want.tasks // want.nodes)), "") or (
        "" if _holds(want, queue, room) else _too_few(want, queue)
    )


def _too_small(want: JobWant, queue: Queue, room: Room, processes: int) -> Iterator[str]:
    """In which respects no node has what so many processes ask."""
    gpus = want.gpus * processes
    most = max(_gpus(node, want.gpu_type, room.exact_types) for node in queue.nodes)
    if gpus > most:
        types = sorted({kind for node in queue.nodes for kind, number in (node.gpus or {}).items() if number})
        if not types:
            yield "has no GPU"
        elif not most:
            yield f"has no GPU of type {want.gpu_type}, it has {', '.join(types)}"
        else:
            yield f"has {most:g} GPU{'s' * (most > 1)}{_of(want.gpu_type)} on a node, not {gpus}"
    cpus = max(math.inf if node.cpus is None else node.cpus for node in queue.nodes)
    if want.cpus * processes > cpus + _ROUNDING:
        yield f"has {cpus:g} CPU{'s' * (cpus != 1)} on a node, not {want.cpus * processes:g}"
    memory = max(math.inf if node.memory is None else node.memory for node in queue.nodes)
    if (want.memory or 0) * processes > memory:
        asked, there = sizes((want.memory or 0) * processes, int(memory))
        yield f"has {there} of memory on a node, not {asked}"


def _too_few(want: JobWant, queue: Queue) -> str:
    count = sum(_count(node) for node in queue.nodes)
    if want.nodes > count:
        return f"has {count:g} nodes, not {want.nodes}"
    asked = [f"{want.cpus:g} CPUs"]
    asked += [sizes(want.memory, 0)[0]] if want.memory else []
    asked += [f"{want.gpus} GPUs{_of(want.gpu_type)}"] if want.gpus else []
    which = "a node" if want.nodes == 1 else f"{want.nodes} nodes"
    return f"has not {which} with room for {want.tasks} x {', '.join(asked)}"


def _holds(want: JobWant, queue: Queue, room: Room) -> bool:
    """Whether the nodes together hold all processes: the largest ones come first."""
    exact = room.exact_types
    if room.pool:
        groups, of = (want.tasks, 1) if want.each else (want.nodes, -(-want.tasks // want.nodes))
        held_by = ((_processes(node, want, exact, of), _count(node)) for node in queue.nodes)
        return sum(most * count for most, count in held_by if most and count) >= groups
    left, held = want.nodes, 0.0
    for most, count in sorted(((_processes(n, want, exact), _count(n)) for n in queue.nodes), reverse=True):
        taken = min(left, count)
        if most >= 1 and taken:
            held += most * taken
            left -= int(taken)
    return not left and held >= want.tasks


def _processes(node: Nodes, want: JobWant, exact: bool, together: int = 0) -> float:
    """How many processes a node holds; with ``together`` how many groups of so many, each looked after by itself."""
    times = together or 1
    most = [math.inf]
    if node.cpus is not None:
        most.append((node.cpus + _ROUNDING) // (want.cpus * times))
    if node.memory is not None and want.memory:
        most.append(node.memory // (want.memory * times + (want.beside if together else 0)))
    if want.gpus and node.gpus is not None:
        most.append(_gpus(node, want.gpu_type, exact) // (want.gpus * times))
    return min(most)


def _gpus(node: Nodes, kind: str | None, exact: bool = False) -> float:
    """How many GPUs of a type a node has; drivers call an A100 all sorts of names that have ``a100`` in them."""
    if node.gpus is None:
        return math.inf
    suits = (lambda name: name == kind) if exact else (lambda name: str(kind).lower() in name.lower())
    return sum(number for name, number in node.gpus.items() if kind is None or suits(name))


def _count(node: Nodes) -> float:
    return math.inf if node.count is None else node.count


def _of(kind: str | None) -> str:
    return f" of type {kind}" if kind else ""


def _span(seconds: float) -> str:
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * length or (seconds >= length and not seconds % length):
            return f"{seconds / length:.3g} {unit}"
    return f"{seconds:g} s"
