"""The frozen values that everything else shares: what a template means once inputs are given.

`tosca` makes a :class:`Topology`; placement, plan and the engine read it. Nothing here does I/O,
and nothing here knows a site. A value inside a node is plain JSON (``None``, ``bool``, ``int``,
``float``, ``str``, ``list``, ``dict``) or, where only the running deployment knows the answer, one
of :class:`Reference`, :class:`Secret` and :class:`Call`. :func:`evaluate` turns such a value into
plain JSON, given something that answers references.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from isthmus import calls

NODE_INDEX = "$node_index"
"""The name under which a :class:`Reference` asks for the index of an instance itself (TOSCA 2.0 §14.2)."""

Value = Any
"""Plain JSON with :class:`Reference`, :class:`Secret` or :class:`Call` anywhere inside."""


class NodeKind(StrEnum):
    """What a node is to the engine, derived from its type's ancestors."""

    MACHINE = "machine"
    NETWORK = "network"
    VOLUME = "volume"
    SOFTWARE = "software"
    ABSTRACT = "abstract"
    """Takes part in the graph (a port, a policy target) but nothing is made for it."""


@dataclass(frozen=True, slots=True)
class Reference:
    """An attribute or operation output of another node (TOSCA 1.3 §4.5, §4.6).

    ``own`` is true when the template said SELF, HOST, SOURCE or TARGET: then the value is that of
    the instance in whose scope it is asked. Otherwise a node that may have several instances
    answers with the list of all their values, in order of their index.
    """

    node: str
    name: str
    path: tuple[str | int, ...] = ()
    own: bool = False
    operation: str | None = None
    """``Interface.operation`` when this is an operation's output, None for an attribute."""


@dataclass(frozen=True, slots=True)
class Secret:
    """A secret of the deployment, passed by name; made at random when nobody gave it a value."""

    name: str


@dataclass(frozen=True, slots=True)
class Call:
    """A function of values that are known later: one of :data:`isthmus.calls.FUNCTIONS`."""

    function: str
    args: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class Position:
    """Where something stands in a template: file, line and column, both from 1."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


class ArtifactKind(StrEnum):
    ANSIBLE = "ansible"
    SCRIPT = "script"


@dataclass(frozen=True, slots=True)
class Artifact:
    """A file of the template's own bundle; ``digest`` is the SHA-256 of its content, in hex."""

    path: str
    digest: str
    kind: ArtifactKind


class Stage(StrEnum):
    """When an operation runs. What is installed in CREATE may be baked into an image."""

    CREATE = "create"
    CONFIGURE = "configure"
    START = "start"
    STOP = "stop"
    DELETE = "delete"


@dataclass(frozen=True, slots=True)
class Operation:
    """One interface operation (TOSCA 1.3 §3.6.17) with what it needs to run.

    ``name`` is unique in its node: ``Standard.configure``, or for an operation of a relationship
    ``Configure.post_configure_source/REQUIREMENT`` (TOSCA 1.3 §5.8.4). It runs on the machines that
    host the node ``on``: the node itself, or the source or target of the relationship.
    """

    name: str
    stage: Stage
    implementation: Artifact
    on: str
    dependencies: tuple[Artifact, ...] = ()
    inputs: Mapping[str, Value] = field(default_factory=dict)
    timeout: float | None = None
    """Seconds, or None for the engine's default."""


@dataclass(frozen=True, slots=True)
class Requirement:
    """An edge of the graph: this node needs ``target`` through ``relationship``.

    ``capability`` is the name of the target's capability that is met, where the template asks for one.
    """

    name: str
    target: str
    relationship: str
    properties: Mapping[str, Value] = field(default_factory=dict)
    capability: str = ""


@dataclass(frozen=True, slots=True)
class Scaling:
    """How many instances a machine has: the least, the most, and the count at first."""

    minimum: int = 1
    maximum: int = 1
    default: int = 1


