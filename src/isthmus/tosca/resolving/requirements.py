"""Binds requirements to the nodes that meet them (TOSCA 2.0 §8.5, TOSCA 1.3 §3.8.2).

A node that is named is checked. Where none is named, the first of the template that meets the requirement is
taken: those that must be met before those that may be, and each time another one.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from isthmus.topology import Value
from isthmus.tosca.diagnostics import near
from isthmus.tosca.expressions.functions import Functions
from isthmus.tosca.expressions.values import BROKEN, is_later
from isthmus.tosca.leniency import complain
from isthmus.tosca.reading.documents import Map
from isthmus.tosca.reading.imports import Document
from isthmus.tosca.resolving.assignments import Assignment, Reader
from isthmus.tosca.resolving.bound import Bound
from isthmus.tosca.resolving.candidates import Candidates
from isthmus.tosca.resolving.cycles import check_cycles, leads_to
from isthmus.tosca.resolving.directives import is_external
from isthmus.tosca.resolving.filters import PASSED, Filters, Verdict
from isthmus.tosca.resolving.mapped_requirements import mapped_requirements
from isthmus.tosca.resolving.matching import Matching, Wanted
from isthmus.tosca.resolving.multiplicity import check_instances, is_own_index, read_counts
from isthmus.tosca.resolving.relationships import Link, Relationships
from isthmus.tosca.resolving.templates import NodeTemplate, Relation, Scope
from isthmus.tosca.typesystem.typed import INTEGER
from isthmus.tosca.typesystem.typedefs import TypeDef
from isthmus.tosca.typesystem.types import Types

_SHOWN = 5
"""Candidates whose reason of refusal is told."""


def bind_requirements(section: Map | None, types: Types, document: Document, functions: Functions) -> None:
    """Fill the relations of every node; report cycles, and what the engine cannot make, when all are bound."""
    read_counts(functions)
    binder = Binder(section, types, document, functions)
    binder.bind()
    check_cycles(functions.nodes, types.problems)
    check_instances(list(functions.nodes.values()), types.problems)


@dataclass(eq=False, slots=True)
class _Search:
    """How far the search for the nodes that meet one assignment has come."""

    missing: int
    reasons: list[str] = field(default_factory=list)
    circular: list[Relation] = field(default_factory=list)

    def note(self, reason: str) -> None:
        if reason and reason not in self.reasons and len(self.reasons) < _SHOWN:
            self.reasons.append(reason)


class Binder:
    """Fills the relations of every node of a template."""

    def __init__(self, section: Map | None, types: Types, document: Document, functions: Functions) -> None:
        self.types = types
        self.problems = types.problems
        self.functions = functions
        self.reader = Reader(types, functions)
        self.relationships = Relationships(section, types, document, functions)
        self.matching = Matching(types)
        self.bound = Bound(functions)
        self.filters = Filters(types, functions)
        self.candidates = Candidates(list(functions.nodes.values()), self.problems)
        self.mapped = mapped_requirements(section)

    def bind(self) -> None:
        """Bind what is named first, so that what is left open finds its place around it."""
        found = [a for node in self.functions.nodes.values() for a in self.reader.read(node)]
        for node in self.functions.nodes.values():
            if node.selected:
                self.filters.check_selection(node)
        named, open_ = list[Assignment](), list[Assignment]()
        for assignment in found:
            (named if self._named(assignment) is not None else open_).append(assignment)
        for assignment in (*named, *sorted(open_, key=lambda a: a.optional)):
            if assignment.count:
                self._bind(assignment)
        self.bound.sort()
        self.relationships.check_templates()

    def _named(self, assignment: Assignment) -> NodeTemplate | None:
        return self.functions.nodes.get(assignment.target.text) if assignment.target is not None else None

    def _bind(self, assignment: Assignment) -> None:
        link = self.relationships.link(assignment)
        wanted = self.matching.wanted(assignment)
        self.matching.check_narrowed(assignment, wanted)
        target = self._named(assignment)
        if link is None:
            self.functions.broken.add(assignment.node.name)
        elif is_external(assignment.scopes):
            self._refuse(assignment, "is to be met by a node of another deployment, and none lends its nodes")
        elif target is not None:
            self._bind_named(assignment, link, wanted, target)
        else:
            self._bind_open(assignment, link, wanted)

    # a node that is named --------------------------------------------------------------------

    def _bind_named(self, assignment: Assignment, link: Link, wanted: list[Wanted], target: NodeTemplate) -> None:
        found = self._fitting(assignment, link, wanted, target)
        index = self._index(assignment, link, target)
        if index is BROKEN:
            return
        if not target.count or (isinstance(index, int) and index >= target.count):
            self._refuse(assignment, f"names an instance of {target.name!r}, of which there are {target.count}")
            return
        lacks = [self.bound.capacity.lack(assignment, target, c, assignment.count) for c in found]
        chosen = next((c for c, lack in zip(found, lacks, strict=True) if not lack), found[0] if found else "")
        relation = self.relationships.relate(link, assignment, target, chosen, assignment.count)
        self._check_named(assignment, relation, lacks[found.index(chosen)] if found else "")
        self.bound.add(assignment, relation)

    def _fitting(self, assignment: Assignment, link: Link, wanted: list[Wanted], target: NodeTemplate) -> list[str]:
        """The capabilities of a named node that may be met; tells what does not fit."""
        mismatch = self.matching.type_mismatch(assignment, target)
        found, misfit = self.matching.choose(link, assignment.node, target, wanted)
        offered = found or [name for name, _ in self.matching.offers(target, wanted)]
        if misfit and not mismatch and offered and assignment.node.document.version == 1:
            # the Simple Profile lists types that its own users pass by: what a capability is for is advice there
            self.problems.warn("target-mismatch", misfit, assignment.at)
        elif mismatch or misfit:
            complain("unchecked-targets", "target-mismatch", mismatch or misfit, assignment.at, self.problems)
        return offered

    def _check_named(self, assignment: Assignment, relation: Relation, lack: str) -> None:
        """What a node that is named must be beside of its type: not full, not too few, and passing the filters."""
        target = relation.target
        if lack:
            code = "allocation" if assignment.allocation is not None else "requirement-count"
            complain("loose-occurrences", code, lack, assignment.at, self.problems)
        if assignment.count > target.count:
            summary = f"{assignment.count} nodes must meet {assignment.label!r}, and there is {target.count} of "
            summary += repr(target.name)
            if assignment.node.node.source.version == 2:
                self.problems.error("requirement-count", summary, assignment.at)
            else:
                self.problems.refuse("unsupported", summary, assignment.at)
        verdict = self._judge(assignment, relation)
        if verdict.holds is False:
            summary = f"{target.name!r} cannot meet {assignment.label!r}: {verdict.reason}"
            self.problems.error("target-mismatch", summary, assignment.at)
        elif verdict.holds is None:
            summary = f"whether {target.name!r} can meet {assignment.label!r} cannot be told: {verdict.reason}"
            self.problems.refuse("unsupported", summary, assignment.at)

    def _index(self, assignment: Assignment, link: Link, target: NodeTemplate) -> Value:
        """Which instance of a node is named, None where none is; BROKEN is told (§8.5.1).

        Of what is worked out from the index of the source only that same index can be honoured.
        """
        written = assignment.index
        if written is None:
            return None
        scope = Scope(relation=self.relationships.relate(link, assignment, target, "", 1))
        index = self.functions.converter.convert(written, INTEGER, scope)
        if index is None or (isinstance(index, int) and index < 0):
            self.problems.error("value-type", "the index of an instance is a number from 0", written)
            return BROKEN
        if is_later(index) and index is not BROKEN and target.count > 1 and not is_own_index(written):
            self.problems.refuse("unsupported", "instances are paired by their own index only", written)
        return index

    def _judge(self, assignment: Assignment, relation: Relation) -> Verdict:
        for node in assignment.filters:
            verdict = self.filters.judge(node, relation)
            if verdict.holds is not True:
                return verdict
        return PASSED

    # a node that is not ----------------------------------------------------------------------

    def _bind_open(self, assignment: Assignment, link: Link, wanted: list[Wanted]) -> None:
        kind = None
        if assignment.target is not None:
            name = assignment.target.text
            if name in self.functions.broken:
                self.functions.broken.add(assignment.node.name)
                return
            kind = self.types.find("node", name, assignment.node.document)
            if kind is None or assignment.index is not None:
                self._report_unknown(assignment)
                return
            self._check_kind(assignment, kind, wanted)
        if (assignment.node.name, assignment.name) in self.mapped and assignment.target is None:
            self._refuse(assignment, "is met only where this template substitutes a node")
            return
        self._search(assignment, link, wanted, kind)

    def _report_unknown(self, assignment: Assignment) -> None:
        assert assignment.target is not None
        name = assignment.target.text
        self.functions.broken.add(assignment.node.name)
        nearby = near(name, self.functions.nodes)
        self.problems.error("target-unknown", f"there is no node {name!r}", assignment.target, suggestion=nearby)

    def _check_kind(self, assignment: Assignment, kind: TypeDef, wanted: list[Wanted]) -> None:
        """A type in an assignment must be that of the definition, or derive from it, and can meet it (§8.5.2)."""
        if assignment.node.document.version == 2 and not any(
            all(w.fits(name, capability) for w in wanted) for name, capability in kind.capabilities.items()
        ):
            asked = " and ".join(dict.fromkeys(w.name for w in wanted))
            self.problems.error("target-mismatch", f"{kind.name} has no capability {asked}", assignment.target)
        declared = assignment.definition.node if assignment.definition is not None else None
        if declared is not None and not kind.derives(declared.name) and assignment.target is not None:
            summary = f"{assignment.name!r} asks for a {declared.name}, and {kind.name} is none"
            complain("unchecked-targets", "target-mismatch", summary, assignment.target, self.problems)

    def _search(self, assignment: Assignment, link: Link, wanted: list[Wanted], kind: TypeDef | None) -> None:
        """Take the first nodes that fit, each once; one that requires this node only if there is no other."""
        search = _Search(assignment.count)
        possible = self._possible(assignment, wanted, kind)
        self._walk(search, possible, assignment, link, wanted, again=False)
        if search.missing and assignment.node.document.version == 1:
            self._walk(search, possible, assignment, link, wanted, again=True)
        for relation in search.circular:
            if search.missing:
                self.bound.add(assignment, relation)
                search.missing -= min(search.missing, relation.count)
        if search.missing:
            self._leave(assignment, kind, wanted, search.reasons)

    def _walk(
        self,
        search: _Search,
        possible: list[NodeTemplate],
        assignment: Assignment,
        link: Link,
        wanted: list[Wanted],
        *,
        again: bool,
    ) -> None:
        for target in possible:
            if not search.missing:
                return
            self.problems.spend()
            if target is assignment.node:
                continue
            relation, reason = self._try(assignment, link, wanted, target, search.missing, again=again)
            if relation is None:
                search.note(reason)
            elif not leads_to(target, assignment.node, self.problems, hosts=relation.hosts):
                self.bound.add(assignment, relation)
                search.missing -= relation.count
            elif relation.hosts:
                search.note(f"{target.name!r} is itself hosted by it")
            else:
                search.circular.append(relation)

    def _possible(self, assignment: Assignment, wanted: list[Wanted], kind: TypeDef | None) -> list[NodeTemplate]:
        """Nodes worth a look: of the type that is asked for, or else with the capability."""
        node = kind or (assignment.definition.node if assignment.definition is not None else None)
        narrow = wanted[-1] if wanted else None
        name = "" if narrow is None else narrow.type.name if narrow.type is not None else narrow.name
        return self.candidates.find(node, name)

    def _try(
        self,
        assignment: Assignment,
        link: Link,
        wanted: list[Wanted],
        target: NodeTemplate,
        missing: int,
        *,
        again: bool,
    ) -> tuple[Relation | None, str]:
        """The relationship to a candidate, or why there can be none."""
        reason = self.matching.type_mismatch(assignment, target)
        if reason:
            return None, reason
        count = min(missing, target.count - (0 if again else self.bound.uses(assignment, target)))
        if count <= 0:
            return None, f"{target.name!r} meets {assignment.name!r} already" if target.count else ""
        found, reason = self.matching.choose(link, assignment.node, target, wanted)
        for capability in found:
            reason = self.bound.capacity.lack(assignment, target, capability, count)
            if not reason:
                relation = self.relationships.relate(link, assignment, target, capability, count)
                verdict = self._judge(assignment, relation)
                if verdict.holds:
                    return relation, ""
                reason = f"{target.name!r}: {verdict.reason}"
        return None, reason

    def _leave(self, assignment: Assignment, kind: TypeDef | None, wanted: list[Wanted], reasons: list[str]) -> None:
        """Tell that nothing here meets a requirement; elsewhere there may be a node that does (§8.5.1)."""
        if assignment.optional:
            return
        what = kind.name if kind is not None else " and ".join(w.name for w in wanted)
        detail = "; ".join(reasons) or (f"The template has no other node for {what}." if what else "")
        summary = f"no node of the template meets the requirement {assignment.label!r} of {assignment.node.name!r}"
        self.functions.broken.add(assignment.node.name)
        self.problems.refuse("requirement-unmet", summary, assignment.at, detail=detail)

    # both ------------------------------------------------------------------------------------

    def _refuse(self, assignment: Assignment, why: str) -> None:
        if not assignment.optional:
            summary = f"the requirement {assignment.label!r} of {assignment.node.name!r} {why}"
            self.functions.broken.add(assignment.node.name)
            self.problems.refuse("requirement-unmet", summary, assignment.at)
