"""Jobs of topologies: what the template asks of one, and who runs it.

A job node is made real by a job: the plan has it created when all that it requires is up, and the action ends
when the job does. Whoever comes after a crash finds the job by its key and goes on waiting.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from isthmus.topology import Node, NodeKind, Reference, Topology, digest, references

SITE = "batch"
"""The requirement of a job that names its batch system."""


@dataclass(frozen=True, slots=True)
class JobOrder:
    """A job to be run for a deployment: its owner, a key that is its own, and what its node asks, evaluated.

    ``site`` is the site that its template names, or None; ``secrets`` are values that must not be shown;
    ``files`` are the files of the template that are among its inputs, by their SHA-256.
    """

    owner: str
    vo: str
    key: str
    name: str
    site: str | None
    properties: Mapping[str, Any]
    secrets: frozenset[str]
    files: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class JobEnd:
    """How a job stands: whether it has ended, and well; its exit code and the words for its end."""

    ended: bool
    succeeded: bool
    exit_code: int | None
    words: str


class JobDesk(Protocol):
    """Runs the jobs of deployments. Its errors are those of sites."""

    async def submit(self, order: JobOrder) -> str:
        """Make the job of a key, or find it; its id."""

    async def wait(self, order: JobOrder, job: str, seconds: float) -> JobEnd:
        """How a job stands once it has ended, or after a while."""

    async def remove(self, owner: str, vo: str, job: str) -> None:
        """End a job if need be, and forget it; no such job: nothing."""


def job_spec(topology: Topology, node: Node) -> dict[str, Any]:
    """What a job is made from, as its template asks, the contents of its files included: changing it runs it anew.

    What once had a default counts as if it had it still, so that no job runs anew because Isthmus was upgraded.
    """
    return {"digest": digest({"gpus": 0, "retry": 0, **node.properties}), "on": batch_system(topology, node)}


def job_files(properties: Mapping[str, Any], files: Mapping[str, bytes]) -> dict[str, bytes]:
    """The files of the template's bundle that a job has as inputs, by their SHA-256."""
    return {item["digest"]: files[item["from"]] for item in properties.get("inputs") or () if "digest" in item}


def jobs_in_order(topology: Topology) -> list[Node]:
    """The job nodes, each after those that it follows; the template's order otherwise, and in a circle."""
    ordered: dict[str, Node] = {}
    open_: list[tuple[Node, bool]] = [(node, False) for node in reversed(list(topology.of_kind(NodeKind.JOB)))]
    begun: set[str] = set()
    while open_:
        node, ready = open_.pop()
        if ready:
            ordered.setdefault(node.name, node)
        elif node.name not in begun:
            begun.add(node.name)
            followed = [topology.nodes[name] for name in leads_to(node)]
            open_ += [(node, True), *((other, False) for other in followed if other.kind is NodeKind.JOB)]
    return list(ordered.values())


def leads_to(node: Node) -> list[str]:
    """The nodes that must be up before a job runs: those that it requires, and those that its properties ask."""
    asked = [what.node for what in references(node.properties) if isinstance(what, Reference)]
    return list(dict.fromkeys([*(r.target for r in node.requirements), *asked]))


def batch_system(topology: Topology, node: Node) -> str | None:
    """The node of the batch system that a job requires; None when any site will do."""
    named = (r.target for r in node.requirements if r.name == SITE)
    return next((name for name in named if topology.nodes[name].kind is NodeKind.SOFTWARE), None)
