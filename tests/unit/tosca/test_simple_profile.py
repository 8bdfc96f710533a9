"""The Simple Profile 1.x: what is right is accepted, what is broken is told at its place, versions are kept apart."""

import pytest

from isthmus.tosca import load
from tests.unit.tosca.conftest import make_bundle
from tests.unit.tosca.simple_profile_cases import CASES, HEAD

SCRIPTS = {"a.sh": b"", "b.sh": b""}


def told(case):
    text, files = case if isinstance(case, tuple) else (case, {})
    result = load(make_bundle(HEAD + text, {**SCRIPTS, **files}))
    return [d for d in result.diagnostics if d.severity == "error" and d.code != "input-missing"]


@pytest.mark.parametrize("good", [good for _, good, _ in CASES], ids=[name for name, _, _ in CASES])
def test_what_is_right_is_accepted(good):
    assert told(good) == []


@pytest.mark.parametrize(
    ("bad", "code", "place", "suggested"),
    [case for _, _, broken in CASES for case in broken],
    ids=[f"{name}-{i}" for name, _, broken in CASES for i in range(len(broken))],
)
def test_what_is_broken_is_told_with_its_code_its_place_and_the_name_that_is_near(bad, code, place, suggested):
    first = told(bad)[0]
    assert (first.code, str(first.position).removeprefix("template.yaml:")) == (code, place)
    assert repr(suggested) in str(first.suggestion) if suggested else True


@pytest.mark.parametrize("host", ["Compute", "WebServer", "DBMS", "Container.Runtime"])
def test_hosts_offer_a_compute_as_in_1_3_and_a_container_as_in_1_0(host, resolved):
    types = "".join(
        f"  On{capability}:\n"
        "    derived_from: tosca.nodes.Root\n"
        f"    requirements: [ {{ host: {{ capability: tosca.capabilities.{capability} }} }} ]\n"
        for capability in ("Compute", "Container")
    )
    nodes = resolved(
        f"node_types:\n{types}"
        "topology_template:\n"
        "  node_templates:\n"
        "    m: { type: Compute }\n"
        f"    h: {{ type: {host}{'' if host == 'Compute' else ', requirements: [ { host: m } ]'} }}\n"
        "    a: { type: OnCompute, requirements: [ { host: { node: h, capability: host } } ] }\n"
        "    b: { type: OnContainer, requirements: [ { host: { node: h, capability: host } } ] }\n"
    ).nodes
    assert {nodes[n].requirements[0].target for n in "ab"} == {"h"}


def test_documents_that_are_imported_side_by_side_see_the_types_of_one_another(loaded):
    text = "imports: [ base.yaml, more.yaml ]\ntopology_template: { node_templates: { n: { type: my.More } } }\n"
    files = {
        "base.yaml": HEAD + "node_types: { my.Base: { derived_from: tosca.nodes.Root } }\n",
        "more.yaml": HEAD + "node_types: { my.More: { derived_from: my.Base } }\n",
    }
    result = loaded(text, files)
    assert result.topology is not None
    assert result.topology.nodes["n"].ancestors[1] == "my.Base"
    assert [(d.severity, d.code, d.position.file) for d in result.diagnostics] == [("warning", "import", "more.yaml")]
    alone = loaded(text.replace("base.yaml, ", ""), files)
    assert [d.code for d in alone.diagnostics if d.severity == "error"] == ["type-unknown"]
    prefixed = loaded(
        text.replace("base.yaml, more.yaml", "base.yaml, { file: more.yaml, namespace_prefix: p }"), files
    )
    assert "type-unknown" in [d.code for d in prefixed.diagnostics if d.severity == "error"]


UNUSED = """
relationship_types:
  R:
    derived_from: tosca.relationships.DependsOn
    properties: { p: { type: string, default: x } }
    attributes: { a: { type: string } }
topology_template:
  relationship_templates:
    r: { type: R, properties: { p: y } }
  node_templates:
    m: { type: Compute }
  outputs:
    o: { value: { %s } }
"""


def test_a_function_may_name_a_relationship_template_that_nothing_uses(loaded, resolved):
    assert resolved(UNUSED % "get_property: [ r, p ]").outputs["o"].value == "y"
    assert [d.code for d in loaded(UNUSED % "get_attribute: [ r, a ]").diagnostics] == ["unsupported"]
    for call, code in (
        ("get_attribute: [ r, b ]", "attribute-unknown"),
        ("get_property: [ r, q ]", "property-unknown"),
    ):
        assert code in [d.code for d in loaded(UNUSED % call).diagnostics]


def test_where_a_requirement_has_the_name_of_a_capability_both_are_looked_at(resolved):
    topology = resolved(
        """
        node_types:
          VM:
            derived_from: Compute
            properties: { flavour: { type: string, default: small } }
            attributes: { id: { type: string } }
        topology_template:
          node_templates:
            m: { type: VM }
            w: { type: WebServer, requirements: [ { host: m } ] }
          outputs:
            id: { value: { get_attribute: [ w, host, id ] } }
            flavour: { value: { get_property: [ w, host, flavour ] } }
        """
    )
    assert (topology.outputs["id"].value.node, topology.outputs["id"].value.name) == ("m", "id")
    assert topology.outputs["flavour"].value == "small"


def test_in_the_actions_of_a_policy_self_means_the_policy(resolved):
    topology = resolved(
        """
        node_types:
          M:
            derived_from: tosca.nodes.Compute
            interfaces: { Standard: { operations: { start: { inputs: { n: { type: integer, default: 1 } } } } } }
        policy_types:
          P:
            derived_from: tosca.policies.Scaling
            properties: { by: { type: integer } }
            triggers:
              t:
                event: busy
                action:
                  - call_operation: { operation: Standard.start, inputs: { n: { get_property: [ SELF, by ] } } }
        topology_template:
          node_templates:
            m: { type: M }
          policies: [ { p: { type: P, properties: { by: 2 }, targets: [ m ] } } ]
        """
    )
    assert topology.policies["p"].triggers["t"].action[0].inputs == {"n": 2}


CLASSIC_IN_MODERN = [
    "service_template: { node_templates: { n: { type: N, properties: { p: { get_input: x } } } } }",
    "data_types: { D: { derived_from: string, constraints: [ { max_length: 1 } ] } }",
    "data_types: { D: { derived_from: scalar-unit.size } }",
    "imports: [ { file: t.yaml } ]",
    "imports: [ { url: t.yaml, namespace_prefix: p } ]",
    "topology_template: {}",
    "node_types: { M: { requirements: [ { r: { capability: C, occurrences: [ 0, 1 ] } } ] } }",
    "capability_types: { D: { valid_source_types: [ N ] } }",
    "relationship_types: { R: { valid_target_types: [ C ] } }",
    "template_name: x",
]
MODERN = """
capability_types: { C: {} }
node_types: { N: { properties: { p: { type: string } } } }
"""


@pytest.mark.parametrize("text", CLASSIC_IN_MODERN)
def test_what_only_tosca_1_x_has_is_no_tosca_2_0(text):
    types = MODERN if text.startswith(("service", "topology", "imports", "template")) else ""
    found = load(make_bundle(f"tosca_definitions_version: tosca_2_0\n{types}{text}\n", {"t.yaml": HEAD}))
    assert found.topology is None
    assert any(d.severity == "error" for d in found.diagnostics)
