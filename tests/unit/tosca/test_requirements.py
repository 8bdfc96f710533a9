"""Requirements: which node meets them, how often, and between whom there may be a relationship."""

import pytest

from isthmus.tosca import load

MODERN = """
tosca_definitions_version: tosca_2_0
capability_types:
  Service: { properties: { slots: { type: integer, required: false } } }
  Special: { derived_from: Service }
relationship_types:
  Uses: { properties: { weight: { type: integer, default: 1 } } }
  Prefers: { derived_from: Uses }
  Other: {}
node_types:
  Base: {}
  Offering: { derived_from: Base, capabilities: { service: Service } }
  Server: { derived_from: Offering, capabilities: { extra: Special } }
  Plain: { derived_from: Offering }
  Client:
    derived_from: Base
    requirements:
    - service: { capability: Service, relationship: Uses, node: Offering, count_range: [ 1, 3 ] }
  Loose:
    requirements:
    - service: { capability: Service, relationship: Uses }
"""


def modern(nodes, more=""):
    body = "\n".join(f"    {line}" for line in nodes.strip().splitlines())
    return f"{MODERN}{more}\nservice_template:\n  node_templates:\n{body}\n"


@pytest.fixture
def judged(bundle):
    """The severity and code of all that is said of a template, warnings left out."""

    def run(text):
        return [(d.severity.value, d.code) for d in load(bundle(text)).diagnostics if d.severity != "warning"]

    return run


@pytest.fixture
def targets(bundle):
    """The targets of a node's requirements, each with the capability that is met."""

    def run(text, name):
        result = load(bundle(text))
        assert result.topology is not None, "\n".join(d.render() for d in result.diagnostics)
        return [(r.name, r.target, r.capability) for r in result.topology.nodes[name].requirements]

    return run


# ---------------------------------------------------------------------------------------------
# who meets it


SERVERS = """
a: { type: Server }
b: { type: Server }
c: { type: Plain }
"""


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("service: b", [("service", "b", "service")]),
        ("service: { node: b, capability: extra }", [("service", "b", "extra")]),
        ("service: { node: b, capability: Special }", [("service", "b", "extra")]),
        ("service: { node: Plain }", [("service", "c", "service")]),
        ("service: { capability: Special }", [("service", "a", "extra")]),
        ("service: {}", [("service", "a", "service")]),
        ("service: { count: 2 }", [("service", "a", "service"), ("service", "b", "service")]),
        ("service: { relationship: Prefers }", [("service", "a", "service")]),
        ("service: [ b, 0 ]", [("service", "b", "service")]),
    ],
)
def test_a_requirement_of_2_0_is_met_by_the_node_it_names_or_the_first_that_fits(written, expected, targets):
    assert targets(modern(SERVERS + f"n: {{ type: Client, requirements: [ {written} ] }}"), "n") == expected


def test_assignments_of_one_requirement_are_met_by_different_nodes_in_their_order(targets):
    text = modern(
        SERVERS + "n: { type: Client, requirements: [ service: {}, service: a, service: { optional: true } ] }"
    )
    assert [t for _, t, _ in targets(text, "n")] == ["b", "a", "c"]


def test_what_a_type_requires_and_a_template_does_not_assign_is_met_all_the_same(targets):
    assert targets(modern(SERVERS + "n: { type: Client }"), "n") == [("service", "a", "service")]


def test_what_a_type_does_not_require_is_left(targets):
    assert targets(modern(SERVERS + "n: { type: Loose }"), "n") == []


def test_in_1_x_a_node_may_meet_a_requirement_twice_where_there_is_no_other(targets):
    text = """
        node_types:
          Pair: { requirements: [ needs: { capability: Node, node: Compute, occurrences: [ 2, 2 ] } ] }
        topology_template:
          node_templates: { m: { type: Compute }, n: { type: Pair } }
        """
    assert [t for _, t, _ in targets(text, "n")] == ["m", "m"]


def test_a_node_that_requires_this_one_is_taken_last(targets):
    text = modern(
        """
a: { type: Both, requirements: [ service: n ] }
b: { type: Server }
n: { type: Both }
""",
        "  Both: { derived_from: Offering, requirements: [ service: { capability: Service, relationship: Uses, "
        "node: Offering, count_range: [ 1, 3 ] } ] }",
    )
    assert [t for _, t, _ in targets(text, "n")] == ["b"]


