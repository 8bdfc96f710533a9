"""The last step: nodes, outputs, groups and policies of a template as the values of a topology."""

from __future__ import annotations

from collections.abc import Mapping

from isthmus.topology import Node as TopologyNode
from isthmus.topology import NodeKind, Output, Requirement, Topology
from isthmus.tosca.diagnostics import Problems
from isthmus.tosca.expressions.functions import Functions
from isthmus.tosca.grammar import check_keys, entries_at, map_at
from isthmus.tosca.procedures.activities import Activities
from isthmus.tosca.procedures.callees import Callees
from isthmus.tosca.procedures.conditions import Conditions
from isthmus.tosca.procedures.groups import check_allowed, read_groups
from isthmus.tosca.procedures.notifications import check_template_notifications, check_type_notifications
from isthmus.tosca.procedures.policies import read_policies
from isthmus.tosca.procedures.targets import Targets
from isthmus.tosca.procedures.triggers import Triggers
from isthmus.tosca.procedures.workflows import Workflows, declare_workflows
from isthmus.tosca.reading.documents import Map, Node, metadata_of, text_of
from isthmus.tosca.reading.imports import Document
from isthmus.tosca.resolving.artifact_checks import check_artifacts
from isthmus.tosca.resolving.interface_checks import InterfaceChecks
from isthmus.tosca.resolving.jobs import job_properties
from isthmus.tosca.resolving.multiplicity import scaling
from isthmus.tosca.resolving.operations import Operations
from isthmus.tosca.resolving.requirement_definitions import check_requirement_definitions
from isthmus.tosca.resolving.substitution import read_substitution
from isthmus.tosca.resolving.templates import NodeTemplate, Scope
from isthmus.tosca.typesystem.definitions import parse_property
from isthmus.tosca.typesystem.schemas import parse_schema
from isthmus.tosca.typesystem.types import Types


def assemble(document: Document, section: Map | None, types: Types, functions: Functions) -> Topology:
    """The topology; of no use when problems were found, all of which are reported by now."""
    operations = Operations(types, functions, functions.artifacts)
    nodes = {n.name: _node(n, operations, types.problems) for n in functions.nodes.values()}
    outputs = _outputs(section, types, document, functions)
    groups = read_groups(section, types, document, functions)
    targets = Targets(types.problems, functions, groups)
    conditions = Conditions(types.problems, functions)
    declared = declare_workflows(section, types, document)
    activities = Activities(types.problems, functions, Callees(types.problems, types), declared)
    triggers = Triggers(types, document, targets, conditions, activities)
    policies = read_policies(section, types, document, functions, targets, triggers)
    workflows = Workflows(types.problems, targets, conditions, activities, declared, document).read(section)
    _check_types(types, triggers, InterfaceChecks(types, functions))
    substitution = read_substitution(section, types, document, functions)
    root = document.root
    description = text_of(root.get("description")) or text_of(section.get("description") if section else None)
    map_at(root, "metadata", types.problems)
    header = {k: text_of(n) for k in _HEADER if (n := root.get(k)) is not None}
    return Topology(
        nodes,
        outputs,
        description.strip(),
        {**header, **metadata_of(root)},
        groups.values(),
        policies,
        workflows,
        substitution,
    )


_HEADER = ("template_name", "template_author", "template_version")


def _node(template: NodeTemplate, operations: Operations, problems: Problems) -> TopologyNode:
    for values in (template.values, template.attributes, *template.capabilities.values()):
        if not template.selected:
            values.check()
    for values in template.capability_attributes if not template.selected else ():
        values.check()
        values.all()
    kind = template.kind
    made = operations.of(template)
    _check_notifications(template, operations.types)
    InterfaceChecks(operations.types, operations.functions).check_node(template)
    properties = template.values.all()
    if kind is NodeKind.JOB and not template.selected:
        properties = job_properties(template, operations.artifacts, problems)
    check_artifacts(template, operations.types, operations.functions)
    if kind in (NodeKind.ABSTRACT, NodeKind.JOB) and made:
        problems.warn(
            "ignored", f"{template.name!r} is hosted on no machine, so its operations do not run", template.at
        )
    return TopologyNode(
        name=template.name,
        type=template.type.name,
        kind=kind,
        ancestors=tuple(a.name for a in template.type.ancestors),
        properties=properties,
        attributes=template.attributes.all(),
        capabilities={name: values.all() for name, values in template.capabilities.items()},
        requirements=_requirements(template),
        operations=made,
        scaling=scaling(template, problems) if kind is NodeKind.MACHINE else None,
        description=text_of(template.node.get("description")).strip(),
        directives=template.directives,
        count=template.count,
    )


def _check_notifications(template: NodeTemplate, types: Types) -> None:
    check_template_notifications(template.node, template.type, template.interfaces, types)
    for relation in template.relations:
        spoken = relation.at.get("relationship") if isinstance(relation.at, Map) else None
        body = spoken if isinstance(spoken, Map) else None
        check_template_notifications(body, relation.type, relation.interfaces, types)


def _requirements(template: NodeTemplate) -> tuple[Requirement, ...]:
    """The edges; the one to the node's host is called `host` whatever its requirement is called."""
    host = template.host
    edges = []
    for relation in template.relations:
        relation.values.check()
        relation.attributes.check()
        relation.attributes.all()
        name = "host" if relation is host else relation.name
        edges.append(
            Requirement(name, relation.target.name, relation.type.name, relation.values.all(), relation.capability)
        )
    return tuple(edges)


def _outputs(section: Map | None, types: Types, document: Document, functions: Functions) -> Mapping[str, Output]:
    found = {}
    for name, node in entries_at(section, "outputs", types.problems).items():
        output = _modern_output if document.version == 2 else _output
        made = output(name, node, types, document, functions)
        if made is not None:
            found[name] = made
    return found


def _output(name: str, node: Node, types: Types, document: Document, functions: Functions) -> Output | None:
    if not isinstance(node, Map):
        types.problems.error("shape", f"the output {name!r} must be a map", node)
        return None
    check_keys(node, "output", types.problems)
    value = node.get("value")
    if value is None:
        types.problems.error("key-missing", f"the output {name!r} has no value", node)
        return None
    schema = parse_schema(node, types, document) if node.get("type") is not None else None
    return Output(functions.converter.convert(value, schema, Scope()), text_of(node.get("description")).strip())


def _modern_output(name: str, node: Node, types: Types, document: Document, functions: Functions) -> Output | None:
    """An outgoing parameter (TOSCA 2.0 §9.8): a definition, or a value alone."""
    definition = parse_property(name, node, "output", types, document)
    if definition is None:
        return None
    value = definition.fixed if definition.fixed is not None else definition.default
    made = functions.converter.convert(value, definition.schema, Scope()) if value is not None else None
    return Output(made, definition.description)


# ---------------------------------------------------------------------------------------------
# what is checked, and told where it has no effect


def _check_types(types: Types, triggers: Triggers, interfaces: InterfaceChecks) -> None:
    """What types say of members, targets, triggers and notifications, whether or not something is of the type."""
    for found in types:
        if found.kind == "group":
            check_allowed(found, "members", ("node",))
        elif found.kind == "policy":
            check_allowed(found, "targets", ("node", "group"))
            triggers.check(found)
        elif found.kind in ("node", "relationship", "interface"):
            check_type_notifications(found, types)
        if found.document.version == 2 and found.kind in ("node", "relationship", "interface"):
            interfaces.check_type(found)
        if found.document.version == 2 and found.kind == "node":
            check_requirement_definitions(found, interfaces)
