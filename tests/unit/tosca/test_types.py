"""Types: inheritance, refinement, names, and values under the declared type."""

import pytest

from isthmus.tosca import Bundle, load
from isthmus.tosca.diagnostics import Problems
from isthmus.tosca.expressions.values import BROKEN, Converter
from isthmus.tosca.profiles import BUILT_IN, SIMPLE, data_of
from isthmus.tosca.typesystem.types import KINDS, normative_types


def test_the_normative_types_are_sound():
    types = normative_types(SIMPLE)
    types.check_all(Converter(types.problems, lambda name, node, scope: BROKEN))
    assert not types.problems.list()
    assert {t.kind for t in types} == set(KINDS)


def test_the_built_in_profile_of_2_0_is_sound():
    # Under another name it is a document as any other, all of which is checked.
    text = data_of(BUILT_IN["org.oasis-open.simple:2.0"])
    renamed = text.replace(b"profile: org.oasis-open.simple:2.0", b"profile: mine")
    result = load(Bundle("mine.yaml", {"mine.yaml": renamed}))
    assert not result.diagnostics, result.diagnostics[0].render()


@pytest.mark.parametrize(
    ("kind", "short", "full"),
    [
        ("node", "Compute", "tosca.nodes.Compute"),
        ("node", "tosca:Compute", "tosca.nodes.Compute"),
        ("node", "Port", "tosca.nodes.network.Port"),
        ("node", "network.Port", "tosca.nodes.network.Port"),
        ("node", "BlockStorage", "tosca.nodes.BlockStorage"),
        ("data", "PortSpec", "tosca.datatypes.network.PortSpec"),
        ("data", "Credential", "tosca.datatypes.Credential"),
        ("capability", "Endpoint.Public", "tosca.capabilities.Endpoint.Public"),
        ("relationship", "AttachesTo", "tosca.relationships.AttachesTo"),
        ("interface", "Standard", "tosca.interfaces.node.lifecycle.Standard"),
        ("artifact", "Implementation.Bash", "tosca.artifacts.Implementation.Bash"),
    ],
)
def test_short_names_mean_normative_types(kind, short, full):
    assert normative_types(SIMPLE).normative(kind, short).name == full


def test_loading_leaves_no_trace_in_the_shared_types(loaded):
    before = len(list(normative_types(SIMPLE)))
    loaded("node_types: { X: { derived_from: Nope } }")
    assert not normative_types(SIMPLE).problems.list()
    assert len(list(normative_types(SIMPLE))) == before


VALUES = [
    ("string", "16.04", "16.04"),
    ("string", "yes", "yes"),
    ("string", "'x'", "x"),
    ("string", "1e3", "1e3"),
    ("integer", "-7", -7),
    ("integer", "0x10", 16),
    ("float", "2", 2.0),
    ("float", "1.5e3", 1500.0),
    ("boolean", "yes", True),
    ("boolean", "off", False),
    ("boolean", "true", True),
    ("version", "16.04", "16.04"),
    ("version", "1.2.3.alpha-4", "1.2.3.alpha-4"),
    ("timestamp", "2025-01-31", "2025-01-31"),
    ("timestamp", "2025-01-31T10:00:00Z", "2025-01-31T10:00:00Z"),
    ("range", "[ 1, 5 ]", [1, 5]),
    ("range", "[ 1, UNBOUNDED ]", [1, "UNBOUNDED"]),
    ("scalar-unit.size", "4 GiB", "4 GiB"),
    ("scalar-unit.size", "10GB", "10GB"),
    ("scalar-unit.time", "30 s", "30 s"),
    ("scalar-unit.frequency", "2.4 GHz", "2.4 GHz"),
    ("scalar-unit.bitrate", "10 Mbps", "10 Mbps"),
    ("list", "[ 1, x, yes ]", [1, "x", True]),
    ("map", "{ a: 1 }", {"a": 1}),
    ("PortDef", "80", 80),
    ("json", "'{}'", "{}"),
    ("PortSpec", "{ source: 22 }", {"source": 22, "protocol": "tcp"}),
]


@pytest.mark.parametrize(("type_", "text", "value"), VALUES)
def test_values_are_what_their_type_makes_of_their_text(type_, text, value, resolved):
    topology = resolved(f"topology_template:\n  inputs:\n    x: {{ type: {type_}, default: {text} }}\n"
                        "  outputs: { x: { value: { get_input: x } } }\n")  # fmt: skip
    assert topology.outputs["x"].value == value
    assert type(topology.outputs["x"].value) is type(value)


@pytest.mark.parametrize(
    ("type_", "text"),
    [
        ("integer", "1.5"),
        ("integer", "x"),
        ("integer", "true"),
        ("float", "x"),
        ("float", "1e999"),
        ("boolean", "1"),
        ("version", "a.b"),
        ("timestamp", "soon"),
        ("range", "[ 5, 1 ]"),
        ("range", "[ 1 ]"),
        ("range", "3"),
        ("scalar-unit.size", "4"),
        ("scalar-unit.size", "4 s"),
        ("scalar-unit.time", "4 GB"),
        ("list", "x"),
        ("map", "[ 1 ]"),
        ("string", "[ 1 ]"),
        ("PortDef", "0"),
        ("PortSpec", "{ protocol: ipx }"),
        ("PortSpec", "{ sauce: 22 }"),
        ("PortSpec", "22"),
        ("Nothing", "22"),
    ],
)
def test_values_of_another_type_are_refused(type_, text, loaded):
    result = loaded(f"topology_template:\n  inputs:\n    x: {{ type: {type_}, default: {text} }}\n")
    assert result.topology is None
    assert all(d.position is not None for d in result.diagnostics)