# ---------------------------------------------------------------------------------------------
# who does not


@pytest.mark.parametrize(
    ("written", "code"),
    [
        ("service: nobody", "target-unknown"),
        ("service: d", "target-mismatch"),
        ("service: { node: c, capability: extra }", "target-mismatch"),
        ("service: { node: c, relationship: Other }", "target-mismatch"),
        ("service: { node: c, relationship: Nope }", "type-unknown"),
        ("service: { node: Elsewhere }", "target-mismatch"),
        ("service: { node: a, count: 4 }", "requirement-count"),
        ("service: { node: a, count: 0 }", "requirement-count"),
        ("service: { node: a, optional: true }", "requirement-count"),
        ("service: { node: a, count: -1 }", "value-type"),
        ("service: { node: a, directives: [ outside ] }", "shape"),
        ("server: a", "requirement-unknown"),
    ],
)
def test_what_2_0_forbids_of_a_requirement_is_an_error(written, code, judged):
    more = "  Elsewhere: {}"
    nodes = SERVERS + f"d: {{ type: Elsewhere }}\nn: {{ type: Client, requirements: [ {written} ] }}"
    assert ("error", code) in judged(modern(nodes, more))


@pytest.mark.parametrize(
    "written",
    [
        "service: {}",
        "service: { node: Server }",
        "service: { directives: [ external ] }",
        "service: { node: c, directives: [ external ] }",
    ],
)
def test_what_a_node_elsewhere_may_meet_is_refused_and_no_error(written, judged):
    nodes = f"c: {{ type: Base }}\nn: {{ type: Client, requirements: [ {written} ] }}"
    assert judged(modern(nodes)) == [("refusal", "requirement-unmet")]


def test_what_hangs_on_a_host_that_is_not_there_has_no_value(loaded):
    result = loaded(
        """
        topology_template:
          node_templates: { s: { type: SoftwareComponent } }
          outputs: { x: { value: { concat: [ a, { get_attribute: [ s, host, private_address ] } ] } } }
        """
    )
    assert not result.deployable
    assert "broken" not in repr(result.topology)


def test_what_is_optional_may_be_left(judged):
    assert judged(modern("n: { type: Loose, requirements: [ service: { optional: true } ] }")) == []


def test_the_reason_of_each_candidate_is_told(bundle):
    nodes = "a: { type: Server, capabilities: { service: { properties: { slots: 1 } } } }\n"
    nodes += "n: { type: Loose, requirements: [ service: { capability: service, allocation: { slots: 2 } } ] }"
    (diagnostic,) = [d for d in load(bundle(modern(nodes))).diagnostics if d.code == "requirement-unmet"]
    assert "'a' has 1 of 'slots'" in diagnostic.detail


# ---------------------------------------------------------------------------------------------
# how much is left


def allocating(*amounts):
    nodes = "a: { type: Plain, capabilities: { service: { properties: { slots: 3 } } } }\n"
    nodes += "b: { type: Plain, capabilities: { service: { properties: { slots: 2 } } } }\n"
    for i, (amount, target) in enumerate(amounts):
        body = f"node: {target}, allocation: {{ slots: {amount} }}"
        nodes += f"n{i}: {{ type: Client, requirements: [ service: {{ {body} }} ] }}\n"
    return modern(nodes)


def test_allocations_fill_one_node_after_the_other(targets):
    text = allocating((2, "Plain"), (2, "Plain"), (1, "Plain"))
    assert [targets(text, f"n{i}")[0][1] for i in range(3)] == ["a", "b", "a"]


def test_what_is_named_is_allocated_first(targets):
    assert targets(allocating((2, "Plain"), (2, "a")), "n0")[0][1] == "b"


def test_more_than_a_named_node_has_is_an_error(judged):
    assert judged(allocating((2, "a"), (2, "a"))) == [("error", "allocation")]


def test_more_than_all_nodes_have_is_refused(judged):
    assert judged(allocating((2, "Plain"), (2, "Plain"), (2, "Plain"))) == [("refusal", "requirement-unmet")]


