"""Substitution mappings: what a template says it may replace, and by what."""

import pytest

from isthmus.topology import Mapped
from isthmus.tosca import load

MODERN = """
tosca_definitions_version: tosca_2_0
capability_types: { Service: { properties: { port: { type: integer, default: 1 } } }, Other: {} }
relationship_types: { Uses: { properties: { weight: { type: integer, default: 1 } } } }
interface_types: { Life: { operations: { start: {} } } }
node_types:
  Whole:
    properties: { size: { type: integer }, name: { type: string, required: false } }
    attributes: { address: { type: string } }
    capabilities: { service: Service }
    interfaces: { life: { type: Life } }
    requirements:
    - needs: { capability: Service, relationship: Uses, count_range: [ 2, 3 ] }
    - any: { capability: Service, relationship: Uses }
  Part:
    properties: { size: { type: integer, required: false } }
    capabilities: { service: Service, other: Other }
    requirements:
    - needs: { capability: Service, relationship: Uses, count_range: [ 0, 1 ] }
    - must: { capability: Service, relationship: Uses, count_range: [ 1, 1 ] }
service_template:
  inputs: { amount: { type: integer, default: 1 }, label: { type: string, default: x } }
  outputs: { where: { type: string, value: here }, bare: { value: 1 } }
  workflows: { begin: { steps: {} } }
  node_templates:
    one: { type: Part, requirements: [ must: picked ] }
    two: { type: Part, requirements: [ must: picked, needs: picked ] }
    picked: { type: Part, directives: [ select ] }
  substitution_mappings:
    node_type: Whole
"""


@pytest.fixture
def mapped(bundle):
    """The substitution of a template with these mappings, and the severity and code of what is wrong with them."""

    def run(mappings, text=MODERN):
        body = "".join(f"    {line}\n" for line in mappings.splitlines())
        result = load(bundle(text + body))
        ignored = ("unsupported", "requirement-unmet")
        told = [(d.severity.value, d.code) for d in result.diagnostics if d.severity != "warning"]
        found = result.topology.substitution if result.topology is not None else None
        return found, [t for t in told if t[1] not in ignored]

    return run


@pytest.mark.parametrize(
    ("section", "written", "expected"),
    [
        ("properties", "{ size: amount }", [Mapped(("size",), ("amount",))]),
        ("properties", "{ name: [ label ] }", [Mapped(("name",), ("label",))]),
        (
            "properties",
            "{ [ CAPABILITY, service, port ]: amount }",
            [Mapped(("CAPABILITY", "service", "port"), ("amount",))],
        ),
        (
            "properties",
            "{ [ RELATIONSHIP, needs, 0, weight ]: amount }",
            [Mapped(("RELATIONSHIP", "needs", "0", "weight"), ("amount",))],
        ),
        ("attributes", "{ address: where }", [Mapped(("address",), ("where",))]),
        ("capabilities", "{ service: [ one, service ] }", [Mapped(("service",), ("one", "service"))]),
        ("requirements", "[ any: [ one, needs ] ]", [Mapped(("any",), ("one", "needs"))]),
        ("requirements", "[ needs: picked ]", [Mapped(("needs",), ("picked",))]),
        (
            "requirements",
            "[ needs: [ [ one, needs ], picked ] ]",
            [Mapped(("needs",), ("one", "needs")), Mapped(("needs",), ("picked",))],
        ),
        (
            "requirements",
            "[ needs: [ one, needs ], [ needs, 2 ]: [ one, needs ] ]",
            [Mapped(("needs",), ("one", "needs")), Mapped(("needs",), ("one", "needs"), 2)],
        ),
        ("requirements", "[ [ needs, UNBOUNDED ]: [ one, needs ] ]", [Mapped(("needs",), ("one", "needs"), None)]),
        ("interfaces", "{ life: { start: begin } }", [Mapped(("life", "start"), ("begin",))]),
    ],
)
def test_what_stands_for_what_is_in_the_topology(section, written, expected, mapped):
    found, wrong = mapped(f"{section}: {written}")
    assert wrong == []
    assert found.node_type == "Whole"
    assert list(getattr(found, section)) == expected


@pytest.mark.parametrize(
    "mappings",
    [
        "properties: { sise: amount }",
        "properties: { size: amounts }",
        "properties: { name: amount }",
        "properties: { size: { a: b } }",
        "properties: { [ CAPABILITY, nothing, port ]: amount }",
        "properties: { [ CAPABILITY, service, ports ]: amount }",
        "properties: { [ RELATIONSHIP, nothing, weight ]: amount }",
        "properties: { [ RELATIONSHIP, needs, first, weight ]: amount }",
        "properties: { [ NODE, size ]: amount }",
        "attributes: { adress: where }",
        "attributes: { address: there }",
        "attributes: { address: { a: b } }",
        "capabilities: { nothing: [ one, service ] }",
        "capabilities: { service: [ nobody, service ] }",
        "capabilities: { service: [ one, nothing ] }",
        "capabilities: { service: [ one, other ] }",
        "capabilities: { service: one }",
        "requirements: [ nothing: [ one, needs ] ]",
        "requirements: [ needs: [ nobody, needs ] ]",
        "requirements: [ needs: [ one, nothing ] ]",
        "requirements: [ needs: one ]",
        "requirements: [ needs: [ two, needs ] ]",
        "requirements: [ [ needs, -1 ]: [ one, needs ] ]",
        "requirements: [ [ needs, UNBOUNDED ]: [ one, needs ], needs: [ one, needs ] ]",
        "requirements: [ needs: {} ]",
        "requirements: 4",
        "interfaces: { live: { start: begin } }",
        "interfaces: { life: { begin: begin } }",
        "interfaces: { life: { start: start } }",
        "interfaces: { life: begin }",
    ],
)
def test_a_mapping_that_makes_no_sense_is_an_error(mappings, mapped):
    assert ("error", "substitution") in mapped(mappings)[1]


