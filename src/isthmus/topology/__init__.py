"""The frozen values that everything else shares: what a template means once inputs are given.

`tosca` makes a :class:`Topology`; placement, plan and the engine read it. Nothing here does I/O,
and nothing here knows a site. A value inside a node is plain JSON (``None``, ``bool``, ``int``,
``float``, ``str``, ``list``, ``dict``) or, where only the running deployment knows the answer, one
of :class:`Reference`, :class:`Secret` and :class:`Call`. :func:`evaluate` turns such a value into
plain JSON, given something that answers references.
"""

from isthmus.topology.graph import Topology
from isthmus.topology.nodes import (
    Artifact,
    ArtifactKind,
    Node,
    NodeKind,
    Operation,
    Output,
    Position,
    Requirement,
    Scaling,
    Stage,
)
from isthmus.topology.offers import MachineWant, Offer
from isthmus.topology.procedures import (
    Activity,
    ActivityKind,
    Group,
    Parameter,
    Policy,
    Precondition,
    Step,
    Trigger,
    Workflow,
)
from isthmus.topology.quantities import quantity
from isthmus.topology.substitution import Mapped, Substitution
from isthmus.topology.values import (
    NODE_INDEX,
    Call,
    Lookup,
    Reference,
    Secret,
    Unknown,
    Value,
    describe,
    digest,
    evaluate,
    follow,
    references,
)

__all__ = [
    "NODE_INDEX",
    "Activity",
    "ActivityKind",
    "Artifact",
    "ArtifactKind",
    "Call",
    "Group",
    "Lookup",
    "MachineWant",
    "Mapped",
    "Node",
    "NodeKind",
    "Offer",
    "Operation",
    "Output",
    "Parameter",
    "Policy",
    "Position",
    "Precondition",
    "Reference",
    "Requirement",
    "Scaling",
    "Secret",
    "Stage",
    "Step",
    "Substitution",
    "Topology",
    "Trigger",
    "Unknown",
    "Value",
    "Workflow",
    "describe",
    "digest",
    "evaluate",
    "follow",
    "quantity",
    "references",
]
