"""Whether a node can meet a requirement: its type, its capabilities, and who may be related to whom.

The rules are those of TOSCA 2.0 §7.3, §8.1, §8.2 and §8.5.2, and of TOSCA 1.3 §3.7.2, §3.7.3 and §3.7.10.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from isthmus.tosca.diagnostics import near
from isthmus.tosca.grammar import list_at
from isthmus.tosca.leniency import complain
from isthmus.tosca.reading.documents import Map, Node, text_of
from isthmus.tosca.reading.imports import Document
from isthmus.tosca.resolving.assignments import Assignment
from isthmus.tosca.resolving.directives import is_external, read_scopes
from isthmus.tosca.resolving.relationships import Link
from isthmus.tosca.resolving.templates import NodeTemplate
from isthmus.tosca.typesystem.capabilities import CapabilityDef
from isthmus.tosca.typesystem.typedefs import TypeDef
from isthmus.tosca.typesystem.types import Types


@dataclass(frozen=True, slots=True, eq=False)
class Wanted:
    """A capability that is asked for: by its own name, by its type, or by what may be either."""

    name: str
    type: TypeDef | None

    def fits(self, name: str, capability: CapabilityDef) -> bool:
        return name == self.name or (self.type is not None and capability.type.derives(self.type.name))


class Matching:
    """Compares assignments with nodes."""

    def __init__(self, types: Types) -> None:
        self.types = types
        self.problems = types.problems
        self._allowed: dict[tuple[TypeDef, str], tuple[TypeDef, ...] | None] = {}

    # what is asked for -----------------------------------------------------------------------

    def wanted(self, assignment: Assignment) -> list[Wanted]:
        """The capabilities that the definition and the assignment ask for; a node must offer one that is all."""
        found = []
        definition = assignment.definition
        if definition is not None and definition.capability is not None:
            found.append(self._wanted(definition.capability, definition.document))
        if assignment.capability is not None:
            found.append(self._wanted(assignment.capability, assignment.node.document))
        return found

    def _wanted(self, written: Node, document: Document) -> Wanted:
        name = text_of(written)
        return Wanted(name, self.types.find("capability", name, document) if name else None)

    def check_narrowed(self, assignment: Assignment, wanted: list[Wanted]) -> None:
        """A capability type in an assignment must be that of the definition, or derive from it (§8.5.2)."""
        if len(wanted) < 2 or assignment.capability is None:
            return
        asked, own = wanted
        if own.type is None:
            return
        by_name = asked.type is None and asked.name != own.name
        if by_name or (asked.type is not None and not own.type.derives(asked.type.name)):
            summary = f"{assignment.name!r} asks for the capability {asked.name}, and not for {own.name}"
            complain("unchecked-targets", "target-mismatch", summary, assignment.capability, self.problems)

    # what a node offers ----------------------------------------------------------------------

    def type_mismatch(self, assignment: Assignment, target: NodeTemplate, named: TypeDef | None = None) -> str:
        """Why a node is not of the type that the definition, or the assignment, asks for; nothing if it is."""
        definition = assignment.definition
        for wanted in (definition.node if definition is not None else None, named):
            if wanted is not None and not target.of(wanted.name):
                return f"{target.name!r} is a {target.type.name}, and a {wanted.name} is required"
        return ""

    def offers(self, target: NodeTemplate, wanted: list[Wanted]) -> Iterator[tuple[str, CapabilityDef]]:
        """The capabilities of a node that are all that is asked for."""
        for name, capability in target.type.capabilities.items():
            self.problems.spend()
            if all(w.fits(name, capability) for w in wanted):
                yield name, capability

    def choose(
        self, link: Link, source: NodeTemplate, target: NodeTemplate, wanted: list[Wanted]
    ) -> tuple[list[str], str]:
        """The capabilities by which a relationship may be made, the first best; if none, the reason."""
        reason = ""
        found = []
        for name, capability in self.offers(target, wanted):
            misfit = self.misfit(link.type, source, target, name, capability)
            if misfit:
                reason = reason or misfit
            else:
                found.append(name)
        if found:
            return found, ""
        if not wanted:
            reason = self.misfit(link.type, source, target, "", None)
            return ([""], "") if not reason else ([], reason)
        asked = " and ".join(dict.fromkeys(w.name for w in wanted))
        return [], reason or f"{target.name!r} ({target.type.name}) has no capability {asked}"

    # who may be related to whom --------------------------------------------------------------

    def misfit(
        self, link: TypeDef, source: NodeTemplate, target: NodeTemplate, name: str, capability: CapabilityDef | None
    ) -> str:
        """Why a type of relationship or a capability does not allow two nodes to be related; nothing if it does."""
        both = f"{source.name!r} ({source.type.name}) cannot be related to {target.name!r} ({target.type.name}): "
        offered = [capability.type] if capability is not None else [c.type for c in target.type.capabilities.values()]
        modern = link.document.version == 2
        goals = (*offered, target.type) if not modern else tuple(offered)
        for key, found in (
            ("valid_capability_types" if modern else "valid_target_types", goals),
            ("valid_target_node_types", (target.type,)),
            ("valid_source_node_types" if modern else "valid_source_types", (source.type,)),
        ):
            allowed = self._valid(link, key)
            if allowed is not None and not _any_of(found, allowed):
                return f"{both}{link.name} has {key} {_shown(allowed)}"
        if capability is None:
            return ""
        if is_external(self._scopes(target, name)):
            return f"{both}its capability {name!r} is for nodes of other templates"
        if capability.sources is not None and not _any_of((source.type,), capability.sources):
            return f"{both}its capability {name!r} is for {_shown(capability.sources)}"
        if capability.relationships is not None and not _any_of((link,), capability.relationships):
            return f"{both}its capability {name!r} takes {_shown(capability.relationships)}, and not {link.name}"
        return ""

    def _scopes(self, target: NodeTemplate, name: str) -> tuple[str, ...]:
        section = target.node.get("capabilities")
        written = section.get(name) if isinstance(section, Map) else None
        return read_scopes(written, self.problems) if isinstance(written, Map) else ()

    def _valid(self, link: TypeDef, key: str) -> tuple[TypeDef, ...] | None:
        """The types that a relationship type lists under a key, itself or by an ancestor; None where it does not."""
        place = (link, key)
        if place not in self._allowed:
            owner = next((a for a in link.ancestors if a.node.get(key) is not None), None)
            self._allowed[place] = self._listed(owner, key) if owner is not None else None
        return self._allowed[place]

    def _listed(self, owner: TypeDef, key: str) -> tuple[TypeDef, ...]:
        found = []
        for item in list_at(owner.node, key, self.problems):
            name = text_of(item)
            kinds = ("capability", "node") if key in ("valid_target_types", "valid_capability_types") else ("node",)
            known = (self.types.find(kind, name, owner.document) for kind in kinds)
            first = next((k for k in known if k is not None), None)
            if first is not None:
                found.append(first)
            else:
                known_names = self.types.known(kinds[0], owner.document)
                summary = f"there is no {kinds[0]} type {name!r}"
                self.problems.error("type-unknown", summary, item, suggestion=near(name, known_names))
        return tuple(found)


def _any_of(found: tuple[TypeDef, ...], allowed: tuple[TypeDef, ...]) -> bool:
    return any(f.derives(a.name) for f in found for a in allowed)


def _shown(types: tuple[TypeDef, ...]) -> str:
    return " or ".join(t.name for t in types[:5]) or "nothing"
