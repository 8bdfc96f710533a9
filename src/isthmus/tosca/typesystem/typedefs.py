"""One type: its ancestors, and what it declares with what it inherits merged in.

A :class:`TypeDef` works out what it needs when it is first asked, so a document may define thousands of
types and pay for those that are used.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING

from isthmus.tosca import profiles
from isthmus.tosca.grammar import entries_at, list_at
from isthmus.tosca.reading.documents import Map, Node, Seq, text_of
from isthmus.tosca.typesystem.capabilities import CapabilityDef, parse_capability, type_list
from isthmus.tosca.typesystem.constraints import Constraint, parse_constraints
from isthmus.tosca.typesystem.definitions import PropertyDef, parse_property
from isthmus.tosca.typesystem.interfaces import Interface, overlay_interfaces
from isthmus.tosca.typesystem.requirement_defs import RequirementDef, parse_requirement
from isthmus.tosca.typesystem.scalars import primitives
from isthmus.tosca.typesystem.schemas import Schema, check_key, check_schema, parse_inner
from isthmus.tosca.typesystem.units import ScalarType, scalar_type
from isthmus.tosca.typesystem.validation import Validation, parse_validation

if TYPE_CHECKING:
    from isthmus.tosca.reading.imports import Document
    from isthmus.tosca.typesystem.types import Types

MAX_ANCESTORS = 64


class TypeDef:
    """One type; ``kind`` is one of :data:`KINDS`, ``name`` the full name under which it is defined."""

    def __init__(self, types: Types, kind: str, name: str, node: Map, document: Document, at: Node) -> None:
        self.types = types
        self.kind = kind
        self.name = name
        self.node = node
        self.document = document
        self.at = at
        self._inner: dict[str, Schema | None] = {}

    @cached_property
    def parent(self) -> TypeDef | None:
        """The type that this one derives from; None for a root, and for a primitive parent."""
        derived = self.node.get("derived_from")
        if derived is None or (self.kind == "data" and text_of(derived) in self._primitives):
            return None
        if text_of(derived) == self.name:
            self.types.problems.error("type-cycle", f"{self.name!r} derives from itself", derived)
            return None
        return self.types.resolve(self.kind, derived, self.document)

    @cached_property
    def ancestors(self) -> tuple[TypeDef, ...]:
        """This type, its parent, and so on to the root; itself alone where types derive in a circle."""
        line, current = [self], self.parent
        while current is not None:
            if current in line:
                self.types.problems.error("type-cycle", f"{self.name!r} derives in a circle", self.at)
                return (self,)
            if len(line) >= MAX_ANCESTORS:
                summary = f"{self.name!r} derives through more than {MAX_ANCESTORS} types"
                self.types.problems.error("too-large", summary, self.at)
                return (self,)
            line.append(current)
            current = current.parent
        return tuple(line)

    @cached_property
    def names(self) -> frozenset[str]:
        """The full names of the type and its ancestors, and the normative ones of those from a built-in profile."""
        return frozenset(n for a in self.ancestors for n in (a.name, a.normative) if n)

    @property
    def normative(self) -> str:
        """The name that TOSCA 1.x has for a type of a built-in profile of TOSCA 2.0; nothing for any other."""
        metadata = self.node.get("metadata") if self.document.file in profiles.BUILT_IN.values() else None
        return text_of(metadata.get("normative")) if isinstance(metadata, Map) else ""

    def derives(self, name: str) -> bool:
        """Whether the type is, or derives from, the type of that full name."""
        return name in self.names

    def derives_from(self, other: TypeDef) -> bool:
        """Whether the type is, or derives from, that type, of which there may be namesakes."""
        return other in self.ancestors

    @property
    def _primitives(self) -> frozenset[str]:
        return primitives(self.document.version)

    @cached_property
    def primitive(self) -> str:
        """For a data type: the built-in type at its root, `map` for a type with properties."""
        root = text_of(self.ancestors[-1].node.get("derived_from"))
        return root if root in self._primitives else "map"

    @cached_property
    def description(self) -> str:
        return text_of(self.node.get("description")).strip()

    @cached_property
    def complex(self) -> bool:
        """Whether a data type is made of properties rather than derived from a built-in type."""
        root = text_of(self.ancestors[-1].node.get("derived_from"))
        return root not in self._primitives or (root == "map" and any(a.node.get("properties") for a in self.ancestors))

    @cached_property
    def constraints(self) -> tuple[Constraint, ...]:
        """The constraints that a data type and its ancestors put on every value."""
        problems = self.types.problems
        nodes = [n for a in reversed(self.ancestors) for n in list_at(a.node, "constraints", problems)]
        return parse_constraints(nodes, self.primitive, problems)

    @cached_property
    def validations(self) -> tuple[Validation, ...]:
        """The validation clauses that a data type and its ancestors put on every value (TOSCA 2.0 §9.2)."""
        inherited = self.base.validations if self.base is not None else ()
        clause = self.node.get("validation")
        if clause is None:
            return inherited
        schema = Schema(self.name, self.primitive, self, self.inner("entry"), self.inner("key"), scalar=self.scalar)
        own = parse_validation(clause, schema, self.types)
        return (*inherited, own) if own is not None else inherited

    @cached_property
    def scalar(self) -> ScalarType | None:
        """The units of a data type that derives from `scalar` (TOSCA 2.0 §9.1.2.2); None for any other."""
        return scalar_type(self) if self.primitive == "scalar" else None

    def inner(self, key: str) -> Schema | None:
        """The schema of the `entry` or the `key` of a data type that is a list or a map."""
        if key not in self._inner:
            self._inner[key] = None
            node = self.node.get(f"{key}_schema")
            inherited = self.base.inner(key) if self.base is not None else None
            self._inner[key] = inherited
            if node is not None:
                self._inner[key] = parse_inner(key, node, self.types, self.document, inherited)
                if self.document.version == 2:
                    check_schema(inherited, self._inner[key], f"{key}_schema", node, self.types)
                    if key == "key":
                        check_key(self._inner[key], node, self.types)
        return self._inner[key]

    def valid(self, kind: str, key: str) -> tuple[TypeDef, ...] | None:
        """The types under a key such as `valid_source_types`, inherited where not told; None where any will do."""
        for ancestor in self.ancestors:
            found = type_list(ancestor.node, key, kind, self.types, ancestor.document)
            if found is not None:
                return found
        return None

    @cached_property
    def properties(self) -> Mapping[str, PropertyDef]:
        return self._declared("properties", "property")

    @cached_property
    def attributes(self) -> Mapping[str, PropertyDef]:
        return self._declared("attributes", "attribute")

    @property
    def base(self) -> TypeDef | None:
        """The parent to inherit from; None too where types derive in a circle."""
        return self.ancestors[1] if len(self.ancestors) > 1 else None

    def _declared(self, key: str, place: str) -> Mapping[str, PropertyDef]:
        inherited: Mapping[str, PropertyDef] = getattr(self.base, key) if self.base is not None else {}
        merged = dict(inherited)
        for name, node in self._own(key, merged):
            old = merged.get(name)
            new = parse_property(name, node, place, self.types, self.document, old)
            if new is not None:
                if old is not None and self.document.version == 1:
                    self.types.check_refinement(old, new)
                merged[name] = new
        return merged

    def _own(self, key: str, merged: Mapping[str, object]) -> Iterable[tuple[str, Node]]:
        """What the type itself writes under a key; counts the work of merging."""
        own = entries_at(self.node, key, self.types.problems)
        self.types.problems.spend(len(merged) + len(own))
        return own.items()

    @cached_property
    def capabilities(self) -> Mapping[str, CapabilityDef]:
        merged = dict(self.base.capabilities) if self.base is not None else {}
        for name, node in self._own("capabilities", merged):
            new = parse_capability(name, node, self.types, self.document, merged.get(name))
            if new is not None:
                merged[name] = new
        return merged

    @cached_property
    def requirements(self) -> Mapping[str, RequirementDef]:
        merged = dict(self.base.requirements) if self.base is not None else {}
        self.types.problems.spend(len(merged))
        for name, node in self.types.requirement_entries(self.node):
            merged[name] = parse_requirement(name, node, self.types, self.document, merged.get(name))
        return merged

    @cached_property
    def interfaces(self) -> Mapping[str, Interface]:
        inherited: Mapping[str, Interface] = self.base.interfaces if self.base is not None else {}
        return overlay_interfaces(inherited, self.node.get("interfaces"), self.types, self.document)

    @cached_property
    def operations(self) -> frozenset[str]:
        """The operations that an interface type declares, with those of its ancestors."""
        reserved = {"derived_from", "version", "metadata", "description", "inputs", "operations", "notifications"}
        names: set[str] = set()
        for ancestor in self.ancestors:
            names |= entries_at(ancestor.node, "operations", ancestor.types.problems).keys()
            names |= ancestor.node.entries.keys() - reserved
        return frozenset(names)

    @cached_property
    def artifacts(self) -> Mapping[str, Node]:
        inherited: Mapping[str, Node] = self.base.artifacts if self.base is not None else {}
        return {**inherited, **artifact_entries(self.node)}


def artifact_entries(node: Map) -> dict[str, Node]:
    """The artifacts of a type or template; 1.0 templates write them as a list of maps too."""
    written = node.get("artifacts")
    if isinstance(written, Seq):
        return {k: v for item in written.items if isinstance(item, Map) for k, v in item.entries.items()}
    return dict(written.entries) if isinstance(written, Map) else {}
