"""Groups, policies and workflows of a topology: told, and not run by the engine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from isthmus.topology.values import Value


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
