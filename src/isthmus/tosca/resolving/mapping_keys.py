"""How substitution mappings are written: keys that are lists, and names of what is mapped to (TOSCA 2.0 §15.2)."""

from __future__ import annotations

from isthmus.tosca.reading.documents import Map, Node, Scalar, Seq


def parse_key(text: str) -> tuple[str, ...]:
    """The parts of a key such as `[ CAPABILITY, endpoint, port ]`; a plain name is one part."""
    if text.startswith("[") and text.endswith("]"):
        return tuple(p.strip() for p in text[1:-1].split(","))
    return (text,)


def names_of(node: Node | None) -> list[str] | None:
    """A name, or a list of names; None for anything else."""
    items = node.items if isinstance(node, Seq) else [node]
    names = [i.text for i in items if isinstance(i, Scalar) and i.text]
    return names if names and len(names) == len(items) else None


def mapping_of(node: Node) -> Node | None:
    """What is mapped, which TOSCA 1.2 and 1.3 allow under `mapping` too."""
    return node.get("mapping") if isinstance(node, Map) else node
