"""What a topology template holds, bound to its types: nodes, their relations, and property values.

Values are worked out when first asked, since properties may ask for one another in any order.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from isthmus.topology import NodeKind, Value
from isthmus.tosca.diagnostics import Problems, near
from isthmus.tosca.expressions.values import BROKEN, Converter
from isthmus.tosca.leniency import complain
from isthmus.tosca.reading.documents import Map, Node, Scalar
from isthmus.tosca.typesystem.definitions import PropertyDef
from isthmus.tosca.typesystem.interfaces import Interface
from isthmus.tosca.typesystem.requirement_defs import RequirementDef

if TYPE_CHECKING:
    from isthmus.tosca.reading.imports import Document
    from isthmus.tosca.typesystem.typed import Typed
    from isthmus.tosca.typesystem.typedefs import TypeDef

MACHINES = ("tosca.nodes.Compute", "tosca.nodes.Abstract.Compute")
VOLUMES = ("tosca.nodes.BlockStorage", "tosca.nodes.Storage.BlockStorage")
NETWORKS = ("tosca.nodes.network.Network",)
JOBS = ("isthmus.nodes.Job",)
HOSTED = "tosca.relationships.HostedOn"
SELECT = ("select", "selectable")
SUBSTITUTE = ("substitute", "substitutable")
"""The directives by their names in TOSCA 1.3 and 2.0, and those of TOSCA 1.0 to 1.2."""


@dataclass(frozen=True, slots=True)
class Scope:
    """Whom SELF, HOST, SOURCE and TARGET mean where a value stands.

    ``inputs`` are those of the workflow in which it stands; they go before the template's own.
    """

    node: NodeTemplate | None = None
    relation: Relation | None = None
    inputs: Mapping[str, PropertyDef] | None = None
    owner: Values | None = None
    """The properties of a policy of TOSCA 1.x, which its triggers call those of SELF."""
    value: Typed | None = None
    """What `$value` means in a validation clause (TOSCA 2.0 §10.2.1.5)."""


class Values:
    """The properties or attributes of one thing: what is declared, what is assigned, and what comes of it."""

    def __init__(
        self,
        what: str,
        definitions: Mapping[str, PropertyDef],
        assigned: Map | None,
        scope: Scope,
        at: Node,
        converter: Converter,
        noun: str = "property",
    ) -> None:
        self.what = what
        self.noun = noun
        self.definitions = definitions
        self.assigned = assigned
        self.scope = scope
        self.at = at
        self.converter = converter
        self._known: dict[str, Value] = {}
        self._running: list[str] = []
        self._all: dict[str, Value] | None = None
        self._checked = False

    def _assignment(self, name: str) -> Node | None:
        """What the template writes for a property: null too where it is a value, as in TOSCA 2.0 (§9.1.1.6)."""
        if self.assigned is None:
            return None
        return self.assigned.entries.get(name) if self.assigned.source.version == 2 else self.assigned.get(name)

    def written(self, name: str) -> Node | None:
        """What gives a property its value: its type where that fixes it, the template, or a default."""
        definition = self.definitions.get(name)
        if definition is not None and definition.fixed is not None:
            return definition.fixed
        return self._assignment(name) or (definition.default if definition is not None else None)

    def assigns(self, name: str) -> bool:
        """Whether the template itself gives a value."""
        return self.assigned is not None and self.assigned.get(name) is not None

    def get(self, name: str) -> Value:
        """The value of a property; None when it has none."""
        if name not in self._known:
            if name in self._running:
                self.problems.error("property-cycle", f"{name!r} of {self.what} depends on itself", self._place(name))
                return BROKEN
            self._running.append(name)
            value = self._work_out(name)
            self._running.remove(name)
            self._known[name] = value
        return self._known[name]

    @property
    def problems(self) -> Problems:
        return self.converter.problems

    def _place(self, name: str) -> Node:
        return self.assigned.keys[name] if self.assigned is not None and self.assigns(name) else self.at

    def _work_out(self, name: str) -> Value:
        definition = self.definitions.get(name)
        node = self._assignment(name)
        schema = definition.schema if definition is not None else None
        fixed = definition.fixed if definition is not None else None
        if node is not None and fixed is not None:
            summary = f"the value of {name!r} of {self.what} is fixed by its type"
            self.problems.error("refinement", summary, self._place(name))
        if fixed is not None:
            value = self.converter.convert(fixed, schema, self.scope)
        elif node is not None:
            value = self.converter.convert(node, schema, self.scope)
        elif definition is not None and definition.default is not None and not definition.idle_default:
            node = definition.default
            value = self.converter.convert_default(node, definition.schema, self.scope)
        else:
            return None
        if schema is not None and schema.secret and isinstance(value, str):
            self.problems.error(
                "secret-literal",
                f"{name!r} of {self.what} is a secret, and stands here in plain text",
                node,
                suggestion="name a secret with { get_secret: NAME }, or an input of type isthmus.datatypes.Secret",
            )
        return value

    def check(self) -> None:
        """Report properties that are not declared, and required ones without a value; once."""
        if self._checked:
            return
        self._checked = True
        self.problems.spend(len(self.definitions))
        for name in self.assigned.entries if self.assigned is not None else ():
            if name not in self.definitions:
                assert self.assigned is not None
                at = self.assigned.keys[name]
                summary, nearby = f"{self.what} has no {self.noun} {name!r}", near(name, self.definitions)
                complain("undeclared-names", f"{self.noun}-unknown", summary, at, self.problems, nearby)
        for name, definition in self.definitions.items():
            if definition.required and self.get(name) is None and not self._is_nil(name, definition):
                self.problems.error("property-missing", f"{self.what} requires the property {name!r}", self.at)

    def _is_nil(self, name: str, definition: PropertyDef) -> bool:
        """Whether null is the value, which only one of the type nil can have."""
        written = (self._assignment(name), definition.default, definition.fixed)
        return definition.schema.base == "nil" and any(w is not None for w in written)

    def _lacks(self, name: str) -> bool:
        """Whether a property has no value, as can be seen without working it out."""
        definition = self.definitions.get(name)
        unset = definition is not None and definition.default is None and definition.fixed is None
        return unset and (self.assigned is None or name not in self.assigned.entries)

    def all(self) -> dict[str, Value]:
        """Every property that has a value, declared ones first; not to be changed."""
        if self._all is None:
            names = [*self.definitions, *(self.assigned.entries if self.assigned is not None else ())]
            self._all = {n: v for n in dict.fromkeys(names) if not self._lacks(n) and (v := self.get(n)) is not None}
        return self._all


class Unassigned:
    """The values of what templates assign nothing to, shared by all nodes of a type for which they are the same."""

    def __init__(self, converter: Converter) -> None:
        self._converter = converter
        self._shared: dict[int, Values | None] = {}

    def of(self, what: str, definitions: Mapping[str, PropertyDef], at: Node) -> Values | None:
        """The shared values of these definitions; None where they depend on the node, or must be told of it."""
        key = id(definitions)
        if key not in self._shared:
            same = all(map(_is_same_everywhere, definitions.values()))
            self._shared[key] = Values(what, definitions, None, Scope(), at, self._converter) if same else None
        return self._shared[key]


def _is_same_everywhere(definition: PropertyDef) -> bool:
    """Whether a property that is not assigned has one value, or none, whatever the node is."""
    value = definition.fixed if definition.fixed is not None else definition.default
    if value is None:
        return not definition.required
    plain = isinstance(value, Scalar) and not value.text.startswith("$")
    return plain and not definition.schema.validations and not definition.schema.secret


@dataclass(eq=False, slots=True)
class Relation:
    """A requirement of a node that is met by another, through a relationship."""

    name: str
    label: str
    """The requirement's name; for the second of that name on one node with `.2` after it, and so on."""
    source: NodeTemplate
    target: NodeTemplate
    type: TypeDef
    at: Node
    definition: RequirementDef | None = None
    template: str | None = None
    capability: str = ""
    """The capability of the target that is met, by its name; nothing where no capability is asked for."""
    count: int = 1
    """How many instances of the target each instance of the source is related to (TOSCA 2.0 §14.3)."""
    values: Values = field(init=False)
    attributes: Values = field(init=False)
    interfaces: Mapping[str, Interface] = field(init=False)

    @property
    def hosts(self) -> bool:
        return self.name == "host" or self.type.derives(HOSTED)