def test_more_that_must_be_met_inside_than_is_sure_outside_is_an_error(mapped):
    text = MODERN.replace("requirements: [ must: picked ] }", "requirements: [ needs: {} ] }")
    text = text.replace("two: { type: Part, requirements: [ must: picked, needs: picked ] }", "two: { type: Part }")
    more = text.replace("    picked:", "    three: { type: Part }\n    picked:")
    twice = "requirements: [ needs: [ one, needs ], needs: [ two, must ] ]"
    assert mapped(twice, text)[1] == []
    assert mapped(twice.replace(" ]\n", "").replace("must ] ]", "must ], needs: [ three, must ] ]"), more)[1] == [
        ("error", "substitution")
    ]


def test_an_input_that_must_be_given_needs_a_property(mapped):
    text = MODERN.replace("amount: { type: integer, default: 1 }", "amount: { type: integer }")
    assert ("error", "substitution") in mapped("properties: { name: label }", text)[1]
    assert ("error", "substitution") not in mapped("properties: { size: amount }", text)[1]


@pytest.mark.parametrize(
    ("mappings", "code"),
    [("substitution_filters: {}", "key-unknown"), ("substitution_filter: [ 1 ]", "node-filter")],
)
def test_keys_and_filter_are_checked(mappings, code, mapped):
    assert ("error", code) in mapped(mappings)[1]


def test_a_filter_is_kept_as_written(mapped):
    found, wrong = mapped("substitution_filter: { $equal: [ 1, 1 ] }")
    assert (found.filter, wrong) == ({"$equal": [1, 1]}, [])


@pytest.mark.parametrize(
    ("written", "code"),
    [
        ("", "shape"),
        (" []", "shape"),
        (" { capabilities: {} }", "key-missing"),
        (" { node_type: Nope }", "type-unknown"),
    ],
)
def test_mappings_name_the_type_that_they_are_for(written, code, bundle):
    text = MODERN[: MODERN.index("  substitution_mappings:")] + f"  substitution_mappings:{written}\n"
    assert code in {d.code for d in load(bundle(text)).diagnostics if d.severity == "error"}


# ---------------------------------------------------------------------------------------------
# TOSCA 1.x

SIMPLE = """
node_types:
  Whole:
    derived_from: SoftwareComponent
    properties: { size: { type: integer } }
    attributes: { address: { type: string } }
topology_template:
  inputs: { size: { type: integer, default: 1 }, amount: { type: integer, default: 1 } }
  outputs: { where: { value: here } }
  workflows: { begin: { steps: {} } }
  node_templates:
    app: { type: Whole, properties: { size: { get_input: size } } }
    unused: { type: SoftwareComponent, requirements: [ host: m ] }
    m: { type: Compute }
  substitution_mappings:
    node_type: Whole
"""


@pytest.mark.parametrize(
    "mappings",
    [
        "requirements: { host: [ app, host ] }",
        "requirements: [ host: [ app, host ] ]",
        "capabilities: { feature: [ app, feature ] }",
        "capabilities: { feature: { mapping: [ app, feature ] } }",
        "properties: { size: [ amount ] }",
        "properties: { size: [ app, size ] }",
        "attributes: { address: [ where ] }",
        "attributes: { address: [ app, address ] }",
        "interfaces: { Standard: { start: begin } }",
        "interfaces: { Standard: [ app, Standard ] }",
        "substitution_filter: { properties: [ size: { equal: 1 } ] }",
        "substitution_filter: { node_filter: { properties: [ size: { equal: 1 } ] } }",
    ],
)
def test_the_forms_of_1_x_are_read(mappings, mapped):
    found, wrong = mapped(mappings, SIMPLE)
    assert wrong == []
    assert found is not None


@pytest.mark.parametrize(
    ("mappings", "code"),
    [
        ("properties: { size: 8080 }", "substitution"),
        ("attributes: { address: size }", "substitution"),
        ("interfaces: { Standard: { start: app.start } }", "substitution"),
        ("substitution_filter: { node_filters: {} }", "key-unknown"),
        ("substitution_filter: { properties: [ sise: { equal: 1 } ] }", "property-unknown"),
        ("substitution_filter: { capabilities: [ nothing: { properties: [] } ] }", "capability-unknown"),
    ],
)
def test_what_makes_no_sense_in_1_x_is_an_error(mappings, code, mapped):
    assert ("error", code) in mapped(mappings, SIMPLE)[1]


def test_in_1_x_a_property_that_must_be_given_goes_to_the_input_of_its_name(mapped):
    text = SIMPLE.replace("inputs: { size:", "inputs: { sise:").replace("get_input: size", "get_input: sise")
    assert ("error", "substitution") in mapped("capabilities: {}", text)[1]


def test_a_requirement_that_is_mapped_waits_for_the_node_that_is_replaced(bundle):
    text = SIMPLE + "    requirements: { host: [ app, host ] }\n"
    found = [d for d in load(bundle(text)).diagnostics if d.code == "requirement-unmet"]
    assert [d.severity.value for d in found] == ["refusal"]
    assert "only where this template substitutes a node" in found[0].summary
