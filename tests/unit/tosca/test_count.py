"""The number of nodes that a template of TOSCA 2.0 stands for, and what of it can be made."""

import pytest

from isthmus.topology import Scaling
from isthmus.tosca import load

HEAD = """
tosca_definitions_version: tosca_2_0
capability_types: { Feature: {} }
relationship_types: { Uses: {} }
node_types:
  Right: { capabilities: { feature: Feature } }
  Left: { requirements: [ uses: { capability: Feature, relationship: Uses } ] }
service_template:
  inputs: { number: { type: integer, default: 3 } }
  node_templates:
"""


@pytest.fixture
def judged(bundle):
    """The nodes of a template, and the severity and code of what is said of it."""

    def run(*nodes):
        result = load(bundle(HEAD + "".join(f"    {n}\n" for n in nodes)))
        found = [(d.severity.value, d.code) for d in result.diagnostics if d.severity != "warning"]
        return (result.topology.nodes if result.topology is not None else {}), found

    return run


@pytest.mark.parametrize(("written", "count"), [("4", 4), ("0", 0), ("{ $get_input: number }", 3)])
def test_a_count_is_a_number_that_is_known(written, count, judged):
    nodes, found = judged(f"r: {{ type: Right, count: {written} }}")
    assert (nodes["r"].count, found) == (count, [])


@pytest.mark.parametrize("written", ["-1", "many", "1.5", "[ 1 ]", "100001"])
def test_any_other_count_is_an_error(written, judged):
    assert ("error", "value-type") in judged(f"r: {{ type: Right, count: {written} }}")[1]


@pytest.mark.parametrize(
    ("right", "left", "requirement", "expected"),
    [
        (1, 3, "uses: r", []),
        (3, 1, "uses: { node: Right, count: 3 }", []),
        (3, 2, "uses: { node: Right, count: 3 }", []),
        (3, 3, "uses: r", [("refusal", "unsupported")]),
        (3, 3, "uses: [ r, $node_index ]", [("refusal", "unsupported")]),
        (1, 1, "uses: [ r, $node_index ]", []),
        (3, 1, "uses: { node: Right, count: 4 }", [("refusal", "requirement-unmet")]),
        (3, 1, "uses: { node: r, count: 4 }", [("error", "requirement-count")]),
        (0, 1, "uses: r", [("refusal", "requirement-unmet")]),
        (2, 1, "uses: [ r, 2 ]", [("refusal", "requirement-unmet")]),
    ],
)
def test_nodes_of_two_templates_are_related_all_to_all_or_refused(right, left, requirement, expected, judged):
    nodes = (
        f"r: {{ type: Right, count: {right} }}",
        f"l: {{ type: Left, count: {left}, requirements: [ {requirement} ] }}",
    )
    assert judged(*nodes)[1] == expected


def simple(machine, software, requirement):
    return f"""
        tosca_definitions_version: tosca_2_0
        imports: [ {{ profile: 'org.oasis-open.simple:2.0', namespace: t }} ]
        service_template:
          node_templates:
            m: {{ type: 't:Compute', count: {machine} }}
            s: {{ type: 't:SoftwareComponent', count: {software}, requirements: [ host: {requirement} ] }}
        """


def test_a_machine_is_made_as_often_as_it_counts_with_its_software_on_each(bundle):
    result = load(bundle(simple(3, 3, "[ m, $node_index ]")))
    assert result.deployable, [d.render() for d in result.diagnostics]
    assert result.topology.nodes["m"].scaling == Scaling(3, 3, 3)


def test_software_that_is_not_on_each_machine_is_refused(bundle):
    for machine, software in ((1, 3), (3, 1)):
        result = load(bundle(simple(machine, software, "m")))
        assert [(d.severity.value, d.code) for d in result.diagnostics] == [("refusal", "unsupported")]
