"""The functions of TOSCA 1.x (1.3 chapter 4): folded where the answer is known, symbolic where it is not."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from isthmus.topology import Call, Reference, Secret, Value, evaluate, follow, references
from isthmus.tosca.artifacts import Artifacts
from isthmus.tosca.diagnostics import Problems, near
from isthmus.tosca.documents import Map, Node, Scalar, Seq, scalar_value, text_of
from isthmus.tosca.inputs import Inputs
from isthmus.tosca.templates import NodeTemplate, Relation, Scope, Values
from isthmus.tosca.values import BROKEN, Converter

KEYWORDS = ("SELF", "HOST", "SOURCE", "TARGET")
MAX_TEXT = 2**20
"""Characters that one function may put together."""

_Path = tuple[str | int, ...]


class Functions:
    """Evaluates function calls against the nodes and inputs of one template.

    ``nodes``, ``relations`` and ``inputs`` are filled while the template is read; ``broken`` are names of
    nodes that have been reported as unusable, so that nothing more is said of them.
    """

    def __init__(self, problems: Problems, artifacts: Artifacts) -> None:
        self.problems = problems
        self.artifacts = artifacts
        self.converter = Converter(problems, self.call)
        self.nodes: dict[str, NodeTemplate] = {}
        self.relations: dict[str, Relation] = {}
        self.broken: set[str] = set()
        self.inputs: Inputs | None = None
        self._weights: dict[int, tuple[Call, int]] = {}
        self._table: Mapping[str, Callable[[Node, Map, Scope], Value]] = {
            "get_input": self._get_input,
            "get_property": self._get_property,
            "get_attribute": self._get_attribute,
            "get_operation_output": self._get_operation_output,
            "get_artifact": self._get_artifact,
            "get_secret": self._get_secret,
            "get_nodes_of_type": self._get_nodes_of_type,
            "concat": self._concat,
            "join": self._join,
            "token": self._token,
        }

    def call(self, name: str, node: Map, scope: Scope) -> Value:
        """The value of a function call; BROKEN when it makes no sense, which is reported."""
        return self._table[name](node.entries[name], node, scope)

    # arguments -------------------------------------------------------------------------------

    def _path(self, argument: Node, at: Map, scope: Scope, least: int) -> _Path | None:
        """The arguments of a getter: names, indices, or calls that give these."""
        items = argument.items if isinstance(argument, Seq) else [argument]
        path: list[str | int] = []
        for item in items:
            if isinstance(item, Scalar):
                value = scalar_value(item)
                path.append(value if isinstance(value, int) and not isinstance(value, bool) else item.text)
                continue
            value = self.converter.convert(item, None, scope)
            if value is BROKEN:
                return None
            if not isinstance(value, str | int):
                self._misused(item, "an argument must be a name or an index that is known by now")
                return None
            path.append(value)
        if len(path) < least:
            self._misused(at, f"{next(iter(at.entries))} wants {least} arguments or more")
            return None
        return tuple(path)

    def _misused(self, at: Node, summary: str, suggestion: str = "") -> Secret:
        self.problems.error("function-arguments", summary, at, suggestion=suggestion)
        return BROKEN

    # getters ---------------------------------------------------------------------------------

    def _get_input(self, argument: Node, at: Map, scope: Scope) -> Value:
        path = self._path(argument, at, scope, 1)
        if path is None or self.inputs is None:
            return BROKEN
        name = str(path[0])
        if not self.inputs.declares(name):
            self.problems.error(
                "input-unknown",
                f"the template declares no input {name!r}",
                argument,
                suggestion=near(name, self.inputs.names()),
            )
            return BROKEN
        self.inputs.used.add(name)
        return self._dig(self.inputs.get(name), path[1:], at)

    def _get_secret(self, argument: Node, at: Map, scope: Scope) -> Value:
        name = text_of(argument)
        if not name or name.startswith("input:"):
            return self._misused(argument, "get_secret wants the name of a secret")
        return Secret(name)

    def _get_nodes_of_type(self, argument: Node, at: Map, scope: Scope) -> Value:
        wanted = text_of(argument)
        return [n.name for n in self.nodes.values() if any(t.rsplit(":")[-1] == wanted for t in n.type.names)]

    def _get_property(self, argument: Node, at: Map, scope: Scope) -> Value:
        path = self._path(argument, at, scope, 2)
        if path is None:
            return BROKEN
        entity = self._entity(str(path[0]), scope, argument)
        if isinstance(entity, Relation):
            if str(path[1]) in entity.values.definitions or path[0] != "SELF":
                return self._value_of(entity.values, path[1:], at)
            entity = entity.source
        if entity is None:
            return BROKEN
        for node in self._climb(entity, path[0] == "HOST"):
            found = self._find_property(node, path[1:], at)
            if found is not _NOTHING:
                return found
        return self._unknown("property-unknown", entity, path[1:], entity.values.definitions, at)

    def _find_property(self, node: NodeTemplate, path: _Path, at: Map) -> Value:
        """A property of a node, of one of its capabilities, or of what meets one of its requirements."""
        name, rest = str(path[0]), path[1:]
        if name in node.values.definitions or node.values.assigns(name):
            return self._dig(node.values.get(name), rest, at)
        if not rest:
            return _NOTHING
        if name in node.capabilities:
            values = node.capabilities[name]
            known = str(rest[0]) in values.definitions or values.assigns(str(rest[0]))
            return self._value_of(values, rest, at) if known else _NOTHING
        relation = self._relation(node, name)
        if relation is None:
            # a requirement that nothing was assigned to has no properties, and that is no mistake
            return None if name in node.type.requirements else _NOTHING
        capability = self._capability_met(relation, str(rest[0]))
        if capability is not None:
            return self._value_of(capability, rest, at)
        return self._find_property(relation.target, rest, at)

    def _relation(self, node: NodeTemplate, requirement: str) -> Relation | None:
        self.problems.spend(len(node.relations))
        return next((r for r in node.relations if r.name == requirement), None)

    def _capability_met(self, relation: Relation, prop: str) -> Values | None:
        """The capability of the target that a requirement is met by, if it has that property."""
        definition = relation.definition
        wanted = text_of(definition.capability) if definition is not None else ""
        target = relation.target
        for name, capability in target.type.capabilities.items():
            fits = wanted in (name, capability.type.name) or capability.type.derives(wanted)
            if fits and prop in capability.properties:
                return target.capabilities[name]
        return None

    def _get_attribute(self, argument: Node, at: Map, scope: Scope) -> Value:
        path = self._path(argument, at, scope, 2)
        if path is None:
            return BROKEN
        entity = self._entity(str(path[0]), scope, argument)
        if isinstance(entity, Relation):
            if str(path[1]) in entity.values.definitions:
                return self._value_of(entity.values, path[1:], at)
            self.problems.error("unsupported", "attributes of a relationship are not kept", at)
            return BROKEN
        if entity is None:
            return BROKEN
        own = path[0] in KEYWORDS
        climb = path[0] == "HOST"
        for node in self._climb(entity, climb):
            found = self._find_attribute(node, path[1:], own, at)
            if found is not _NOTHING:
                return found
        return self._unknown("attribute-unknown", entity, path[1:], entity.type.attributes, at)

    def _find_attribute(self, node: NodeTemplate, path: _Path, own: bool, at: Map) -> Value:
        name, rest = str(path[0]), path[1:]
        if name in node.type.attributes:
            return Reference(node.name, name, rest, own)
        if name in node.values.definitions:
            return self._dig(node.values.get(name), rest, at)
        if not rest:
            return _NOTHING
        if name in node.capabilities:
            return self._capability_attribute(node, name, rest, own, at)
        relation = self._relation(node, name)
        if relation is None:
            return _NOTHING
        same = own and relation.target in node.hosts()
        return self._find_attribute(relation.target, rest, same, at)

    def _capability_attribute(self, node: NodeTemplate, name: str, rest: _Path, own: bool, at: Map) -> Value:
        definition = node.type.capabilities[name]
        first = str(rest[0])
        if first in definition.attributes:
            return Reference(node.name, name, rest, own)
        return self._value_of(node.capabilities[name], rest, at) if first in definition.properties else _NOTHING

    def _get_operation_output(self, argument: Node, at: Map, scope: Scope) -> Value:
        path = self._path(argument, at, scope, 4)
        if path is None:
            return BROKEN
        entity = self._entity(str(path[0]), scope, argument)
        if entity is None:
            return BROKEN
        interface = self._interface(entity, str(path[1]))
        operation = str(path[2])
        known = entity.interfaces[interface].operations if interface else {}
        if operation not in known:
            self.problems.error(
                "operation-unknown",
                f"{path[0]} has no operation {path[1]}.{operation}",
                argument,
                suggestion=near(operation, known),
            )
            return BROKEN
        own = path[0] in KEYWORDS
        full = f"{interface}.{operation}"
        if isinstance(entity, Relation):
            return Reference(entity.source.name, str(path[3]), path[4:], own, f"{full}/{entity.label}")
        return Reference(entity.name, str(path[3]), path[4:], own, full)

    def _interface(self, entity: NodeTemplate | Relation, name: str) -> str | None:
        """The name under which an entity has an interface that may be told by its type."""
        if name in entity.interfaces:
            return name
        types = ((i.name, i.type.name) for i in entity.interfaces.values() if i.type is not None)
        return next((n for n, t in types if t == name or t.rsplit(".", 1)[-1] == name), None)

    def _get_artifact(self, argument: Node, at: Map, scope: Scope) -> Value:
        path = self._path(argument, at, scope, 2)
        if path is None:
            return BROKEN
        entity = self._entity(str(path[0]), scope, argument)
        if isinstance(entity, Relation):
            entity = entity.source
        if entity is None:
            return BROKEN
        if len(path) > 2 and path[2] != "LOCAL_FILE":
            self.problems.error("unsupported", "get_artifact with a location is not supported", argument)
            return BROKEN
        node = entity.artifacts.get(str(path[1]))
        if node is None:
            self.problems.error(
                "artifact-unknown",
                f"{entity.name!r} has no artifact {path[1]!r}",
                argument,
                suggestion=near(str(path[1]), entity.artifacts),
            )
            return BROKEN
        user = scope.node or (scope.relation.source if scope.relation is not None else None)
        found = self.artifacts.fetch(node, user.name if user is not None else "")
        return found.path if found is not None else BROKEN

    # entities --------------------------------------------------------------------------------

    def _entity(self, word: str, scope: Scope, at: Node) -> NodeTemplate | Relation | None:
        """Whom the first argument of a getter means; None when that has been reported."""
        if word not in KEYWORDS:
            return self._named(word, at)
        relation = scope.relation
        found: NodeTemplate | Relation | None
        if word == "SELF":
            found = relation or scope.node
        elif word == "HOST":
            node = scope.node or (relation.source if relation is not None else None)
            host = node.host if node is not None else None
            found = host.target if host is not None else None
            if node is not None and found is None:
                # a machine is its own host: catalogues say HOST where they mean the machine
                found = node if node.kind.value == "machine" else None
        else:
            found = (relation.source if word == "SOURCE" else relation.target) if relation else None
        if found is None and not self._host_is_broken(word, scope):
            reasons = {"HOST": "nothing hosts the node here", "SELF": "there is no node here"}
            self._misused(at, f"{word}: {reasons.get(word, 'this is no operation of a relationship')}")
        return found

    def _host_is_broken(self, word: str, scope: Scope) -> bool:
        """Whether a node has no host only because its requirement has been reported already."""
        node = scope.node
        return word == "HOST" and node is not None and node.name in self.broken

    def _named(self, name: str, at: Node) -> NodeTemplate | Relation | None:
        found = self.nodes.get(name) or self.relations.get(name)
        if found is None and name not in self.broken:
            known = [*self.nodes, *self.relations]
            where = at.items[0] if isinstance(at, Seq) and at.items else at
            self.problems.error("target-unknown", f"there is no node {name!r}", where, suggestion=near(name, known))
        return found

    def _climb(self, node: NodeTemplate, climb: bool) -> Iterator[NodeTemplate]:
        yield node
        for host in node.hosts() if climb else ():
            self.problems.spend()
            yield host

    def _unknown(self, code: str, node: NodeTemplate, path: _Path, known: Any, at: Node) -> Secret:
        if node.name in self.broken:
            return BROKEN
        name = ".".join(str(p) for p in path)
        self.problems.error(
            code,
            f"{node.name!r} ({node.type.name}) has no {code.removesuffix('-unknown')} {name!r}",
            at,
            suggestion=near(str(path[0]), known),
        )
        return BROKEN

    # values ----------------------------------------------------------------------------------

    def _value_of(self, values: Values, path: _Path, at: Node) -> Value:
        name = str(path[0])
        if name not in values.definitions and not values.assigns(name):
            self.problems.error(
                "property-unknown",
                f"{values.what} has no property {name!r}",
                at,
                suggestion=near(name, values.definitions),
            )
            return BROKEN
        return self._dig(values.get(name), path[1:], at)

    def _dig(self, value: Value, path: Sequence[str | int], at: Node) -> Value:
        """The part of a value under a path, which may lead into what is known later."""
        for i, step in enumerate(path):
            if isinstance(value, Reference):
                return replace(value, path=(*value.path, *path[i:]))
            if value is BROKEN:
                return BROKEN
            if isinstance(value, Secret | Call):
                return self._misused(at, f"{step!r} leads into a value that has no parts")
            value = follow(value, [step])
        return value

    # text ------------------------------------------------------------------------------------

    def _parts(self, argument: Node, scope: Scope) -> list[Value]:
        """Arguments that are texts: a scalar keeps its own text, whatever YAML would make of it."""
        items = argument.items if isinstance(argument, Seq) else []
        return [i.text if isinstance(i, Scalar) else self.converter.convert(i, None, scope) for i in items]

    def _fold(self, function: str, args: tuple[Value, ...], at: Node) -> Value:
        """The value of a function whose arguments are all known, else the call itself."""
        call = Call(function, args)
        weight = self._weigh(args)
        if weight > MAX_TEXT:
            self.problems.error("too-large", f"a text of more than {MAX_TEXT:,} characters is put together", at)
            return BROKEN
        if any(True for _ in references(call)):
            self._weights[id(call)] = (call, weight)
            return call
        return evaluate(call, _never)

    def _weigh(self, value: Value) -> int:
        """Characters that a value comes to, roughly; calls made before are not looked into again."""
        if isinstance(value, str):
            return len(value)
        if isinstance(value, Call):
            return self._weights[id(value)][1]
        if isinstance(value, Mapping):
            return sum(self._weigh(v) + len(k) for k, v in value.items())
        return sum(self._weigh(v) for v in value) if isinstance(value, list | tuple) else 20

    def _concat(self, argument: Node, at: Map, scope: Scope) -> Value:
        return self._fold("concat", tuple(self._parts(argument, scope)), at)

    def _join(self, argument: Node, at: Map, scope: Scope) -> Value:
        items = argument.items if isinstance(argument, Seq) else []
        if not 1 <= len(items) <= 2 or not isinstance(items[0], Seq | Map):
            return self._misused(at, "join wants a list of texts and a delimiter")
        first = items[0]
        listed = isinstance(first, Seq)
        texts: Value = self._parts(first, scope) if listed else self.converter.convert(first, None, scope)
        return self._fold("join", (texts, text_of(items[1]) if len(items) == 2 else ""), at)

    def _token(self, argument: Node, at: Map, scope: Scope) -> Value:
        args = self._parts(argument, scope)
        if len(args) != 3 or not isinstance(args[1], str) or len(args[1]) > 16:
            return self._misused(at, "token wants a text, separators and an index")
        index = str(args[2])
        if not index.isdigit() or len(index) > 6:
            return self._misused(at, "token wants an index from 0")
        return self._fold("token", (args[0], args[1], int(index)), at)


class _Nothing:
    """No such property or attribute here; somewhere else there may be."""


_NOTHING: Any = _Nothing()


def _never(what: Reference | Secret) -> Any:
    raise AssertionError(what)
