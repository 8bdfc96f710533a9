"""Nodes of a document written on one line: for messages, and for keys of maps that are calls."""

from __future__ import annotations

import json
from itertools import islice

from isthmus.tosca.reading.documents import Map, Node, Scalar, Seq

MAX_KEY = 100
"""Nodes of a call that stands as a key."""


def written(node: Node, limit: int = 120) -> str:
    """A node as YAML on one line, cut where it is long."""
    text = _flow(node, limit)
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def call_text(key: Node) -> str | None:
    """A map that calls a function as a text on one line, `$name: [ … ]`; None for any other node, and a long one."""
    if not isinstance(key, Map) or len(key.entries) != 1 or key.size > MAX_KEY:
        return None
    ((name, argument),) = key.entries.items()
    text = f"{name}: {_flow(argument, 10 * MAX_KEY)}"
    return text if name.startswith("$") and isinstance(argument, Seq) and "…" not in text else None


def _flow(node: Node, room: int) -> str:
    match node:
        case Scalar() if node.plain:
            return node.text
        case Scalar():
            return json.dumps(node.text[:room], ensure_ascii=False)
        case Map():
            inner = (f"{k}: {_flow(v, room - len(k))}" for k, v in islice(node.entries.items(), room))
            return f"{{ {', '.join(inner)} }}" if room > 0 else "…"
        case Seq():
            return f"[ {', '.join(_flow(i, room - 4) for i in node.items[:room])} ]" if room > 0 else "…"
        case _:
            return ""
