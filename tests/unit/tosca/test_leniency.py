"""The leniencies: each is on in a document that shows a mark of the field's catalogues, and off in the same without."""

import re
from pathlib import Path

import pytest

from isthmus.tosca import load
from isthmus.tosca.form import form
from isthmus.tosca.leniency import LENIENCIES, is_marked
from tests.unit.tosca.conftest import make_bundle

PAGE = Path(__file__).parents[3] / "docs" / "tosca-leniencies.md"
MARK = "# as tosca.nodes.indigo.Compute has it\n"

NODE = "topology_template: {{ node_templates: {{ m: {{ type: Compute{} }} }} }}\n"
INPUT = "topology_template: {{ inputs: {{ i: {{ {} }} }} }}\n"
TYPE = "node_types: {{ N: {{ derived_from: tosca.nodes.Root, {} }} }}\n"
COUNTED = """
capability_types:
  C: { derived_from: tosca.capabilities.Scalable, properties: { %s } }
node_types:
  M: { derived_from: tosca.nodes.Compute, capabilities: { scalable: { type: C } } }
topology_template:
  node_templates:
    m: { type: M, capabilities: { scalable: { properties: { %s } } } }
"""
STRETCHED = [
    ("structured-metadata", "metadata: { parents: [ a.yaml ] }\n", "shape"),
    (
        "unknown-constraints",
        INPUT.format("type: float, default: 1, constraints: [ { max_value: 2 } ]"),
        "constraint-bad",
    ),
    (
        "unknown-constraints",
        INPUT.format("type: integer, default: 1, constraints: [ { length: 2 } ]"),
        "constraint-bad",
    ),
    (
        "normative-types-redefined",
        "node_types: { tosca.nodes.Database: { derived_from: tosca.nodes.Root } }\n",
        "type-redefined",
    ),
    (
        "free-refinement",
        "node_types:\n"
        "  A: { derived_from: tosca.nodes.Root, properties: { p: { type: integer } } }\n"
        "  B: { derived_from: A, properties: { p: { type: string } } }\n",
        "refinement",
    ),
    ("repeated-keys", "topology_template: { inputs: {}, inputs: {} }\n", "yaml-key-duplicate"),
    ("unknown-data-types", TYPE.format("properties: { p: { type: nobody.knows } }"), "type-unknown"),
    (
        "unknown-valid-types",
        TYPE.format("capabilities: { c: { type: tosca.capabilities.Node, valid_source_types: [ nobody ] } }"),
        "type-unknown",
    ),
    ("bare-quantities", NODE.format(", capabilities: { host: { properties: { mem_size: 1024 } } }"), "value-type"),
    ("quoted-values", TYPE.format("properties: { p: { type: integer, default: '-1' } }"), "value-type"),
    (
        "index-of-single",
        "topology_template:\n"
        "  node_templates:\n"
        "    m: { type: Compute }\n"
        "    s:\n"
        "      type: SoftwareComponent\n"
        "      requirements: [ { host: m } ]\n"
        "      interfaces:\n"
        "        Standard:\n"
        "          create: { implementation: a.sh, inputs: { i: { get_attribute: [ HOST, private_address, 0 ] } } }\n",
        "function-arguments",
    ),
    (
        "loose-defaults",
        INPUT.format("type: string, default: '', constraints: [ { min_length: 1 } ]"),
        "constraint",
    ),
    (
        "unchecked-targets",
        "topology_template:\n"
        "  node_templates:\n"
        "    m: { type: Compute }\n"
        "    s: { type: WebApplication, requirements: [ { host: m } ] }\n",
        "target-mismatch",
    ),
    (
        "loose-occurrences",
        "node_types: { M: { derived_from: Compute, capabilities: { host: { type: tosca.capabilities.Compute,"
        " occurrences: [ 0, 1 ] } } } }\n"
        "topology_template:\n"
        "  node_templates:\n"
        "    m: { type: M }\n"
        "    a: { type: SoftwareComponent, requirements: [ { host: m } ] }\n"
        "    b: { type: SoftwareComponent, requirements: [ { host: m } ] }\n",
        "requirement-count",
    ),
    (
        "unmet-requirements",
        "topology_template: { node_templates: { s: { type: SoftwareComponent } } }\n",
        "requirement-unmet",
    ),
    ("stray-keys", NODE.format(", scalable: { properties: { count: 2 } }"), "key-unknown"),
    ("undeclared-names", NODE.format(", properties: { colour: red }"), "property-unknown"),
]
"""Leniency, a template that makes use of it, and the code by which it is refused or left out without a mark."""
NOTED = {"catalogue-types", "generated-defaults", "ansible-galaxy", "removal-list", "count", "late-version"}
"""Those that have a test of their own below."""


def told(text: str, head: str = "tosca_definitions_version: tosca_simple_yaml_1_3\n"):
    result = load(make_bundle(head + text, {"a.sh": b""}))
    return result, [d.code for d in result.diagnostics if d.severity in ("error", "refusal")]


@pytest.mark.parametrize(("name", "text", "code"), STRETCHED, ids=[f"{n}-{c}" for n, _, c in STRETCHED])
def test_a_leniency_is_on_in_a_marked_document_alone(name, text, code):
    strict, wrong = told(text)
    assert set(wrong) == {code}
    assert strict.leniencies == ()
    lenient, wrong = told(MARK + text)
    assert wrong == [], [d.render() for d in lenient.diagnostics]
    assert name in lenient.leniencies


def test_every_leniency_has_a_test():
    assert {n for n, _, _ in STRETCHED} | NOTED == LENIENCIES.keys()


