"""Requirements of a node type."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from isthmus.tosca.grammar import check_keys
from isthmus.tosca.reading.documents import Map, Node, Scalar
from isthmus.tosca.typesystem.capabilities import bounds_of

if TYPE_CHECKING:
    from isthmus.tosca.reading.imports import Document
    from isthmus.tosca.typesystem.typedefs import TypeDef
    from isthmus.tosca.typesystem.types import Types


@dataclass(frozen=True, slots=True, eq=False)
class RequirementDef:
    """A requirement of a node type (TOSCA 1.3 §3.7.3, TOSCA 2.0 §8.4); types are None where any will do.

    ``interfaces`` and ``properties`` refine those of the relationship's type; ``most`` is None for any number;
    ``filters`` are the node filters of the type and of its ancestors.
    """

    name: str
    capability: Scalar | None
    node: TypeDef | None
    relationship: TypeDef | None
    interfaces: Map | None
    least: int
    document: Document
    at: Node
    most: int | None = None
    properties: Map | None = None
    filters: tuple[Node, ...] = ()


def parse_requirement(
    name: str, node: Node, types: Types, document: Document, inherited: RequirementDef | None
) -> RequirementDef:
    """A requirement definition, short (a capability type) or long, over what the parent type declares."""
    body = node if isinstance(node, Map) else None
    capability = body.get("capability") if body is not None else node
    spoken = body.get("relationship") if body is not None else None
    definition = spoken if isinstance(spoken, Map) else None
    if body is not None:
        check_keys(body, "requirement_definition", types.problems)
    if definition is not None:
        check_keys(definition, "relationship_definition", types.problems)
    if body is not None and document.version == 2 and inherited is None:
        for key, there in (("capability", capability), ("relationship", spoken)):
            if there is None:
                types.problems.error("key-missing", f"the requirement {name!r} has no {key!r}", node)
    relationship = definition.get("type") if definition is not None else spoken
    target = body.get("node") if body is not None else None
    filter_ = body.get("node_filter") if body is not None else None
    old = inherited
    key, default = ("occurrences", (1, 1)) if document.version == 1 else ("count_range", (0, None))
    least, most = bounds_of(body, key, (old.least, old.most) if old else default, types)
    found = RequirementDef(
        name,
        capability if isinstance(capability, Scalar) else old.capability if old else None,
        types.resolve("node", target, document) if target is not None else old.node if old else None,
        types.resolve("relationship", relationship, document)
        if relationship is not None
        else (old.relationship if old else None),
        _map(definition, "interfaces") or (old.interfaces if old else None),
        least,
        document,
        node,
        most,
        _map(definition, "properties") or (old.properties if old else None),
        ((*old.filters, filter_) if old else (filter_,)) if filter_ is not None else old.filters if old else (),
    )
    if document.version == 2 and old is not None:
        _check_requirement(old, found, types)
    return found


def _map(node: Map | None, key: str) -> Map | None:
    found = node.get(key) if node is not None else None
    return found if isinstance(found, Map) else None


def _check_requirement(old: RequirementDef, new: RequirementDef, types: Types) -> None:
    """A refinement narrows what the parent's definition asks for (TOSCA 2.0 §8.4.1)."""
    for what, before, after in (
        ("node", old.node, new.node),
        ("relationship", old.relationship, new.relationship),
    ):
        if before is not None and after is not None and not after.derives_from(before):
            summary = f"the {what} of {new.name!r} is a {before.name}, and cannot become a {after.name}"
            types.problems.error("refinement", summary, new.at)
    high = old.most is None or (new.most is not None and new.most <= old.most)
    if new.least < old.least or not high:
        types.problems.error("refinement", f"the count_range of {new.name!r} leaves that of its parent", new.at)
