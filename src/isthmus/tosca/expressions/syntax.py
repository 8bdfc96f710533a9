"""What a function call looks like in TOSCA 2.0 (§10.1): `{ $name: [ … ] }`, or `$name` alone; `$$` escapes."""

from __future__ import annotations

import re
from dataclasses import dataclass

from isthmus.tosca.diagnostics import Problems
from isthmus.tosca.reading.compose import compose
from isthmus.tosca.reading.documents import Map, Node, Scalar, Seq, walk

_KEY_CALL = re.compile(r"\$([^\s$]+?)(?:\$[^\s:]*)?:\s+(\[.*\])", re.DOTALL)
"""A key that is a call with its arguments: `$keygen$1: [ UUID ]`; what follows the second `$` only varies the key."""


@dataclass(frozen=True, slots=True)
class FunctionCall:
    """A call as written: ``argument`` is what stands under the key, None for a name alone."""

    name: str
    argument: Node | None
    at: Node

    @property
    def args(self) -> list[Node]:
        """The arguments; one that stands outside a list is the only one."""
        if isinstance(self.argument, Seq):
            return self.argument.items
        return [] if self.argument is None else [self.argument]


def is_call(text: str) -> bool:
    """Whether a text begins as a call does."""
    return text.startswith("$") and not text.startswith("$$")


def call_of(node: Node) -> FunctionCall | None:
    """The call that a node of a 2.0 document is, if it is one."""
    if node.source.version != 2:
        return None
    if isinstance(node, Scalar):
        return FunctionCall(node.text[1:], None, node) if is_call(node.text) else None
    if not isinstance(node, Map) or len(node.entries) != 1:
        return None
    ((key, argument),) = node.entries.items()
    if not is_call(key) or _KEY_CALL.fullmatch(key):
        return None
    empty = isinstance(argument, Scalar) and argument.null
    return FunctionCall(key[1:], None if empty else argument, node)


def key_call(key: str, at: Node) -> FunctionCall | None:
    """The call that a key is, with its arguments; None for a key that is a text."""
    found = _KEY_CALL.fullmatch(key)
    if found is None:
        return None
    argument = compose(at.source.file, found[2].encode(), Problems())
    if argument is None:
        return None
    for node in walk(argument):
        node.source, node.mark = at.source, at.mark
    return FunctionCall(found[1], argument, at)


def unescape(text: str) -> str:
    """A text of a 2.0 document without the `$` that escapes another."""
    return text[1:] if text.startswith("$$") else text


def check_keys_of_data(node: Map, problems: Problems) -> bool:
    """Whether no key of a map of data begins like a call; one that does is a malformed function (§10.1)."""
    wrong = [k for k in node.entries if is_call(k) and not _KEY_CALL.fullmatch(k)]
    for key in wrong[:1]:
        problems.error(
            "function-malformed",
            f"malformed function: {key!r} is not the only key of the map",
            node.keys[key],
            suggestion=f"write {'$' + key!r} for a key that begins with a dollar sign",
        )
    return not wrong
