"""Relationships: their templates, what an assignment says of one, and between whom its type allows it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from isthmus.tosca.diagnostics import Problems, near
from isthmus.tosca.expressions.functions import Functions
from isthmus.tosca.expressions.values import function_of
from isthmus.tosca.grammar import check_keys, map_at
from isthmus.tosca.profiles import SIMPLE
from isthmus.tosca.reading.documents import Map, Node, Scalar, text_of, walk
from isthmus.tosca.reading.imports import Document
from isthmus.tosca.resolving.assignments import Assignment
from isthmus.tosca.resolving.templates import NodeTemplate, Relation, Scope, Values
from isthmus.tosca.typesystem.definitions import PropertyDef, parse_property, with_reflected
from isthmus.tosca.typesystem.interfaces import Interface, overlay_interfaces
from isthmus.tosca.typesystem.parameters import Place
from isthmus.tosca.typesystem.requirement_defs import RequirementDef
from isthmus.tosca.typesystem.typedefs import TypeDef
from isthmus.tosca.typesystem.types import Types, normative_types

_ROOT = "tosca.relationships.Root"


@dataclass(frozen=True, slots=True, eq=False)
class Link:
    """What a relationship will be, whoever meets the requirement."""

    type: TypeDef
    template: str | None
    definitions: Mapping[str, PropertyDef]
    properties: Map
    attributes: Map
    interfaces: Mapping[str, Interface]


class Relationships:
    """Makes the relationships of a template; ``templates`` are its `relationship_templates` by name."""

    def __init__(self, section: Map | None, types: Types, document: Document, functions: Functions) -> None:
        self.types = types
        self.problems = types.problems
        self.document = document
        self.functions = functions
        self.templates = _read_templates(section, self.problems)
        self.used: set[str] = set()
        self._unused: dict[str, tuple[Values, Values]] = {}
        functions.unused = self.unused

    # one relationship ------------------------------------------------------------------------

    def link(self, assignment: Assignment) -> Link | None:
        """What an assignment and its definition say of the relationship; None when its type is not known."""
        spoken, definition, document = assignment.relationship, assignment.definition, assignment.node.document
        name = self._template_of(spoken, document)
        template = self.templates[name] if name is not None else None
        found = self._type(spoken, template, definition, document)
        if found is None:
            return None
        if name is not None:
            self.used.add(name)
        self._check_derived(found, definition, assignment)
        interfaces = found.interfaces
        if definition is not None and definition.interfaces is not None:
            interfaces = overlay_interfaces(
                interfaces, definition.interfaces, self.types, definition.document, Place.REFINEMENT
            )
        properties, attributes = (
            Map(assignment.at.source, assignment.at.mark),
            Map(assignment.at.source, assignment.at.mark),
        )
        for part in (p for p in (template, spoken) if isinstance(p, Map)):
            if part is not template:
                check_keys(part, "relationship_assignment", self.problems)
            _lay_over(properties, map_at(part, "properties", self.problems))
            _lay_over(attributes, _assigned(map_at(part, "attributes", self.problems)))
            interfaces = overlay_interfaces(interfaces, part.get("interfaces"), self.types, document, Place.TEMPLATE)
        return Link(found, name, self._definitions(found, definition), properties, attributes, interfaces)

    def relate(self, link: Link, assignment: Assignment, target: NodeTemplate, capability: str, count: int) -> Relation:
        """The relationship of an assignment to a node that meets it."""
        relation = Relation(
            assignment.name,
            assignment.label,
            assignment.node,
            target,
            link.type,
            assignment.at,
            assignment.definition,
            link.template,
            capability,
            count,
        )
        what = f"the relationship {assignment.label!r} of {assignment.node.name!r}"
        scope, at, make = Scope(relation=relation), assignment.at, self.functions.converter
        relation.values = Values(what, link.definitions, link.properties, scope, at, make)
        declared = with_reflected(link.type.properties, link.type.attributes, self.document)
        relation.attributes = Values(what, declared, link.attributes, scope, at, make, "attribute")
        relation.interfaces = link.interfaces
        return relation

    def _template_of(self, spoken: Node | None, document: Document) -> str | None:
        """The relationship template that is named; in TOSCA 2.0 a type of that name goes first (§8.5.2)."""
        if isinstance(spoken, Map) and document.version == 2:
            return None
        name = text_of(spoken.get("type") if isinstance(spoken, Map) else spoken)
        if name not in self.templates:
            return None
        typed = document.version == 2 and self.types.find("relationship", name, document) is not None
        return None if typed else name

    def _type(
        self, spoken: Node | None, template: Map | None, definition: RequirementDef | None, document: Document
    ) -> TypeDef | None:
        if template is not None:
            return self._type_of(template, self.document)
        written = spoken.get("type") if isinstance(spoken, Map) else spoken
        if written is not None:
            return self._named_type(written, document)
        if definition is not None and definition.relationship is not None:
            return definition.relationship
        # TOSCA 2.0 has no root: a relationship of which nothing is said has no properties
        return self.types.find("relationship", _ROOT, document) or normative_types(SIMPLE).normative(
            "relationship", _ROOT
        )

    def _named_type(self, written: Node, document: Document) -> TypeDef | None:
        name = text_of(written)
        found = self.types.find("relationship", name, document) if name else None
        if found is None:
            summary = f"there is no relationship type or template {name!r}"
            known = [*self.types.known("relationship", document), *self.templates]
            self.problems.error("type-unknown", summary, written, suggestion=near(name, known))
        return found

    def _type_of(self, template: Map, document: Document) -> TypeDef | None:
        written = template.get("type")
        return self.types.find("relationship", text_of(written), document) if written is not None else None

    def _check_derived(self, found: TypeDef, definition: RequirementDef | None, assignment: Assignment) -> None:
        """A relationship may only be of the type that the requirement names, or derive from it (§8.5.2)."""
        wanted = definition.relationship if definition is not None else None
        if wanted is not None and not found.derives(wanted.name):
            summary = f"the relationship is a {found.name}, and {assignment.name!r} asks for a {wanted.name}"
            at = assignment.relationship or assignment.at
            # only TOSCA 2.0 says so; templates of TOSCA 1.x connect by `dependency` what they like
            report = self.problems.error if self.document.version == 2 else self.problems.warn
            report("target-mismatch", summary, at)

    def _definitions(self, found: TypeDef, definition: RequirementDef | None) -> Mapping[str, PropertyDef]:
        """The properties of the type, as the requirement's definition refines them."""
        refined = definition.properties if definition is not None else None
        if definition is None or refined is None:
            return found.properties
        merged = dict(found.properties)
        for name, node in refined.entries.items():
            if name not in merged:
                summary = f"{found.name} has no property {name!r}"
                self.problems.error("property-unknown", summary, refined.keys[name], suggestion=near(name, merged))
                continue
            parsed = parse_property(name, node, "property", self.types, definition.document, merged[name])
            if parsed is not None:
                merged[name] = parsed
        return merged

    # templates -------------------------------------------------------------------------------

    def check_templates(self) -> None:
        """Report what is wrong with relationship templates, those that nothing uses included."""
        for name, template in self.templates.items():
            check_keys(template, "relationship_template", self.problems)
            if template.get("type") is None:
                self.problems.error("key-missing", f"the relationship template {name!r} has no type", template)
                continue
            found = self.types.resolve("relationship", template.entries["type"], self.document)
            if found is not None and name not in self.used:
                self._check_unused(name, template, found)

    def unused(self, name: str) -> tuple[Values, Values] | None:
        """Properties and attributes of a template that nothing uses, for functions that name it (1.3 §4.4.2)."""
        template = self.templates.get(name)
        found = self._type_of(template, self.document) if template is not None and name not in self.used else None
        if template is None or found is None:
            return None
        if name not in self._unused:
            what, scope, make = f"the relationship template {name!r}", Scope(), self.functions.converter
            written = (map_at(template, key, self.problems) for key in ("properties", "attributes"))
            declared = (found.properties, found.attributes)
            properties, attributes = (
                Values(what, d, w, scope, template, make) for d, w in zip(declared, written, strict=True)
            )
            self._unused[name] = properties, attributes
        return self._unused[name]

    def _check_unused(self, name: str, template: Map, found: TypeDef) -> None:
        """Of a template that nothing uses all is checked that does not ask for its source or target."""
        what, scope = f"the relationship template {name!r}", Scope()
        reflected = with_reflected(found.properties, found.attributes, self.document)
        for key, noun, definitions in (
            ("properties", "property", found.properties),
            ("attributes", "attribute", reflected),
        ):
            written = map_at(template, key, self.problems)
            known = Map(template.source, template.mark)
            if written is not None:
                known.keys = written.keys
                known.entries = {k: n for k, n in written.entries.items() if not _calls(n) or k not in definitions}
            asking = written.entries.keys() - known.entries.keys() if written is not None else ()
            rest = {k: d for k, d in definitions.items() if k not in asking}
            values = Values(what, rest, known, scope, template, self.functions.converter, noun)
            values.check()
            values.all()
        overlay_interfaces(found.interfaces, template.get("interfaces"), self.types, self.document, Place.TEMPLATE)