@dataclass(frozen=True, slots=True)
class Node:
    """One vertex of a topology.

    ``ancestors`` begins with the node's own type and ends with the root. ``operations`` stand in the
    order in which they run on the way up, followed by those of the way down (``stop``, ``delete``).
    ``scaling`` is None for a node that can never have more than one instance of its own.
    """

    name: str
    type: str
    kind: NodeKind
    ancestors: tuple[str, ...] = ()
    properties: Mapping[str, Value] = field(default_factory=dict)
    attributes: Mapping[str, Value] = field(default_factory=dict)
    capabilities: Mapping[str, Mapping[str, Value]] = field(default_factory=dict)
    requirements: tuple[Requirement, ...] = ()
    operations: tuple[Operation, ...] = ()
    scaling: Scaling | None = None
    description: str = ""
    directives: tuple[str, ...] = ()
    """Where the node comes from, in the order in which it is tried (TOSCA 2.0 §7.2.1); made here by default."""
    count: int = 1
    """How many nodes the template stands for (TOSCA 2.0 §14.1); for a machine ``scaling`` says the same."""

    def staged(self, *stages: Stage) -> tuple[Operation, ...]:
        """The operations of those stages, in the order in which they run."""
        return tuple(o for o in self.operations if o.stage in stages)


@dataclass(frozen=True, slots=True)
class Output:
    """What a deployment tells its user: a value that may refer to attributes."""

    value: Value
    description: str = ""


# ---------------------------------------------------------------------------------------------
# groups, policies, workflows: told, and not run by the engine


@dataclass(frozen=True, slots=True)
class Group:
    """Nodes that belong together (TOSCA 1.3 §3.8.5, TOSCA 2.0 §16.2); ``members`` are nodes or other groups."""

    name: str
    type: str
    members: tuple[str, ...] = ()
    properties: Mapping[str, Value] = field(default_factory=dict)
    attributes: Mapping[str, Value] = field(default_factory=dict)
    description: str = ""


class ActivityKind(StrEnum):
    DELEGATE = "delegate"
    SET_STATE = "set_state"
    CALL_OPERATION = "call_operation"
    INLINE = "inline"


@dataclass(frozen=True, slots=True)
class Activity:
    """One thing that a step or a trigger does (TOSCA 1.3 §3.6.23, TOSCA 2.0 §13.2.3).

    ``name`` is the state to be set, the workflow, or ``Interface.operation``. A trigger of TOSCA 1.0 to 1.2
    may define an operation of its own; then ``implementation`` is what it names.
    """

    kind: ActivityKind
    name: str
    inputs: Mapping[str, Value] = field(default_factory=dict)
    implementation: str = ""


@dataclass(frozen=True, slots=True)
class Trigger:
    """When a policy acts, and what it does then (TOSCA 1.3 §3.6.22, TOSCA 2.0 §16.5).

    ``condition`` is a value that must come out true; TOSCA 1.0 to 1.2 allow free text too. ``period`` is in
    seconds; it, ``evaluations`` and ``method`` tell how a condition of TOSCA 1.x is measured. ``target`` holds
    the `node`, `requirement` and `capability` whose events count.
    """

    name: str
    event: str
    action: tuple[Activity, ...] = ()
    condition: Value = None
    period: float | None = None
    evaluations: int | None = None
    method: str = ""
    target: Mapping[str, str] = field(default_factory=dict)
    schedule: Mapping[str, Value] = field(default_factory=dict)
    description: str = ""


@dataclass(frozen=True, slots=True)
class Policy:
    """A rule for nodes and groups (TOSCA 1.3 §3.8.6, TOSCA 2.0 §16.4); ``triggers`` are those of its type too."""

    name: str
    type: str
    targets: tuple[str, ...] = ()
    properties: Mapping[str, Value] = field(default_factory=dict)
    triggers: Mapping[str, Trigger] = field(default_factory=dict)
    description: str = ""


@dataclass(frozen=True, slots=True)
class Parameter:
    """An input that a workflow declares (TOSCA 1.3 §3.6.14, TOSCA 2.0 §9.8)."""

    type: str
    required: bool = True
    default: Value = None
    description: str = ""


