"""How a YAML document lies on its lines: blocks, their entries, and the comments around them.

Only what begins on a line of its own is a part that can be moved or indented; flow collections and scalars
are lines that are kept as they are.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import yaml
from yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamStartEvent,
)


class LayoutError(Exception):
    """A document lies on its lines in a way that cannot be laid out anew; the row counts from 0."""

    def __init__(self, row: int, why: str) -> None:
        super().__init__(f"line {row + 1}: {why}")


@dataclass(slots=True)
class Leaf:
    """A scalar, an alias or a flow collection: where its text begins, and the row after its last."""

    row: int
    column: int
    end: int
    literal: bool = False
    """Whether it is a block scalar (`|`, `>`)."""
    tail: tuple[int, int] = (0, 0)
    """Row and column after its last character, where that is known."""


@dataclass(slots=True)
class Block:
    """A block map or list; ``column`` is that of its keys or dashes."""

    is_map: bool
    row: int
    column: int
    entries: list[Entry] = field(default_factory=list)
    indent: int = 0
    """The column that it is given."""


@dataclass(slots=True)
class Entry:
    """A key or a dash with what belongs to it; ``lead`` are the blank and comment lines before, ``tail`` after it."""

    row: int
    column: int
    key: str | None
    """The text of the key; None for a dash, and for a key that is an alias."""
    is_dash: bool
    value: Leaf | Block
    lead: Sequence[str] = ()
    tail: Sequence[str] = ()


@dataclass(slots=True)
class Layout:
    """A document in lines: its root, what stands before and after it."""

    lines: list[str]
    root: Block | None
    """None where the document is not a block: then there is nothing to lay out."""
    head: Sequence[str] = ()
    foot: Sequence[str] = ()


def read_layout(text: str) -> Layout:
    """The layout of a document that is known to be YAML and bounded; raises :class:`LayoutError`."""
    lines = text.split("\n")
    return _Reader(lines, yaml.CSafeLoader(text).get_event).layout()


_DASH = re.compile(r"([\s-]*)-(?:\s*|\s+#.*)")


class _Reader:
    def __init__(self, lines: list[str], next_event: Any) -> None:
        self.lines = lines
        self.next = next_event
        self.cursor = 0
        """The first row that nobody has claimed yet."""

    def layout(self) -> Layout:
        event: Any = self.next()
        while isinstance(event, StreamStartEvent | DocumentStartEvent):
            if isinstance(event, DocumentStartEvent) and event.explicit:
                self.cursor = _end(event).line + 1
            event = self.next()
        first = self.cursor
        if _is_flow(event):
            return Layout(self.lines, None)
        if not event.start_mark.line >= first:
            raise LayoutError(event.start_mark.line, "the document begins on the line of its '---'")
        root = self.block(event)
        head = [*self.lines[:first], *root.entries[0].lead] if root.entries else self.lines[:first]
        if root.entries:
            root.entries[0].lead = ()
        rest = self.lines[self.cursor :]
        inner = self.claim(rest, root)
        return Layout(self.lines, root, head, rest[inner:])

    def block(self, start: Any) -> Block:
        is_map = isinstance(start, MappingStartEvent)
        block = Block(is_map, -1, -1)
        end = MappingEndEvent if is_map else SequenceEndEvent
        while not isinstance(event := self.next(), end):
            entry = self.keyed(event) if is_map else self.listed(event)
            if block.row < 0:
                block.row, block.column = entry.row, entry.column
            elif entry.column != block.column:
                raise LayoutError(entry.row, "the entries of a block do not stand below one another")
            block.entries.append(entry)
            if len(block.entries) > 1:
                self.share(block.entries[-2], entry)
        if not block.entries:
            raise LayoutError(start.start_mark.line, "an empty block")
        return block

    def share(self, before: Entry, entry: Entry) -> None:
        """Comments that stand deeper than an entry belong to the one before it."""
        deep = [i for i, line in enumerate(entry.lead) if line.strip() and indent_of(line) > entry.column]
        cut = deep[-1] + 1 if deep else 0
        before.tail, entry.lead = entry.lead[:cut], entry.lead[cut:]

    def claim(self, rest: Sequence[str], root: Block) -> int:
        """Give the last entry of the document the comments that stand deeper after it; tells how many lines."""
        deep = [i for i, line in enumerate(rest) if line.lstrip().startswith("#") and indent_of(line) > root.column]
        cut = deep[-1] + 1 if deep else 0
        root.entries[-1].tail = rest[:cut]
        return cut

    def keyed(self, key: Any) -> Entry:
        if not isinstance(key, ScalarEvent | AliasEvent):
            raise LayoutError(key.start_mark.line, "a key that is not a scalar")
        start = _start(key)
        row, column = start.line, start.column
        if self.lines[row][:column].strip(" -") or _end(key).line != row:
            raise LayoutError(row, "a key that does not begin its line")
        name = key.value if isinstance(key, ScalarEvent) else None
        return self.entry(row, column, name, False, self.next())

    def listed(self, value: Any) -> Entry:
        row, column = value.start_mark.line, value.start_mark.column
        while not (found := _DASH.fullmatch(before := self.lines[row][:column])):
            if (before.strip() and not before.lstrip().startswith("#")) or row == 0:
                raise LayoutError(row, "a list entry whose dash cannot be found")
            row -= 1
            column = len(self.lines[row])
        return self.entry(row, len(found[1]), None, True, value)

    def entry(self, row: int, column: int, key: str | None, is_dash: bool, value: Any) -> Entry:
        lead = self.lines[self.cursor : row] if row > self.cursor else []
        self.cursor = max(self.cursor, row + 1)
        if not _is_flow(value):
            found: Leaf | Block = self.block(value)
        else:
            found = self.leaf(value)
            self.cursor = max(self.cursor, found.end)
        return Entry(row, column, key, is_dash, found, lead)

    def leaf(self, event: Any) -> Leaf:
        literal = isinstance(event, ScalarEvent) and event.style in ("|", ">")
        start: Any = event.start_mark
        end = _end(event) if isinstance(event, ScalarEvent | AliasEvent) else self.skip(event)
        last = end.line if end.column == 0 and end.line > start.line else end.line + 1
        if literal and not self.keeps(start):
            while last > start.line + 1 and not self.lines[last - 1].strip():
                last -= 1
        return Leaf(start.line, start.column, last, literal, (end.line, end.column))

    def keeps(self, start: Any) -> bool:
        """Whether the blank lines after a block scalar are part of it."""
        header = self.lines[start.line][start.column :].partition(" #")[0]
        return "+" in header.split()[-1]

    def skip(self, event: Any) -> Any:
        """Pass over a flow collection; the mark after it."""
        depth = 1
        while depth:
            event = self.next()
            if isinstance(event, MappingStartEvent | SequenceStartEvent):
                depth += 1
            elif isinstance(event, MappingEndEvent | SequenceEndEvent):
                depth -= 1
        return event.end_mark


def _is_flow(event: Any) -> bool:
    return not isinstance(event, MappingStartEvent | SequenceStartEvent) or bool(event.flow_style)


def _start(event: Any) -> Any:
    return event.start_mark


def _end(event: Any) -> Any:
    return event.end_mark


def indent_of(line: str) -> int:
    """The spaces that a line begins with."""
    return len(line) - len(line.lstrip(" "))