def _calls(node: Node) -> bool:
    """Whether a function is called anywhere in a value."""
    return any(
        (isinstance(n, Map) and (function_of(n, None) is not None or any(k.startswith("$") for k in n.entries)))
        or (isinstance(n, Scalar) and n.text.startswith("$") and n.source.version == 2)
        for n in walk(node)
    )


def _assigned(section: Map | None) -> Map | None:
    """The attributes that are given values: the OASIS suite describes others anew where they are assigned."""
    if section is None:
        return None
    found = Map(section.source, section.mark)
    for name, node in section.entries.items():
        told = isinstance(node, Map) and node.source.version == 2 and node.entries.keys() <= {"description", "metadata"}
        if not told:
            found.entries[name], found.keys[name] = node, section.keys[name]
    return found


def _lay_over(base: Map, node: Map | None) -> None:
    if node is not None:
        base.entries |= node.entries
        base.keys |= node.keys


def _read_templates(section: Map | None, problems: Problems) -> dict[str, Map]:
    """The section `relationship_templates`, with what they copy from one another laid under (TOSCA 2.0 §7.4)."""
    written = map_at(section, "relationship_templates", problems)
    found = {}
    for name, node in written.entries.items() if written is not None else ():
        if not isinstance(node, Map):
            problems.error("shape", f"the relationship template {name!r} must be a map", node)
            continue
        assert written is not None
        resolved = _resolve_copy(node, written, problems)
        if resolved is not None:
            found[name] = resolved
    return found


def _resolve_copy(node: Map, section: Map, problems: Problems) -> Map | None:
    source = node.get("copy")
    if source is None:
        return node
    original = section.get(text_of(source))
    if not isinstance(original, Map):
        summary = f"there is no relationship template {text_of(source)!r} to copy"
        problems.error("target-unknown", summary, source, suggestion=near(text_of(source), section.entries))
        return None
    if original.get("copy") is not None:
        problems.error("target-unknown", f"{text_of(source)!r} is a copy itself, and cannot be copied", source)
        return None
    merged = Map(node.source, node.mark)
    merged.entries = {**original.entries, **node.entries}
    merged.keys = {**original.keys, **node.keys}
    return merged
