"""How many nodes are made of a template, and how those of two templates are related (TOSCA 2.0 chapter 14).

The engine makes the instances of machines, and of the software on them, one beside the other: software on a
machine is there once on each of its instances, and any other relation joins all instances of both ends.
What a template wants beyond that is refused.
"""

from __future__ import annotations

from isthmus.topology import NodeKind, Scaling
from isthmus.tosca.diagnostics import Problems
from isthmus.tosca.expressions.functions import Functions
from isthmus.tosca.expressions.syntax import call_of
from isthmus.tosca.expressions.values import is_later
from isthmus.tosca.reading.documents import Map, Node, Scalar, Seq, walk
from isthmus.tosca.resolving.scaling import MAX_INSTANCES, scaling_of
from isthmus.tosca.resolving.templates import NodeTemplate, Relation, Scope
from isthmus.tosca.typesystem.schemas import Schema

_INTEGER = Schema("integer", "integer")


def read_count(written: Node | None, scope: Scope, functions: Functions) -> int:
    """A `count`: a number from 0 that is known now; 1 where nothing, or nothing that makes sense, is written."""
    if written is None:
        return 1
    value = functions.converter.convert(written, _INTEGER, scope)
    if value is None or (is_later(value) and functions.problems.failed):
        return 1
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= MAX_INSTANCES:
        summary = f"a count must be a number from 0 to {MAX_INSTANCES:,} that is known now"
        functions.problems.error("value-type", summary, written)
        return 1
    return value


def read_counts(functions: Functions) -> None:
    """Work out how many nodes each template stands for; to be asked when all templates are read."""
    for node in functions.nodes.values():
        written = node.node.entries.get("count")
        if any((call := call_of(n)) is not None and call.name == "node_index" for n in walk(written)):
            functions.problems.error(
                "function-arguments", "$node_index: there are no nodes before their count", written
            )
            continue
        node.count = read_count(written, Scope(node=node), functions)


def scaling(template: NodeTemplate, problems: Problems) -> Scaling:
    """The bounds of a machine: exactly its `count` where there is one, else what its capability says."""
    if template.node.get("count") is None:
        return scaling_of(template, problems)
    return Scaling(template.count, template.count, template.count)


def index_of(written: Node | None) -> Node | None:
    """The second entry of `[ NODE, INDEX ]`, which picks one instance of the target (TOSCA 2.0 §8.5.1)."""
    return written.items[1] if isinstance(written, Seq) and len(written.items) == 2 else None


def is_own_index(index: Node | None) -> bool:
    """Whether an index is `$node_index`: that of the node which requires."""
    if isinstance(index, Map):
        return list(index.entries) == ["$node_index"]
    return isinstance(index, Scalar) and index.text == "$node_index"


def check_instances(nodes: list[NodeTemplate], problems: Problems) -> None:
    """Refuse what the engine cannot make; to be asked when all requirements are bound."""
    for node in nodes:
        if node.count != 1 and node.kind in (NodeKind.VOLUME, NodeKind.NETWORK):
            summary = f"{node.name!r} is to be made {node.count} times, and a {node.kind.value} is made once"
            problems.refuse("unsupported", summary, node.at)
        for relation in node.relations:
            if node.count != 1 or relation.target.count != 1:
                _check_pair(relation, problems)


def _check_pair(relation: Relation, problems: Problems) -> None:
    source, target = relation.source, relation.target
    if relation is source.host:
        if source.count != target.count and NodeKind.ABSTRACT not in (source.kind, target.kind):
            problems.refuse(
                "unsupported",
                f"{source.count} of {source.name!r} are to be on {target.count} of {target.name!r}; "
                "there is always one on each",
                relation.at,
                suggestion=f"give {source.name!r} the count of {target.name!r}",
            )
    elif relation.count < target.count:
        problems.refuse(
            "unsupported",
            f"{source.name!r} is to be related to {relation.count} of the {target.count} nodes of {target.name!r}; "
            "it is always related to all of them",
            relation.at,
        )
