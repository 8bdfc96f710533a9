"""What is wrong with a template is told with code, line and column, all at once."""

import pytest

NODE = """
topology_template:
  node_templates:
    machine:
      type: tosca.nodes.Compute
"""

CASES = {
    "an unknown key of a document": ("topology: {}", ("key-unknown", 2, 1)),
    "an unknown key of a node": (NODE + "      propertis: {}", ("key-unknown", 6, 7)),
    "an unknown type": (NODE.replace("nodes.Compute", "nodes.Compte"), ("type-unknown", 5, 13)),
    "a missing type": (NODE.replace("type:", "description:"), ("key-missing", 4, 5)),
    "a scalar where a map belongs": (NODE + "      properties: 4", ("shape", 6, 19)),
    "an unknown property": (NODE + "      properties: { colour: red }", ("property-unknown", 6, 21)),
    "an unknown capability": (NODE + "      capabilities: { hosts: {} }", ("capability-unknown", 6, 23)),
    "a text where a number belongs": (
        NODE + "      capabilities: { host: { properties: { num_cpus: two } } }",
        ("value-type", 6, 55),
    ),
    "a quoted number where a number belongs": (
        NODE + "      capabilities: { host: { properties: { num_cpus: '2' } } }",
        ("value-type", 6, 55),
    ),
    "a size without a unit": (
        NODE + "      capabilities: { host: { properties: { mem_size: 4 } } }",
        ("value-type", 6, 55),
    ),
    "a broken constraint": (
        NODE + "      capabilities: { host: { properties: { num_cpus: 0 } } }",
        ("constraint", 6, 55),
    ),
    "an unknown requirement": (NODE + "      requirements: [ hots: machine ]", ("requirement-unknown", 6, 29)),
    "an unknown target": (NODE + "      requirements: [ dependency: machin ]", ("target-unknown", 6, 35)),
    "a target of the wrong type": (
        NODE + "      requirements: [ local_storage: other ]\n    other: { type: Compute }",
        ("target-mismatch", 6, 38),
    ),
    "an unknown interface": (NODE + "      interfaces: { Standrd: {} }", ("interface-unknown", 6, 21)),
    "an unknown operation": (
        NODE + "      interfaces: { Standard: { configur: x.sh } }",
        ("operation-unknown", 6, 33),
    ),
    "a missing file": (NODE + "      interfaces: { Standard: { create: x.sh } }", ("file-missing", 6, 41)),
    "a file outside": (NODE + "      interfaces: { Standard: { create: ../x.sh } }", ("path-escape", 6, 41)),
    "an absolute file": (NODE + "      interfaces: { Standard: { create: /x.sh } }", ("path-escape", 6, 41)),
    "an unknown input": (NODE + "      properties: { x: { get_input: y } }", ("property-unknown", 6, 21)),
    "duplicate keys": (NODE + "      type: Compute", ("yaml-key-duplicate", 6, 7)),
    "a YAML mistake": (NODE + "      properties: [ 1", ("yaml-syntax", 6, 22)),
    "a tag": (NODE + "      description: !!python/none x", ("yaml-tag", 6, 20)),
    "a key that is a list": (NODE + "      ? [ 1 ]\n      : 2", ("yaml-key-complex", 6, 9)),
    "metadata that are no map": ("metadata: x", ("shape", 2, 11)),
}


@pytest.mark.parametrize("case", CASES)
def test_the_mistake_is_told_at_its_place(case, refused):
    text, expected = CASES[case]
    assert refused(text)[0] == expected


def test_a_missing_property_is_told_at_its_node(refused):
    text = """
        topology_template:
          node_templates:
            db: { type: Database }
        """
    assert ("property-missing", 4, 5) in refused(text)


def test_several_mistakes_are_told_at_once(refused):
    text = """
        topology_template:
          node_templates:
            a: { type: Nope }
            b: { type: Compute, requirements: [ dependency: nobody ] }
            c: { type: Compute, properties: { x: 1 } }
        """
    assert [c for c, _, _ in refused(text)] == ["type-unknown", "target-unknown", "property-unknown"]


def test_one_mistake_is_told_once_however_often_it_is_met(refused):
    text = """
        topology_template:
          node_templates:
            a: { type: Nope }
            b: { type: SoftwareComponent, requirements: [ host: a ] }
          outputs:
            x: { value: { get_attribute: [ a, private_address ] } }
            y: { value: { get_property: [ a, anything ] } }
        """
    assert [c for c, _, _ in refused(text)] == ["type-unknown"]


@pytest.mark.parametrize(
    ("nodes", "path"),
    [
        ("a: { type: Compute, requirements: [ dependency: a ] }", "a → a"),
        (
            "a: { type: SoftwareComponent, requirements: [ host: b ] }\n"
            "    b: { type: DBMS, requirements: [ host: a ] }",
            "a",
        ),
    ],
)
def test_requirements_in_a_circle_are_refused(nodes, path, loaded):
    result = loaded(f"topology_template:\n  node_templates:\n    {nodes}\n")
    found = [d for d in result.diagnostics if d.code == "requirement-cycle"]
    assert len(found) == 1
    assert path in found[0].summary


def test_an_attribute_asked_both_ways_is_no_circle(resolved):
    resolved(
        """
        topology_template:
          node_templates:
            m: { type: Compute }
            a:
              type: SoftwareComponent
              requirements: [ host: m ]
              interfaces:
                Standard:
                  configure:
                    implementation: x.sh
                    inputs: { b: { get_operation_output: [ b, Standard, configure, key ] } }
            b:
              type: SoftwareComponent
              requirements: [ host: m ]
              interfaces:
                Standard:
                  configure:
                    implementation: x.sh
                    inputs: { a: { get_operation_output: [ a, Standard, configure, key ] } }
        """,
        {"x.sh": "x"},
    )


@pytest.mark.parametrize("version", ["tosca_2_1", "tosca_simple_yaml_1_9", "heat"])
def test_other_versions_are_refused_by_name(version, loaded):
    (found,) = loaded(f"tosca_definitions_version: {version}\n").diagnostics
    assert (found.code, found.position.line, found.position.column) == ("version", 1, 28)
    assert version in found.summary
    assert "tosca_2_0" in found.detail


@pytest.mark.parametrize("version", ["1_0", "1_1", "1_2", "1_3"])
def test_the_four_versions_of_the_simple_profile_are_read(version, resolved):
    resolved(f"tosca_definitions_version: tosca_simple_yaml_{version}\n")


def test_a_document_without_version_is_refused(loaded):
    from isthmus.tosca import Bundle, load

    (found,) = load(Bundle("t.yaml", {"t.yaml": b"description: x\n"})).diagnostics
    assert found.code == "version"
    assert "tosca_simple_yaml_1_3" in found.suggestion
    assert loaded("").topology is not None