def test_the_page_of_leniencies_shows_the_table_of_the_code():
    rows = re.findall(r"^\| `([a-z-]+)` \| (.+) \|$", PAGE.read_text(), re.MULTILINE)
    assert dict(rows) == LENIENCIES
    assert len(rows) == len(LENIENCIES)


@pytest.mark.parametrize(
    "mark",
    [
        "node_types: { tosca.nodes.ec3.ElasticCluster: { derived_from: tosca.nodes.Root } }",
        "node_types: { tosca.nodes.DODAS.HelmInstall: { derived_from: tosca.nodes.Root } }",
        "imports: [ { indigo_custom_types: types.yaml } ]",
        "imports: [ { grycap_custom_types: types.yaml } ]",
        "imports: [ https://raw.githubusercontent.com/indigo-dc/tosca-types/master/custom_types.yaml ]",
        "imports: [ { x: https://raw.githubusercontent.com/grycap/tosca/main/custom_types.yaml } ]",
        "x: { type: tosca.artifacts.AnsibleGalaxy.role }",
        "metadata:\n  display_name: x\n  tabs:\n    One: [ a ]",
    ],
)
def test_the_marks_are_the_catalogues_types_their_imports_and_the_tabs_of_a_form(mark):
    assert is_marked(f"tosca_definitions_version: tosca_simple_yaml_1_0\n{mark}\n".encode())


@pytest.mark.parametrize(
    "text",
    [
        "node_types: { my.nodes.indigo.Thing: { derived_from: tosca.nodes.Root } }",
        "imports: [ custom_types.yaml ]",
        "metadata: { template_name: tabs }",
        "topology_template:\n  inputs:\n    tabs: { type: string }",
        "node_types: { tosca.nodes.Compute.Mine: { derived_from: tosca.nodes.Root } }",
    ],
)
def test_what_is_no_mark(text):
    assert not is_marked(f"tosca_definitions_version: tosca_simple_yaml_1_0\n{text}\n".encode())


def test_a_mark_counts_in_its_own_document_only():
    types = "tosca_definitions_version: tosca_simple_yaml_1_3\n" + MARK + TYPE.format("strange: 1")
    main = "tosca_definitions_version: tosca_simple_yaml_1_3\nimports: [ t.yaml ]\n" + NODE.format(", strange: 1")
    found = load(make_bundle(main, {"t.yaml": types}))
    wrong = [(d.code, str(d.position)) for d in found.diagnostics if d.severity == "error"]
    assert wrong == [("key-unknown", "template.yaml:3:60")]


def test_there_are_no_marks_in_tosca_2_0():
    text = MARK + "service_template: { node_templates: {}, strange: 1 }\n"
    found, wrong = told(text, "tosca_definitions_version: tosca_2_0\n")
    assert (wrong, found.leniencies) == (["key-unknown"], ())


def test_the_version_may_come_late_in_a_marked_document():
    text = "description: x\ntosca_definitions_version: tosca_simple_yaml_1_0\n"
    assert told(text, "")[1] == ["version"]
    lenient, wrong = told(MARK + text, "")
    assert (wrong, lenient.leniencies) == ([], ("late-version",))


def test_types_of_the_catalogues_are_noted():
    types = "node_types: { tosca.nodes.indigo.Thing: { derived_from: tosca.nodes.Root } }\n"
    found, wrong = told(types)
    assert (wrong, found.leniencies) == ([], ("catalogue-types",))


@pytest.mark.parametrize("default", ["access_token()", "random(32)"])
def test_a_default_that_asks_for_a_value_is_never_taken_for_the_value(default):
    text = INPUT.format(f"type: string, default: {default}")
    strict = load(make_bundle(text))
    assert strict.topology is not None
    lenient, wrong = told(MARK + text)
    assert (wrong, lenient.leniencies) == (["input-missing"], ("generated-defaults",))
    assert load(make_bundle(MARK + text), {"i": "s3cret"}).deployable
    asked = form(make_bundle(MARK + text)).inputs["i"]
    assert (asked.required, asked.default) == (True, None)


def test_a_role_of_ansible_galaxy_is_no_file_and_needs_no_definition_of_its_type():
    text = (
        "topology_template:\n"
        "  node_templates:\n"
        "    m: { type: Compute }\n"
        "    s:\n"
        "      type: SoftwareComponent\n"
        "      requirements: [ { host: m } ]\n"
        "      artifacts: { docker: { file: 'grycap.docker,v1', type: tosca.artifacts.AnsibleGalaxy.role } }\n"
    )
    found, wrong = told(text)
    assert (wrong, found.leniencies) == ([], ("ansible-galaxy",))
    assert told(text.replace("AnsibleGalaxy", "Galaxy"))[1] == ["type-unknown", "file-missing"]


def test_count_says_how_many_instances_there_are_at_first():
    text = COUNTED % ("count: { type: integer }", "count: 0")
    found, wrong = told(MARK + text)
    assert (wrong, found.topology.nodes["m"].scaling.default) == ([], 0)
    assert "count" in found.leniencies
    assert told(text)[0].topology.nodes["m"].scaling.default == 1


def test_a_removal_list_is_told_to_have_no_effect():
    text = COUNTED % ("removal_list: { type: list, entry_schema: string }", "removal_list: [ a ]")
    found, wrong = told(MARK + text)
    assert (wrong, found.leniencies) == ([], ("removal-list",))
    assert [d.code for d in found.diagnostics] == ["ignored"]
    assert told(text)[0].leniencies == ()
