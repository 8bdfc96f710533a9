"""Composes document trees from libyaml's events: bounded in size, depth, nodes, and what aliases multiply."""

from __future__ import annotations

from sys import intern
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

from isthmus.tosca.diagnostics import Problems
from isthmus.tosca.leniency import complain
from isthmus.tosca.reading.documents import COLUMNS, Map, Node, Scalar, Seq, Source, mark_at, text_of
from isthmus.tosca.reading.flow import call_text

MODERN = "tosca_2_0"
MAX_DOCUMENT = 4 * 2**20
"""Bytes of one document."""
MAX_DEPTH = 64
MAX_NODES = 600_000
MAX_ALIASED = 100_000
"""Nodes that aliases and merges may add to those which are written out."""


def _mark(event: Any) -> int:
    mark = event.start_mark
    return int(mark.line << COLUMNS | mark.column)


class _Refused(Exception):
    """A document goes no further; its diagnostic has been recorded."""


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
        mark = e.problem_mark or e.context_mark
        where = Node(source, source.clamp(mark.line, mark.column) if mark is not None else 0)
        problems.error("yaml-syntax", e.problem or "not YAML", where, detail=e.context or "")
    except yaml.YAMLError as e:
        problems.error("yaml-syntax", str(e).splitlines()[0], Node(source, 0))
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
        where = Node(Source(file, data.decode("utf-8", "replace")), mark_at(line))
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
            self.problems.error("yaml-syntax", "the document is empty", Node(self.source, 0))
            return None
        root = self.node(event, 1)
        self.expect_end()
        return root

    def expect_end(self) -> None:
        event: Any = self.next()
        while isinstance(event, DocumentEndEvent):
            event = self.next()
        if not isinstance(event, StreamEndEvent):
            where = Node(self.source, _mark(event))
            self.problems.error("yaml-syntax", "a file holds one document, and here a second begins", where)

    def node(self, event: Any, depth: int) -> Node:
        kind = type(event)
        if kind is ScalarEvent:
            return self.scalar(event)
        self.count(event)
        if kind is AliasEvent:
            return self.alias(event)
        if depth > MAX_DEPTH:
            self.refuse("yaml-depth", f"nested more than {MAX_DEPTH} levels deep", event)
        elif kind is MappingStartEvent:
            node: Node = self.mapping(event, depth)
        elif kind is SequenceStartEvent:
            node = self.sequence(event, depth)
        else:
            self.refuse("yaml-syntax", "something else than a value", event)
        if event.anchor is not None:
            self.anchors[event.anchor] = node
        return node

    def count(self, event: Any) -> None:
        self.nodes += 1
        if self.nodes > MAX_NODES:
            self.refuse("too-large", f"the document has more than {MAX_NODES:,} nodes", event)

    def scalar(self, event: Any) -> Scalar:
        """A scalar, of which there are most: in one breath, since two of three calls of a load would be for them."""
        self.nodes += 1
        if self.nodes > MAX_NODES:
            self.count(event)
        plain = event.implicit[0]
        if not plain and event.tag is not None:
            self.check_tag(event)
        mark = event.start_mark
        node = Scalar(self.source, mark.line << COLUMNS | mark.column, event.value, plain)
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
        node = Seq(self.source, _mark(start), items)
        node.size = size
        return node

    def mapping(self, start: Any, depth: int) -> Map:
        self.check_tag(start)
        node = Map(self.source, _mark(start))
        entries, keys = node.entries, node.keys
        merges: list[Node] = []
        size = 1
        following, scalar, below = self.next, self.scalar, depth + 1
        while type(event := following()) is not MappingEndEvent:
            key = scalar(event) if type(event) is ScalarEvent else self.complex_key(event, below)
            event = following()
            value = scalar(event) if type(event) is ScalarEvent else self.node(event, below)
            size += 1 + value.size
            if key is None:
                continue
            if key.text == "<<" and key.plain:
                merges.append(value)
            else:
                name = key.text = intern(key.text)  # a large document repeats few names many times
                if name in entries:
                    self.repeated(key, keys[name])
                entries[name] = value
                keys[name] = key
                if depth == 1 and name == "tosca_definitions_version":
                    self.source.version = 2 if isinstance(value, Scalar) and value.text == MODERN else 1
        node.size = size
        for merge in merges:
            self.merge(node, merge)
        return node

    def complex_key(self, event: Any, depth: int) -> Scalar | None:
        """A list or a call as a key, as its text: TOSCA 2.0 (§15.3.4, §10.1) has places for them, 1.x has none."""
        key = self.node(event, depth)
        if isinstance(key, Scalar):  # by its alias
            return key
        if self.source.version == 2 and (text := call_text(key)) is not None:
            return Scalar(self.source, key.mark, text, plain=False)
        if self.source.version == 2 and isinstance(key, Seq) and all(isinstance(i, Scalar) for i in key.items):
            return Scalar(self.source, key.mark, f"[{', '.join(text_of(i) for i in key.items)}]", plain=False)
        self.problems.error("yaml-key-complex", "a key must be a plain scalar", key)
        return None

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
                "yaml-tag", f"TOSCA has no YAML tags such as {event.tag!r}", Node(self.source, _mark(event))
            )

    def refuse(self, code: str, summary: str, at: Any) -> NoReturn:
        where = at if isinstance(at, Node) else Node(self.source, _mark(at))
        self.problems.error(code, summary, where)
        raise _Refused


_TAGS = {f"tag:yaml.org,2002:{t}" for t in ("str", "map", "seq")} | {"!"}
