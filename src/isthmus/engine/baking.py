"""Which installations can be kept as an image, and the key under which."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from isthmus.engine.scope import Scope, is_independent, run_with
from isthmus.engine.state import Desired, Done, Key, Observed, OperationKey
from isthmus.topology import Node, Operation, Topology, digest


def installations(topology: Topology) -> Iterator[tuple[str, Node, Operation]]:
    """What is installed on each machine node and depends on no other node, in the template's order."""
    for node in topology.nodes.values():
        for operation in node.operations:
            if is_independent(operation) and (host := topology.host_of(operation.on)):
                yield host.name, node, operation


def bake_keys(topology: Topology, base_images: Mapping[str, str], owner: str) -> dict[str, str]:
    """The image key of each machine node that installs something.

    Made from the base image, the operations and their inputs: a changed playbook or input misses. Owners do
    not share images: whoever can log in while a machine installs could leave something for the next one.
    """
    keys = {}
    for machine, runs in installed(topology).items():
        if machine in base_images:
            digests = [done.digest for done in runs.values()]
            keys[machine] = digest({"owner": owner, "base": base_images[machine], "runs": digests})[:32]
    return keys


def installed(topology: Topology) -> dict[str, dict[OperationKey, Done]]:
    """What a machine that starts from its baked image has already run, by machine node."""
    desired, runs = Desired(topology, {}), dict[str, dict[OperationKey, Done]]()
    for machine, node, operation in installations(topology):
        done = run_with(operation, Scope(desired, Observed(), Key(machine)))
        runs.setdefault(machine, {})[node.name, operation.name] = done
    return runs
