"""Node filters: constraints on properties in TOSCA 1.x, conditions in TOSCA 2.0."""

import pytest

from isthmus.tosca import load

SIMPLE = """
topology_template:
  inputs: { cores: { type: integer, default: 2 } }
  node_templates:
    small: { type: Compute, capabilities: { host: { properties: { num_cpus: 1, mem_size: 1 GB } } } }
    large: { type: Compute, capabilities: { host: { properties: { num_cpus: 8, mem_size: 16 GB } } } }
    unsure: { type: Compute }
    s:
      type: SoftwareComponent
      requirements:
        - host:
            WHERE
            node_filter:
              FILTER
"""

MODERN = """
tosca_definitions_version: tosca_2_0
capability_types: { Host: { properties: { cpus: { type: integer } } } }
relationship_types: { On: { properties: { share: { type: integer, default: 2 } } } }
node_types:
  Machine: { properties: { zone: { type: string, default: a } }, capabilities: { host: Host } }
  App: { requirements: [ host: { capability: Host, relationship: On, count_range: [ 1, 1 ] } ] }
service_template:
  node_templates:
    small: { type: Machine, capabilities: { host: { properties: { cpus: 1 } } } }
    large: { type: Machine, properties: { zone: b }, capabilities: { host: { properties: { cpus: 8 } } } }
    s:
      type: App
      requirements:
        - host: { WHERE node_filter: FILTER }
"""


@pytest.fixture
def chosen(bundle):
    """The node that meets the requirement of `s`, or the severity and code of why there is none."""

    def run(text, condition, target=""):
        result = load(bundle(text.replace("FILTER", condition).replace("WHERE", target)))
        found = [(d.severity.value, d.code) for d in result.diagnostics if d.severity != "warning"]
        return found or [r.target for r in result.topology.nodes["s"].requirements]

    return run


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("capabilities: [ host: { properties: [ num_cpus: { greater_than: 1 } ] } ]", ["large"]),
        ("capabilities: [ host: { properties: [ num_cpus: { in_range: [ 1, 4 ] } ] } ]", ["small"]),
        ("capabilities: [ host: { properties: [ num_cpus: [ { greater_than: 1 }, { less_than: 9 } ] ] } ]", ["large"]),
        ("capabilities: [ Container: { properties: [ mem_size: { greater_or_equal: 2 GB } ] } ]", ["large"]),
        ("capabilities: [ host: { properties: [ mem_size: { greater_or_equal: 2000000000 } ] } ]", ["large"]),
        ("capabilities: [ host: { properties: [ num_cpus: { greater_than: { get_input: cores } } ] } ]", ["large"]),
        ("properties: []", ["small"]),
        ("properties: [ num_cpus: { equal: 1 } ]", [("refusal", "requirement-unmet")]),
        ("capabilities: [ host: { properties: [ num_cpus: { equal: 5 } ] } ]", [("refusal", "requirement-unmet")]),
        ("capabilities: [ nothing: { properties: [ a: { equal: 5 } ] } ]", [("refusal", "requirement-unmet")]),
    ],
)
def test_the_first_node_that_passes_a_filter_of_1_x_is_taken(condition, expected, chosen):
    assert chosen(SIMPLE, condition) == expected


@pytest.mark.parametrize(
    ("condition", "code"),
    [
        ("propertys: []", "key-unknown"),
        ("properties: [ num_cpus ]", "node-filter"),
        ("properties: [ num_cpus: 4 ]", "node-filter"),
        ("properties: 4", "shape"),
        ("capabilities: { host: { properties: [] } }", "shape"),
        ("capabilities: [ host: 4 ]", "node-filter"),
        ("capabilities: [ host: { properties: [ num_cpus: { greater: 1 } ] } ]", "constraint-bad"),
    ],
)
def test_a_filter_that_makes_no_sense_is_an_error(condition, code, chosen):
    assert ("error", code) in chosen(SIMPLE, condition)


