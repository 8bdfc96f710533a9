"""Substitution mappings: what of a template stands for what of the node that it may replace.

TOSCA 2.0 chapter 15, TOSCA 1.3 §3.8.12 to §3.8.14. They are checked and told; deployments are not nested.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

from isthmus.topology import Mapped, Substitution
from isthmus.tosca.diagnostics import near
from isthmus.tosca.expressions.functions import Functions
from isthmus.tosca.grammar import check_common, entries_at, map_at
from isthmus.tosca.reading.documents import Map, Node, plain, text_of
from isthmus.tosca.reading.imports import Document
from isthmus.tosca.resolving.filters import check_filter, check_filter_names
from isthmus.tosca.resolving.mapped_requirements import RequirementMappings
from isthmus.tosca.resolving.mapping_keys import mapping_of, names_of, parse_key
from isthmus.tosca.resolving.templates import SELECT, NodeTemplate, Scope, Values
from isthmus.tosca.typesystem.definitions import PropertyDef
from isthmus.tosca.typesystem.schemas import Schema, parse_schema
from isthmus.tosca.typesystem.typed import BOOLEAN, fits, primitive
from isthmus.tosca.typesystem.typedefs import TypeDef
from isthmus.tosca.typesystem.types import Types

_KEYS = ("node_type", "substitution_filter", "properties", "attributes", "capabilities", "requirements", "interfaces")
_COMMON = ("description", "metadata")
_ASKED = ("property-unknown", "attribute-unknown", "capability-unknown", "requirement-unknown", "value-type")


def read_substitution(
    section: Map | None, types: Types, document: Document, functions: Functions
) -> Substitution | None:
    """The mappings of a template; None when it has none, or when they make no sense, which is reported."""
    if section is None or "substitution_mappings" not in section.entries:
        return None
    written = section.get("substitution_mappings")
    if isinstance(written, Map):
        where = section.keys["substitution_mappings"]
        types.problems.warn("ignored", "substitution_mappings are checked, and deployments are not nested", where)
    else:
        at = section.keys["substitution_mappings"]
        types.problems.error("shape", "'substitution_mappings' must be a map with a 'node_type'", at)
        return None
    return _Reader(written, section, types, document, functions).read()


@dataclass(frozen=True, slots=True, eq=False)
class _Reader:
    written: Map
    section: Map
    types: Types
    document: Document
    functions: Functions
    inputs: set[str] = field(default_factory=set)
    """Those that a property is mapped to."""

    def read(self) -> Substitution | None:
        problems = self.types.problems
        for key in (k for k in self.written.entries if k not in (*_KEYS, *_COMMON)):
            summary = f"{key!r} is not a key of a substitution mapping"
            problems.error("key-unknown", summary, self.written.keys[key], suggestion=near(key, _KEYS))
        check_common(self.written, problems)
        name = self.written.get("node_type")
        if name is None:
            problems.error("key-missing", "a substitution mapping has no 'node_type'", self.written)
            return None
        kind = self.types.resolve("node", name, self.document)
        if kind is None:
            return None
        properties = tuple(self._properties(kind))
        self._check_inputs(kind)
        return Substitution(
            kind.name,
            properties,
            tuple(self._attributes(kind)),
            tuple(self._capabilities(kind)),
            RequirementMappings(self.written, kind, self.types, self.functions).read(),
            tuple(self._interfaces(kind)),
            self._filter(kind),
        )

    def _filter(self, kind: TypeDef) -> object:
        """The filter of the nodes that may be replaced; in TOSCA 1.3 under `node_filter` or as it is."""
        found = self.written.get("substitution_filter")
        if isinstance(found, Map) and list(found.entries) == ["node_filter"]:
            found = found.get("node_filter")
        if found is None or not check_filter(found, self.types):
            return None
        check_filter_names(found, kind, self.types.problems)
        if found.source.version == 2:
            self._check_asked(found, kind)
        return plain(found)

    def _check_asked(self, condition: Node, kind: TypeDef) -> None:
        """What a filter asks, nodes of the type must have; which values these have is not known here."""
        node = NodeTemplate(kind.name, Map(condition.source, condition.mark), kind, self.document, condition)
        scope, make = Scope(node=node), self.functions.converter
        node.directives = SELECT[:1]
        node.values = Values(kind.name, kind.properties, None, scope, condition, make)
        node.attributes = Values(kind.name, kind.attributes, None, scope, condition, make)
        node.capabilities = {
            name: Values(f"the capability {name!r}", c.properties, None, scope, condition, make)
            for name, c in kind.capabilities.items()
        }
        node.interfaces, node.artifacts = kind.interfaces, kind.artifacts
        _, wrong = self.types.problems.attempt(lambda: make.convert(condition, BOOLEAN, scope))
        for diagnostic in (d for d in wrong if d.code in _ASKED):
            self.types.problems.keep(diagnostic)

    # properties and attributes ---------------------------------------------------------------

    def _properties(self, kind: TypeDef) -> Iterator[Mapped]:
        """Properties of the replaced node, each with the input that takes its value (TOSCA 2.0 §15.2)."""
        section = map_at(self.written, "properties", self.types.problems)
        for key, node in section.entries.items() if section is not None else ():
            assert section is not None
            path = parse_key(key)
            definition = self._member(kind, path, "properties", section.keys[key])
            target = names_of(node)
            if definition is None or target is None:
                self._check_constant(definition, node)
                continue
            if self._check_input(definition, target, node):
                yield Mapped(path, tuple(target))

    def _check_constant(self, definition: PropertyDef | None, node: Node) -> None:
        if definition is not None:
            self._wrong("a property is mapped to the name of an input", node)

    def _check_input(self, definition: PropertyDef, target: list[str], node: Node) -> bool:
        """Whether a property goes to an input, or in TOSCA 1.2 and 1.3 to a property of a node."""
        inputs = self.functions.inputs
        if len(target) == 1 and inputs is not None and inputs.declares(target[0]):
            inputs.used.add(target[0])
            self.inputs.add(target[0])
            declared = inputs.definitions.get(target[0])
            if declared is not None:
                self._check_types(definition, declared.schema, node)
            return True
        if len(target) == 2 and target[0] in self.functions.nodes:
            return self._check_member(definition, self.functions.nodes[target[0]], target[1], "properties", node)
        names = inputs.names() if inputs is not None else ()
        self._wrong(f"there is no input {target[0]!r}", node, target[0], names)
        return False

    def _check_member(self, definition: PropertyDef, template: NodeTemplate, name: str, key: str, node: Node) -> bool:
        known = template.type.properties if key == "properties" else template.type.attributes
        if name not in known:
            what = "property" if key == "properties" else "attribute"
            self._wrong(f"{template.name!r} ({template.type.name}) has no {what} {name!r}", node, name, known)
            return False
        if node.source.version == 2:
            self.types.problems.warn("ignored", "TOSCA 2.0 maps to inputs and outputs, and not to nodes", node)
        self._check_types(definition, known[name].schema, node)
        return True

    def _check_types(self, definition: PropertyDef, other: Schema, node: Node) -> None:
        """What is mapped must be of the type of what takes the value (TOSCA 2.0 §15.2, §15.3)."""
        mine = definition.schema
        if not fits(mine, other) and not fits(other, mine):
            self._wrong(f"{definition.name!r} is a {mine.type}, and is mapped to a {other.type}", node)

    def _attributes(self, kind: TypeDef) -> Iterator[Mapped]:
        """Attributes of the replaced node, each with the output that gives its value (TOSCA 2.0 §15.3)."""
        section = map_at(self.written, "attributes", self.types.problems)
        outputs = entries_at(self.section, "outputs", self.types.problems)
        for key, node in section.entries.items() if section is not None else ():
            assert section is not None
            path = parse_key(key)
            definition = self._member(kind, path, "attributes", section.keys[key])
            target = names_of(node)
            if target is None:
                self._wrong("an attribute is mapped to the name of an output", node)
            elif definition is not None and self._check_output(definition, target, node, outputs):
                yield Mapped(path, tuple(target))

    def _check_output(self, definition: PropertyDef, target: list[str], node: Node, outputs: dict[str, Node]) -> bool:
        if len(target) == 1 and target[0] in outputs:
            output = outputs[target[0]]
            if isinstance(output, Map) and output.get("type") is not None:
                schema = parse_schema(output, self.types, self.document)
                if schema is not None:
                    self._check_types(definition, schema, node)
            return True
        if len(target) == 2 and target[0] in self.functions.nodes:
            return self._check_member(definition, self.functions.nodes[target[0]], target[1], "attributes", node)
        self._wrong(f"there is no output {target[0]!r}", node, target[0], outputs)
        return False

    def _member(self, kind: TypeDef, path: tuple[str, ...], key: str, at: Node) -> PropertyDef | None:
        """A property or attribute of the replaced node, of its capability, or of a relationship (§15.2)."""
        what = "property" if key == "properties" else "attribute"
        owner, known = kind.name, kind.properties if key == "properties" else kind.attributes
        if len(path) == 3 and path[0] == "CAPABILITY":
            capability = kind.capabilities.get(path[1])
            if capability is None:
                self._wrong(f"{kind.name} has no capability {path[1]!r}", at, path[1], kind.capabilities)
                return None
            owner = f"the capability {path[1]!r}"
            known = capability.properties if key == "properties" else capability.attributes
        elif len(path) in (3, 4) and path[0] == "RELATIONSHIP":
            requirement = kind.requirements.get(path[1])
            if requirement is None:
                self._wrong(f"{kind.name} has no requirement {path[1]!r}", at, path[1], kind.requirements)
                return None
            if len(path) == 4 and path[2] != "ALL" and not path[2].isdecimal():
                self._wrong(f"{path[2]!r} is no index: a number from 0, or ALL", at)
                return None
            most = requirement.most
            if len(path) == 4 and most is not None and path[2] != "ALL" and int(path[2][:9]) >= most:
                self._wrong(f"there are {most} relationships {path[1]!r} at most, counted from 0", at)
                return None
            owner, link = f"the relationship of {path[1]!r}", requirement.relationship
            known = {} if link is None else link.properties if key == "properties" else link.attributes
        elif len(path) != 1:
            self._wrong("what is mapped is a name, or a list that begins with CAPABILITY or RELATIONSHIP", at)
            return None
        if path[-1] not in known:
            self._wrong(f"{owner} has no {what} {path[-1]!r}", at, path[-1], known)
            return None
        found = known[path[-1]]
        # of all relationships there are as many values, in a list
        return replace(found, schema=primitive("list", found.schema)) if path[2:3] == ("ALL",) else found

    def _wrong(self, summary: str, at: Node, name: str = "", known: Iterable[str] = ()) -> None:
        self.types.problems.error("substitution", summary, at, suggestion=near(name, known) if name else "")

    def _check_inputs(self, kind: TypeDef) -> None:
        """An input that must be given needs a property; in TOSCA 1.x properties go to inputs of their name too."""
        inputs = self.functions.inputs
        modern = self.document.version == 2
        definitions = inputs.definitions if inputs is not None else {}
        for name, definition in definitions.items():
            implied = not modern and name in kind.properties
            if definition.required and definition.default is None and name not in self.inputs and not implied:
                self._wrong(f"the input {name!r} must have a value, and no property is mapped to it", self.written)
        if modern or self.written.get("properties") is not None:
            return
        for name, definition in kind.properties.items():
            if definition.required and definition.default is None and name not in definitions:
                self._wrong(f"{kind.name} requires {name!r}, and there is no input of that name", self.written)

    # capabilities and interfaces -------------------------------------------------------------

    def _capabilities(self, kind: TypeDef) -> Iterator[Mapped]:
        """Capabilities of the replaced node, each with one of a node inside (TOSCA 2.0 §15.4)."""
        section = map_at(self.written, "capabilities", self.types.problems)
        for key, node in section.entries.items() if section is not None else ():
            assert section is not None
            if key not in kind.capabilities:
                self._wrong(f"{kind.name} has no capability {key!r}", section.keys[key], key, kind.capabilities)
                continue
            target = names_of(mapping_of(node))
            if target is None or len(target) != 2:
                self._wrong("a capability is mapped to [ NODE, CAPABILITY ]", node)
            elif self._check_capability(kind, key, target, node):
                yield Mapped((key,), tuple(target))

    def _check_capability(self, kind: TypeDef, key: str, target: list[str], node: Node) -> bool:
        template = self._template(target[0], node)
        if template is None:
            return False
        found = template.type.capabilities.get(target[1])
        if found is None:
            summary = f"{template.name!r} ({template.type.name}) has no capability {target[1]!r}"
            self._wrong(summary, node, target[1], template.type.capabilities)
            return False
        wanted = kind.capabilities[key].type
        if not found.type.derives(wanted.name):
            self._wrong(f"the capability {key!r} is a {wanted.name}, and is mapped to a {found.type.name}", node)
            return False
        return True

    def _template(self, name: str, at: Node) -> NodeTemplate | None:
        found = self.functions.nodes.get(name)
        if found is None and name not in self.functions.broken:
            self._wrong(f"there is no node {name!r}", at, name, self.functions.nodes)
        return found

    def _interfaces(self, kind: TypeDef) -> Iterator[Mapped]:
        """Operations of the replaced node, each with the workflow that does them (TOSCA 2.0 §15.6)."""
        section = map_at(self.written, "interfaces", self.types.problems)
        for key, node in section.entries.items() if section is not None else ():
            assert section is not None
            if key not in kind.interfaces:
                self._wrong(f"{kind.name} has no interface {key!r}", section.keys[key], key, kind.interfaces)
            elif isinstance(node, Map):
                yield from self._operations(kind, key, node)
            elif (target := names_of(node)) is not None and len(target) == 2:
                template = self._template(target[0], node)
                if template is not None and target[1] in template.interfaces:
                    yield Mapped((key,), tuple(target))
                elif template is not None:
                    summary = f"{target[0]!r} has no interface {target[1]!r}"
                    self._wrong(summary, node, target[1], template.interfaces)
            else:
                self._wrong("an interface is mapped by a map of its operations to workflows", node)

    def _operations(self, kind: TypeDef, key: str, node: Map) -> Iterator[Mapped]:
        interface = kind.interfaces[key]
        known = {*interface.operations, *(interface.type.operations if interface.type is not None else ())}
        workflows = entries_at(self.section, "workflows", self.types.problems)
        for operation, workflow in node.entries.items():
            if operation not in known:
                summary = f"the interface {key!r} has no operation {operation!r}"
                self._wrong(summary, node.keys[operation], operation, known)
            elif text_of(workflow) not in workflows:
                name = text_of(workflow)
                self._wrong(f"there is no workflow {name!r}", workflow, name, workflows)
            else:
                yield Mapped((key, operation), (text_of(workflow),))
