"""Paths of the attributes into which outputs are stored (TOSCA 1.3 §3.6.15, TOSCA 2.0 §9.10)."""

from __future__ import annotations

from isthmus.tosca.diagnostics import Problems, near
from isthmus.tosca.leniency import complain
from isthmus.tosca.reading.documents import Map, Node, Scalar, Seq, scalar_value
from isthmus.tosca.typesystem.typedefs import TypeDef

Path = tuple[str | int, ...]


def path_of(node: Node | None, problems: Problems) -> Path:
    """The path that an output is mapped to, short or under `mapping`; empty when it has none."""
    written = node.get("mapping") if isinstance(node, Map) else node
    if written is None:
        return ()
    items = written.items if isinstance(written, Seq) else []
    values = [scalar_value(i) if isinstance(i, Scalar) else None for i in items]
    path = tuple(v for v in values if isinstance(v, str | int) and not isinstance(v, bool))
    if len(path) != len(items) or len(path) < 2:
        problems.error("shape", "an output is mapped to an attribute, such as [ SELF, address ]", written)
        return ()
    return path


def check_attribute(found: TypeDef, path: Path, at: Node, problems: Problems) -> None:
    """Report a path that leads to no attribute of a type, or of one of its capabilities.

    What it says of a requirement depends on the node at the other end, and is not looked into.
    """
    name = str(path[0])
    if name in found.attributes or name in found.properties:
        return
    capability = found.capabilities.get(name) if found.kind == "node" else None
    if capability is None:
        if found.kind == "node" and (name in found.requirements or name in ("CAPABILITY", "RELATIONSHIP")):
            return
        summary = f"{found.name} has no attribute {name!r}"
        complain("undeclared-names", "attribute-unknown", summary, at, problems, near(name, found.attributes))
    elif len(path) > 1 and str(path[1]) not in capability.attributes.keys() | capability.properties.keys():
        summary, nearby = (
            f"the capability {name!r} has no attribute {path[1]!r}",
            near(str(path[1]), capability.attributes),
        )
        complain("undeclared-names", "attribute-unknown", summary, at, problems, nearby)