def test_a_node_that_is_named_must_pass_the_filter_too(chosen):
    condition = "capabilities: [ host: { properties: [ num_cpus: { greater_than: 1 } ] } ]"
    assert chosen(SIMPLE, condition, "node: large") == ["large"]
    assert chosen(SIMPLE, condition, "node: small") == [("error", "target-mismatch")]


def test_why_each_candidate_does_not_pass_is_told(bundle):
    condition = "capabilities: [ host: { properties: [ num_cpus: { greater_than: 9 } ] } ]"
    result = load(bundle(SIMPLE.replace("FILTER", condition).replace("WHERE", "")))
    (diagnostic,) = [d for d in result.diagnostics if d.code == "requirement-unmet"]
    assert "'small': 'num_cpus' of the capability 'host' of 'small' must be greater than 9" in diagnostic.detail
    assert "'unsure'" in diagnostic.detail


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("{ $greater_than: [ { $get_property: [ SELF, CAPABILITY, cpus ] }, 1 ] }", ["large"]),
        ("{ $equal: [ { $get_property: [ SELF, TARGET, zone ] }, b ] }", ["large"]),
        ("{ $equal: [ { $get_property: [ SELF, share ] }, 2 ] }", ["small"]),
        ("{ $and: [ { $equal: [ 1, 1 ] }, { $not: [ { $equal: [ 1, 2 ] } ] } ] }", ["small"]),
        ("{ $equal: [ 1, 2 ] }", [("refusal", "requirement-unmet")]),
        ("{ $equal: [ { $get_property: [ SELF, TARGET, nothing ] }, b ] }", [("refusal", "requirement-unmet")]),
    ],
)
def test_a_condition_of_2_0_is_asked_of_the_relationship(condition, expected, chosen):
    assert chosen(MODERN, condition) == expected


def test_a_condition_must_hold_for_a_node_that_is_named(chosen):
    condition = "{ $equal: [ { $get_property: [ SELF, TARGET, zone ] }, b ] }"
    assert chosen(MODERN, condition, "node: large,") == ["large"]
    assert chosen(MODERN, condition, "node: small,") == [("error", "target-mismatch")]


@pytest.mark.parametrize("condition", ["{ properties: [] }", "[ 1 ]", "{ $equal: [ 1, 1 ], $not: [ true ] }"])
def test_a_filter_of_2_0_is_one_condition(condition, chosen):
    assert ("error", "node-filter") in chosen(MODERN, condition)


def test_filters_of_a_type_and_of_its_ancestors_count_together(bundle):
    text = MODERN.replace(
        "node_types:",
        """node_types:
  Derived:
    derived_from: App
    requirements:
    - host: { node_filter: { $equal: [ { $get_property: [ SELF, TARGET, zone ] }, b ] } }""",
    )
    text = text.replace("type: App", "type: Derived").replace("FILTER", "{ $equal: [ 1, 1 ] }").replace("WHERE", "")
    assert [r.target for r in load(bundle(text)).topology.nodes["s"].requirements] == ["large"]


def test_a_filter_of_a_type_that_makes_no_sense_is_an_error(loaded):
    result = loaded(
        """
        node_types: { Thing: { requirements: [ x: { capability: Node, node_filter: { props: [] } } ] } }
        topology_template: { node_templates: { a: { type: Thing }, b: { type: Compute } } }
        """
    )
    assert [d.code for d in result.diagnostics] == ["key-unknown"]


def test_the_filter_of_a_selected_node_is_checked_though_no_node_is_looked_for(bundle):
    def codes(condition):
        node = f"{{ type: Machine, directives: [ select ], node_filter: {condition} }}"
        text = MODERN[: MODERN.index("    small:")] + f"    picked: {node}\n"
        return {d.code for d in load(bundle(text)).diagnostics}

    assert codes("{ $equal: [ { $get_property: [ SELF, zone ] }, b ] }") == {"unsupported"}
    assert "node-filter" in codes("{ zone: b }")
    assert "function-unknown" in codes("{ $equals: [ { $get_property: [ SELF, zone ] }, b ] }")
