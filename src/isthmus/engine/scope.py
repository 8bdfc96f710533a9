"""What references mean inside a deployment: attributes and outputs of observed instances."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from isthmus.engine.state import Desired, Done, Key, Observed
from isthmus.topology import (
    NODE_INDEX,
    Node,
    NodeKind,
    Operation,
    Reference,
    Secret,
    Stage,
    Unknown,
    digest,
    evaluate,
    follow,
    references,
)

RAN = ("job", "exit_code")
"""The attributes of a job that are known when it has ended."""


@dataclass(frozen=True, slots=True)
class Scope:
    """Answers references for whoever stands on the machine instance ``here`` (None: nowhere).

    Without ``secrets``, a secret answers with a token that stands for it: digests and outputs need no
    more. ``secrets`` gives the real values when an operation runs.
    """

    desired: Desired
    observed: Observed
    here: Key | None = None
    secrets: Mapping[str, str] | None = None

    def __call__(self, what: Reference | Secret) -> Any:
        if isinstance(what, Secret):
            return self._secret(what.name)
        node = self.desired.topology.nodes[what.node]
        machine = self.desired.topology.host_of(what.node)
        if node.kind is NodeKind.JOB:
            return self._of_job(node, what)
        if machine is None:
            return self._declared(node, what)
        if self.here is not None and what.own and self.here.node == machine.name:
            return follow(self._value(node, self.here, what), what.path)
        keys = self.desired.keys_of(machine.name)
        if not may_be_many(machine):
            return follow(self._value(node, keys[0], what), what.path) if keys else None
        return follow([self._value(node, key, what) for key in keys], what.path)

    def _secret(self, name: str) -> Any:
        if self.secrets is not None:
            return self.secrets[name]
        mark = self.desired.marks.get(name)
        return {"$secret": name} if mark is None else {"$secret": name, "mark": mark}

    def _shown(self, output: Any) -> Any:
        """An operation's output; one that is a secret is kept by its name."""
        match output:
            case {"$secret": str(name)}:
                return self._secret(name)
            case _:
                return output

    def _value(self, node: Node, key: Key, what: Reference) -> Any:
        if what.name == NODE_INDEX and what.operation is None:
            return key.index
        resource = self.observed.running(key)
        if resource is None:
            raise Unknown(what)
        outputs = {k[1]: d.outputs for k, d in resource.done.items() if k[0] == node.name}
        if what.operation is not None:
            if what.operation not in outputs:
                raise Unknown(what)
            return self._shown(outputs[what.operation].get(what.name))
        if what.name in node.attributes and node.attributes[what.name] is not None:
            return evaluate(node.attributes[what.name], replace(self, here=key))
        for values in reversed(list(outputs.values())):
            if what.name in values:
                return self._shown(values[what.name])
        if (
            node.kind is NodeKind.SOFTWARE
            and _still_to_run(node, resource.done)
            and what.name not in resource.attributes
        ):
            raise Unknown(what)
        return resource.attributes.get(what.name)

    def _of_job(self, node: Node, what: Reference) -> Any:
        """The attribute of a job that has run to its end."""
        if what.name not in RAN:
            return self._declared(node, what)
        resource = self.observed.running(Key(node.name))
        if resource is None:
            raise Unknown(what)
        return resource.attributes.get(what.name)

    def _declared(self, node: Node, what: Reference) -> Any:
        """The attribute of a node that stands on no machine: what its template declares."""
        value = node.attributes.get(what.name, node.properties.get(what.name))
        return follow(evaluate(value, self), what.path)


def _still_to_run(node: Node, done: Mapping[tuple[str, str], Done]) -> bool:
    return any((node.name, o.name) not in done for o in node.staged(Stage.CREATE, Stage.CONFIGURE, Stage.START))


def may_be_many(machine: Node) -> bool:
    """Whether references to a machine from elsewhere answer with a list."""
    scaling = machine.scaling
    return scaling is not None and (scaling.maximum > 1 or scaling.default != 1)


def run_with(operation: Operation, scope: Scope) -> Done:
    """What the operation would run with now; raises :class:`Unknown` when it is too early to tell."""
    inputs = {name: digest(evaluate(value, scope)) for name, value in operation.inputs.items()}
    code = [operation.implementation.digest, *(a.digest for a in operation.dependencies)]
    return Done(digest({"code": code, "inputs": inputs}), inputs)


def is_independent(operation: Operation) -> bool:
    """Whether an operation installs what depends on no other node and no secret, and so can be baked."""
    return operation.stage is Stage.CREATE and not any(True for _ in operation_references(operation))


def operation_references(operation: Operation) -> Iterator[Reference | Secret]:
    """Every reference in an operation's inputs."""
    return references(operation.inputs)
