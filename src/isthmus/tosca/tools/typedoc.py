"""The documentation of types: which there are, and what one declares, with where each part comes from."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from isthmus.tosca import profiles
from isthmus.tosca.bundle import Bundle
from isthmus.tosca.diagnostics import Diagnostic, Exhausted, Problems
from isthmus.tosca.load import open_template
from isthmus.tosca.reading.documents import Map, Node, Scalar, plain, text_of
from isthmus.tosca.reading.imports import Document
from isthmus.tosca.typesystem.capabilities import CapabilityDef
from isthmus.tosca.typesystem.definitions import PropertyDef
from isthmus.tosca.typesystem.interfaces import Interface, OperationSpec
from isthmus.tosca.typesystem.requirement_defs import RequirementDef
from isthmus.tosca.typesystem.schemas import Schema
from isthmus.tosca.typesystem.typedefs import TypeDef
from isthmus.tosca.typesystem.types import KINDS, Types, normative_types


def _seeing(head: str) -> Bundle:
    return Bundle("-", {"-": f"tosca_definitions_version: {head}\n".encode()})


PROFILES: Mapping[str, Bundle | None] = {
    "simple": None,
    "simple-2.0": _seeing("tosca_2_0\nimports: [ { profile: 'org.oasis-open.simple:2.0' } ]"),
    "nfv": _seeing("tosca_simple_profile_for_nfv_1_0_0"),
}
"""What to look into for the types of a profile that comes with the language: templates that see nothing else."""


@dataclass(frozen=True, slots=True)
class TypeLine:
    """A type in a list. ``file`` is where it is defined; that of a normative one begins with `profiles/`."""

    kind: str
    name: str
    parent: str = ""
    description: str = ""
    file: str = ""


@dataclass(frozen=True, slots=True)
class FieldDoc:
    """A property or an attribute; ``origin`` is the type that declares it, or the last one to refine it."""

    name: str
    type: str
    required: bool
    default: str | None = None
    constraints: tuple[str, ...] = ()
    description: str = ""
    origin: str = ""


@dataclass(frozen=True, slots=True)
class CapabilityDoc:
    """A capability of a node type."""

    name: str
    type: str
    properties: tuple[FieldDoc, ...] = ()
    attributes: tuple[FieldDoc, ...] = ()
    origin: str = ""


@dataclass(frozen=True, slots=True)
class RequirementDoc:
    """A requirement of a node type; what is empty may be anything. ``least`` relationships must be made."""

    name: str
    capability: str = ""
    node: str = ""
    relationship: str = ""
    least: int = 1
    origin: str = ""


@dataclass(frozen=True, slots=True)
class OperationDoc:
    """An operation; ``implementation`` is the file that the type gives it, or empty."""

    name: str
    implementation: str = ""
    inputs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class InterfaceDoc:
    """An interface of a node or relationship type, with every operation that its type knows."""

    name: str
    type: str = ""
    operations: tuple[OperationDoc, ...] = ()
    origin: str = ""


@dataclass(frozen=True, slots=True)
class TypeDoc:
    """All of a type. ``ancestry`` goes from its parent to the root; ``derived`` are the types right below it."""

    kind: str
    name: str
    description: str = ""
    file: str = ""
    ancestry: tuple[str, ...] = ()
    derived: tuple[str, ...] = ()
    properties: tuple[FieldDoc, ...] = ()
    attributes: tuple[FieldDoc, ...] = ()
    capabilities: tuple[CapabilityDoc, ...] = ()
    requirements: tuple[RequirementDoc, ...] = ()
    interfaces: tuple[InterfaceDoc, ...] = ()
    operations: tuple[str, ...] = ()
    """Those that an interface type declares."""


def list_types(bundle: Bundle | None = None) -> tuple[TypeLine, ...] | tuple[Diagnostic, ...]:
    """Every type that a template sees, or the normative ones; diagnostics for a template that cannot be read."""
    shelf = _open(bundle)
    if not isinstance(shelf, _Shelf):
        return shelf
    try:
        return tuple(_line(t) for t in shelf)
    except Exhausted:
        return shelf.problems.list()


def describe_type(name: str, bundle: Bundle | None = None) -> tuple[TypeDoc, ...] | tuple[Diagnostic, ...]:
    """The types that a name means, one of each kind at most: full names, short ones, those of a namespace."""
    shelf = _open(bundle)
    if not isinstance(shelf, _Shelf):
        return shelf
    try:
        return tuple(_describe(t, shelf) for t in shelf.find(name))
    except Exhausted:
        return shelf.problems.list()


class _Shelf:
    """The types that can be asked for: a template's own and imported ones first."""

    def __init__(self, problems: Problems, types: Types, document: Document | None) -> None:
        self.problems = problems
        self._types = types
        self._document = document
        bases = [t for d in ([document] if document is not None else []) if (t := types.base_of(d)) is not None]
        self._all = list({id(t): t for types in (types, *bases) for t in types}.values())

    def __iter__(self) -> Iterator[TypeDef]:
        return iter(self._all)

    def find(self, name: str) -> Iterator[TypeDef]:
        for kind in KINDS:
            if self._document is not None:
                found = self._types.find(kind, name, self._document)
            else:
                found = self._types.normative(kind, name)
            found = found or next((t for t in self._all if (t.kind, t.name) == (kind, name)), None)
            if found is not None:
                yield found


