"""YAML documents as light trees of nodes that keep their place, composed from libyaml's events.

Scalars keep their text, since what `16.04` means is decided by the declared type, not by YAML.
Everything here is bounded: size, depth, number of nodes, and what aliases multiply.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NoReturn

import yaml
from yaml.events import (
    AliasEvent,
    DocumentEndEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamEndEvent,
    StreamStartEvent,
)

from isthmus.topology import Position
from isthmus.tosca.diagnostics import Problems
from isthmus.tosca.leniency import complain

MAX_DOCUMENT = 4 * 2**20
"""Bytes of one document."""
MAX_DEPTH = 64
MAX_NODES = 600_000
MAX_ALIASED = 100_000
"""Nodes that aliases and merges may add to those which are written out."""

_WIDTH = 140


class Source:
    """One file of a bundle, as text with lines."""

    __slots__ = ("_lines", "file", "text")

    def __init__(self, file: str, text: str) -> None:
        self.file = file
        self.text = text
        self._lines: list[str] | None = None

    @property
    def lines(self) -> list[str]:
        if self._lines is None:
            self._lines = self.text.split("\n")
        return self._lines

    def clamp(self, mark: Any) -> Any:
        """A mark that lies inside the text: libyaml tells the end of a document as the line after it."""
        last = len(self.lines) - 1
        return mark if mark.line <= last else _Mark(last, len(self.lines[last]))

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

    def __init__(self, source: Source, mark: Any) -> None:
        self.source = source
        self.mark = mark
        self.size = 1
        """Nodes in the tree below, itself included, every alias counted in full."""

    @property
    def position(self) -> Position:
        return Position(self.source.file, self.mark.line + 1, self.mark.column + 1)

    @property
    def excerpt(self) -> str:
        return self.source.excerpt(self.mark.line + 1, self.mark.column + 1)


class Scalar(Node):
    """A scalar as written; ``plain`` when it has no quotes, so that its type is open."""

    __slots__ = ("plain", "text")

    def __init__(self, source: Source, mark: Any, text: str, plain: bool) -> None:
        super().__init__(source, mark)
        self.text = text
        self.plain = plain

    @property
    def null(self) -> bool:
        return self.plain and self.text in _NULLS


class Seq(Node):
    """A list."""

    __slots__ = ("items",)

    def __init__(self, source: Source, mark: Any, items: list[Node]) -> None:
        super().__init__(source, mark)
        self.items = items


class Map(Node):
    """A mapping with text keys; ``keys`` holds where each key stands."""

    __slots__ = ("entries", "keys")

    def __init__(self, source: Source, mark: Any) -> None:
        super().__init__(source, mark)
        self.entries: dict[str, Node] = {}
        self.keys: dict[str, Scalar] = {}

    def get(self, key: str) -> Node | None:
        """The value of a key; None when the key is absent or its value is null."""
        node = self.entries.get(key)
        return None if isinstance(node, Scalar) and node.null else node


# ---------------------------------------------------------------------------------------------
# composing


class _Refused(Exception):
    """A document goes no further; its diagnostic has been recorded."""


class _Mark:
    """A place told by hand, where libyaml gives none."""

    __slots__ = ("column", "line")

    def __init__(self, line: int = 0, column: int = 0) -> None:
        self.line = line
        self.column = column


def compose(file: str, data: bytes, problems: Problems) -> Node | None:
    """The tree of one document, or None when it cannot be had; says why in ``problems``."""
    source = _decode(file, data, problems)
    if source is None:
        return None
    try:
        return _Composer(source, problems).document()
    except _Refused:
        return None
    except yaml.MarkedYAMLError as e:
        where = Node(source, source.clamp(e.problem_mark or e.context_mark or _Mark()))
        problems.error("yaml-syntax", e.problem or "not YAML", where, detail=e.context or "")
    except yaml.YAMLError as e:
        problems.error("yaml-syntax", str(e).splitlines()[0], Node(source, _Mark()))
    return None


def _decode(file: str, data: bytes, problems: Problems) -> Source | None:
    if len(data) > MAX_DOCUMENT:
        problems.error(
            "too-large",
            f"{file} has {len(data):,} bytes",
            detail=f"A document may have {MAX_DOCUMENT:,} at most.",
        )
        return None
    try:
        return Source(file, data.decode("utf-8-sig"))
    except UnicodeDecodeError as e:
        line = data.count(b"\n", 0, e.start)
        where = Node(Source(file, data.decode("utf-8", "replace")), _Mark(line))
        problems.error("yaml-encoding", f"{file} is not UTF-8 text", where)
        return None


class _Composer:
    def __init__(self, source: Source, problems: Problems) -> None:
        self.source = source
        self.problems = problems
        self.next = yaml.CSafeLoader(source.text).get_event
        self.anchors: dict[str, Node] = {}
        self.nodes = 0
        self.aliased = 0

    def document(self) -> Node | None:
        event = self.next()
        while isinstance(event, StreamStartEvent | DocumentStartEvent):
            event = self.next()
        if isinstance(event, StreamEndEvent):
            self.problems.error("yaml-syntax", "the document is empty", Node(self.source, _Mark()))
            return None
        root = self.node(event, 1)
        self.expect_end()
        return root

    def expect_end(self) -> None:
        event: Any = self.next()
        while isinstance(event, DocumentEndEvent):
            event = self.next()
        if not isinstance(event, StreamEndEvent):
            where = Node(self.source, event.start_mark)
            self.problems.error("yaml-syntax", "a file holds one document, and here a second begins", where)

    def node(self, event: Any, depth: int) -> Node:
        self.nodes += 1
        if self.nodes > MAX_NODES:
            self.refuse("too-large", f"the document has more than {MAX_NODES:,} nodes", event)
        kind = type(event)
        if kind is ScalarEvent:
            plain = event.implicit[0]
            if event.tag is not None and not plain:
                self.check_tag(event)
            node: Node = Scalar(self.source, event.start_mark, event.value, plain)
        elif kind is AliasEvent:
            return self.alias(event)
        elif depth > MAX_DEPTH:
            self.refuse("yaml-depth", f"nested more than {MAX_DEPTH} levels deep", event)
        elif kind is MappingStartEvent:
            node = self.mapping(event, depth)
        elif kind is SequenceStartEvent:
            node = self.sequence(event, depth)
        else:
            self.refuse("yaml-syntax", "something else than a value", event)
        if event.anchor is not None:
            self.anchors[event.anchor] = node
        return node

    def sequence(self, start: Any, depth: int) -> Seq:
        self.check_tag(start)
        items: list[Node] = []
        size = 1
        while type(event := self.next()) is not SequenceEndEvent:
            item = self.node(event, depth + 1)
            size += item.size
            items.append(item)
        node = Seq(self.source, start.start_mark, items)
        node.size = size
        return node

    def mapping(self, start: Any, depth: int) -> Map:
        self.check_tag(start)
        node = Map(self.source, start.start_mark)
        entries, keys = node.entries, node.keys
        merges: list[Node] = []
        size = 1
        while type(event := self.next()) is not MappingEndEvent:
            key = self.node(event, depth + 1)
            value = self.node(self.next(), depth + 1)
            size += 1 + value.size
            if not isinstance(key, Scalar):
                self.problems.error("yaml-key-complex", "a key must be a plain scalar", key)
            elif key.text == "<<" and key.plain:
                merges.append(value)
            else:
                if key.text in entries:
                    self.repeated(key, keys[key.text])
                entries[key.text] = value
                keys[key.text] = key
        node.size = size
        for merge in merges:
            self.merge(node, merge)
        return node

    def repeated(self, key: Scalar, first: Scalar) -> None:
        summary = f"{key.text!r} is here twice, first in line {first.position.line}"
        complain("repeated-keys", "yaml-key-duplicate", summary, key, self.problems)

    def merge(self, node: Map, value: Node) -> None:
        """YAML's merge key: what is written here wins over what is merged, the first merged over the next."""
        for part in value.items if isinstance(value, Seq) else [value]:
            if not isinstance(part, Map):
                self.refuse("yaml-syntax", "'<<' merges maps only", part)
            self.multiply(len(part.entries), part)
            for key, entry in part.entries.items():
                if key not in node.entries:
                    node.entries[key] = entry
                    node.keys[key] = part.keys[key]

    def alias(self, event: Any) -> Node:
        target = self.anchors.get(event.anchor)
        if target is None:
            self.refuse("yaml-alias", f"'*{event.anchor}' has no anchor before it, or stands inside it", event)
        self.multiply(target.size, event)
        return target

    def multiply(self, size: int, at: Any) -> None:
        self.aliased += size
        if self.aliased > MAX_ALIASED:
            self.refuse("yaml-alias", f"aliases add more than {MAX_ALIASED:,} nodes", at)

    def check_tag(self, event: Any) -> None:
        if event.tag is not None and event.tag not in _TAGS:
            self.problems.error(
                "yaml-tag", f"TOSCA has no YAML tags such as {event.tag!r}", Node(self.source, event.start_mark)
            )

    def refuse(self, code: str, summary: str, at: Any) -> NoReturn:
        where = at if isinstance(at, Node) else Node(self.source, at.start_mark)
        self.problems.error(code, summary, where)
        raise _Refused


_TAGS = {f"tag:yaml.org,2002:{t}" for t in ("str", "map", "seq")} | {"!"}


# ---------------------------------------------------------------------------------------------
# plain values of nodes

_NULLS = {"", "~", "null", "Null", "NULL"}
TRUE = {"true", "True", "TRUE", "yes", "Yes", "YES", "on", "On", "ON"}
FALSE = {"false", "False", "FALSE", "no", "No", "NO", "off", "Off", "OFF"}
INTEGER = re.compile(r"[-+]?[0-9]{1,40}|0x[0-9a-fA-F]{1,32}|0o[0-7]{1,40}")
FLOAT = re.compile(r"[-+]?(?:[0-9]{1,40}\.?[0-9]{0,40}|\.[0-9]{1,40})(?:[eE][-+]?[0-9]{1,3})?")


def scalar_value(node: Scalar) -> Any:
    """What a scalar means when no type is declared (YAML 1.2 core schema, and yes/no/on/off)."""
    text = node.text
    if not node.plain:
        return text
    if text in _NULLS:
        return None
    if text in TRUE or text in FALSE:
        return text in TRUE
    if INTEGER.fullmatch(text):
        return to_integer(text)
    return float(text) if FLOAT.fullmatch(text) else text


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
