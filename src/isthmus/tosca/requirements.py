"""Binds requirements to the nodes that meet them, and finds those that go round in a circle."""

from __future__ import annotations

from collections import Counter
from graphlib import CycleError, TopologicalSorter

from isthmus.tosca.definitions import RequirementDef
from isthmus.tosca.diagnostics import near
from isthmus.tosca.documents import Map, Node, Seq, text_of
from isthmus.tosca.functions import Functions
from isthmus.tosca.grammar import check_keys, entries_at, map_at
from isthmus.tosca.interfaces import overlay_interfaces
from isthmus.tosca.leniency import complain
from isthmus.tosca.templates import NodeTemplate, Relation, Scope, Values
from isthmus.tosca.typedefs import TypeDef
from isthmus.tosca.types import Types

_ROOT = "tosca.relationships.Root"


class Binder:
    """Fills the relations of every node of a template."""

    def __init__(self, types: Types, functions: Functions, relationship_templates: Map | None) -> None:
        self.types = types
        self.problems = types.problems
        self.functions = functions
        self.named = relationship_templates

    def bind(self) -> None:
        """Bind all; report cycles when all are bound."""
        for node in self.functions.nodes.values():
            labels: Counter[str] = Counter()
            for name, written in self.types.requirement_entries(node.node):
                labels[name] += 1
                label = name if labels[name] == 1 else f"{name}.{labels[name]}"
                relation = self._bind(node, name, label, written)
                if relation is not None:
                    node.relations.append(relation)
            self._check_unassigned(node, labels)
        self._check_cycles()

    # one requirement -------------------------------------------------------------------------

    def _bind(self, node: NodeTemplate, name: str, label: str, written: Node) -> Relation | None:
        definition = node.type.requirements.get(name)
        if definition is None:
            summary, nearby = f"{node.type.name} has no requirement {name!r}", near(name, node.type.requirements)
            if not complain("undeclared-names", "requirement-unknown", summary, written, self.problems, nearby):
                return None
        body = written if isinstance(written, Map) else None
        if body is not None:
            check_keys(body, "requirement_assignment", self.problems)
            self._check_occurrences(body)
        target = self._target(node, definition, written, body)
        if target is None:
            self.functions.broken.add(node.name)
            return None
        self._check_target(definition, target, written, body)
        return self._relate(node, target, name, label, definition, written, body)

    def _check_occurrences(self, body: Map) -> None:
        bounds = body.get("occurrences")
        if isinstance(bounds, Seq) and bounds.items and text_of(bounds.items[0]) not in ("0", "1"):
            self.problems.error("unsupported", "a requirement is assigned to one node each time", bounds)

    def _target(
        self, node: NodeTemplate, definition: RequirementDef | None, written: Node, body: Map | None
    ) -> NodeTemplate | None:
        named = body.get("node") if body is not None else written
        if named is None:
            return self._match(definition, definition.node if definition else None, written, body, node)
        name = text_of(named)
        if name in self.functions.nodes:
            return self.functions.nodes[name]
        if name in self.functions.broken:
            return None
        wanted = self.types.find("node", name, node.document)
        if wanted is not None:
            return self._match(definition, wanted, named, body, node)
        self.problems.error(
            "target-unknown",
            f"there is no node {name!r}",
            named,
            suggestion=near(name, self.functions.nodes),
        )
        return None

    def _match(
        self,
        definition: RequirementDef | None,
        wanted: TypeDef | None,
        at: Node,
        body: Map | None,
        node: NodeTemplate,
    ) -> NodeTemplate | None:
        """The only node of the template that meets a requirement which names none."""
        if body is not None and body.get("node_filter") is not None:
            self.problems.error("unsupported", "choosing a node by node_filter is not supported", at)
            return None
        capability = self._wanted_capability(definition, body)
        self.problems.spend(len(self.functions.nodes))
        fitting = [
            n
            for n in self.functions.nodes.values()
            if n is not node and (wanted is None or n.of(wanted.name)) and _offers(n, capability)
        ]
        if len(fitting) == 1:
            return fitting[0]
        names = ", ".join(n.name for n in fitting[:5])
        summary = f"{names} could all meet this requirement" if fitting else "no node can meet this requirement"
        self.problems.error("requirement-unmet", summary, at, suggestion="name one with 'node'")
        return None

    def _wanted_capability(self, definition: RequirementDef | None, body: Map | None) -> str:
        written = body.get("capability") if body is not None else None
        return text_of(written) or (text_of(definition.capability) if definition is not None else "")

    def _check_target(
        self, definition: RequirementDef | None, target: NodeTemplate, written: Node, body: Map | None
    ) -> None:
        """The target must be of the node type, and offer the capability, that the requirement asks for."""
        wanted = definition.node if definition is not None else None
        capability = self._wanted_capability(definition, body)
        if wanted is not None and not target.of(wanted.name):
            summary = f"{target.name!r} is a {target.type.name}, and a {wanted.name} is required"
        elif not _offers(target, self._full(capability, target)):
            summary = f"{target.name!r} ({target.type.name}) has no capability {capability}"
        else:
            return
        complain("unchecked-targets", "target-mismatch", summary, written, self.problems)

    def _full(self, capability: str, target: NodeTemplate) -> str:
        """The full name of a capability type told by its short one; a capability's own name as it is."""
        if capability in target.type.capabilities:
            return capability
        found = self.types.find("capability", capability, target.document)
        return found.name if found is not None else capability

    # the relationship ------------------------------------------------------------------------

    def _relate(
        self,
        node: NodeTemplate,
        target: NodeTemplate,
        name: str,
        label: str,
        definition: RequirementDef | None,
        written: Node,
        body: Map | None,
    ) -> Relation | None:
        spoken = body.get("relationship") if body is not None else None
        template_name, template = self._template(spoken)
        found = self._type(node, definition, spoken, template)
        if found is None:
            return None
        relation = Relation(name, label, node, target, found, written, definition, template_name)
        parts = [p for p in (template, spoken) if isinstance(p, Map)]
        assigned = Map(written.source, written.mark)
        interfaces = found.interfaces
        if definition is not None and definition.interfaces is not None:
            interfaces = overlay_interfaces(interfaces, definition.interfaces, self.types, definition.document)
        for part in parts:
            place = "relationship_template" if part is template else "relationship_assignment"
            check_keys(part, place, self.problems)
            properties = map_at(part, "properties", self.problems)
            if properties is not None:
                assigned.entries |= properties.entries
                assigned.keys |= properties.keys
            interfaces = overlay_interfaces(interfaces, part.get("interfaces"), self.types, node.document)
        what = f"the relationship {label!r} of {node.name!r}"
        scope = Scope(relation=relation)
        relation.values = Values(what, found.properties, assigned, scope, written, self.functions.converter)
        relation.interfaces = interfaces
        if template_name is not None:
            self.functions.relations.setdefault(template_name, relation)
        return relation

    def _template(self, spoken: Node | None) -> tuple[str | None, Map | None]:
        """The relationship template that a requirement names, if it names one."""
        name = text_of(spoken.get("type") if isinstance(spoken, Map) else spoken)
        found = self.named.get(name) if self.named is not None and name else None
        return (name, found) if isinstance(found, Map) else (None, None)

    def _type(
        self, node: NodeTemplate, definition: RequirementDef | None, spoken: Node | None, template: Map | None
    ) -> TypeDef | None:
        written = template.get("type") if template is not None else spoken
        if isinstance(written, Map):
            written = written.get("type")
        if written is not None:
            return self.types.resolve("relationship", written, node.document)
        if definition is not None and definition.relationship is not None:
            return definition.relationship
        return self.types.find("relationship", _ROOT, node.document)

    # the whole -------------------------------------------------------------------------------

    def _check_unassigned(self, node: NodeTemplate, assigned: Counter[str]) -> None:
        """A required requirement that nothing meets is told, since what depends on it will not run."""
        self.problems.spend(len(node.type.requirements))
        for name, definition in node.type.requirements.items():
            if definition.least > assigned[name] and node.name not in self.functions.broken:
                self.problems.warn(
                    "requirement-unmet", f"the requirement {name!r} of {node.name!r} is not assigned", node.at
                )

    def _check_cycles(self) -> None:
        graph = {n.name: {r.target.name for r in n.relations} for n in self.functions.nodes.values()}
        for name, targets in graph.items():
            if name in targets:
                self._report_cycle([name, name])
                return
        try:
            TopologicalSorter(graph).prepare()
        except CycleError as e:
            self._report_cycle(e.args[1])

    def _report_cycle(self, names: list[str]) -> None:
        shown = " → ".join(reversed(names[:20]))
        first = self.functions.nodes[names[0]]
        self.problems.error("requirement-cycle", f"nodes require one another in a circle: {shown}", first.at)


def _offers(node: NodeTemplate, capability: str) -> bool:
    """Whether a node has a capability of that name, or of that type or a derived one."""
    if not capability:
        return True
    return any(name == capability or c.type.derives(capability) for name, c in node.type.capabilities.items())


def check_relationship_templates(topology: Map | None, types: Types) -> Map | None:
    """The section `relationship_templates`, its entries checked for shape."""
    section = map_at(topology, "relationship_templates", types.problems)
    for name, node in entries_at(topology, "relationship_templates", types.problems).items():
        if not isinstance(node, Map):
            types.problems.error("shape", f"the relationship template {name!r} must be a map", node)
    return section
