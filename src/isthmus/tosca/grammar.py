"""The keys that TOSCA 1.0 to 1.3 allow at each place (chapter 3 of each), and the check of them."""

from __future__ import annotations

from isthmus.tosca.diagnostics import Problems, near
from isthmus.tosca.documents import Map, Node, Scalar, Seq
from isthmus.tosca.leniency import complain

_TYPE = "derived_from version metadata description"
_PROPERTY = (
    "type description required default status constraints entry_schema key_schema external-schema metadata value"
)

KEYS: dict[str, frozenset[str]] = {
    place: frozenset(keys.split())
    for place, keys in {
        "service_template": (
            "tosca_definitions_version tosca_default_namespace namespace metadata template_name template_author"
            " template_version description dsl_definitions repositories imports artifact_types data_types"
            " capability_types interface_types relationship_types node_types group_types policy_types"
            " topology_template"
        ),
        "topology_template": (
            "description inputs node_templates relationship_templates groups policies outputs"
            " substitution_mappings workflows"
        ),
        "input": _PROPERTY,
        "property": _PROPERTY,
        "attribute": "type description default status entry_schema key_schema constraints metadata required",
        "schema": "type description constraints entry_schema key_schema required default",
        "output": "description value type metadata",
        "node_type": f"{_TYPE} properties attributes requirements capabilities interfaces artifacts",
        "relationship_type": f"{_TYPE} properties attributes interfaces valid_target_types valid_source_types",
        "capability_type": f"{_TYPE} properties attributes valid_source_types",
        "data_type": f"{_TYPE} properties constraints key_schema entry_schema",
        "artifact_type": f"{_TYPE} mime_type file_ext properties",
        "interface_type": f"{_TYPE} inputs operations notifications",
        "group_type": f"{_TYPE} properties attributes members requirements capabilities interfaces targets",
        "policy_type": f"{_TYPE} properties targets triggers",
        "node_template": (
            "type description metadata directives properties attributes requirements capabilities interfaces"
            " artifacts node_filter copy"
        ),
        "relationship_template": "type description metadata properties attributes interfaces copy",
        "group": "type description metadata properties attributes members interfaces targets",
        "policy": "type description metadata properties targets triggers",
        "capability_definition": (
            "type description properties attributes valid_source_types occurrences metadata constraints"
        ),
        "capability_assignment": "properties attributes occurrences directives",
        "requirement_definition": "capability node relationship occurrences description metadata node_filter",
        "requirement_assignment": "node capability relationship node_filter occurrences directives description",
        "relationship_assignment": "type properties interfaces attributes",
        "operation": "description implementation inputs outputs",
        "implementation": "primary dependencies timeout operation_host file type repository description",
        "artifact": (
            "type file description repository deploy_path version artifact_version checksum checksum_algorithm"
            " metadata properties"
        ),
    }.items()
}


def check_keys(node: Map, place: str, problems: Problems) -> None:
    """Report every key that the grammar does not know at this place."""
    allowed = KEYS[place]
    for key in node.entries:
        if key not in allowed:
            summary = f"{key!r} is not a key of a {place.replace('_', ' ')}"
            complain("stray-keys", "key-unknown", summary, node.keys[key], problems, near(key, allowed))


def map_at(parent: Map | None, key: str, problems: Problems) -> Map | None:
    """The map under a key, None when it is absent; anything else is reported."""
    node = parent.get(key) if parent is not None else None
    if node is None or isinstance(node, Map):
        return node
    problems.error("shape", f"{key!r} must be a map", node)
    return None


def entries_at(parent: Map | None, key: str, problems: Problems) -> dict[str, Node]:
    """The entries of the map under a key; empty when it is absent."""
    node = map_at(parent, key, problems)
    return node.entries if node is not None else {}


def list_at(parent: Map | None, key: str, problems: Problems) -> list[Node]:
    """The items of the list under a key; empty when it is absent. A lone scalar counts as a list of one."""
    node = parent.get(key) if parent is not None else None
    if isinstance(node, Seq):
        return node.items
    if isinstance(node, Scalar):
        return [node]
    if node is not None:
        problems.error("shape", f"{key!r} must be a list", node)
    return []