@dataclass(eq=False, slots=True)
class NodeTemplate:
    """One node of a template."""

    name: str
    node: Map
    type: TypeDef
    document: Document
    at: Node
    relations: list[Relation] = field(default_factory=list)
    values: Values = field(init=False)
    attributes: Values = field(init=False)
    capabilities: dict[str, Values] = field(init=False)
    capability_attributes: tuple[Values, ...] = ()
    """What the template assigns to attributes of its capabilities (TOSCA 2.0 §8.3)."""
    interfaces: Mapping[str, Interface] = field(init=False)
    artifacts: Mapping[str, Node] = field(init=False)
    directives: tuple[str, ...] = ()
    count: int = 1
    """How many nodes are made of the template (TOSCA 2.0 §14.1)."""
    _host: Relation | None = None
    _host_known: bool = False
    _kind: NodeKind | None = None

    @property
    def selected(self) -> bool:
        """Whether the node exists elsewhere, so that nothing written here but its filter counts (TOSCA 2.0 §7.2.1)."""
        return bool(self.directives) and self.directives[0] in SELECT and "create" not in self.directives

    def relate(self, relation: Relation) -> None:
        """Add a relation; what was worked out from those before it is forgotten."""
        self.relations.append(relation)
        self._host, self._host_known, self._kind = None, False, None

    def of(self, *types: str) -> bool:
        """Whether the node is of one of these types or derives from it."""
        return any(self.type.derives(t) for t in types)

    @property
    def host(self) -> Relation | None:
        """What this node is hosted on: the requirement `host`, or else one met by a HostedOn.

        To be asked only when all requirements are bound.
        """
        if not self._host_known:
            named = next((r for r in self.relations if r.name == "host"), None)
            self._host = named or next((r for r in self.relations if r.hosts), None)
            self._host_known = True
        return self._host

    def hosts(self) -> Iterator[NodeTemplate]:
        """The node that hosts this one directly, the one that hosts that, and so on."""
        seen, current = {self.name}, self.host
        while current is not None and current.target.name not in seen:
            yield current.target
            seen.add(current.target.name)
            current = current.target.host

    @property
    def kind(self) -> NodeKind:
        """What the node is to the engine. To be asked only when all requirements are bound."""
        if self._kind is None:
            line = [self]
            for host in self.hosts():
                line.append(host)
                if host._kind is not None or host.own_kind is not None:
                    break
            last = line[-1]
            hosted = (last._kind or last.own_kind) in (NodeKind.MACHINE, NodeKind.SOFTWARE)
            for node in line:
                node._kind = node.own_kind or (NodeKind.SOFTWARE if hosted else NodeKind.ABSTRACT)
        return self._kind or NodeKind.ABSTRACT

    @property
    def own_kind(self) -> NodeKind | None:
        """The kind that the type alone tells; None for one that depends on what hosts the node."""
        if self.of(*MACHINES):
            return NodeKind.MACHINE
        if self.of(*VOLUMES):
            return NodeKind.VOLUME
        if self.of(*JOBS):
            return NodeKind.JOB
        return NodeKind.NETWORK if self.of(*NETWORKS) else None
