"""Public templates for which the specification says other than the manifest of the corpora: why, and where.

The manifest's expectations for tosca-parser and OASIS 1.0 were read from file names, and corpora were cut
where files came from elsewhere; the section is that of the version that the template names.
"""

from __future__ import annotations

from collections.abc import Mapping

_MISSING = "imports a file that the corpus does not hold; an import that does not lead to a TOSCA file is a failure"
_BEHIND = "imports a file behind a URL, from which nothing is fetched; such an import is a failure"
_REPEATED = "the file that it imports has the same key twice in a map, which is not YAML"
_PARSER = "tosca-parser/tests/data"
_SUITE = "oasis-tests/tosca_2_0"

EXCEPTIONS: Mapping[str, tuple[str, str]] = {
    # what is not there
    "oasis-examples/1.3/turandot/hello-world/hello-world.yaml": (_MISSING, "1.3 §3.6.8"),
    "oasis-examples/1.3/turandot/telephony-network-service/telephony-network-service/telephony-network-service.yaml": (
        _MISSING,
        "1.3 §3.6.8",
    ),
    f"{_SUITE}/examples/s27a.yaml": (_MISSING, "2.0 §6.8.2.2"),
    f"{_SUITE}/examples/s30a.yaml": (_BEHIND, "2.0 §6.8.2.2"),
    f"{_SUITE}/import-definitions/imports-repository-remote.yaml": (_BEHIND, "2.0 §6.8.2.2"),
    f"{_PARSER}/tosca_elk.yaml": (_MISSING, "1.0 §3.5.7"),
    f"{_PARSER}/tosca_single_instance_wordpress_with_local_abspath_import.yaml": (
        "imports a file by its path on somebody's machine",
        "1.0 §3.5.7",
    ),
    f"{_PARSER}/tosca_single_instance_wordpress_with_url_import.yaml": (_BEHIND, "1.0 §3.5.7"),
    # OASIS
    f"{_SUITE}/call-operation-activity-definition/call-operation-undefined-workflow-input.yaml": (
        "asks for an input that neither the workflow nor the template declares; its own comment says that it fails",
        "2.0 §10.2.1.1",
    ),
    f"{_SUITE}/metadata/invalid_metadata_missing_value.yaml": ("metadata may be null", "2.0 §5.3.1"),
    f"{_SUITE}/metadata/invalid_metadata_non_string_values.yaml": ("metadata may be a number", "2.0 §5.3.1"),
    f"{_SUITE}/node-filter-definition/node-filter-select.yaml": (
        "defines a profile and has a service template",
        "2.0 §6.7.1",
    ),
    f"{_SUITE}/schema-definition/schema-definition-map-bad-entry-schema-inv.yaml": (
        "the entries of a map may be of any type; it is the keys that are strings",
        "2.0 §9.1.3.2, §9.4",
    ),
    "oasis-tests/tosca_simple_yaml_1_0/3.9.1.1-metadata-01-valid.yml": (
        "has the same key twice in a map, which is not YAML",
        "YAML 1.2 §3.2.1.3",
    ),
    # Puccini
    "puccini-examples/1.3/copy.yaml": ("copies from a template that is itself a copy", "1.3 §3.8.3"),
    "puccini-examples/2.0/copy.yaml": ("copies from a template that is itself a copy", "2.0 §7.2"),
    "puccini-examples/2.0/artifacts.yaml": (
        "an artifact is without its type and its file, and has the key 'deploy_path', which 2.0 does not know",
        "2.0 §12.2",
    ),
    "puccini-examples/2.0/future/_tosca_2_0.yaml": ("has 'constraints', which 2.0 does not know", "2.0 §9.4"),
    "puccini-examples/2.0/namespaces.yaml": ("defines a profile and has a service template", "2.0 §6.7.1"),
    "puccini-examples/2.0/policies-and-groups.yaml": ("calls '$match'; the function is '$matches'", "2.0 §10.2.2.2.7"),
    "puccini-examples/2.0/substitution-mapping-client.yaml": (
        "has the directive 'substitutable' of TOSCA 1.2; here it is 'substitute'",
        "2.0 §7.2",
    ),
    "puccini-examples/2.0/substitution-mapping.yaml": (
        "maps an operation that the node type's interface does not have",
        "2.0 §15.6",
    ),
    "puccini-examples/javascript/constraints.yaml": (
        "uses a constraint of its own, which a script of another engine defines",
        "1.3 §3.6.3",
    ),
    # tosca-parser
    f"{_PARSER}/CSAR/tosca_meta_file.yaml": ("names a node type that nothing defines or imports", "1.2 §3.8.3"),
    f"{_PARSER}/containers/test_container_docker_mysql.yaml": (
        "the host has the capability Container, and Container.Docker is required",
        "1.0 §3.6.2",
    ),
    f"{_PARSER}/datatypes/test_datatype_portspec_add_req.yaml": ("0 is no port", "1.0 §5.2.5"),
    f"{_PARSER}/functions/test_concat.yaml": ("asks for an attribute that the node does not have", "1.0 §4.5.1"),
    f"{_PARSER}/functions/test_get_attribute_host_keyword.yaml": (
        "a Database is without its name, which is required",
        "1.0 §5.8.7",
    ),
    f"{_PARSER}/functions/test_get_attribute_illegal_host_in_outputs.yaml": (
        "says HOST where no node is, which its name calls illegal",
        "1.0 §4.1",
    ),
    f"{_PARSER}/interfaces/test_custom_interface_in_template.yaml": (
        "a Compute hosts what requires a WebServer",
        "1.0 §5.8.5",
    ),
    f"{_PARSER}/policies/test_policies_without_required_property.yaml": (_REPEATED, "YAML 1.2 §3.2.1.3"),
    f"{_PARSER}/policies/test_tosca_nfv_multiple_policies.yaml": (_REPEATED, "YAML 1.2 §3.2.1.3"),
    f"{_PARSER}/relationship/test_custom_relationship.yaml": (
        "has the key 'occurences', which is 'occurrences' misspelt",
        "1.0 §3.6.2",
    ),
    f"{_PARSER}/test_attributes_inheritance.yaml": ("a boolean stands where an integer is declared", "1.0 §3.2.1"),
    f"{_PARSER}/test_capability_without_properties.yaml": (
        "names a capability type that is defined among the node types",
        "1.0 §3.6.6",
    ),
    f"{_PARSER}/test_credential_datatype.yaml": (
        "a value stands where a property is defined, with keys that no definition has",
        "1.0 §3.5.8",
    ),
    f"{_PARSER}/test_nodetype_without_relationship.yaml": (
        "requires a capability that the node does not have",
        "1.0 §3.6.2",
    ),
    f"{_PARSER}/topology_template/system.yaml": (
        "a Compute hosts what requires a DBMS, and a required property has no value",
        "1.0 §5.8.7",
    ),
    f"{_PARSER}/tosca_imports_validation.yaml": (
        "imports a file of a version that does not exist, with keys that do not",
        "1.0 §3.1",
    ),
}
