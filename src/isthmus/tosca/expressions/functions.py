"""The functions of TOSCA 1.x (1.3 chapter 4): folded where the answer is known, symbolic where it is not."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from isthmus.topology import Call, Reference, Secret, Value
from isthmus.tosca.diagnostics import Problems, near
from isthmus.tosca.expressions.custom import CustomFunctions
from isthmus.tosca.expressions.evaluation import Evaluation
from isthmus.tosca.expressions.lookup import NOTHING, Lookup, Path
from isthmus.tosca.expressions.queries import GraphQueries
from isthmus.tosca.expressions.texts import Texts
from isthmus.tosca.expressions.values import BROKEN
from isthmus.tosca.reading.documents import Map, Node, Scalar, Seq, scalar_value, text_of
from isthmus.tosca.resolving.artifacts import Artifacts
from isthmus.tosca.resolving.inputs import Inputs
from isthmus.tosca.resolving.templates import NodeTemplate, Relation, Scope, Unassigned, Values
from isthmus.tosca.typesystem.definitions import PropertyDef

KEYWORDS = ("SELF", "HOST", "SOURCE", "TARGET")
MAX_PATH = 32
"""Arguments of one getter."""


class Functions:
    """Evaluates function calls against the nodes and inputs of one template.

    ``nodes``, ``relations`` and ``inputs`` are filled while the template is read; ``broken`` are names of
    nodes that have been reported as unusable, so that nothing more is said of them. ``taken`` is how much
    relationships have allocated of a node's capability's property (TOSCA 2.0 §8.5.5). Functions of TOSCA 2.0
    are worked out by ``evaluation``.
    """

    def __init__(self, problems: Problems, artifacts: Artifacts) -> None:
        self.problems = problems
        self.artifacts = artifacts
        self.nodes: dict[str, NodeTemplate] = {}
        self.relations: dict[str, Relation] = {}
        self.broken: set[str] = set()
        self.taken: dict[tuple[str, str, str], float] = {}
        self.unused: Callable[[str], tuple[Values, Values] | None] = lambda name: None
        """Properties and attributes of a relationship template that no requirement uses, by name."""
        self.inputs: Inputs | None = None
        self.evaluation = Evaluation(problems, GraphQueries(self))
        self.folder = self.evaluation.folder
        self.converter = self.evaluation.converter
        self.converter.call = self.call
        self.unassigned = Unassigned(self.converter)
        self.texts = Texts(problems, self.converter, self.folder)
        self.lookup = Lookup(problems, self.broken)
        self._table: Mapping[str, Callable[[Node, Map, Scope], Value]] = {
            "get_input": self._get_input,
            "get_property": self._get_property,
            "get_attribute": self._get_attribute,
            "get_operation_output": self._get_operation_output,
            "get_artifact": self._get_artifact,
            "get_secret": self._get_secret,
            "get_nodes_of_type": self._get_nodes_of_type,
            "concat": self.texts.concat,
            "join": self.texts.join,
            "token": self.texts.token,
        }

    @property
    def custom(self) -> CustomFunctions | None:
        """The functions that documents define; to be set before anything of a template is read."""
        return self.evaluation.custom

    @custom.setter
    def custom(self, custom: CustomFunctions) -> None:
        self.evaluation.custom = custom

    def call(self, name: str, node: Map, scope: Scope) -> Value:
        """The value of a function call; BROKEN when it makes no sense, which is reported."""
        return self._table[name](node.entries[name], node, scope)

    # arguments -------------------------------------------------------------------------------

    def _path(self, argument: Node, at: Map, scope: Scope, least: int) -> Path | None:
        """The arguments of a getter: names, indices, or calls that give these."""
        items = argument.items if isinstance(argument, Seq) else [argument]
        path: list[str | int] = []
        if len(items) > MAX_PATH:
            self._misused(at, f"more than {MAX_PATH} arguments")
            return None
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
        if scope.inputs is not None and name in scope.inputs:
            return Call("get_input", path)
        if not self.inputs.declares(name):
            self.problems.error(
                "input-unknown",
                f"the template declares no input {name!r}",
                argument,
                suggestion=near(name, self.inputs.names()),
            )
            return BROKEN
        self.inputs.used.add(name)
        declared = self.inputs.definitions.get(name)
        if declared is not None and not self.lookup.leads(declared.schema, path[1:], argument):
            return BROKEN
        return self.lookup.dig(self.inputs.get(name), path[1:], at)

    def _get_secret(self, argument: Node, at: Map, scope: Scope) -> Value:
        name = text_of(argument)
        if not name or name.startswith("input:"):
            return self._misused(argument, "get_secret wants the name of a secret")
        return Secret(name)

    def _get_nodes_of_type(self, argument: Node, at: Map, scope: Scope) -> Value:
        wanted = text_of(argument)
        if not wanted:
            return self._misused(argument, "get_nodes_of_type wants the name of a type")
        found = self._nodes_of(wanted)
        if not found:
            known = {t for n in self.nodes.values() for t in n.type.names}
            self.problems.warn("type-unknown", f"no node is a {wanted!r}", argument, suggestion=near(wanted, known))
        return list(found)

    def _nodes_of(self, wanted: str) -> list[str]:
        """The names of the nodes of a type, or of one that derives from it."""
        return [n.name for n in self.nodes.values() if any(t.rsplit(":")[-1] == wanted for t in n.type.names)]

    def _get_property(self, argument: Node, at: Map, scope: Scope) -> Value:
        path = self._path(argument, at, scope, 2)
        if path is None:
            return BROKEN
        if path[0] == "SELF" and scope.owner is not None and str(path[1]) in scope.owner.definitions:
            return self.lookup.of(scope.owner, path[1:], at)
        if (unused := self._unused(str(path[0]))) is not None:
            return self.lookup.of(unused[0], path[1:], at)
        entity = self._entity(str(path[0]), scope, argument)
        if isinstance(entity, Relation):
            if str(path[1]) in entity.values.definitions or path[0] != "SELF":
                return self.lookup.of(entity.values, path[1:], at)
            entity = entity.source
        if entity is None:
            return BROKEN
        for node in self.lookup.climb(entity, path[0] == "HOST"):
            found = self.lookup.property(node, path[1:], at)
            if found is not NOTHING:
                return found
        return self.lookup.unknown("property-unknown", entity, path[1:], entity.values.definitions, at)

    def _get_attribute(self, argument: Node, at: Map, scope: Scope) -> Value:
        path = self._path(argument, at, scope, 2)
        if path is None:
            return BROKEN
        if (unused := self._unused(str(path[0]))) is not None:
            return self._relationship_attribute(unused[0], unused[1].definitions, path, at)
        entity = self._entity(str(path[0]), scope, argument)
        if isinstance(entity, Relation):
            return self._relationship_attribute(entity.values, entity.type.attributes, path, at)
        if entity is None:
            return BROKEN
        own = path[0] in KEYWORDS
        climb = path[0] == "HOST"
        for node in self.lookup.climb(entity, climb):
            found = self.lookup.attribute(node, path[1:], own, at)
            if found is not NOTHING:
                return found
        return self.lookup.unknown("attribute-unknown", entity, path[1:], entity.type.attributes, at)

    def _relationship_attribute(
        self, properties: Values, attributes: Mapping[str, PropertyDef], path: Path, at: Node
    ) -> Value:
        """An attribute of a relationship, or a property that stands for one."""
        name = str(path[1])
        if name in properties.definitions:
            return self.lookup.of(properties, path[1:], at)
        if name not in attributes:
            summary, known = f"{properties.what} has no attribute {name!r}", [*attributes, *properties.definitions]
            self.problems.error("attribute-unknown", summary, at, suggestion=near(name, known))
            return BROKEN
        self.problems.refuse("unsupported", "attributes of a relationship are not kept", at)
        return self.folder.keep(Call("get_attribute", path))

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
                suggestion=near(operation, known) if interface else near(str(path[1]), entity.interfaces),
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
            summary = f"the artifact is not put at {path[2]!r}: only LOCAL_FILE is supported"
            self.problems.refuse("unsupported", summary, argument)
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

    def _unused(self, name: str) -> tuple[Values, Values] | None:
        known = name in KEYWORDS or name in self.nodes or name in self.relations or name in self.broken
        return None if known else self.unused(name)

    def _named(self, name: str, at: Node) -> NodeTemplate | Relation | None:
        found = self.nodes.get(name) or self.relations.get(name)
        if found is None and name not in self.broken:
            known = [*self.nodes, *self.relations]
            where = at.items[0] if isinstance(at, Seq) and at.items else at
            self.problems.error("target-unknown", f"there is no node {name!r}", where, suggestion=near(name, known))
        return found
