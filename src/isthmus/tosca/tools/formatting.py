"""Canonical formatting of a template: the same meaning, comments and quotes in an expected shape.

Two spaces a level, dashes below their key and two spaces in, keys in the order of :mod:`key_order`, one blank
line between the parts of a document, one space after a colon, no white space at ends of lines, lines end with a
line feed. Formatting what is formatted changes nothing. What was read before is compared with what would
be read after; where they differ, nothing is changed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from isthmus.tosca import leniency
from isthmus.tosca.diagnostics import Diagnostic, Problems, Severity
from isthmus.tosca.reading.compose import compose
from isthmus.tosca.reading.documents import Map, Node, Scalar, Seq
from isthmus.tosca.tools.key_order import below, is_sectioned, rank
from isthmus.tosca.tools.layout import Block, Entry, Layout, LayoutError, Leaf, indent_of, read_layout

_STEP = 2
_BREAKS = re.compile("\r\n?")
_ODD_BREAKS = re.compile("[\x85\u2028\u2029]")


class FormatError(Exception):
    """A document cannot be formatted: it is not YAML (then ``diagnostics`` tell), or oddly laid out."""

    def __init__(self, why: str, diagnostics: tuple[Diagnostic, ...] = ()) -> None:
        super().__init__(why)
        self.diagnostics = diagnostics


def format_document(file: str, data: bytes) -> bytes:
    """The canonical form of a TOSCA document; raises :class:`FormatError`, and never changes what it means."""
    before = _compose(file, data)
    text = _BREAKS.sub("\n", data.decode("utf-8-sig"))
    if _ODD_BREAKS.search(text):
        raise FormatError("the document has line breaks other than those of Unix and Windows")
    for ordered in (True, False):
        lines = _lay_out(text, ordered)
        # A block scalar at the very end has no final line break unless one is written: that is its meaning.
        for end in ("\n", ""):
            made = ("\n".join(lines) + end).encode()
            if _is_same(before, _try(file, made)):
                return made
    raise FormatError("the document cannot be laid out anew without a change of meaning")


def _lay_out(text: str, ordered: bool) -> list[str]:
    try:
        return _write(read_layout(text), ordered)
    except LayoutError as e:
        raise FormatError(str(e)) from None


# ---------------------------------------------------------------------------------------------
# what a document means


def _compose(file: str, data: bytes) -> Node:
    problems = Problems()
    if leniency.is_marked(data):
        problems.marked.add(file)
    root = compose(file, data, problems)
    if root is None or problems.failed:
        found = tuple(d for d in problems.list() if d.severity is Severity.ERROR)
        raise FormatError("the document cannot be read", found)
    return root


def _try(file: str, data: bytes) -> Node | None:
    try:
        return _compose(file, data)
    except FormatError:
        return None


def _is_same(one: Node | None, other: Node | None) -> bool:
    """Whether two trees say the same; the order of keys says nothing (YAML 1.2.2 §3.2.1.1)."""
    stack = [(one, other)]
    while stack:
        a, b = stack.pop()
        if type(a) is not type(b):
            return False
        if isinstance(a, Scalar) and isinstance(b, Scalar):
            if (a.text, a.plain) != (b.text, b.plain):
                return False
        elif isinstance(a, Seq) and isinstance(b, Seq):
            if len(a.items) != len(b.items):
                return False
            stack.extend(zip(a.items, b.items, strict=True))
        elif isinstance(a, Map) and isinstance(b, Map):
            if a.entries.keys() != b.entries.keys():
                return False
            stack.extend((v, b.entries[k]) for k, v in a.entries.items())
    return True


# ---------------------------------------------------------------------------------------------
# how it is written


def _write(layout: Layout, ordered: bool) -> list[str]:
    if layout.root is None:
        return _trim(line.rstrip() for line in layout.lines) if layout.lines else []
    writer = _Writer(layout.lines, ordered)
    writer.remarks(layout.head, 0)
    writer.block(layout.root, 0, "file")
    writer.remarks(layout.foot, 0, keep=True)
    return _trim(writer.lines)


def _trim(lines: Iterator[str] | Sequence[str]) -> list[str]:
    """Without blank lines at both ends."""
    kept = list(lines)
    while kept and not kept[-1]:
        kept.pop()
    first = next((i for i, line in enumerate(kept) if line), 0)
    return kept[first:]


class _Writer:
    def __init__(self, source: Sequence[str], ordered: bool) -> None:
        self.source = source
        self.ordered = ordered
        self.lines: list[str] = []

    def remarks(self, lines: Sequence[str], indent: int, *, keep: bool = False) -> None:
        """Comments at a column, and single blank lines between them; lines that are none as they are."""
        for line in lines:
            text = line.strip()
            if not text:
                self.blank()
            else:
                own = text.startswith("#") and not keep
                self.lines.append(f"{' ' * indent}{text}" if own else line.rstrip())

    def blank(self) -> None:
        if self.lines and self.lines[-1]:
            self.lines.append("")

    def block(self, block: Block, indent: int, place: str, first: str | None = None) -> None:
        """The entries of a block; ``first`` is what stands before the first one in its line, a dash."""
        block.indent = indent
        entries = block.entries
        if self.ordered and block.is_map:
            entries = sorted(entries, key=lambda e: rank(place, e.key))
        previous = None
        for entry in entries:
            if previous is not None and is_sectioned(place) and (_is_long(previous) or _is_long(entry)):
                self.blank()
            # A comment cannot stand between a dash and what follows it in the same line.
            self.remarks(entry.lead, indent if first is None else indent - _STEP)
            self.entry(entry, first if first is not None else " " * indent, indent, below(place, entry.key), block)
            first, previous = None, entry

    def entry(self, entry: Entry, before: str, indent: int, place: str, block: Block) -> None:
        value = entry.value
        dash = "" if block.is_map else "- "
        if isinstance(value, Leaf):
            self.leaf(entry, value, before + dash, indent)
        elif not block.is_map and value.row == entry.row:
            self.block(value, indent + _STEP, place, before + dash)
        else:
            self.head(entry, before + dash)
            self.block(value, indent + _STEP, place)
        self.tail(entry, indent)

    def head(self, entry: Entry, before: str) -> None:
        """The line of a key or a dash whose value begins below it."""
        text = self.source[entry.row][entry.column :]
        text = text[1:].strip() if entry.is_dash else text
        self.lines.append(f"{before}{_tidy(text)}".rstrip())

    def leaf(self, entry: Entry, leaf: Leaf, before: str, indent: int) -> None:
        text = self.source[entry.row][entry.column :]
        if entry.is_dash:
            text = text[1:].lstrip()
        several = leaf.end > entry.row + 1
        if not several:
            text = self.tidy_end(text, leaf, entry)
        self.lines.append(f"{before}{text if several and not leaf.literal else text.rstrip()}".rstrip())
        shift = indent - entry.column
        if leaf.literal and leaf.row == entry.row:
            shift = self.literal_shift(leaf, indent, shift)
        for row in range(entry.row + 1, leaf.end):
            self.lines.append(_shifted(self.source[row], shift, literal=leaf.literal))

    def tidy_end(self, text: str, leaf: Leaf, entry: Entry) -> str:
        """A line that ends with its value: one space after the colon, two before a comment."""
        rest = self.source[entry.row][leaf.tail[1] :] if leaf.tail[0] == entry.row else ""
        comment = rest.strip()
        if not comment.startswith("#"):
            return _tidy(text)
        return f"{_tidy(text[: len(text) - len(rest)].rstrip())}  {comment}"

    def literal_shift(self, leaf: Leaf, indent: int, shift: int) -> int:
        """How far to move a block scalar so that it stands two spaces in; by the same as its key if it says."""
        header = self.source[leaf.row][leaf.column :].partition(" #")[0]
        if re.search(r"[1-9]", header.split()[-1]):
            return shift
        body = [line for line in self.source[leaf.row + 1 : leaf.end] if line.strip()]
        return indent + _STEP - indent_of(body[0]) if body else shift

    def tail(self, entry: Entry, indent: int) -> None:
        for line in entry.tail:
            text = line.strip()
            if not text:
                self.blank()
            else:
                self.lines.append(" " * self.depth(entry, indent_of(line), indent) + text)

    def depth(self, entry: Entry, column: int, indent: int) -> int:
        """The new column of a comment that stood at a column after an entry: that of the block it was in."""
        value, found = entry.value, indent + _STEP
        while isinstance(value, Block) and value.column <= column:
            found, value = value.indent, value.entries[-1].value
        return found


def _is_long(entry: Entry) -> bool:
    return isinstance(entry.value, Block)


_COLON = re.compile(r"""((?:[A-Za-z0-9_.$/-]+|"[^"\\]*"|'[^']*')\s*):[ \t]+(?=\S)""")


def _tidy(text: str) -> str:
    """A line with one space after the colon of its key, where the key is a simple one."""
    found = _COLON.match(text)
    return f"{found[1].rstrip()}: {text[found.end() :]}".rstrip() if found else text.rstrip()


def _shifted(line: str, shift: int, *, literal: bool) -> str:
    """A line moved to the right, or to the left as far as there are spaces."""
    if not line.strip(" "):
        return " " * max(0, len(line) + shift) if literal and line else ""
    return " " * shift + line if shift >= 0 else line[min(-shift, indent_of(line)) :]
