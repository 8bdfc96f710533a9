"""Changes: what an update or a scaling makes of a deployment's instances and offers. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from isthmus.engine.placing import machine_want
from isthmus.engine.state import first_instances, machine_spec
from isthmus.errors import Invalid, Unsupported
from isthmus.topology import Node, NodeKind, Stage, Topology, quantity


def rescale(indices: Sequence[int], count: int, remove: Sequence[int], created: Mapping[int, float]) -> list[int]:
    """The indices after scaling to ``count``: those in ``remove`` go, then the youngest; new ones follow the last.

    Indices are not used again while anything with a higher one is left.
    """
    kept = [i for i in sorted(indices) if i not in remove]
    while len(kept) > count:
        kept.remove(max(kept, key=lambda i: (created.get(i, float("inf")), i)))
    following = max([*indices, -1]) + 1
    return kept + list(range(following, following + count - len(kept)))


def carry_over(before: Topology, after: Topology, instances: Mapping[str, Sequence[int]]) -> dict[str, list[int]]:
    """The indices after an update: a count that a person set stays, unless the template's own changed."""
    carried = {}
    for name, first in first_instances(after).items():
        same = name in instances and name in before.nodes and before.nodes[name].scaling == after.nodes[name].scaling
        indices = list(instances.get(name, []))
        carried[name] = indices if same else rescale(indices, len(first), (), {})
    return carried


def drop_changed_offers(
    placement: Mapping[str, Any] | None, before: Topology, after: Topology
) -> Mapping[str, Any] | None:
    """A placement without the offers of machines that now ask for something else."""
    if placement is None:
        return None
    kept = {
        name: offer
        for name, offer in placement["offers"].items()
        if name in after.nodes
        and name in before.nodes
        and machine_spec(before, before.nodes[name]) == machine_spec(after, after.nodes[name])
    }
    return {**placement, "offers": kept}


def scalable(topology: Topology, name: str, count: int) -> Node:
    """The machine node that scaling ``name`` means; raises :class:`Invalid` when it cannot have ``count``."""
    if name not in topology.nodes:
        machines = ", ".join(n.name for n in topology.of_kind(NodeKind.MACHINE))
        raise Invalid(f"there is no node {name}", hint=f"Machines of this template: {machines}.")
    machine = topology.host_of(name)
    if machine is None or machine.scaling is None:
        raise Invalid(f"{name} is not a machine and does not run on one")
    least, most = machine.scaling.minimum, machine.scaling.maximum
    if not least <= count <= most:
        raise Invalid(f"{machine.name} can have {least} to {most} instances, not {count}")
    return machine


def refuse_odd_sizes(topology: Topology) -> None:
    """Refuse by name machines and volumes whose sizes are no numbers, or not known before they are made."""
    for node in topology.nodes.values():
        try:
            if node.kind is NodeKind.MACHINE:
                machine_want(machine_spec(topology, node))
            elif node.kind is NodeKind.VOLUME:
                quantity(node.properties.get("size") or 0)
        except (TypeError, ValueError) as error:
            raise Invalid(f"{node.name} asks for a size that is no number: {error}", code="size") from error


def refuse_removals(before: Topology, after: Topology) -> None:
    """Refuse by name an update that takes away software which would have to be stopped or deleted first."""
    lost = [
        node.name
        for name, node in before.nodes.items()
        if name not in after.nodes and node.staged(Stage.STOP, Stage.DELETE)
    ]
    if lost:
        raise Unsupported(
            f"this update takes away {', '.join(lost)}, whose stop and delete operations could not be run any more",
            hint="Keep it in the template, and scale the machines under it down instead; or delete the deployment.",
            code="removal",
        )