def test_an_allocation_from_what_is_no_property_is_refused(judged):
    nodes = SERVERS + "n: { type: Client, requirements: [ service: { node: c, allocation: { spots: 1 } } ] }"
    assert judged(modern(nodes)) == [("refusal", "allocation")]


OCCURRENCES = """
    node_types:
      Panel: { capabilities: { socket: { type: Node, occurrences: [ 0, 1 ] } } }
      Lamp: { requirements: [ socket: { capability: Node, node: Panel } ] }
    topology_template:
      node_templates:
        one: { type: Panel }
        two: { type: Panel }
        x: { type: Lamp, requirements: [ socket: { capability: socket } ] }
        y: { type: Lamp, requirements: [ socket: { capability: socket } ] }
"""


def test_a_capability_of_1_x_is_met_as_often_as_it_may_be(targets, judged):
    assert targets(OCCURRENCES, "x") == [("socket", "one", "socket")]
    assert targets(OCCURRENCES, "y") == [("socket", "two", "socket")]
    third = OCCURRENCES + "        z: { type: Lamp, requirements: [ socket: { capability: socket } ] }\n"
    assert judged(third) == [("refusal", "requirement-unmet")]
    named = OCCURRENCES + "        z: { type: Lamp, requirements: [ socket: { node: one, capability: socket } ] }\n"
    assert judged(named) == [("refusal", "requirement-unmet")]


def test_a_template_of_1_3_may_bound_a_capability_further(judged):
    one = OCCURRENCES.replace("one: { type: Panel }", "one: { type: Panel, capabilities: { socket: SOCKET } }")
    assert judged(one.replace("SOCKET", "{ occurrences: [ 0, 1 ] }")) == []
    assert judged(one.replace("SOCKET", "{ occurrences: [ 0, 0 ] }")) == [("refusal", "requirement-unmet")]


# ---------------------------------------------------------------------------------------------
# who may be related to whom


@pytest.mark.parametrize(
    ("uses", "service", "told"),
    [
        ("valid_capability_types: [ Special ]", "", "valid_capability_types Special"),
        ("valid_target_node_types: [ Client ]", "", "valid_target_node_types Client"),
        ("valid_source_node_types: [ Server ]", "", "valid_source_node_types Server"),
        ("", "valid_source_node_types: [ Server ]", "is for Server"),
        ("", "valid_relationship_types: [ Prefers ]", "takes Prefers, and not Uses"),
    ],
)
def test_types_say_between_whom_a_relationship_may_be(uses, service, told, bundle):
    text = f"""
        tosca_definitions_version: tosca_2_0
        capability_types: {{ Service: {{ {service} }}, Special: {{ derived_from: Service }} }}
        relationship_types: {{ Uses: {{ {uses} }}, Prefers: {{ derived_from: Uses }} }}
        node_types:
          Server: {{ capabilities: {{ service: Service }} }}
          Client: {{ requirements: [ service: {{ capability: Service, relationship: Uses }} ] }}
        service_template:
          node_templates:
            s: {{ type: Server }}
            c: {{ type: Client, requirements: [ service: s ] }}
        """
    (error,) = [d for d in load(bundle(text)).diagnostics if d.severity == "error"]
    assert error.code == "target-mismatch"
    assert "'c' (Client) cannot be related to 's' (Server)" in error.summary
    assert told in error.summary


def test_a_capability_for_nodes_of_other_templates_is_met_by_none_of_this(judged):
    nodes = "a: { type: Plain, capabilities: { service: { directives: [ external ] } } }\n"
    assert judged(modern(nodes + "n: { type: Client }")) == [("refusal", "requirement-unmet")]


def test_what_the_simple_profile_lists_is_told_and_passed_by(loaded):
    result = loaded(
        """
        topology_template:
          node_templates:
            a: { type: SoftwareComponent, requirements: [ host: m, dependency: { node: m, relationship: ConnectsTo } ] }
            m: { type: Compute, capabilities: { scalable: {} } }
        """
    )
    assert result.deployable
    assert {d.code for d in result.diagnostics} == {"target-mismatch"}


# ---------------------------------------------------------------------------------------------
# circles


