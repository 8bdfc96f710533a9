"""Names that several files define in one namespace, which they are all imported into (TOSCA 2.0 §6.8.4).

Names are unique in a namespace. A file that defines again what it imports says at least which definition is meant,
its own, and public templates do so with types: a warning. Of two imported definitions none goes before the other.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from isthmus.tosca.diagnostics import Problems
from isthmus.tosca.reading.documents import Map, Node
from isthmus.tosca.reading.imports import Document

_KINDS = ("artifact", "data", "capability", "interface", "relationship", "node", "group", "policy")
_SECTIONS = {
    **{f"{kind}_types": (f"{kind} type", "type-redefined") for kind in _KINDS},
    "repositories": ("repository", "repository-redefined"),
    "functions": ("function", "function-redefined"),
}


def check_namespaces(documents: Iterable[Document], problems: Problems) -> None:
    """Report what two files define in a namespace that both are imported into, each pair of definitions once."""
    check = _Check(problems)
    for document in documents:
        if document.version == 2 and document.imports:
            for prefix in dict.fromkeys(("", *(p for p, _ in document.imports))):
                check.members(list(_members(document, prefix)))


def _members(document: Document, prefix: str = "") -> Iterator[Document]:
    """The files whose names a document sees under a prefix; it is itself the first of those without one."""
    queue = [document] if not prefix else [d for p, d in document.imports if p == prefix]
    seen: set[str] = set()
    while queue:
        current = queue.pop(0)
        if current.file not in seen:
            seen.add(current.file)
            yield current
            queue += (d for p, d in current.imports if not p)


class _Check:
    def __init__(self, problems: Problems) -> None:
        self.problems = problems
        self.told: set[tuple[str, str, frozenset[str]]] = set()

    def members(self, members: list[Document]) -> None:
        """Compare the files of one namespace."""
        known: dict[tuple[str, str], Document] = {}
        for document in members:
            for section in _SECTIONS:
                written = document.root.get(section)
                names = written.entries if isinstance(written, Map) else {}
                self.problems.spend(len(names))
                for name in names:
                    first = known.setdefault((section, name), document)
                    if first is not document:
                        self.pair(section, name, first, document)

    def pair(self, section: str, name: str, one: Document, other: Document) -> None:
        """Report two definitions of a name, at that of the file which imports the other."""
        key = (section, name, frozenset((one.file, other.file)))
        if key in self.told:
            return
        self.told.add(key)
        if one in _members(other):
            one, other = other, one
        own = other in _members(one)
        what, code = _SECTIONS[section]
        report = self.problems.warn if own and code == "type-redefined" else self.problems.error
        report(code, f"the {what} {name!r} has another definition in {other.file}", _key(one, section, name))


def _key(document: Document, section: str, name: str) -> Node:
    written = document.root.get(section)
    assert isinstance(written, Map)
    return written.keys[name]
