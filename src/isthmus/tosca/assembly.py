"""The last step: nodes, outputs, groups and policies of a template as the values of a topology."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from isthmus.topology import Node as TopologyNode
from isthmus.topology import NodeKind, Output, Requirement, Topology
from isthmus.tosca.definitions import parse_schema
from isthmus.tosca.diagnostics import Problems, near
from isthmus.tosca.documents import Map, Node, Scalar, metadata_of, text_of
from isthmus.tosca.functions import Functions
from isthmus.tosca.grammar import check_keys, entries_at, list_at, map_at
from isthmus.tosca.imports import Document
from isthmus.tosca.operations import Operations
from isthmus.tosca.scaling import scaling_of
from isthmus.tosca.templates import NodeTemplate, Scope, Values
from isthmus.tosca.typedefs import artifact_entries
from isthmus.tosca.types import Types


def assemble(document: Document, section: Map | None, types: Types, functions: Functions) -> Topology:
    """The topology; of no use when problems were found, all of which are reported by now."""
    operations = Operations(types, functions, functions.artifacts)
    nodes = {n.name: _node(n, operations, types.problems) for n in functions.nodes.values()}
    outputs = _outputs(section, types, document, functions)
    _check_groups(section, types, document, functions)
    _check_policies(section, types, document, functions)
    _check_rest(section, types.problems)
    root = document.root
    description = text_of(root.get("description")) or text_of(section.get("description") if section else None)
    map_at(root, "metadata", types.problems)
    header = {k: text_of(n) for k in _HEADER if (n := root.get(k)) is not None}
    return Topology(nodes, outputs, description.strip(), {**header, **metadata_of(root)})


_HEADER = ("template_name", "template_author", "template_version")


def _node(template: NodeTemplate, operations: Operations, problems: Problems) -> TopologyNode:
    for values in (template.values, template.attributes, *template.capabilities.values()):
        values.check()
    kind = template.kind
    made = operations.of(template)
    _check_artifacts(template, operations)
    if kind is NodeKind.ABSTRACT and made:
        problems.warn(
            "ignored", f"{template.name!r} is hosted on no machine, so its operations do not run", template.at
        )
    return TopologyNode(
        name=template.name,
        type=template.type.name,
        kind=kind,
        ancestors=tuple(a.name for a in template.type.ancestors),
        properties=template.values.all(),
        attributes=template.attributes.all(),
        capabilities={name: values.all() for name, values in template.capabilities.items()},
        requirements=_requirements(template),
        operations=made,
        scaling=scaling_of(template, problems) if kind is NodeKind.MACHINE else None,
        description=text_of(template.node.get("description")).strip(),
    )


_FILES = ("tosca.artifacts.File", "tosca.artifacts.Implementation")


def _check_artifacts(template: NodeTemplate, operations: Operations) -> None:
    """Artifacts that no operation names are not put on machines, which is told; files must be there."""
    types, problems = operations.types, operations.problems
    own = artifact_entries(template.node)
    for name, node in template.artifacts.items():
        body = node if isinstance(node, Map) else None
        if body is not None and name in own:
            check_keys(body, "artifact", problems)
            if body.get("deploy_path") is not None:
                problems.error("unsupported", "'deploy_path' is not supported", body.keys["deploy_path"])
        written = body.get("type") if body is not None else None
        found = types.resolve("artifact", written, template.document) if written is not None and name in own else None
        file = body.get("file") if body is not None else node
        if isinstance(file, Scalar) and name in own and (found is None or any(found.derives(t) for t in _FILES)):
            operations.artifacts.find(file)
        if id(node) not in operations.artifacts.used:
            problems.warn("ignored", f"no operation uses the artifact {name!r} of {template.name!r}", node)


def _requirements(template: NodeTemplate) -> tuple[Requirement, ...]:
    """The edges; the one to the node's host is called `host` whatever its requirement is called."""
    host = template.host
    edges = []
    for relation in template.relations:
        relation.values.check()
        name = "host" if relation is host else relation.name
        edges.append(Requirement(name, relation.target.name, relation.type.name, relation.values.all()))
    return tuple(edges)


def _outputs(section: Map | None, types: Types, document: Document, functions: Functions) -> Mapping[str, Output]:
    found = {}
    for name, node in entries_at(section, "outputs", types.problems).items():
        if not isinstance(node, Map):
            types.problems.error("shape", f"the output {name!r} must be a map", node)
            continue
        check_keys(node, "output", types.problems)
        value = node.get("value")
        if value is None:
            types.problems.error("key-missing", f"the output {name!r} has no value", node)
            continue
        schema = parse_schema(node, types, document) if node.get("type") is not None else None
        found[name] = Output(
            functions.converter.convert(value, schema, Scope()), text_of(node.get("description")).strip()
        )
    return found


# ---------------------------------------------------------------------------------------------
# what is checked, and told where it has no effect


def _check_groups(section: Map | None, types: Types, document: Document, functions: Functions) -> None:
    for name, node in entries_at(section, "groups", types.problems).items():
        if _check_typed("group", name, node, types, document, functions):
            assert isinstance(node, Map)
            _check_names(list_at(node, "members", types.problems), functions.nodes.keys() | functions.broken, types)
            if node.get("interfaces") is not None:
                types.problems.warn("ignored", "operations of a group are never called", node.keys["interfaces"])


def _check_policies(section: Map | None, types: Types, document: Document, functions: Functions) -> None:
    groups = entries_at(section, "groups", types.problems).keys()
    written = section.get("policies") if section is not None else None
    items = written.entries.items() if isinstance(written, Map) else []
    for entry in list_at(section, "policies", types.problems) if not isinstance(written, Map) else []:
        items = [*items, *(entry.entries.items() if isinstance(entry, Map) else [])]
        if not isinstance(entry, Map):
            types.problems.error("shape", "policies are a list of maps with one key each", entry)
    for name, node in items:
        if _check_typed("policy", name, node, types, document, functions):
            assert isinstance(node, Map)
            known = functions.nodes.keys() | functions.broken | groups
            _check_names(list_at(node, "targets", types.problems), known, types)
            types.problems.warn("ignored", f"the policy {name!r} is checked, and has no effect", node)


def _check_typed(kind: str, name: str, node: Node, types: Types, document: Document, functions: Functions) -> bool:
    """Check keys, type and properties of a group or policy; false when there is nothing more to check."""
    if not isinstance(node, Map):
        types.problems.error("shape", f"the {kind} {name!r} must be a map", node)
        return False
    check_keys(node, kind, types.problems)
    written = node.get("type")
    found = types.resolve(kind, written, document) if written is not None else None
    if written is None:
        types.problems.error("key-missing", f"the {kind} {name!r} has no type", node)
    if found is not None:
        properties = map_at(node, "properties", types.problems)
        values = Values(f"the {kind} {name!r}", found.properties, properties, Scope(), node, functions.converter)
        values.check()
        values.all()
    return True


def _check_names(nodes: list[Node], known: Any, types: Types) -> None:
    for node in nodes:
        name = text_of(node)
        if not isinstance(node, Scalar) or name not in known:
            types.problems.error("target-unknown", f"there is no node {name!r}", node, suggestion=near(name, known))


def _check_rest(section: Map | None, problems: Problems) -> None:
    if section is None:
        return
    if section.get("workflows") is not None:
        problems.warn("ignored", "workflows are not run; the lifecycle is", section.keys["workflows"])
    if section.get("substitution_mappings") is not None:
        problems.warn("ignored", "substitution_mappings have no effect", section.keys["substitution_mappings"])
