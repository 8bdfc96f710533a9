"""The keys that TOSCA allows at each place, and what may stand under them; the check of them.

Of TOSCA 1.0 to 1.3 (chapter 3 of each) only the keys are checked here, since their catalogues are written
freely. Of TOSCA 2.0 the shape under each key and the keys that must be there are checked as well.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from isthmus.tosca.diagnostics import Problems, near
from isthmus.tosca.leniency import allows, complain
from isthmus.tosca.reading.documents import Map, Node, Scalar, Seq, is_text, text_of
from isthmus.tosca.typesystem.scalars import is_version

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
        "parameter": f"{_PROPERTY} mapping",
        "schema": "type description constraints entry_schema key_schema required default",
        "output": "description value type metadata",
        "import": "file repository namespace_uri namespace_prefix",
        "repository": "description url credential",
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
        "relationship_definition": "type interfaces properties attributes description metadata",
        "requirement_assignment": "node capability relationship node_filter occurrences directives description",
        "relationship_assignment": "type properties interfaces attributes",
        "operation": "description implementation inputs outputs",
        "implementation": "primary dependencies timeout operation_host file type repository description",
        "artifact": (
            "type file description repository deploy_path version artifact_version checksum checksum_algorithm"
            " metadata properties"
        ),
        "workflow": "description metadata inputs preconditions steps implementation outputs",
        "precondition": "target target_relationship condition",
        "step": (
            "target target_relationship operation_host filter activities on_success on_failure description metadata"
        ),
        "delegate": "workflow inputs",
        "inline": "workflow inputs",
        "call_operation": "operation inputs",
        "trigger": (
            "description metadata event event_type schedule target_filter condition constraint period evaluations"
            " method action"
        ),
        "trigger_condition": "constraint period evaluations method",
        "event_filter": "node requirement capability",
        "notification": "description implementation inputs outputs",
    }.items()
}

_COMMON = "description:text metadata:map"
_TYPE_2 = f"derived_from:text version:version {_COMMON}"
_DATA_2 = "validation:given key_schema:given entry_schema:given"
_PROPERTY_2 = f"type:text required:bool default:any value:any status:text {_DATA_2} {_COMMON}"

SHAPES: dict[str, dict[str, str]] = {
    place: dict(key.split(":") for key in keys.split())
    for place, keys in {
        "service_template": (
            f"tosca_definitions_version!:text {_COMMON} dsl_definitions:map artifact_types:names data_types:names"
            " capability_types:names interface_types:names relationship_types:names node_types:names group_types:names"
            " policy_types:names repositories:names functions:names profile:text imports:list service_template:map"
        ),
        "topology_template": (
            f"{_COMMON} inputs:names outputs:names node_templates!:names relationship_templates:names groups:names"
            " policies:list substitution_mappings:map workflows:names functions:names"
        ),
        "input": f"{_PROPERTY_2} mapping:any",
        "property": _PROPERTY_2,
        "parameter": f"{_PROPERTY_2} mapping:any",
        "attribute": f"type:text default:any status:text {_DATA_2} {_COMMON}",
        "schema": f"type:text {_DATA_2} {_COMMON}",
        "output": f"{_PROPERTY_2} mapping:any",
        "import": f"url:text profile:text repository:text namespace:text {_COMMON}",
        "repository": f"url!:text {_COMMON}",
        "node_type": (
            f"{_TYPE_2} properties:names attributes:names capabilities:names requirements:list interfaces:names"
            " artifacts:names"
        ),
        "relationship_type": (
            f"{_TYPE_2} properties:names attributes:names interfaces:names valid_capability_types:texts"
            " valid_target_node_types:texts valid_source_node_types:texts"
        ),
        "capability_type": (
            f"{_TYPE_2} properties:names attributes:names valid_source_node_types:texts valid_relationship_types:texts"
        ),
        "data_type": (
            f"{_TYPE_2} properties:names {_DATA_2} data_type:text units:map canonical_unit:text prefixes:map"
        ),
        "artifact_type": f"{_TYPE_2} mime_type:text file_ext:texts properties:names",
        "interface_type": f"{_TYPE_2} inputs:names operations:names notifications:names",
        "group_type": f"{_TYPE_2} properties:names attributes:names members:texts",
        "policy_type": f"{_TYPE_2} properties:names targets:texts triggers:names",
        "node_template": (
            f"type:text {_COMMON} directives:texts properties:names attributes:names requirements:list"
            " capabilities:names interfaces:names artifacts:names count:given node_filter:given copy:text"
        ),
        "relationship_template": f"type:text {_COMMON} properties:names attributes:names interfaces:names copy:text",
        "group": f"type!:text {_COMMON} properties:names attributes:names members:texts",
        "policy": f"type!:text {_COMMON} properties:names targets:texts triggers:names",
        "capability_definition": (
            f"type:text {_COMMON} properties:names attributes:names valid_source_node_types:texts"
            " valid_relationship_types:texts"
        ),
        "capability_assignment": f"{_COMMON} properties:names attributes:names directives:texts",
        "requirement_definition": (
            f"{_COMMON} relationship:any node:text capability:text node_filter:any count_range:list"
        ),
        "relationship_definition": f"type:text {_COMMON} properties:names attributes:names interfaces:names",
        "requirement_assignment": (
            f"{_COMMON} node:any capability:text relationship:any allocation:any count:any node_filter:any"
            " directives:texts optional:any"
        ),
        "relationship_assignment": f"type:text {_COMMON} properties:names attributes:names interfaces:names",
        "interface": f"type:text {_COMMON} inputs:names operations:names notifications:names",
        "operation": f"{_COMMON} implementation:any inputs:names outputs:names",
        "implementation": f"{_COMMON} primary:any dependencies:list timeout:any operation_host:text",
        "artifact": (
            f"type!:text file!:text repository:text {_COMMON} artifact_version:text version:text checksum:text"
            " checksum_algorithm:text properties:names"
        ),
        "workflow": f"{_COMMON} inputs:names precondition:any steps:names implementation:any outputs:names",
        "step": (
            "target!:text target_relationship:text filter:list activities!:list on_success:any on_failure:any"
            f" {_COMMON}"
        ),
        "delegate": "workflow!:text inputs:names",
        "inline": "workflow!:text inputs:names",
        "call_operation": "operation!:text inputs:names",
        "trigger": f"event!:text condition:any action!:list {_COMMON}",
        "notification": f"{_COMMON} implementation:any inputs:names outputs:names",
        "function": f"{_COMMON} signatures!:any",
        "signature": "arguments:list optional_arguments:list variadic:bool result:any implementation:any",
    }.items()
}
"""TOSCA 2.0: what stands under each key of each place; `!` marks keys that must be there."""


def _is_texts(node: Node) -> bool:
    return isinstance(node, Seq) and all(map(is_text, node.items))


_CHECKS: Mapping[str, tuple[Callable[[Node], bool], str]] = {
    "text": (is_text, "a string"),
    "texts": (_is_texts, "a list of strings"),
    "map": (lambda n: isinstance(n, Map), "a map"),
    "names": (lambda n: isinstance(n, Map), "a map"),
    "list": (lambda n: isinstance(n, Seq), "a list"),
    "bool": (lambda n: isinstance(n, Scalar) and n.plain and n.text in ("true", "false"), "true or false"),
    "version": (lambda n: is_text(n) and is_version(text_of(n)), "a version such as 1.2.3, or '1.2' in quotes"),
    "given": (lambda n: not (isinstance(n, Scalar) and n.null), "told, or left out"),
    "any": (lambda n: True, ""),
}


def allowed_keys(place: str, version: int = 1) -> frozenset[str]:
    """The keys that a place may have in documents of TOSCA 1.x or 2.0."""
    return frozenset(k.removesuffix("!") for k in SHAPES[place]) if version == 2 else KEYS[place]


def _is_empty(node: Node) -> bool:
    return isinstance(node, Scalar) and node.null


def check_keys(node: Map, place: str, problems: Problems) -> None:
    """Report every key that the grammar does not know at this place; in TOSCA 2.0 wrong shapes and missing keys too."""
    if node.source.version == 2:
        _check_shapes(node, place, problems)
        return
    allowed = KEYS[place]
    for key, value in node.entries.items():
        if key in _TEXTS and key in allowed and not isinstance(value, Scalar):
            complain("stray-keys", "shape", f"{key!r} must be a text", value, problems)
        if key in _MAPS and key in allowed and not isinstance(value, Map) and not _is_empty(value):
            complain("stray-keys", "shape", f"{key!r} must be a map", value, problems)
        if key == "metadata" and isinstance(value, Map):
            _check_metadata(value, place, problems)
        if key in _LISTS and key in allowed and isinstance(value, Map):
            complain("stray-keys", "shape", f"{key!r} must be a list", value, problems)
        if key == "version" and place.endswith("_type") and not (isinstance(value, Scalar) and is_version(value.text)):
            complain("stray-keys", "shape", f"{key!r} must be a version such as 1.2.3", value, problems)
        if key == "status" and key in allowed and isinstance(value, Scalar) and value.text not in _STATUS:
            summary, nearby = f"there is no status {value.text!r}", near(value.text, _STATUS)
            complain("stray-keys", "value-type", summary, value, problems, nearby)
        if key not in allowed:
            summary = f"{key!r} is not a key of a {place.replace('_', ' ')}"
            complain("stray-keys", "key-unknown", summary, node.keys[key], problems, near(key, allowed))


def _check_metadata(node: Map, place: str, problems: Problems) -> None:
    """The metadata of TOSCA 1.x are texts by name (1.3 §3.9.3.2); those of types are taken for schemas at times."""
    report = problems.warn if place.endswith("_type") else problems.error
    for name, value in node.entries.items():
        if not isinstance(value, Scalar) and not allows("structured-metadata", value, problems):
            report("shape", f"the metadata {name!r} must be a text", value)


def _check_shapes(node: Map, place: str, problems: Problems) -> None:
    shapes = SHAPES[place]
    for key, value in node.entries.items():
        shape = shapes.get(key) or shapes.get(f"{key}!")
        if shape is None:
            summary = f"{key!r} is not a key of a {_NAMES.get(place, place).replace('_', ' ')}"
            problems.error("key-unknown", summary, node.keys[key], suggestion=near(key, allowed_keys(place, 2)))
            continue
        fits, wanted = _CHECKS[shape]
        if not fits(value):
            problems.error("shape", f"{key!r} must be {wanted}", value)
        elif shape == "names":
            assert isinstance(value, Map)
            check_names(value, problems)
    for key in shapes:
        if key.endswith("!") and key[:-1] not in node.entries:
            name = _NAMES.get(place, place).replace("_", " ")
            problems.error("key-missing", f"the {name} has no {key[:-1]!r}", node)


def check_common(node: Map, problems: Problems) -> None:
    """Report a `description` or `metadata` of the wrong shape, which every place of TOSCA 2.0 has (§5.3)."""
    for key, shape in (("description", "text"), ("metadata", "map")):
        value = node.entries.get(key) if node.source.version == 2 else None
        fits, wanted = _CHECKS[shape]
        if value is not None and not fits(value):
            problems.error("shape", f"{key!r} must be {wanted}", value)


def check_names(section: Map, problems: Problems) -> None:
    """In TOSCA 2.0 a name is a string, which an unquoted number or boolean is not (§9.1.1.1), and is not empty."""
    for name, key in section.keys.items():
        doubtful = not name[:1].isalpha() or name.lower() in ("true", "false", "null")
        if doubtful and not (name and is_text(key)):
            problems.error("shape", f"a name must be a string, which {name!r} is not", key)


_TEXTS = ("description", "derived_from", "url", "namespace_uri", "namespace_prefix", "mime_type", "status", "namespace")
"""TOSCA 1.x: keys under which a text stands, wherever they may be."""
_MAPS = ("metadata", "properties", "attributes", "operations", "notifications", "dsl_definitions")
_LISTS = ("valid_source_types", "valid_target_types", "file_ext", "members", "targets", "directives")
_STATUS = ("supported", "unsupported", "experimental", "deprecated")
"""What a definition may say of itself (TOSCA 1.3 §3.6.10.3)."""
_NAMES = {"service_template": "TOSCA file", "topology_template": "service template"}
"""What TOSCA 2.0 calls the places that it named anew."""


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
