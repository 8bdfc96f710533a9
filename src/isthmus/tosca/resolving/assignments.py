"""What a node template requires: its assignments, and those that its type implies (TOSCA 2.0 §8.5, 1.3 §3.8.2)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from isthmus.tosca.diagnostics import near
from isthmus.tosca.expressions.functions import Functions
from isthmus.tosca.expressions.values import BROKEN, is_later
from isthmus.tosca.grammar import check_keys, map_at
from isthmus.tosca.leniency import allows, complain
from isthmus.tosca.reading.documents import Map, Node, Scalar, Seq, text_of
from isthmus.tosca.resolving.directives import read_scopes
from isthmus.tosca.resolving.filters import check_filter
from isthmus.tosca.resolving.multiplicity import index_of, read_count
from isthmus.tosca.resolving.templates import NodeTemplate, Scope
from isthmus.tosca.typesystem.requirement_defs import RequirementDef
from isthmus.tosca.typesystem.typed import BOOLEAN
from isthmus.tosca.typesystem.types import Types


@dataclass(frozen=True, slots=True, eq=False)
class Assignment:
    """One requirement of a node that is to be met ``count`` times, each time by another node.

    ``target`` is what the template says of the node that meets it, None where that is left open.
    """

    node: NodeTemplate
    name: str
    label: str
    order: int
    at: Node
    definition: RequirementDef | None
    body: Map | None = None
    target: Scalar | None = None
    index: Node | None = None
    count: int = 1
    optional: bool = False
    scopes: tuple[str, ...] = ()
    allocation: Map | None = None
    filters: tuple[Node, ...] = field(default=())

    @property
    def capability(self) -> Node | None:
        """What the template itself says of the capability that is to be met."""
        return self.body.get("capability") if self.body is not None else None

    @property
    def relationship(self) -> Node | None:
        return self.body.get("relationship") if self.body is not None else None


class Reader:
    """Reads the assignments of node templates, and checks how many there are."""

    def __init__(self, types: Types, functions: Functions) -> None:
        self.types = types
        self.problems = types.problems
        self.functions = functions
        self._sound: dict[int, bool] = {}

    def read(self, node: NodeTemplate) -> list[Assignment]:
        """The assignments of a node in their order; a node that is selected elsewhere has none here."""
        if node.selected:
            return []
        found: list[Assignment] = []
        labels: Counter[str] = Counter()
        for name, written in self.types.requirement_entries(node.node):
            labels[name] += 1
            assignment = self._read(node, name, labels[name], len(found), written)
            if assignment is not None:
                found.append(assignment)
        self._check_counts(node, found)
        found.extend(self._implied(node, found, labels))
        return found

    def _read(self, node: NodeTemplate, name: str, number: int, order: int, written: Node) -> Assignment | None:
        definition = node.type.requirements.get(name)
        if definition is None:
            summary, nearby = f"{node.type.name} has no requirement {name!r}", near(name, node.type.requirements)
            if not complain("undeclared-names", "requirement-unknown", summary, written, self.problems, nearby):
                return None
        body = written if isinstance(written, Map) else None
        spoken = written if body is None else body.get("node")
        filters = self._filters(definition) if definition is not None else ()
        label = name if number == 1 else f"{name}.{number}"
        target = self._target(spoken)
        if body is None:
            return Assignment(
                node, name, label, order, written, definition, None, target, index_of(spoken), filters=filters
            )
        check_keys(body, "requirement_assignment", self.problems)
        own = body.get("node_filter")
        if own is not None and self._is_sound(own):
            filters = (*filters, own)
        count, optional = self._count(node, body)
        return Assignment(
            node,
            name,
            label,
            order,
            written,
            definition,
            body,
            target,
            index_of(spoken),
            count,
            optional,
            read_scopes(body, self.problems),
            map_at(body, "allocation", self.problems),
            filters,
        )

    def _filters(self, definition: RequirementDef) -> tuple[Node, ...]:
        """The filters of a definition that make sense."""
        return tuple(f for f in definition.filters if self._is_sound(f))

    def _is_sound(self, node: Node) -> bool:
        """Whether a filter makes sense, which is asked once however many nodes there are of a type."""
        if id(node) not in self._sound:
            self._sound[id(node)] = check_filter(node, self.types)
        return self._sound[id(node)]

    def _target(self, spoken: Node | None) -> Scalar | None:
        """The name of a node or of a node type; in TOSCA 2.0 an index may follow it."""
        name = spoken
        if isinstance(spoken, Seq) and spoken.source.version == 2 and len(spoken.items) == 2:
            name = spoken.items[0]
        if name is None or (isinstance(name, Scalar) and name.null):
            return None
        if isinstance(name, Scalar):
            return name
        self.problems.error("shape", "a requirement names a node, or a type of nodes", name)
        return None

    def _count(self, node: NodeTemplate, body: Map) -> tuple[int, bool]:
        """How many times an assignment is to be met, and whether it may be left."""
        if body.source.version == 2:
            count = read_count(body.entries.get("count"), Scope(node=node), self.functions)
            return count, self._optional(node, body)
        bounds = body.get("occurrences")
        least = text_of(bounds.items[0] if isinstance(bounds, Seq) and bounds.items else bounds)
        if bounds is not None and not least.isdecimal():
            self.problems.error("shape", "'occurrences' must be two bounds such as [ 1, UNBOUNDED ]", bounds)
        low = int(least[:6]) if least.isdecimal() else 1
        return max(1, low), low == 0

    def _optional(self, node: NodeTemplate, body: Map) -> bool:
        written = body.entries.get("optional")
        if written is None:
            return False
        value = self.functions.converter.convert(written, BOOLEAN, Scope(node=node))
        if value is None or (is_later(value) and value is not BROKEN):
            summary = "'optional' must be true or false, and be known by now"
            self.problems.error("value-type", summary, written)
        return value is True

    # how many --------------------------------------------------------------------------------

    def _check_counts(self, node: NodeTemplate, found: list[Assignment]) -> None:
        """The sums must be within the bounds of the type (TOSCA 2.0 §8.5.4, TOSCA 1.3 §3.7.3)."""
        total: Counter[str] = Counter()
        firm: Counter[str] = Counter()
        for assignment in found:
            total[assignment.name] += assignment.count
            firm[assignment.name] += 0 if assignment.optional else assignment.count
        for name, definition in node.type.requirements.items():
            if definition.most is not None and total[name] > definition.most:
                summary = f"{node.name!r} may have {definition.most} of the requirement {name!r}, and has {total[name]}"
                at = [a.at for a in found if a.name == name][-1]
                # public templates of TOSCA 1.x go beyond the bounds, and no harm is done
                report = self.problems.error if at.source.version == 2 else self.problems.warn
                report("requirement-count", summary, at)
            if node.node.source.version == 2 and name in total and firm[name] < definition.least:
                summary = f"{node.name!r} must have {definition.least} of {name!r}, and has {firm[name]} for certain"
                self.problems.error("requirement-count", summary, next(a.at for a in found if a.name == name))

    def _implied(self, node: NodeTemplate, found: list[Assignment], labels: Counter[str]) -> Iterator[Assignment]:
        """What the type requires and the template does not assign (TOSCA 2.0 §8.5.4)."""
        self.problems.spend(len(node.type.requirements))
        for name, definition in node.type.requirements.items():
            missing = definition.least - sum(a.count for a in found if a.name == name and not a.optional)
            if missing <= 0 or (node.node.source.version == 2 and labels[name]):
                continue
            if node.name in self.functions.broken:
                continue
            if allows("unmet-requirements", node.at, self.problems):
                summary = f"the requirement {name!r} of {node.name!r} is not assigned"
                self.problems.warn("requirement-unmet", summary, node.at)
                continue
            yield from self._missing(node, definition, missing, len(found) + len(labels))

    def _missing(self, node: NodeTemplate, definition: RequirementDef, count: int, order: int) -> Iterator[Assignment]:
        """One assignment for all, or in TOSCA 1.x one for each, since nodes may meet these more than once."""
        each = node.document.version == 1
        self.problems.spend(count if each else 1)
        for _ in range(count if each else 1):
            yield Assignment(
                node,
                definition.name,
                definition.name,
                order,
                node.at,
                definition,
                count=1 if each else count,
                filters=self._filters(definition),
            )
