"""TOSCA paths (2.0 §10.3): from a node or relationship along the graph to a node, a relationship or a capability."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from isthmus.tosca.diagnostics import Located, Near, Problems, near
from isthmus.tosca.reading.documents import text_of
from isthmus.tosca.resolving.templates import NodeTemplate, Relation, Scope, Values

Step = str | int
ALL = "ALL"
MAX_PLACES = 10_000
"""Places that one path may lead to."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a path leads: a node (one of ``index``), a capability of it, or a relationship.

    ``own`` is whether it is reached from the instance in whose scope the path stands. ``index`` is None where
    the path does not tell, as for the node that is meant by SELF.
    """

    node: NodeTemplate | None = None
    relation: Relation | None = None
    capability: str | None = None
    index: int | None = None
    own: bool = False

    @property
    def values(self) -> Values:
        """The properties there."""
        if self.relation is not None:
            return self.relation.values
        assert self.node is not None
        return self.node.values if self.capability is None else self.node.capabilities[self.capability]

    @property
    def name(self) -> str:
        if self.relation is not None:
            return f"the relationship {self.relation.label!r} of {self.relation.source.name!r}"
        assert self.node is not None
        return repr(self.node.name) if self.capability is None else self.values.what


@dataclass(frozen=True, slots=True)
class Walk:
    """Where a path leads, and what of it is left; ``many`` when it said ALL."""

    places: tuple[Place, ...]
    rest: tuple[Step, ...]
    many: bool


class _Lost(Exception):
    """A path leads nowhere."""

    def __init__(self, code: str, summary: str, suggestion: str | Near = "") -> None:
        super().__init__(summary)
        self.code = code
        self.suggestion = suggestion


class Paths:
    """Walks over the nodes and relationships of one template; ``broken`` are those reported as unusable."""

    def __init__(
        self,
        problems: Problems,
        nodes: Mapping[str, NodeTemplate],
        relations: Mapping[str, Relation],
        broken: set[str],
    ) -> None:
        self.problems = problems
        self.nodes = nodes
        self.relations = relations
        self.broken = broken

    def walk(self, path: Sequence[Step], at: Sequence[Located], scope: Scope) -> Walk | None:
        """Follow a path as far as it goes; None where it goes wrong, which is reported at that step.

        ``at`` are the places in the document of the steps.
        """
        walker = _Walker(self, list(path), scope)
        try:
            return walker.walk()
        except _Lost as e:
            if not walker.excused:
                where = at[min(walker.at, len(at) - 1)]
                self.problems.error(e.code, str(e), where, suggestion=e.suggestion)
            return None


class _Walker:
    """One walk: ``at`` is the step that is looked at, ``excused`` whether what is wrong has been told before."""

    def __init__(self, paths: Paths, path: list[Step], scope: Scope) -> None:
        self.paths = paths
        self.path = path
        self.scope = scope
        self.at = 0
        self.many = False
        self.excused = False

    def walk(self) -> Walk:
        places = self._start()
        while (word := self._next()) is not None and places:
            steps = self._steps(places[0])
            if word not in steps:
                self._refuse_misplaced(word, places[0])
                break
            self.at += 1
            places = steps[str(word)](places)
            self.paths.problems.spend(len(places))
            if len(places) > MAX_PLACES:
                raise _Lost("too-large", f"the path leads to more than {MAX_PLACES:,} places")
        return Walk(tuple(places), tuple(self.path[self.at :]), self.many)

    def _next(self) -> Step | None:
        return self.path[self.at] if self.at < len(self.path) else None

    def _steps(self, place: Place) -> Mapping[str, Callable[[list[Place]], list[Place]]]:
        if place.relation is not None:
            return {"SOURCE": self._source, "TARGET": self._target, "CAPABILITY": self._met}
        if place.capability is not None:
            return {"RELATIONSHIP": self._incoming}
        return {"RELATIONSHIP": self._outgoing, "CAPABILITY": self._capability}

    def _refuse_misplaced(self, word: Step, place: Place) -> None:
        """A keyword where no such step can be taken, unless it is the name of something that is declared."""
        if word not in ("SOURCE", "TARGET", "CAPABILITY", "RELATIONSHIP", "SELF", "HOST", ALL):
            return
        if str(word) not in place.values.definitions:
            raise _Lost("function-arguments", f"{word} cannot follow here: {place.name} is reached")

    # where it begins -------------------------------------------------------------------------

    def _start(self) -> list[Place]:
        word = str(self._next())
        if word == "SELF":
            return [self._self()]
        node = self.paths.nodes.get(word)
        if node is not None:
            self.at += 1
            picked = self._pick(self._index(), node.count, f"nodes {word!r}")
            return [Place(node=node, index=i) for i in picked]
        relation = self.paths.relations.get(word)
        if relation is not None:
            self.at += 1
            return [Place(relation=relation)]
        self.excused = word in self.paths.broken
        if word in ("SOURCE", "TARGET", "HOST"):
            summary = f"a path begins with SELF or a node, not with {word}"
            raise _Lost("function-arguments", summary, f"write SELF, {word}")
        known = ["SELF", *self.paths.nodes, *self.paths.relations]
        raise _Lost("target-unknown", f"there is no node {word!r}", near(word, known))

    def _self(self) -> Place:
        if self.scope.relation is not None:
            found = Place(relation=self.scope.relation, own=True)
        elif self.scope.node is not None:
            found = Place(node=self.scope.node, own=True)
        else:
            raise _Lost("function-arguments", "SELF: there is no node here")
        self.at += 1
        return found

    def _index(self) -> Step | None:
        """The index that comes next in the path, None where none stands there."""
        index = self._next()
        if index != ALL and not isinstance(index, int):
            return None
        self.at += 1
        self.many = self.many or index == ALL
        return index

    def _pick(self, index: Step | None, count: int, what: str) -> range:
        """The indices that are meant: one, all of them, or the first; none where there is nothing at all."""
        if index == ALL or not count:
            return range(count)
        first = index if isinstance(index, int) else 0
        if not 0 <= first < count:
            self.at -= 1
            raise _Lost("function-arguments", f"there is no index {first}: there are {count} {what}")
        return range(first, first + 1)

    # steps -----------------------------------------------------------------------------------

    def _name(self, what: str) -> str:
        name = self._next()
        if name is None:
            self.at -= 1
            raise _Lost("function-arguments", f"the path ends where the name of a {what} is wanted")
        return str(name)

    def _outgoing(self, places: list[Place]) -> list[Place]:
        """RELATIONSHIP, a requirement, an index."""
        name = self._name("requirement")
        for node in (p.node for p in places):
            assert node is not None
            if name not in node.type.requirements and not any(r.name == name for r in node.relations):
                self.excused = node.name in self.paths.broken
                nearby = near(name, node.type.requirements)
                raise _Lost("requirement-unknown", f"{node.type.name} has no requirement {name!r}", nearby)
        self.at += 1
        index, found = self._index(), list[Place]()
        for place in places:
            assert place.node is not None
            relations = [r for r in place.node.relations if r.name == name for _ in range(r.count)]
            self.paths.problems.spend(len(place.node.relations) + len(relations))
            picked = self._pick(index, len(relations), f"relationships {name!r} of {place.node.name!r}")
            found += [Place(relation=relations[i], own=place.own) for i in picked]
        return found

    def _capability(self, places: list[Place]) -> list[Place]:
        """CAPABILITY and its name."""
        name = self._name("capability")
        for node in (p.node for p in places):
            assert node is not None
            if name not in node.capabilities:
                self.excused = node.name in self.paths.broken
                nearby = near(name, node.capabilities)
                raise _Lost("capability-unknown", f"{node.type.name} has no capability {name!r}", nearby)
        self.at += 1
        return [replace(p, capability=name) for p in places]

    def _source(self, places: list[Place]) -> list[Place]:
        return [Place(node=p.relation.source, own=p.own) for p in places if p.relation is not None]

    def _target(self, places: list[Place]) -> list[Place]:
        return [Place(node=p.relation.target, own=p.own) for p in places if p.relation is not None]

    def _met(self, places: list[Place]) -> list[Place]:
        """The capability of the target that a relationship meets."""
        found = []
        for place in places:
            assert place.relation is not None
            name = capability_met(place.relation)
            if name is None:
                self.at -= 1
                raise _Lost("capability-unknown", f"{place.name} is to no capability of its target")
            found.append(Place(node=place.relation.target, capability=name, own=place.own))
        return found

    def _incoming(self, places: list[Place]) -> list[Place]:
        """RELATIONSHIP and an index: those that come to a capability, in the order of the template."""
        index, found = self._index(), list[Place]()
        for place in places:
            assert place.node is not None
            coming = incoming(place.node, str(place.capability), self.paths.nodes, self.paths.problems)
            picked = self._pick(index, len(coming), f"relationships to {place.name}")
            found += [Place(relation=coming[i]) for i in picked]
        return found


def capability_met(relation: Relation) -> str | None:
    """The name of the target's capability that a relationship is to."""
    known = relation.target.capabilities
    if relation.capability in known:
        return relation.capability
    definition = relation.definition
    wanted = text_of(definition.capability) if definition is not None else ""
    types = relation.target.type.capabilities
    fitting = (n for n, c in types.items() if wanted in (n, c.type.name) or c.type.derives(wanted))
    return next(fitting, None)


def incoming(
    node: NodeTemplate, capability: str, nodes: Mapping[str, NodeTemplate], problems: Problems
) -> list[Relation]:
    """The relationships that are to a capability of a node."""
    found = []
    for other in nodes.values():
        problems.spend(1 + len(other.relations))
        found += [r for r in other.relations if r.target is node and capability_met(r) == capability]
    return found
