"""Types of a template: found by name, ordered by derivation, with what they inherit merged in.

A :class:`TypeDef` works out what it needs when it is first asked, so a document may define thousands of
types and pay for those that are used. The normative types are read once in a process.
"""

from __future__ import annotations

import pkgutil
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from functools import cache, cached_property

from isthmus.tosca.constraints import Constraint, parse_constraints
from isthmus.tosca.definitions import (
    CapabilityDef,
    PropertyDef,
    RequirementDef,
    parse_capability,
    parse_property,
    parse_requirement,
)
from isthmus.tosca.diagnostics import Problems, near
from isthmus.tosca.documents import Map, Node, Seq, compose, text_of
from isthmus.tosca.grammar import check_keys, entries_at, list_at
from isthmus.tosca.imports import Document
from isthmus.tosca.interfaces import Interface, overlay_interfaces
from isthmus.tosca.leniency import allows
from isthmus.tosca.scalars import PRIMITIVES

KINDS = ("node", "relationship", "capability", "data", "artifact", "interface", "group", "policy")
MAX_ANCESTORS = 64
_PROFILE = "profiles/simple.yaml"


class TypeDef:
    """One type; ``kind`` is one of :data:`KINDS`, ``name`` the full name under which it is defined."""

    def __init__(self, types: Types, kind: str, name: str, node: Map, document: Document, at: Node) -> None:
        self.types = types
        self.kind = kind
        self.name = name
        self.node = node
        self.document = document
        self.at = at

    @cached_property
    def parent(self) -> TypeDef | None:
        """The type that this one derives from; None for a root, and for a primitive parent."""
        derived = self.node.get("derived_from")
        if derived is None or (self.kind == "data" and text_of(derived) in PRIMITIVES):
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
        return frozenset(a.name for a in self.ancestors)

    def derives(self, name: str) -> bool:
        """Whether the type is, or derives from, the type of that full name."""
        return name in self.names

    @cached_property
    def primitive(self) -> str:
        """For a data type: the primitive type at its root, `map` for a type with properties."""
        root = text_of(self.ancestors[-1].node.get("derived_from"))
        return root if root in PRIMITIVES else "map"

    @cached_property
    def description(self) -> str:
        return text_of(self.node.get("description")).strip()

    @cached_property
    def constraints(self) -> tuple[Constraint, ...]:
        """The constraints that a data type and its ancestors put on every value."""
        problems = self.types.problems
        nodes = [n for a in reversed(self.ancestors) for n in list_at(a.node, "constraints", problems)]
        return parse_constraints(nodes, self.primitive, problems)

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
                if old is not None:
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


