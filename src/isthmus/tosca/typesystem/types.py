"""The types that a template sees: its own, imported ones, and the normative ones, found by name.

The normative types are read once in a process.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator, Mapping
from functools import cache, cached_property
from typing import TYPE_CHECKING

from isthmus.tosca import profiles
from isthmus.tosca.diagnostics import Problems, near
from isthmus.tosca.expressions.custom import CustomFunctions
from isthmus.tosca.grammar import check_keys, entries_at
from isthmus.tosca.leniency import allows, is_own
from isthmus.tosca.reading.compose import compose
from isthmus.tosca.reading.documents import Map, Node, Seq, text_of
from isthmus.tosca.reading.imports import Document
from isthmus.tosca.typesystem.classic import check_classic_definitions
from isthmus.tosca.typesystem.definitions import PropertyDef
from isthmus.tosca.typesystem.modern import check_modern_definitions, check_modern_type
from isthmus.tosca.typesystem.namespaces import check_namespaces
from isthmus.tosca.typesystem.scalars import primitives
from isthmus.tosca.typesystem.typedefs import TypeDef

if TYPE_CHECKING:
    from isthmus.tosca.expressions.values import Converter
    from isthmus.tosca.typesystem.validation import Validation

KINDS = ("node", "relationship", "capability", "data", "artifact", "interface", "group", "policy")


class Types:
    """The types of a set of documents, and the normative ones that each of them sees."""

    def __init__(self, problems: Problems) -> None:
        self.problems = problems
        self.custom = CustomFunctions(self)
        self.clauses: list[Validation] = []
        self._documents: list[Document] = []
        self._defined: dict[str, dict[tuple[str, str], TypeDef]] = {}
        self._found: dict[tuple[str, str, str], TypeDef | None] = {}
        self._borrowed: set[tuple[str, str, str]] = set()
        """Names that a document does not import itself, and that those who import it bring."""

    def add(self, document: Document) -> None:
        """Define the types of a document."""
        own: dict[tuple[str, str], TypeDef] = {}
        for kind in KINDS:
            for name, node in entries_at(document.root, f"{kind}_types", self.problems).items():
                if not isinstance(node, Map):
                    if text_of(node) or document.version == 2 or isinstance(node, Seq):
                        self.problems.error("shape", f"the type {name!r} must be a map", node)
                    node = Map(node.source, node.mark)
                own[kind, name] = TypeDef(self, kind, name, node, document, self._key(document, kind, name))
                self._check_definition(own[kind, name])
        self._defined[document.file] = own
        self._documents.append(document)
        self.custom.add(document)

    def share(self, other: Types, importer: Document) -> None:
        """Let a document see the types of others without defining them again."""
        self._defined |= other._defined
        importer.imports += [("", next(iter(own.values())).document) for own in other._defined.values()]

    def base_of(self, document: Document) -> Types | None:
        """The normative types that a document sees; None in TOSCA 2.0 and in the normative documents themselves."""
        return normative_types(document.normative) if document.normative else None

    def _key(self, document: Document, kind: str, name: str) -> Node:
        section = document.root.get(f"{kind}_types")
        assert isinstance(section, Map)
        return section.keys[name]

    def _check_definition(self, found: TypeDef) -> None:
        if found.document.version == 2:
            check_modern_type(found)
            return
        if is_own(found.name):
            allows("catalogue-types", found.at, self.problems)
        if found.kind != "interface":
            check_keys(found.node, f"{found.kind}_type", self.problems)
        base = self.base_of(found.document)
        same = base.own(found.kind, found.name) if base is not None else None
        if same is None or isinstance(same.node.get("metadata"), Map):
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
        if document.file not in self._defined:
            return normative_types(document.file).find(kind, name, document)
        key = (kind, name, document.file)
        if key not in self._found:
            base = self.base_of(document)
            found = self._visible(kind, name, document, set())
            if found is None and document.version == 1:
                found = (base or self).normative(kind, name) or self._borrow(key, document)
            self._found[key] = found
        return self._found[key]

    def _borrow(self, key: tuple[str, str, str], document: Document) -> TypeDef | None:
        """A type that whoever imports a document has: what is imported is included in one namespace (1.3 §3.6.8)."""
        kind, name, _ = key
        seen, queue = {(name, document.file)}, list(document.importers)
        while queue:
            current = queue.pop(0)
            if (name, current.file) in seen:
                continue
            self.problems.spend()
            found = self._visible(kind, name, current, seen)
            if found is not None:
                self._borrowed.add(key)
                return found
            queue += current.importers
        return None

    def _visible(self, kind: str, name: str, document: Document, seen: set[tuple[str, str]]) -> TypeDef | None:
        queue = deque([(name, document)])
        while queue:
            wanted, current = queue.popleft()
            if (wanted, current.file) in seen:
                continue
            seen.add((wanted, current.file))
            found = self._defined.get(current.file, {}).get((kind, wanted))
            if found is not None:
                return found
            self.problems.spend(len(current.imports))
            for prefix, imported in current.imports:
                if not prefix or wanted.startswith((f"{prefix}:", f"{prefix}.")):
                    inner = wanted[len(prefix) + 1 :] if prefix else wanted
                    if (inner, imported.file) not in seen:
                        queue.append((inner, imported))
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
        if (kind, name, document.file) in self._borrowed:
            summary = f"{name!r} comes from a document that imports this one, which does not import it itself"
            self.problems.warn("import", summary, written)
        if found is None:
            self.problems.error(
                "type-unknown",
                f"there is no {kind} type {name!r}",
                written,
                suggestion=near(name, self.known(kind, document)),
            )
        return found

    def has_repository(self, name: str, document: Document) -> bool:
        """Whether a document, or one that it imports, declares a repository of that name."""
        seen: set[tuple[str, str]] = set()
        stack = [(name, document)]
        while stack:
            wanted, current = stack.pop()
            if (wanted, current.file) in seen:
                continue
            seen.add((wanted, current.file))
            self.problems.spend()
            if wanted in entries_at(current.root, "repositories", self.problems):
                return True
            stack += ((wanted.removeprefix(f"{prefix}:") if prefix else wanted, d) for prefix, d in current.imports)
        return False

    def known(self, kind: str, document: Document) -> list[str]:
        """The names of all types of a kind, and the primitive ones where these count."""
        bases = (self, self.base_of(document))
        names = [t.name for types in bases if types is not None for t in types if t.kind == kind]
        return names + sorted(primitives(document.version)) if kind == "data" else names

    def check_all(self, converter: Converter) -> None:
        """Work out all that these documents define, so that mistakes in types not used are told too.

        Profiles that come with the language are sound; what is used of them is worked out when it is.
        """
        check_namespaces(self._documents, self.problems)
        for found in self:
            if found.document.file in profiles.BUILT_IN.values():
                continue
            if found.document.version == 2:
                check_modern_definitions(found, converter)
            else:
                check_classic_definitions(found, converter)
            if found.kind in ("node", "relationship", "capability", "data", "group", "policy"):
                _ = found.properties, found.attributes
            if found.kind == "node":
                _ = found.capabilities, found.requirements
            if found.kind in ("node", "relationship"):
                _ = found.interfaces
            if found.kind == "data":
                _ = found.constraints, found.validations
            _ = found.ancestors
        for clause in self.clauses:  # looking into one may parse others
            _ = clause.sound

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
        if node.source.version == 2 and isinstance(written, Seq):
            yield from self._modern_entries(written)
            return
        items = written.items if isinstance(written, Seq) else [written] if written is not None else []
        for item in items:
            if isinstance(item, Map) and item.entries:
                yield from item.entries.items()
            else:
                self.problems.error("shape", "requirements are a list of maps with one key each", item)

    def _modern_entries(self, written: Seq) -> Iterator[tuple[str, Node]]:
        for item in written.items:
            if isinstance(item, Map) and len(item.entries) == 1:
                yield from item.entries.items()
            else:
                self.problems.error("shape", "requirements are a list of maps with one key each", item)


@cache
def normative_types(profile: str) -> Types:
    """The types of a profile that comes with the language, shared by all loads of this process."""
    problems = Problems()
    types = Types(problems)
    data = profiles.data_of(profile)
    assert data is not None, profile
    root = compose(profile, data, problems)
    assert isinstance(root, Map)
    document = Document(profile, root, normative="")
    if profile != profiles.SIMPLE:
        types.share(normative_types(profiles.SIMPLE), document)
    types.add(document)
    assert not problems.failed, problems.list()[0].render()
    return types