def _open(bundle: Bundle | None) -> _Shelf | tuple[Diagnostic, ...]:
    problems = Problems()
    if bundle is None:
        return _Shelf(problems, normative_types(profiles.SIMPLE), None)
    try:
        opened = open_template(bundle, problems)
    except Exhausted:
        opened = None
    return _Shelf(problems, opened.types, opened.document) if opened is not None else problems.list()


def _line(found: TypeDef) -> TypeLine:
    parent = found.parent
    written = text_of(found.node.get("derived_from"))
    return TypeLine(found.kind, found.name, parent.name if parent else written, found.description, found.document.file)


def _describe(found: TypeDef, shelf: _Shelf) -> TypeDoc:
    ancestry = tuple(a.name for a in found.ancestors[1:])
    derived = tuple(t.name for t in shelf if t.kind == found.kind and t.parent is found)
    shown = TypeDoc(found.kind, found.name, found.description, found.document.file, ancestry, derived)
    if found.kind == "interface":
        operations = tuple(sorted(found.operations))
        return TypeDoc(*_head(shown), operations=operations)
    node = found.kind == "node"
    return TypeDoc(
        *_head(shown),
        properties=_fields(found.properties, found, "properties"),
        attributes=_fields(found.attributes, found, "attributes"),
        capabilities=tuple(_capability(c, found) for c in found.capabilities.values()) if node else (),
        requirements=tuple(_requirement(r, found) for r in found.requirements.values()) if node else (),
        interfaces=tuple(_interface(i, found) for i in found.interfaces.values())
        if found.kind in ("node", "relationship")
        else (),
    )


def _head(shown: TypeDoc) -> tuple[str, str, str, str, tuple[str, ...], tuple[str, ...]]:
    return shown.kind, shown.name, shown.description, shown.file, shown.ancestry, shown.derived


def _fields(definitions: Mapping[str, PropertyDef], owner: TypeDef, key: str) -> tuple[FieldDoc, ...]:
    return tuple(_field(d, _origin(owner, key, d.name)) for d in definitions.values())


def _field(definition: PropertyDef, origin: str = "") -> FieldDoc:
    schema = definition.schema
    default = None if definition.default is None or schema.secret else _say(plain(definition.default))
    return FieldDoc(
        definition.name,
        say_type(schema),
        definition.required and definition.default is None,
        default,
        tuple(_limits(schema)),
        definition.description,
        origin,
    )


def say_type(schema: Schema) -> str:
    """A schema as a person writes it: `list of string`, `map of PortSpec`."""
    return f"{schema.type} of {say_type(schema.entry)}" if schema.entry is not None else schema.type


def _limits(schema: Schema) -> Iterator[str]:
    yield from (f"{c.name}: {_say(c.operand)}" for c in schema.constraints)
    yield from (f"validation: {_say(plain(v.node))}" for v in schema.validations)


def _say(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _capability(definition: CapabilityDef, owner: TypeDef) -> CapabilityDoc:
    return CapabilityDoc(
        definition.name,
        definition.type.name,
        tuple(_field(d) for d in definition.properties.values()),
        tuple(_field(d) for d in definition.attributes.values()),
        _origin(owner, "capabilities", definition.name),
    )


def _requirement(definition: RequirementDef, owner: TypeDef) -> RequirementDoc:
    wanted = definition.capability.text if definition.capability is not None else ""
    return RequirementDoc(
        definition.name,
        wanted,
        definition.node.name if definition.node else "",
        definition.relationship.name if definition.relationship else "",
        definition.least,
        _origin(owner, "requirements", definition.name),
    )


def _interface(interface: Interface, owner: TypeDef) -> InterfaceDoc:
    declared = sorted(interface.type.operations) if interface.type is not None else []
    names = dict.fromkeys([*interface.operations, *declared])
    operations = tuple(_operation(name, interface.operations.get(name)) for name in names)
    origin = _origin(owner, "interfaces", interface.name)
    return InterfaceDoc(interface.name, interface.type.name if interface.type else "", operations, origin)


def _operation(name: str, spec: OperationSpec | None) -> OperationDoc:
    if spec is None:
        return OperationDoc(name)
    node = spec.implementation
    written = node.get("primary") if isinstance(node, Map) else node
    return OperationDoc(name, _file_of(written), tuple(spec.inputs))


def _file_of(node: Node | None) -> str:
    if isinstance(node, Map):
        node = node.get("file")
    return node.text if isinstance(node, Scalar) else ""


def _origin(owner: TypeDef, key: str, name: str) -> str:
    """The nearest of a type and its ancestors that says something of a name."""
    return next((a.name for a in owner.ancestors if name in _own_names(a, key)), "")


def _own_names(found: TypeDef, key: str) -> Iterable[str]:
    if key == "requirements":
        return {name for name, _ in found.types.requirement_entries(found.node)}
    section = found.node.get(key)
    return section.entries if isinstance(section, Map) else ()
