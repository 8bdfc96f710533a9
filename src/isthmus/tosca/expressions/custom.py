"""Functions that documents define themselves under `functions` (TOSCA 2.0 §10.4), and what calls of them come to.

Definitions and calls are checked by the types that they declare. Nothing here runs an implementation, so a call
is right and cannot be deployed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from isthmus.tosca.grammar import check_keys
from isthmus.tosca.reading.documents import FALSE, TRUE, Map, Node, Scalar, Seq, text_of
from isthmus.tosca.typesystem.implementations import check_implementation
from isthmus.tosca.typesystem.schemas import Schema, parse_schema

if TYPE_CHECKING:
    from isthmus.tosca.reading.imports import Document
    from isthmus.tosca.typesystem.types import Types

_LISTS = ("arguments", "optional_arguments")


@dataclass(frozen=True, slots=True, eq=False)
class Signature:
    """One way to call a function; ``result`` is None where it may be anything."""

    arguments: tuple[Schema, ...]
    optional: tuple[Schema, ...]
    variadic: bool
    result: Schema | None

    def parameters(self, count: int) -> tuple[Schema | None, ...] | None:
        """The types that so many arguments must have (None for any); None when it does not take so many."""
        declared = (*self.arguments, *self.optional)
        if not declared:
            return (None,) * count if self.variadic or not count else None
        if count < len(self.arguments) or (count > len(declared) and not self.variadic):
            return None
        return (*declared[:count], *[declared[-1]] * (count - len(declared)))

    def __str__(self) -> str:
        texts = [a.type for a in self.arguments] + [f"{a.type}?" for a in self.optional]
        if not texts and not self.variadic:
            return "no arguments"
        dots = [", …" if texts else "…"] if self.variadic else []
        return f"[ {', '.join(texts)}{''.join(dots)} ]"


@dataclass(frozen=True, slots=True, eq=False)
class CustomFunction:
    """A function by the name under which a document defines it."""

    name: str
    signatures: tuple[Signature, ...]


class CustomFunctions:
    """The functions that a set of documents define, found by name as types are."""

    def __init__(self, types: Types) -> None:
        self.types = types
        self.problems = types.problems
        self._documents: dict[str, Document] = {}
        self._known: dict[tuple[str, str], CustomFunction | None] = {}
        self._defined: dict[str, dict[str, Node]] = {}

    def add(self, document: Document) -> None:
        """Take note of a document; its definitions are read when they are first asked for. TOSCA 1.x has none."""
        if document.version == 2:
            self._documents[document.file] = document

    def find(self, name: str, file: str) -> CustomFunction | None:
        """The function that a name means in a document: its own, or an imported one by its namespace."""
        key = (file, name)
        if key not in self._known:
            self._known[key] = None
            self._known[key] = self._find(name, file)
        return self._known[key]

    def names(self, file: str) -> list[str]:
        """The functions that a document may call by their names alone."""
        document = self._documents.get(file)
        return [n for d, _ in self._seen(document) for n in self._definitions(d)] if document else []

    def check_all(self) -> None:
        """Read all definitions, so that mistakes in functions not called are told too."""
        for document in self._documents.values():
            for name, node in self._definitions(document).items():
                self.find(name, document.file)
                self._check_overlap(name, node, document)

    def _check_overlap(self, name: str, node: Node, document: Document) -> None:
        outside = _section(document.root)
        if outside is None or outside.get(name) is not node:
            return
        if "$" in name:
            self.problems.error("shape", f"the name of a function holds no '$', as {name!r} does", outside.keys[name])
        for other, _ in self._seen(document):
            if other is not document and name in self._definitions(other):
                summary = f"the function {name!r} has another definition in {other.file}"
                self.problems.error("function-redefined", summary, outside.keys[name])

    # finding ---------------------------------------------------------------------------------

    def _seen(self, document: Document, name: str = "") -> Iterator[tuple[Document, str]]:
        """A document, and those it imports without a prefix or with one that a name begins with, and that prefix."""
        queue, seen = [(document, "")], {(document.file, "")}
        while queue:
            current, prefix = queue.pop(0)
            self.problems.spend()
            yield current, prefix
            for inner, imported in current.imports:
                full = f"{prefix}{inner}:" if inner else prefix
                if (imported.file, full) not in seen and name.startswith(full):
                    seen.add((imported.file, full))
                    queue.append((imported, full))

    def _find(self, name: str, file: str) -> CustomFunction | None:
        document = self._documents.get(file)
        for current, prefix in self._seen(document, name) if document is not None else ():
            rest = name[len(prefix) :]
            if rest in self._definitions(current):
                return self._read(rest, current)
        return None

    def _definitions(self, document: Document) -> dict[str, Node]:
        """The functions that a document defines, outside its service template and inside."""
        if document.file not in self._defined:
            sections = (_section(document.root), _section(document.root.get("service_template")))
            self._defined[document.file] = {k: n for s in sections if s is not None for k, n in s.entries.items()}
        return self._defined[document.file]

    # reading ---------------------------------------------------------------------------------

    def _read(self, name: str, document: Document) -> CustomFunction:
        outer, inner = _section(document.root), _section(document.root.get("service_template"))
        outside = outer.get(name) if outer is not None else None
        inside = inner.get(name) if inner is not None else None
        signatures = self._signatures(name, outside, document) if outside is not None else []
        if inside is not None:
            signatures = self._refined(name, signatures, inside, document)
        return CustomFunction(name, tuple(signatures))

    def _signatures(self, name: str, node: Node, document: Document) -> list[Signature]:
        return [self._signature(n, document) for n in self._listed(name, node)]

    def _refined(self, name: str, old: list[Signature], node: Node, document: Document) -> list[Signature]:
        """Signatures inside a service template: those known before may get another implementation, new ones follow."""
        found = list(old)
        for i, written in enumerate(self._listed(name, node)):
            if i >= len(old):
                found.append(self._signature(written, document))
                continue
            self._check_implementation(written, document)
            for key in written.entries if isinstance(written, Map) else ():
                if key != "implementation":
                    summary = f"only the implementation of a known signature of {name!r} may change, not {key!r}"
                    assert isinstance(written, Map)
                    self.problems.error("refinement", summary, written.keys[key])
        return found

    def _listed(self, name: str, node: Node) -> list[Node]:
        if not isinstance(node, Map):
            self.problems.error("shape", f"the definition of the function {name!r} must be a map", node)
            return []
        check_keys(node, "function", self.problems)
        written = node.get("signatures")
        items = written.items if isinstance(written, Seq) else []
        if isinstance(written, Map):
            items = list(written.entries.values())
        if written is not None and not items:
            self.problems.error("shape", f"the function {name!r} must have one signature or more", written)
        return items

    def _signature(self, node: Node, document: Document) -> Signature:
        body = node if isinstance(node, Map) else Map(node.source, node.mark)
        if not isinstance(node, Map) and not (isinstance(node, Scalar) and node.null):
            self.problems.error("shape", "a signature is a map with 'arguments' and 'result'", node)
        check_keys(body, "signature", self.problems)
        self._check_implementation(body, document)
        arguments, optional = (self._schemas(body.get(k), document) for k in _LISTS)
        result = body.get("result")
        return Signature(
            arguments,
            optional,
            _flag(body.get("variadic")),
            self._schema(result, document) if result is not None else None,
        )

    def _check_implementation(self, node: Node, document: Document) -> None:
        written = node.get("implementation") if isinstance(node, Map) else None
        if written is not None:
            check_implementation(written, "function", self.types, document)

    def _schemas(self, node: Node | None, document: Document) -> tuple[Schema, ...]:
        items = node.items if isinstance(node, Seq) else []
        found = (self._schema(i, document) for i in items)
        return tuple(s for s in found if s is not None)

    def _schema(self, node: Node, document: Document) -> Schema | None:
        if isinstance(node, Map):
            check_keys(node, "schema", self.problems)
        return parse_schema(node, self.types, document)


def _flag(node: Node | None) -> bool:
    return text_of(node) in TRUE and text_of(node) not in FALSE


def _section(node: Node | None) -> Map | None:
    found = node.get("functions") if isinstance(node, Map) else None
    return found if isinstance(found, Map) else None
