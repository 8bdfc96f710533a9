"""Requirement definitions of TOSCA 2.0 (§8.4): what they name exists, goes together, and narrows what is inherited.

They are looked at for every type, whether or not a template has a node of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from isthmus.tosca.diagnostics import near
from isthmus.tosca.expressions.values import BROKEN, Converter
from isthmus.tosca.grammar import map_at
from isthmus.tosca.reading.documents import Map, Node, text_of
from isthmus.tosca.resolving.filters import check_filter
from isthmus.tosca.resolving.interface_checks import InterfaceChecks
from isthmus.tosca.typesystem.definitions import PropertyDef, parse_property
from isthmus.tosca.typesystem.interfaces import overlay_interfaces
from isthmus.tosca.typesystem.modern import check_values
from isthmus.tosca.typesystem.parameters import Place
from isthmus.tosca.typesystem.requirement_defs import RequirementDef
from isthmus.tosca.typesystem.typedefs import TypeDef
from isthmus.tosca.typesystem.types import Types


def check_requirement_definitions(found: TypeDef, interfaces: InterfaceChecks) -> None:
    """Report what is wrong with the requirements that a node type of TOSCA 2.0 itself defines or refines."""
    inherited = found.base.requirements if found.base is not None else {}
    for name, node in found.types.requirement_entries(found.node):
        definition = found.requirements.get(name)
        if definition is not None:
            _Check(found.types, definition, inherited.get(name), node, interfaces).run()


@dataclass(frozen=True, slots=True, eq=False)
class _Check:
    """The check of one definition, which refines ``old`` where there is one."""

    types: Types
    definition: RequirementDef
    old: RequirementDef | None
    node: Node
    interfaces: InterfaceChecks

    def run(self) -> None:
        self.types.problems.spend()
        body = self.node if isinstance(self.node, Map) else None
        spoken = body.get("capability") if body is not None else self.node
        if spoken is not None:
            self._check_capability(spoken)
        self._check_target(body)
        written = body.get("relationship") if body is not None else None
        if isinstance(written, Map):
            self._check_relationship(written)
        own = body.get("node_filter") if body is not None else None
        if own is not None:
            check_filter(own, self.types)

    # capability and node ---------------------------------------------------------------------

    def _type_of(self, definition: RequirementDef) -> TypeDef | None:
        """The capability type that a definition names; None for one that names a capability of its node type."""
        return self.types.find("capability", text_of(definition.capability), definition.document)

    def _check_capability(self, spoken: Node) -> None:
        """A capability is told by its type, or by its name where the node type is told too."""
        name, node, document = text_of(spoken), self.definition.node, self.definition.document
        kind = self._type_of(self.definition)
        if kind is None and node is None:
            self.types.resolve("capability", spoken, document)
        elif kind is None and node is not None and name not in node.capabilities:
            summary = f"there is no capability type {name!r}, and {node.name} has no capability of that name"
            self._wrong("capability-unknown", summary, spoken, name, node.capabilities)
        elif self.old is not None:
            self._check_narrowed(name, kind, self.old, spoken)

    def _check_narrowed(self, name: str, kind: TypeDef | None, old: RequirementDef, spoken: Node) -> None:
        before, was = self._type_of(old), text_of(old.capability)
        if before is None:
            if name != was and old.capability is not None:
                summary = f"{old.name!r} is met by the capability {was!r}, which no refinement changes"
                self._wrong("refinement", summary, spoken)
            return
        if kind is None and self.definition.node is not None:
            kind = self.definition.node.capabilities[name].type
        if kind is not None and not kind.derives_from(before):
            summary = f"the capability of {old.name!r} is a {before.name}, and cannot become a {kind.name}"
            self._wrong("refinement", summary, spoken)

    def _check_target(self, body: Map | None) -> None:
        """The node type must have a capability that meets the requirement."""
        node, kind = self.definition.node, self._type_of(self.definition)
        if node is None or kind is None or body is None or not body.entries.keys() & {"node", "capability"}:
            return
        name = text_of(self.definition.capability)
        if name not in node.capabilities and not any(c.type.derives_from(kind) for c in node.capabilities.values()):
            at = body.get("node") or self.node
            self._wrong("target-mismatch", f"{node.name} has no capability {kind.name}", at)

    # relationship ----------------------------------------------------------------------------

    def _check_relationship(self, written: Map) -> None:
        found = self.definition.relationship
        if found is None:
            if written.get("type") is None:
                self._wrong("key-missing", f"the relationship of {self.definition.name!r} has no 'type'", written)
            return
        for key, place, known in (
            ("properties", "property", found.properties),
            ("attributes", "attribute", found.attributes),
        ):
            section = map_at(written, key, self.types.problems)
            if section is not None:
                self._check_refined(section, place, known, found)
        interfaces, document = map_at(written, "interfaces", self.types.problems), self.definition.document
        made = overlay_interfaces(found.interfaces, interfaces, self.types, document, Place.REFINEMENT)
        self.interfaces.check_section(interfaces, made, found, document)

    def _check_refined(self, section: Map, place: str, known: Mapping[str, PropertyDef], found: TypeDef) -> None:
        """Properties and attributes of the relationship's type may be refined, and none added."""
        refined = {}
        for name, node in section.entries.items():
            old = known.get(name)
            if old is None:
                summary = f"{found.name} has no {place} {name!r}"
                self._wrong(f"{place}-unknown", summary, section.keys[name], name, known)
                continue
            new = parse_property(name, node, place, self.types, self.definition.document, old)
            if new is not None:
                self.types.check_refinement(old, new)
                refined[name] = new
        check_values(refined, Converter(self.types.problems, lambda name, node, scope: BROKEN))

    def _wrong(
        self, code: str, summary: str, at: Node, name: str = "", known: Mapping[str, object] | None = None
    ) -> None:
        self.types.problems.error(code, summary, at, suggestion=near(name, known) if known is not None else "")
