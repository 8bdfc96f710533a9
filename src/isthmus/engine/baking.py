"""Which installations can be kept as an image, and the key under which."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from isthmus.engine.scope import Scope, is_independent, run_with
from isthmus.engine.state import Desired, Done, Key, Observed
from isthmus.topology import Node, NodeKind, Operation, Topology, digest


def installations(topology: Topology, machine: str) -> Iterator[tuple[Node, Operation]]:
    """What is installed on a machine node and depends on no other node, in the template's order."""
    for node in topology.nodes.values():
        for operation in node.operations:
            if is_independent(operation) and (host := topology.host_of(operation.on)) and host.name == machine:
                yield node, operation


def bake_keys(topology: Topology, base_images: Mapping[str, str], owner: str) -> dict[str, str]:
    """The image key of each machine node that installs something.

    Made from the base image, the operations and their inputs: a changed playbook or input misses. Owners do
    not share images: whoever can log in while a machine installs could leave something for the next one.
    """
    keys = {}
    for machine in topology.of_kind(NodeKind.MACHINE):
        runs = installed(topology, machine.name)
        if runs and machine.name in base_images:
            made_from = {
                "owner": owner,
                "base": base_images[machine.name],
                "runs": [done.digest for done in runs.values()],
            }
            keys[machine.name] = digest(made_from)[:32]
    return keys


def installed(topology: Topology, machine: str) -> dict[tuple[str, str], Done]:
    """What a machine that starts from its baked image has already run."""
    scope = Scope(Desired(topology, {}), Observed(), Key(machine))
    return {(n.name, o.name): run_with(o, scope) for n, o in installations(topology, machine)}
