"""Reads `node_templates`: each bound to its type, its properties and capabilities ready to be asked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from isthmus.tosca.diagnostics import Problems, near
from isthmus.tosca.expressions.functions import Functions
from isthmus.tosca.grammar import check_keys, entries_at, map_at
from isthmus.tosca.leniency import complain
from isthmus.tosca.reading.documents import Map, Node, Scalar, text_of
from isthmus.tosca.reading.imports import Document
from isthmus.tosca.resolving.directives import read_directives, read_scopes
from isthmus.tosca.resolving.templates import NodeTemplate, Scope, Values
from isthmus.tosca.typesystem.definitions import with_reflected
from isthmus.tosca.typesystem.interfaces import overlay_interfaces
from isthmus.tosca.typesystem.parameters import Place
from isthmus.tosca.typesystem.typedefs import artifact_entries
from isthmus.tosca.typesystem.types import Types


def read_nodes(topology: Map | None, types: Types, document: Document, functions: Functions) -> None:
    """Fill ``functions.nodes`` in the template's order; what is unusable goes to ``functions.broken``."""
    section = map_at(topology, "node_templates", types.problems)
    if section is None:
        return
    for name, written in section.entries.items():
        node = _resolve_copy(name, written, section, types.problems)
        template = _read(name, node, section, types, document, functions) if node is not None else None
        if template is None:
            functions.broken.add(name)
        else:
            functions.nodes[name] = template


def _resolve_copy(name: str, written: Node, section: Map, problems: Problems) -> Map | None:
    """A template whose keys are laid over those of the template that `copy` names (TOSCA 1.3 §3.8.3)."""
    if not isinstance(written, Map):
        problems.error("shape", f"the node template {name!r} must be a map", written)
        return None
    source = written.get("copy")
    if source is None:
        return written
    original = section.get(text_of(source))
    if not isinstance(original, Map) or original.get("copy") is not None:
        problems.error("target-unknown", f"there is no template {text_of(source)!r} to copy", source)
        return None
    merged = Map(written.source, written.mark)
    merged.entries = {**original.entries, **written.entries}
    merged.keys = {**original.keys, **written.keys}
    return merged


def _read(
    name: str, node: Map, section: Map, types: Types, document: Document, functions: Functions
) -> NodeTemplate | None:
    problems = types.problems
    check_keys(node, "node_template", problems)
    at = section.keys[name]
    written = node.get("type")
    if written is None:
        problems.error("key-missing", f"the node {name!r} has no type", at)
        return None
    found = types.resolve("node", written, document)
    if found is None:
        return None
    template = NodeTemplate(name, node, found, document, at, directives=read_directives(name, node, problems))
    scope = Scope(node=template)
    make = functions.converter
    properties = map_at(node, "properties", problems)
    template.values = Values(repr(name), found.properties, properties, scope, at, make)
    attributes = _short(map_at(node, "attributes", problems))
    shared = functions.unassigned.of(found.name, found.attributes, at) if attributes is None else None
    declared = with_reflected(found.properties, found.attributes, document) if attributes is not None else {}
    template.attributes = shared or Values(
        repr(name), declared or found.attributes, attributes, scope, at, make, "attribute"
    )
    template.capabilities = _read_capabilities(template, problems, functions)
    template.interfaces = overlay_interfaces(found.interfaces, node.get("interfaces"), types, document, Place.TEMPLATE)
    template.artifacts = {**found.artifacts, **artifact_entries(node)}
    return template


def _short(attributes: Map | None) -> Map | None:
    """Attributes with their values alone: TOSCA 1.x has a long notation for them too (1.3 §3.6.13.2)."""
    if attributes is None or attributes.source.version == 2:
        return attributes
    short = Map(attributes.source, attributes.mark)
    short.keys = attributes.keys
    short.entries = {
        name: node.entries["value"] if isinstance(node, Map) and _LONG >= node.entries.keys() >= {"value"} else node
        for name, node in attributes.entries.items()
    }
    return short


_LONG = {"description", "value"}


def _read_capabilities(template: NodeTemplate, problems: Problems, functions: Functions) -> dict[str, Values]:
    assigned = entries_at(template.node, "capabilities", problems)
    problems.spend(len(template.type.capabilities) + len(template.type.artifacts))
    found = {}
    for name, definition in template.type.capabilities.items():
        written = assigned.get(name)
        properties = None
        if isinstance(written, Map):
            check_keys(written, "capability_assignment", problems)
            properties = map_at(written, "properties", problems)
        elif written is not None and not (isinstance(written, Scalar) and written.null and written.source.version == 1):
            problems.error("shape", f"the capability {name!r} must be a map", written)
        if properties is None and (shared := functions.unassigned.of(name, definition.properties, definition.at)):
            found[name] = shared
            continue
        what = f"the capability {name!r} of {template.name!r}"
        at = written if written is not None else template.at
        scope = Scope(node=template)
        found[name] = Values(what, definition.properties, properties, scope, at, functions.converter)
    template.capability_attributes = tuple(_read_attributes(template, assigned, functions))
    section = template.node.get("capabilities")
    for name in (n for n in assigned if n not in found):
        assert isinstance(section, Map)
        summary, at = f"{template.type.name} has no capability {name!r}", section.keys[name]
        complain("undeclared-names", "capability-unknown", summary, at, problems, near(name, found))
    return found


def _read_attributes(template: NodeTemplate, assigned: Mapping[str, Node], functions: Functions) -> Iterator[Values]:
    """What a template of TOSCA 2.0 assigns to attributes of its capabilities; directives are checked too (§8.3)."""
    for name, written in assigned.items():
        definition = template.type.capabilities.get(name)
        if definition is None or not isinstance(written, Map) or written.source.version != 2:
            continue
        read_scopes(written, functions.problems)
        attributes = map_at(written, "attributes", functions.problems)
        if attributes is not None:
            declared = with_reflected(definition.properties, definition.attributes, template.document)
            what = f"the capability {name!r} of {template.name!r}"
            yield Values(what, declared, attributes, Scope(node=template), written, functions.converter, "attribute")