@dataclass(frozen=True, slots=True)
class Precondition:
    """What must hold before a workflow runs (TOSCA 1.3 §3.6.26, TOSCA 2.0 §13.2.1); TOSCA 2.0 names no target."""

    condition: Value
    target: str = ""
    relationship: str = ""


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a workflow (TOSCA 1.3 §3.6.27, TOSCA 2.0 §13.2.2).

    ``target`` is a node or a group, ``relationship`` a requirement of that node. ``filter`` is a value that
    must come out true for an instance to take part, None without one.
    """

    name: str
    target: str
    activities: tuple[Activity, ...] = ()
    relationship: str = ""
    filter: Value = None
    on_success: tuple[str, ...] = ()
    on_failure: tuple[str, ...] = ()
    operation_host: str = ""


@dataclass(frozen=True, slots=True)
class Workflow:
    """An imperative workflow (TOSCA 1.3 §3.8.7, TOSCA 2.0 §13.2).

    In values inside it, ``Call("get_input", (NAME, …))`` is an input of the workflow itself. ``outputs``
    are paths of attributes; ``implementation`` is the file of a workflow in another language.
    """

    name: str
    steps: Mapping[str, Step] = field(default_factory=dict)
    inputs: Mapping[str, Parameter] = field(default_factory=dict)
    preconditions: tuple[Precondition, ...] = ()
    outputs: Mapping[str, tuple[str | int, ...]] = field(default_factory=dict)
    implementation: str = ""
    description: str = ""


@dataclass(frozen=True, slots=True)
class Mapped:
    """One entry of a substitution mapping (TOSCA 2.0 chapter 15).

    ``name`` is what the replaced node has: a name, or a path that begins with CAPABILITY or RELATIONSHIP.
    ``target`` is what stands for it: an input, an output or a workflow, or a node and what it has. Of a
    requirement ``count`` go there, None for all that are left.
    """

    name: tuple[str, ...]
    target: tuple[str, ...]
    count: int | None = 1


@dataclass(frozen=True, slots=True)
class Substitution:
    """The type of node that a template may replace, and what stands for what then.

    ``filter`` is the condition that a node must pass, as written.
    """

    node_type: str
    properties: tuple[Mapped, ...] = ()
    attributes: tuple[Mapped, ...] = ()
    capabilities: tuple[Mapped, ...] = ()
    requirements: tuple[Mapped, ...] = ()
    interfaces: tuple[Mapped, ...] = ()
    filter: Any = None


@dataclass(frozen=True, slots=True)
class Topology:
    """What a template means once inputs are given: nodes by name, in the template's order."""

    nodes: Mapping[str, Node]
    outputs: Mapping[str, Output] = field(default_factory=dict)
    description: str = ""
    metadata: Mapping[str, Value] = field(default_factory=dict)
    groups: Mapping[str, Group] = field(default_factory=dict)
    policies: Mapping[str, Policy] = field(default_factory=dict)
    workflows: Mapping[str, Workflow] = field(default_factory=dict)
    substitution: Substitution | None = None

    def host_of(self, name: str) -> Node | None:
        """The machine under a node, through any number of ``host`` requirements; itself if one."""
        node = self.nodes[name]
        while node.kind is not NodeKind.MACHINE:
            target = next((r.target for r in node.requirements if r.name == "host"), None)
            if target is None:
                return None
            node = self.nodes[target]
        return node

    def of_kind(self, kind: NodeKind) -> Iterator[Node]:
        """The nodes of one kind, in the template's order."""
        return (n for n in self.nodes.values() if n.kind is kind)


# ---------------------------------------------------------------------------------------------
# what nodes ask, and what sites offer


@dataclass(frozen=True, slots=True)
class MachineWant:
    """What a template asks of a machine. ``None`` means that it does not care.

    ``memory`` and ``disk`` are bytes. ``image`` is what the template wrote (a name, or a URL whose
    meaning the driver knows); ``os`` holds the properties of the ``os`` capability.
    """

    cpus: float | None = None
    memory: int | None = None
    disk: int | None = None
    flavour: str | None = None
    image: str | None = None
    os: Mapping[str, str] = field(default_factory=dict)
    gpus: int = 0


@dataclass(frozen=True, slots=True)
class Offer:
    """What a site would give for a node, or why it would not.

    ``price`` is per hour in ``currency``; ``quota_left`` is how many more of these would fit, None
    when the site does not say.
    """

    site: str
    flavour: str
    image: str
    cpus: float
    memory: int
    disk: int | None = None
    price: float = 0.0
    currency: str = "EUR"
    quota_left: int | None = None
    refusal: str | None = None


# ---------------------------------------------------------------------------------------------
# values


