"""In which order the keys of TOSCA usually stand, place by place, in every version: for formatting only.

Names that an author chooses (of nodes, types, inputs) and values are never ordered: they keep their place.
"""

from __future__ import annotations

from collections.abc import Mapping

_TYPES = ["artifact", "data", "capability", "interface", "relationship", "node", "group", "policy"]
_TYPE = "derived_from version description metadata"
_FIELD = (
    "type description metadata required status key_schema entry_schema external-schema default value mapping"
    " constraints validation"
)

ORDER: Mapping[str, tuple[str, ...]] = {
    place: tuple(keys.split())
    for place, keys in {
        "file": (
            "tosca_definitions_version tosca_default_namespace namespace profile template_name template_author"
            " template_version description metadata dsl_definitions repositories imports artifact_types data_types"
            " capability_types interface_types relationship_types node_types group_types policy_types functions"
            " topology_template service_template"
        ),
        "topology": (
            "description metadata inputs node_templates relationship_templates groups policies outputs"
            " substitution_mappings workflows"
        ),
        "field": _FIELD,
        "repository": "description metadata url credential",
        "import": "file url profile repository namespace_uri namespace_prefix namespace description metadata",
        "node_type": f"{_TYPE} properties attributes capabilities requirements interfaces artifacts",
        "relationship_type": (
            f"{_TYPE} properties attributes interfaces valid_source_types valid_target_types valid_capability_types"
            " valid_source_node_types valid_target_node_types"
        ),
        "capability_type": (
            f"{_TYPE} properties attributes valid_source_types valid_source_node_types valid_relationship_types"
        ),
        "data_type": f"{_TYPE} properties key_schema entry_schema constraints validation",
        "artifact_type": f"{_TYPE} mime_type file_ext properties",
        "interface_type": f"{_TYPE} inputs operations notifications",
        "group_type": f"{_TYPE} properties attributes members capabilities requirements interfaces",
        "policy_type": f"{_TYPE} properties targets triggers",
        "node_template": (
            "type description metadata directives copy count node_filter properties attributes capabilities"
            " requirements interfaces artifacts"
        ),
        "relationship": "type description metadata copy properties attributes interfaces",
        "group": "type description metadata properties attributes members interfaces",
        "policy": "type description metadata properties targets triggers",
        "capability": (
            "type description metadata directives valid_source_types valid_source_node_types"
            " valid_relationship_types occurrences properties attributes"
        ),
        "requirement": (
            "description metadata capability node relationship node_filter directives occurrences count_range count"
            " optional allocation"
        ),
        "interface": "type description metadata inputs operations notifications",
        "operation": "description metadata implementation inputs outputs",
        "implementation": "description metadata primary dependencies timeout operation_host",
        "artifact": (
            "type file description metadata repository deploy_path version artifact_version checksum"
            " checksum_algorithm properties"
        ),
    }.items()
}

_FIELDS = {"properties": "names field", "attributes": "names field"}
_TYPED = {**_FIELDS, "interfaces": "names interface"}
_BELOW: Mapping[str, Mapping[str, str]] = {
    "file": {
        **{f"{t}_types": f"names {t}_type" for t in _TYPES},
        "repositories": "names repository",
        "imports": "items import",
        "topology_template": "topology",
        "service_template": "topology",
    },
    "topology": {
        "inputs": "names field",
        "outputs": "names field",
        "node_templates": "names node_template",
        "relationship_templates": "names relationship",
        "groups": "names group",
        "policies": "items names policy",
    },
    "field": {"entry_schema": "field", "key_schema": "field"},
    "node_type": {
        **_TYPED,
        "capabilities": "names capability",
        "requirements": "items names requirement",
        "artifacts": "names artifact",
    },
    "relationship_type": _TYPED,
    "capability_type": _FIELDS,
    "data_type": {**_FIELDS, "entry_schema": "field", "key_schema": "field"},
    "artifact_type": _FIELDS,
    "interface_type": {"operations": "names operation", "notifications": "names operation"},
    "group_type": _TYPED,
    "policy_type": _FIELDS,
    "node_template": {
        "capabilities": "names assigned",
        "requirements": "items names requirement",
        "interfaces": "names interface",
        "artifacts": "names artifact",
    },
    "relationship": {"interfaces": "names interface"},
    "group": {"interfaces": "names interface"},
    "capability": _FIELDS,
    "requirement": {"relationship": "relationship"},
    "interface": {"operations": "names operation", "notifications": "names operation"},
    "operation": {"implementation": "implementation"},
    "implementation": {"primary": "artifact"},
}
"""What stands under a key: a place; `names X` is a map of names to X, `items X` a list of X."""


def below(place: str, key: str | None) -> str:
    """The place of what stands under a key, or in a list when the key is None; nothing when it is no grammar."""
    head, _, rest = place.partition(" ")
    if head == "items":
        return rest if key is None else ""
    if key is None:
        return ""
    if head == "names":
        return rest
    if place == "interface" and key not in ORDER[place]:
        return "operation"
    return _BELOW.get(place, {}).get(key, "")


def rank(place: str, key: str | None) -> int:
    """Where a key belongs at a place: merged maps first, keys that are not known last, names all alike."""
    order = ORDER.get(place)
    if order is None:
        return 0
    if key == "<<":
        return -1
    return order.index(key) if key in order else len(order)


def is_sectioned(place: str) -> bool:
    """Whether the parts of a place are long, and stand apart by a blank line."""
    return place in ("file", "topology")