def test_hosts_in_a_circle_are_an_error_and_other_circles_are_refused(judged):
    circle = """
        topology_template:
          node_templates:
            a: { type: SoftwareComponent, requirements: [ KIND: b ] }
            b: { type: SoftwareComponent, requirements: [ KIND: a ] }
            m: { type: Compute }
        """
    assert ("refusal", "requirement-cycle") in judged(circle.replace("KIND", "dependency"))
    hosts = """
        node_types: { Box: { capabilities: { host: Container }, requirements: [ host: { capability: Container } ] } }
        topology_template:
          node_templates:
            a: { type: Box, requirements: [ host: b ] }
            b: { type: Box, requirements: [ host: a ] }
        """
    assert ("error", "requirement-cycle") in judged(hosts)


# ---------------------------------------------------------------------------------------------
# relationship templates


@pytest.mark.parametrize(
    ("template", "code"),
    [
        ("{ type: Uses, properties: { wait: 1 } }", "property-unknown"),
        ("{ type: Uses, properties: { weight: heavy } }", "value-type"),
        ("{ type: Nope }", "type-unknown"),
        ("{ properties: {} }", "key-missing"),
        ("{ copy: nobody }", "target-unknown"),
        ("{ copy: copied }", "target-unknown"),
        ("{ type: Uses, colour: red }", "key-unknown"),
    ],
)
def test_a_relationship_template_is_checked_though_nothing_uses_it(template, code, judged):
    text = (
        modern("a: { type: Server }")
        + f"""  relationship_templates:
    fine: {{ type: Uses, properties: {{ weight: 2 }} }}
    copied: {{ copy: fine }}
    wrong: {template}
"""
    )
    assert ("error", code) in judged(text)


def test_a_relationship_template_may_copy_another(bundle):
    text = modern(SERVERS + "n: { type: Client, requirements: [ service: { node: a, relationship: mine } ] }")
    text += """  relationship_templates:
    fine: { type: Prefers, properties: { weight: 2 } }
    mine: { copy: fine }
"""
    requirement = load(bundle(text)).topology.nodes["n"].requirements[0]
    assert (requirement.relationship, requirement.properties) == ("Prefers", {"weight": 2})


def test_in_2_0_a_type_goes_before_a_relationship_template_of_its_name(bundle):
    text = modern(SERVERS + "n: { type: Client, requirements: [ service: { node: a, relationship: Uses } ] }")
    text += "  relationship_templates: { Uses: { type: Prefers, properties: { weight: 2 } } }\n"
    assert load(bundle(text)).topology.nodes["n"].requirements[0].relationship == "Uses"


# ---------------------------------------------------------------------------------------------
# directives


@pytest.mark.parametrize(
    ("directives", "expected"),
    [
        ("[ select ]", [("refusal", "unsupported")]),
        ("[ substitute ]", [("refusal", "unsupported")]),
        ("[ proxy ]", [("refusal", "unsupported")]),
        ("[ select, substitute, create ]", []),
        ("[ create ]", []),
        ("[]", []),
    ],
)
def test_a_node_that_is_not_made_here_is_refused_and_no_error(directives, expected, judged):
    text = f"topology_template: {{ node_templates: {{ m: {{ type: Compute, directives: {directives} }} }} }}"
    assert judged(text) == expected


def test_of_a_node_that_is_selected_nothing_but_its_filter_counts(loaded):
    result = loaded(
        """
        node_types: { Strict: { properties: { must: { type: string } }, requirements: [ needs: Container ] } }
        topology_template:
          node_templates: { n: { type: Strict, directives: [ select ] } }
        """
    )
    assert result.topology.nodes["n"].directives == ("select",)
    assert [d.code for d in result.diagnostics] == ["unsupported"]


def test_ten_thousand_named_targets_are_not_compared_with_one_another(loaded):
    lines = ["topology_template:", "  node_templates:"]
    for i in range(1500):
        lines.append(f"    m{i}: {{ type: Compute }}")
        lines.append(f"    s{i}: {{ type: SoftwareComponent, requirements: [ host: m{i}, host: m{i} ] }}")
    assert loaded("\n".join(lines) + "\n").deployable
