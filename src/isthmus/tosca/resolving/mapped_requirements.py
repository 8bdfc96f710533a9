"""Requirements of a node that a template may replace, and those inside that take their targets (TOSCA 2.0 §15.5)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from isthmus.topology import Mapped
from isthmus.tosca.diagnostics import near
from isthmus.tosca.expressions.functions import Functions
from isthmus.tosca.reading.documents import FALSE, Map, Node, Scalar, Seq, text_of
from isthmus.tosca.resolving.mapping_keys import parse_key
from isthmus.tosca.resolving.templates import NodeTemplate
from isthmus.tosca.typesystem.requirement_defs import RequirementDef
from isthmus.tosca.typesystem.typedefs import TypeDef
from isthmus.tosca.typesystem.types import Types

_ALL = "UNBOUNDED"


@dataclass(frozen=True, slots=True, eq=False)
class _Entry:
    """One mapping: ``count`` of a requirement go to every target, None for all that are left."""

    name: str
    count: int | None
    at: Node
    targets: tuple[tuple[tuple[str, ...], Node], ...]


def mapped_requirements(section: Map | None) -> set[tuple[str, str]]:
    """The requirements inside a template, each with its node, that are met only when the template replaces a node."""
    written = section.get("substitution_mappings") if section is not None else None
    if not isinstance(written, Map):
        return set()
    entries = _entries(written.get("requirements"))
    return {(t[0], t[1]) for _, body in entries for t, _ in _targets(body, {}) if len(t) == 2}


class RequirementMappings:
    """Reads and checks the `requirements` of a substitution mapping."""

    def __init__(self, written: Map, kind: TypeDef, types: Types, functions: Functions) -> None:
        self.written = written.get("requirements")
        self.kind = kind
        self.types = types
        self.problems = types.problems
        self.functions = functions

    def read(self) -> tuple[Mapped, ...]:
        """The mappings in their order."""
        if self.written is not None and not self._is_list(self.written):
            self._wrong("'requirements' of a substitution mapping is a list of maps with one key each", self.written)
        found = [e for key, body in _entries(self.written) if (e := self._entry(key, body)) is not None]
        self._check_order(found)
        for name in dict.fromkeys(e.name for e in found):
            self._check_sum(name, [e for e in found if e.name == name])
        return tuple(Mapped((e.name,), target, e.count) for e in found for target, _ in e.targets)

    def _is_list(self, written: Node) -> bool:
        """Whether the mappings stand as the grammar has it: a list of maps, in TOSCA 2.0 with one key each."""
        if written.source.version == 1:
            return isinstance(written, Map | Seq)
        return isinstance(written, Seq) and all(isinstance(i, Map) and len(i.entries) == 1 for i in written.items)

    def _wrong(self, summary: str, at: Node, name: str = "", known: Iterable[str] = ()) -> None:
        self.problems.error("substitution", summary, at, suggestion=near(name, known) if name else "")

    def _entry(self, key: Scalar, body: Node) -> _Entry | None:
        name, count = _counted(key.text)
        if name not in self.kind.requirements:
            self._wrong(f"{self.kind.name} has no requirement {name!r}", key, name, self.kind.requirements)
            return None
        if count is not None and count < 0:
            self._wrong("a requirement is counted by a number from 0, or by UNBOUNDED", key)
            return None
        targets = tuple(_targets(body, self.functions.nodes))
        if not targets:
            self._wrong("a requirement is mapped to [ NODE, REQUIREMENT ], or to a node that is selected", body)
        return _Entry(name, count, key, tuple(t for t in targets if self._check_target(*t)))

    def _check_target(self, target: tuple[str, ...], at: Node) -> bool:
        node = self.functions.nodes.get(target[0])
        if node is None:
            if target[0] not in self.functions.broken:
                self._wrong(f"there is no node {target[0]!r}", at, target[0], self.functions.nodes)
            return False
        if len(target) == 1:
            if not node.selected:
                self._wrong(f"{target[0]!r} is mapped itself, and has not the directive 'select'", at)
            return node.selected
        if target[1] not in node.type.requirements:
            known = node.type.requirements
            self._wrong(f"{node.name!r} ({node.type.name}) has no requirement {target[1]!r}", at, target[1], known)
            return False
        if at.source.version == 2 and any(self._is_named(b) for b in _assigned(node, target[1], self.types)):
            self._wrong(f"{target[1]!r} of {target[0]!r} names its node, and only what is open can be mapped", at)
            return False
        return True

    def _is_named(self, body: Node) -> bool:
        """Whether an assignment names the node that meets it."""
        target = body.get("node") if isinstance(body, Map) else body
        if isinstance(target, Seq) and target.items:
            target = target.items[0]
        return text_of(target) in self.functions.nodes

    # how many --------------------------------------------------------------------------------

    def _check_order(self, found: list[_Entry]) -> None:
        """After all that are left nothing is left."""
        closed: set[str] = set()
        for entry in found:
            if entry.name in closed:
                self._wrong(f"{entry.name!r} is mapped again after UNBOUNDED", entry.at)
            if entry.count is None:
                closed.add(entry.name)

    def _check_sum(self, name: str, found: list[_Entry]) -> None:
        """Mandatory requirements inside need as many for certain outside (TOSCA 2.0 §15.5.4)."""
        if self.written is None or self.written.source.version != 2:
            return
        definition = self.kind.requirements[name]
        inside = {tuple(t for t, _ in e.targets) for e in found}
        needed = sum(max(map(self._least, targets), default=0) for targets in inside)
        if needed > definition.least:
            summary = f"{needed} of {name!r} must be met inside, and {self.kind.name} is sure of {definition.least}"
            # templates of the OASIS suite map what a type leaves open, so only a bound that is told is one
            report = self.problems.error if definition.least else self.problems.refuse
            report("substitution", summary, found[0].at)
        total = sum(e.count or 0 for e in found)
        if definition.most is not None and total > definition.most:
            summary = f"{total} of {name!r} are mapped, and {self.kind.name} has {definition.most} at most"
            self.problems.warn("substitution", summary, found[0].at)

    def _least(self, target: tuple[str, ...]) -> int:
        """How many relationships a requirement inside must have."""
        if len(target) == 1:
            return 1
        node = self.functions.nodes[target[0]]
        definition: RequirementDef = node.type.requirements[target[1]]
        return max(definition.least, sum(map(_is_firm, _assigned(node, target[1], self.types))))


def _is_firm(body: Node) -> bool:
    return not isinstance(body, Map) or body.get("optional") is None or text_of(body.get("optional")) in FALSE


def _assigned(node: NodeTemplate, name: str, types: Types) -> list[Node]:
    return [body for key, body in types.requirement_entries(node.node) if key == name]


def _entries(written: Node | None) -> Iterator[tuple[Scalar, Node]]:
    """The keys and values of a list of maps, or of a map, which TOSCA 1.x has here."""
    for part in written.items if isinstance(written, Seq) else [written]:
        if isinstance(part, Map):
            for key, body in part.entries.items():
                yield part.keys[key], body


def _counted(text: str) -> tuple[str, int | None]:
    """The requirement and how many of it, from a key such as `[ service, 2 ]`; -1 for what is no number."""
    name, *rest = parse_key(text)
    if not rest:
        return name, 1
    return name, None if rest == [_ALL] else int(rest[0][:6]) if len(rest) == 1 and rest[0].isdecimal() else -1


def _targets(body: Node, nodes: Mapping[str, NodeTemplate]) -> Iterator[tuple[tuple[str, ...], Node]]:
    """Each `[ NODE, REQUIREMENT ]`, or NODE alone, that a requirement is mapped to."""
    if isinstance(body, Map):
        body = body.get("mapping") or body
    if isinstance(body, Scalar) and body.text:
        yield (body.text,), body
        return
    items = body.items if isinstance(body, Seq) else []
    names = [text_of(i) for i in items]
    if len(items) == 2 and all(names) and not _are_nodes(names, nodes):
        yield (names[0], names[1]), body
        return
    for item in items:
        yield from _targets(item, nodes)


def _are_nodes(names: list[str], nodes: Mapping[str, NodeTemplate]) -> bool:
    """Whether two names are those of nodes, the second not that of a requirement of the first."""
    return names[0] in nodes and names[1] in nodes and names[1] not in nodes[names[0]].type.requirements
