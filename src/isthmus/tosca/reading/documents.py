"""YAML documents as light trees of nodes that keep their place.

Scalars keep their text, since what `16.04` means is decided by the declared type, not by YAML.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from isthmus.topology import Position

_WIDTH = 140
COLUMNS = 24
"""Bits of a mark that are its column: a document may be one line."""
_COLUMN = 2**COLUMNS - 1
_BREAK = re.compile("\r\n|[\n\r\x85\u2028\u2029]")
"""What libyaml counts as the end of a line."""


def mark_at(line: int = 0, column: int = 0) -> int:
    """A place as one number, since a large document has a quarter of a million of them; both count from 0."""
    return line << COLUMNS | column


class Source:
    """One file of a bundle, as text with lines. ``version`` is 1 for TOSCA 1.0 to 1.3, and 2 for TOSCA 2.0."""

    __slots__ = ("_lines", "file", "text", "version")

    def __init__(self, file: str, text: str, version: int = 1) -> None:
        self.file = file
        self.text = text
        self.version = version
        self._lines: list[str] | None = None

    @property
    def lines(self) -> list[str]:
        if self._lines is None:
            self._lines = _BREAK.split(self.text)
        return self._lines

    def clamp(self, line: int, column: int) -> int:
        """The mark of a place inside the text: libyaml tells the end of a document as the line after it."""
        last = len(self.lines) - 1
        return mark_at(line, column) if line <= last else mark_at(last, len(self.lines[last]))

    def excerpt(self, line: int, column: int) -> str:
        """The line with a caret under the column; both count from 1. Long lines are cut around it."""
        if not 0 < line <= len(self.lines):
            return ""
        text = self.lines[line - 1].rstrip("\r")
        start = max(0, column - 1 - _WIDTH // 2) if len(text) > _WIDTH else 0
        shown = "".join(c if c.isprintable() else " " for c in text[start : start + _WIDTH])
        label = f"{line:>5} | "
        return f"{label}{shown}\n{' ' * (len(label) - 2)}| {' ' * (column - 1 - start)}^"


class Node:
    """Something in a document, with its place."""

    __slots__ = ("mark", "size", "source")

    def __init__(self, source: Source, mark: int) -> None:
        self.source = source
        self.mark = mark
        self.size = 1
        """Nodes in the tree below, itself included, every alias counted in full."""

    @property
    def position(self) -> Position:
        return Position(self.source.file, (self.mark >> COLUMNS) + 1, (self.mark & _COLUMN) + 1)

    @property
    def excerpt(self) -> str:
        return self.source.excerpt((self.mark >> COLUMNS) + 1, (self.mark & _COLUMN) + 1)


class Scalar(Node):
    """A scalar as written; ``plain`` when it has no quotes, so that its type is open."""

    __slots__ = ("plain", "text")

    def __init__(self, source: Source, mark: int, text: str, plain: bool) -> None:
        # Written out rather than passed on: there are a hundred thousand of them in a large document.
        self.source = source
        self.mark = mark
        self.size = 1
        self.text = text
        self.plain = plain

    @property
    def null(self) -> bool:
        return self.plain and self.text in _NULLS


class Seq(Node):
    """A list."""

    __slots__ = ("items",)

    def __init__(self, source: Source, mark: int, items: list[Node]) -> None:
        super().__init__(source, mark)
        self.items = items


class Map(Node):
    """A mapping with text keys; ``keys`` holds where each key stands."""

    __slots__ = ("entries", "keys")

    def __init__(self, source: Source, mark: int) -> None:
        super().__init__(source, mark)
        self.entries: dict[str, Node] = {}
        self.keys: dict[str, Scalar] = {}

    def get(self, key: str) -> Node | None:
        """The value of a key; None when the key is absent or its value is null."""
        node = self.entries.get(key)
        return None if isinstance(node, Scalar) and node.null else node


# ---------------------------------------------------------------------------------------------
# plain values of nodes

_NULLS = {"", "~", "null", "Null", "NULL"}
TRUE = {"true", "True", "TRUE", "yes", "Yes", "YES", "on", "On", "ON"}
FALSE = {"false", "False", "FALSE", "no", "No", "NO", "off", "Off", "OFF"}
INTEGER = re.compile(r"[-+]?[0-9]{1,40}|0x[0-9a-fA-F]{1,32}|0o[0-7]{1,40}")
FLOAT = re.compile(r"[-+]?(?:[0-9]{1,40}\.?[0-9]{0,40}|\.[0-9]{1,40})(?:[eE][-+]?[0-9]{1,3})?")


def scalar_value(node: Scalar) -> Any:
    """What a scalar means when no type is declared (YAML 1.2 core schema; in TOSCA 1.x yes/no/on/off too)."""
    text = node.text
    if not node.plain:
        return text
    if node.source.version == 2:
        return _core_value(text)
    if text in _NULLS:
        return None
    if text in TRUE or text in FALSE:
        return text in TRUE
    if INTEGER.fullmatch(text):
        return to_integer(text)
    return float(text) if FLOAT.fullmatch(text) else text


_CORE_INTEGER = re.compile(r"[-+]?[0-9]{1,40}|0x[0-9a-fA-F]{1,32}|0o[0-7]{1,40}")
_CORE_FLOAT = re.compile(r"[-+]?(?:\.[0-9]{1,40}|[0-9]{1,40}(?:\.[0-9]{0,40})?)(?:[eE][-+]?[0-9]{1,3})?")
_CORE_WORDS = {
    **dict.fromkeys(_NULLS, None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **{f"{sign}.{word}": float(f"{sign}inf") for sign in ("", "+", "-") for word in ("inf", "Inf", "INF")},
    **dict.fromkeys((".nan", ".NaN", ".NAN"), float("nan")),
}


def _core_value(text: str) -> Any:
    """A plain scalar by the core schema of YAML 1.2 (§10.3.2), which TOSCA 2.0 goes by."""
    if text in _CORE_WORDS:
        return _CORE_WORDS[text]
    if _CORE_INTEGER.fullmatch(text):
        return to_integer(text)
    return float(text) if _CORE_FLOAT.fullmatch(text) else text


def is_text(node: Node | None) -> bool:
    """Whether a node is a string, which in TOSCA 2.0 an unquoted number or boolean is not (§9.1.1.1)."""
    if not isinstance(node, Scalar):
        return False
    return isinstance(scalar_value(node), str) if node.source.version == 2 else not node.null


def to_integer(text: str) -> int:
    """The integer that a text matching ``INTEGER`` stands for."""
    return int(text, 0) if text[:2] in ("0x", "0o") else int(text)


def plain(node: Node | None) -> Any:
    """A tree as plain JSON, functions and all, with no declared types to go by."""
    match node:
        case Scalar():
            return scalar_value(node)
        case Seq():
            return [plain(i) for i in node.items]
        case Map():
            return {k: plain(v) for k, v in node.entries.items()}
        case _:
            return None


def metadata_of(root: Map) -> dict[str, Any]:
    """The `metadata` of a document: texts stay as written (`1.10` is no number), nested values are plain."""
    metadata = root.get("metadata")
    entries = metadata.entries if isinstance(metadata, Map) else {}
    return {k: n.text if isinstance(n, Scalar) else plain(n) for k, n in entries.items()}


def text_of(node: Node | None) -> str:
    """The text of a scalar as written, or nothing."""
    return node.text if isinstance(node, Scalar) and not node.null else ""


def walk(node: Node | None) -> Iterator[Node]:
    """Every node of a tree, each once however often it is aliased."""
    seen: set[int] = set()
    stack = [node] if node is not None else []
    while stack:
        node = stack.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        yield node
        if isinstance(node, Map):
            stack.extend(reversed(node.entries.values()))
        elif isinstance(node, Seq):
            stack.extend(reversed(node.items))