CONSTRAINTS = [
    ("integer", "equal: 4", 4, 5),
    ("integer", "greater_than: 4", 5, 4),
    ("integer", "greater_or_equal: 4", 4, 3),
    ("integer", "less_than: 4", 3, 4),
    ("integer", "less_or_equal: 4", 4, 5),
    ("integer", "in_range: [ 1, 4 ]", 1, 5),
    ("integer", "in_range: [ 1, UNBOUNDED ]", 99, 0),
    ("integer", "valid_values: [ 1, 2 ]", 2, 3),
    ("scalar-unit.size", "greater_or_equal: 1 GiB", "1024 MiB", "1 GB"),
    ("scalar-unit.size", "valid_values: [ 2 GB, 4 GB ]", "2000 MB", "3 GB"),
    ("version", "greater_or_equal: 1.9", "1.10", "1.8"),
    ("string", "length: 2", "ab", "abc"),
    ("string", "min_length: 2", "ab", "a"),
    ("string", "max_length: 2", "ab", "abc"),
    ("string", "pattern: '[a-z]+(-[a-z]+)*'", "a-b", "a-"),
    ("list", "max_length: 1", [1], [1, 2]),
    ("range", "in_range: [ 1, 9 ]", [1, 9], [0, 9]),
]


@pytest.mark.parametrize(("type_", "clause", "good", "bad"), CONSTRAINTS)
def test_constraints_hold_or_are_broken(type_, clause, good, bad, loaded):
    text = f"topology_template: {{ inputs: {{ x: {{ type: {type_}, constraints: [ {{ {clause} }} ] }} }} }}\n"
    assert loaded(text, x=good).topology is not None
    assert loaded(text, x=bad).diagnostics[0].code == "constraint"


@pytest.mark.parametrize(
    ("clause", "code"),
    [
        ("grater_than: 1", "constraint-bad"),
        ("greater_than: x", "constraint-bad"),
        ("in_range: [ 4, 1 ]", "constraint-bad"),
        ("in_range: 4", "constraint-bad"),
        ("valid_values: 4", "constraint-bad"),
        ("min_length: -1", "constraint-bad"),
        ("pattern: x", "constraint-bad"),
        ("schema: x", "constraint-bad"),
    ],
)
def test_constraints_that_make_no_sense_are_refused(clause, code, refused):
    text = (
        f"topology_template: {{ inputs: {{ x: {{ type: integer, default: 2, constraints: [ {{ {clause} }} ] }} }} }}\n"
    )
    assert [c for c, _, _ in refused(text)] == [code]


def test_data_types_inherit_fill_in_defaults_and_nest(resolved):
    topology = resolved(
        """
        data_types:
          Base: { derived_from: tosca.datatypes.Root, properties: { a: { type: integer, default: 1 } } }
          More: { derived_from: Base, properties: { b: { type: list, entry_schema: Base, required: false } } }
          Small: { derived_from: integer, constraints: [ less_than: 10 ] }
        topology_template:
          inputs:
            x: { type: More, default: { b: [ {}, { a: 2 } ] } }
            y: { type: Small, default: 9 }
          outputs: { x: { value: { get_input: x } } }
        """
    )
    assert topology.outputs["x"].value == {"a": 1, "b": [{"a": 1}, {"a": 2}]}


def test_derived_types_inherit_and_refine(resolved):
    node = resolved(
        """
        capability_types:
          Shell: { derived_from: tosca.capabilities.Endpoint, properties: { port: { type: PortDef, default: 22 } } }
        node_types:
          A:
            derived_from: Compute
            properties: { p: { type: string, default: a }, q: { type: string, required: false } }
          B: { derived_from: A, properties: { p: { default: b } }, capabilities: { shell: Shell } }
        topology_template:
          node_templates: { n: { type: B } }
        """
    ).nodes["n"]
    assert node.properties == {"p": "b"}
    assert node.capabilities["shell"]["port"] == 22
    assert node.ancestors[:3] == ("B", "A", "tosca.nodes.Compute")


@pytest.mark.parametrize(
    ("types", "code"),
    [
        ("node_types: { A: { derived_from: A } }", "type-cycle"),
        ("node_types: { A: { derived_from: B }, B: { derived_from: A } }", "type-cycle"),
        ("node_types: { tosca.nodes.Compute: {} }", "type-redefined"),
        ("node_types: { A: { derived_from: Compute, attributes: { private_address: { type: list } } } }", "refinement"),
        ("node_types: { A: { derived_from: Compute, capabilities: { x: Nope } } }", "type-unknown"),
        ("node_types: { A: { requirements: [ { x: { node: Nope } } ] } }", "type-unknown"),
        ("data_types: { A: { properties: { x: { type: lst } } } }", "type-unknown"),
        ("node_types: { A: { propertys: {} } }", "key-unknown"),
    ],
)
def test_types_that_make_no_sense_are_refused_even_when_unused(types, code, refused):
    assert code in {c for c, _, _ in refused(types)}


def test_a_requirement_that_names_a_type_is_met_by_the_first_node_that_fits(resolved):
    text = """
        topology_template:
          node_templates:
            m: { type: Compute }
            s: { type: SoftwareComponent, requirements: [ host: Compute ] }
        """
    assert resolved(text).nodes["s"].requirements[0].target == "m"
    more = text.replace("m: {", "n: { type: Compute }\n            m: {")
    assert resolved(more).nodes["s"].requirements[0].target == "n"


def test_problems_are_told_only_once():
    problems = Problems()
    problems.error("shape", "x")
    problems.error("shape", "x")
    assert len(problems.list()) == 1