class Unknown(Exception):
    """A reference has no answer yet: what it points at does not exist or has not run, or ``why``."""

    def __init__(self, what: Reference | Secret, why: str = ""):
        super().__init__(f"{describe(what)}: {why}" if why else describe(what))
        self.what = what


Lookup = Callable[[Reference | Secret], Any]
"""Answers a reference with plain JSON, or raises :class:`Unknown`."""


def evaluate(value: Value, lookup: Lookup) -> Any:
    """The plain JSON that a value stands for; raises :class:`Unknown` when it is too early."""
    match value:
        case Reference() | Secret():
            return lookup(value)
        case Call(_, args):
            return _finish(value, [evaluate(a, lookup) for a in args])
        case Mapping():
            return {k: evaluate(v, lookup) for k, v in value.items()}
        case list() | tuple():
            return [evaluate(v, lookup) for v in value]
        case _:
            return value


def _finish(made: Call, args: Sequence[Any]) -> Any:
    """A call whose arguments are known by now; one that makes no sense of them waits for others."""
    try:
        return calls.call(made.function, args)
    except calls.CallError as e:
        asked = next(references(made), None)
        if asked is None:
            raise
        raise Unknown(asked, str(e)) from e


def references(value: Value) -> Iterator[Reference | Secret]:
    """Every reference inside a value, in order."""
    match value:
        case Reference() | Secret():
            yield value
        case Call(_, args):
            for a in args:
                yield from references(a)
        case Mapping():
            for v in value.values():
                yield from references(v)
        case list() | tuple():
            for v in value:
                yield from references(v)


def follow(value: Any, path: Sequence[str | int]) -> Any:
    """The part of ``value`` under ``path``.

    An index into something that is not a list answers the thing itself when it is 0: catalogues
    written for the Infrastructure Manager index the addresses of single machines too.
    """
    for step in path:
        if isinstance(value, Mapping):
            value = value.get(step)
        elif isinstance(value, list) and isinstance(step, int | str) and str(step).isdecimal():
            value = value[int(step)] if int(step) < len(value) else None
        elif str(step) != "0":
            return None
    return value


_UNITS = {
    "b": 1, "kb": 10**3, "kib": 2**10, "mb": 10**6, "mib": 2**20, "gb": 10**9, "gib": 2**30, "tb": 10**12,
    "tib": 2**40, "d": 86400, "h": 3600, "m": 60, "s": 1, "ms": 1e-3, "us": 1e-6, "ns": 1e-9,
    "hz": 1, "khz": 1e3, "mhz": 1e6, "ghz": 1e9,
}  # fmt: skip
_QUANTITY = re.compile(r"\s*([0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)\s*([A-Za-z]+)\s*")


def quantity(value: Any) -> float:
    """A scalar-unit (TOSCA 1.3 §3.3.6) in bytes, seconds or hertz; a bare number is itself.

    Raises :class:`ValueError` for anything else. Units do not care for case.
    """
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value
    found = _QUANTITY.fullmatch(value) if isinstance(value, str) and len(value) < 64 else None
    if found is None or found[2].lower() not in _UNITS:
        raise ValueError(f"{value!r} is not a number with a unit such as '4 GiB' or '30 s'")
    return float(found[1]) * _UNITS[found[2].lower()]


def describe(what: Reference | Secret) -> str:
    """A reference as a person would say it: ``worker.private_address``."""
    if isinstance(what, Secret):
        return f"secret {what.name}"
    middle = f".{what.operation}" if what.operation else ""
    return ".".join([f"{what.node}{middle}", what.name, *map(str, what.path)])


def digest(value: Value) -> str:
    """A stable SHA-256 of a value, references included, in hex."""
    return hashlib.sha256(json.dumps(_canonical(value), sort_keys=True).encode()).hexdigest()


def _canonical(value: Value) -> Any:
    match value:
        case Reference():
            return {"$ref": [value.node, value.operation, value.name, list(value.path), value.own]}
        case Secret(name):
            return {"$secret": name}
        case Call(function, args):
            return {f"${function}": [_canonical(a) for a in args]}
        case Mapping():
            return {str(k): _canonical(v) for k, v in value.items()}
        case list() | tuple():
            return [_canonical(v) for v in value]
        case _:
            return value