class Types:
    """The types of a set of documents, over those of ``base`` (the normative ones)."""

    def __init__(self, problems: Problems, base: Types | None = None) -> None:
        self.problems = problems
        self.base = base
        self._defined: dict[str, dict[tuple[str, str], TypeDef]] = {}
        self._found: dict[tuple[str, str, str], TypeDef | None] = {}

    def add(self, document: Document) -> None:
        """Define the types of a document."""
        own: dict[tuple[str, str], TypeDef] = {}
        for kind in KINDS:
            for name, node in entries_at(document.root, f"{kind}_types", self.problems).items():
                if not isinstance(node, Map):
                    if text_of(node):
                        self.problems.error("shape", f"the type {name!r} must be a map", node)
                    node = Map(node.source, node.mark)
                own[kind, name] = TypeDef(self, kind, name, node, document, self._key(document, kind, name))
                self._check_definition(own[kind, name])
        self._defined[document.file] = own

    def _key(self, document: Document, kind: str, name: str) -> Node:
        section = document.root.get(f"{kind}_types")
        assert isinstance(section, Map)
        return section.keys[name]

    def _check_definition(self, found: TypeDef) -> None:
        if found.kind != "interface":
            check_keys(found.node, f"{found.kind}_type", self.problems)
        if self.base is None or self.base.own(found.kind, found.name) is None:
            return
        if found.kind == "data" and found.name == "tosca.datatypes.Root":
            return
        if not allows("normative-types-redefined", found.at, self.problems):
            self.problems.error(
                "type-redefined",
                f"{found.name!r} is a type of the Simple Profile, and cannot be defined again",
                found.at,
            )

    def own(self, kind: str, name: str) -> TypeDef | None:
        """The type that one of these documents defines under exactly that name."""
        for defined in self._defined.values():
            if (kind, name) in defined:
                return defined[kind, name]
        return None

    def __iter__(self) -> Iterator[TypeDef]:
        for defined in self._defined.values():
            yield from defined.values()

    def find(self, kind: str, name: str, document: Document) -> TypeDef | None:
        """The type that a name means in a document: its own, an imported one, or a normative one."""
        key = (kind, name, document.file)
        if key not in self._found:
            found = self._visible(kind, name, document, set())
            self._found[key] = found or (self.base.normative(kind, name) if self.base else None)
        return self._found[key] or (self.normative(kind, name) if self.base is None else None)

    def _visible(self, kind: str, name: str, document: Document, seen: set[tuple[str, str]]) -> TypeDef | None:
        stack = [(name, document)]
        while stack:
            wanted, current = stack.pop(0)
            if (wanted, current.file) in seen:
                continue
            seen.add((wanted, current.file))
            found = self._defined.get(current.file, {}).get((kind, wanted))
            if found is not None:
                return found
            for prefix, imported in current.imports:
                if not prefix:
                    stack.append((wanted, imported))
                elif wanted.startswith((f"{prefix}:", f"{prefix}.")):
                    stack.append((wanted[len(prefix) + 1 :], imported))
        return None

    def normative(self, kind: str, name: str) -> TypeDef | None:
        """A normative type by full name, short name, or `tosca:` name (TOSCA 1.3 §5.2)."""
        name = name.removeprefix("tosca:")
        return self.own(kind, self._short.get((kind, name), name))

    @cached_property
    def _short(self) -> Mapping[tuple[str, str], str]:
        """Full names by what follows `tosca.nodes.` and by the last part alone where that is unique."""
        rest = {(t.kind, t.name.split(".", 2)[-1]): t.name for t in self if t.name.startswith("tosca.")}
        last = Counter((t.kind, t.name.rsplit(".", 1)[-1]) for t in self)
        alone = {
            (t.kind, t.name.rsplit(".", 1)[-1]): t.name for t in self if last[t.kind, t.name.rsplit(".", 1)[-1]] == 1
        }
        return alone | rest

    def resolve(self, kind: str, written: Node, document: Document) -> TypeDef | None:
        """The type that a scalar names; reports an unknown one, with the nearest name."""
        name = text_of(written)
        found = self.find(kind, name, document) if name else None
        if found is None:
            self.problems.error(
                "type-unknown",
                f"there is no {kind} type {name!r}",
                written,
                suggestion=near(name, self.known(kind)),
            )
        return found

    def known(self, kind: str) -> list[str]:
        """The names of all types of a kind, and the primitive ones where these count."""
        names = [t.name for types in (self, self.base) if types is not None for t in types if t.kind == kind]
        return names + sorted(PRIMITIVES) if kind == "data" else names

    def check_all(self) -> None:
        """Work out all that these documents define, so that mistakes in types not used are told too."""
        for found in self:
            if found.kind in ("node", "relationship", "capability", "data", "group", "policy"):
                _ = found.properties, found.attributes
            if found.kind == "node":
                _ = found.capabilities, found.requirements
            if found.kind in ("node", "relationship"):
                _ = found.interfaces
            if found.kind == "data":
                _ = found.constraints
            _ = found.ancestors

    def check_refinement(self, old: PropertyDef, new: PropertyDef) -> None:
        """A property may be refined only to the same or a derived type (TOSCA 1.3 §3.6.10.6)."""
        data = new.schema.data
        same = new.schema.type == old.schema.type or (data is not None and data.derives(old.schema.type))
        derived = data is not None and old.schema.data is None and data.primitive == old.schema.type
        if same or derived or allows("free-refinement", new.at, self.problems):
            return
        self.problems.error(
            "refinement",
            f"{new.name!r} was declared as {old.schema.type}, and cannot become {new.schema.type}",
            new.at,
        )

    def requirement_entries(self, node: Map) -> Iterator[tuple[str, Node]]:
        """The entries of a `requirements` list, each a map with one key."""
        written = node.get("requirements")
        items = written.items if isinstance(written, Seq) else [written] if written is not None else []
        for item in items:
            if isinstance(item, Map) and item.entries:
                yield from item.entries.items()
            else:
                self.problems.error("shape", "requirements are a list of maps with one key each", item)


@cache
def normative_types() -> Types:
    """The types of the Simple Profile, shared by all loads of this process."""
    problems = Problems()
    data = pkgutil.get_data("isthmus.tosca", _PROFILE)
    assert data is not None
    root = compose(_PROFILE, data, problems)
    assert isinstance(root, Map)
    types = Types(problems)
    types.add(Document(_PROFILE, root))
    assert not problems.failed, problems.list()[0].render()
    return types
