"""Workflows, multiplicity, substitution, groups and policies of TOSCA 2.0 (chapters 13 to 16)."""

from __future__ import annotations

import pytest

from isthmus.tosca import Bundle, load

from .modern import changed, verdict


def workflow(body, more=""):
    return (
        f"service_template: {{ workflows: {{ w: {body}, other: {{ inputs: {{ x: {{ type: integer }} }}, "
        f"steps: {{ s: {{ target: app, activities: [ {{ set_state: a }} ] }} }} }} }} {more} }}"
    )


def step(body):
    return workflow(f"{{ inputs: {{ q: {{ type: integer, default: 1 }} }}, steps: {{ a: {body} }} }}")


def activity(body):
    return step(f"{{ target: app, activities: [ {body} ] }}")


def group(body):
    return (
        "group_types: { G: { members: [ Server ], properties: { p: { type: integer, default: 1 } }, "
        "attributes: { at: { type: string } } }, H: {} }\n"
        f"service_template: {{ groups: {{ g: {body}, h: {{ type: H, members: [ server ] }} }} }}"
    )


def policy(body):
    return (
        "group_types: { H: {} }\npolicy_types: { P: { targets: [ Server, H ], "
        "properties: { p: { type: integer, default: 1 } } }, Q: {} }\n"
        f"service_template: {{ groups: {{ h: {{ type: H, members: [ server ] }} }}, policies: [ {{ x: {body} }} ] }}"
    )


def trigger(body):
    return policy(f"{{ type: Q, targets: [ app ], triggers: {{ t: {body} }} }}")


def group_type(body):
    return f"group_types: {{ G: {{ members: [ Server ] }}, G2: {body} }}"


def policy_type(body):
    return (
        "policy_types: { P: { targets: [ Server ], triggers: { t: { event: e, action: [ { set_state: a } ] } } }, "
        f"P2: {body} }}"
    )


VALID = [
    workflow(
        "{ description: d, metadata: { a: b }, inputs: { i: { type: integer } }, precondition: { "
        "$equal: [ 1, 1 ] }, steps: { a: { target: app, activities: [ { set_state: x } ] } }, "
        "outputs: { o: [ app, out ] } }"
    ),
    workflow("{ implementation: a.sh }"),
    workflow("{ implementation: { primary: { file: a.sh, type: Bash } } }"),
    workflow("{ }"),
    step("{ target: app, activities: [ ] }"),
    step("{ target: app, target_relationship: base, activities: [ { set_state: x } ] }"),
    step(
        "{ target: app, filter: [ { $equal: [ { $get_property: [ SELF, v ] }, x ] } ], "
        "activities: [ { set_state: x } ] }"
    ),
    step("{ target: app, activities: [ { set_state: x } ], on_success: a }"),
    activity("{ delegate: deploy }"),
    activity("{ delegate: { workflow: deploy, inputs: { a: 1 } } }"),
    activity("{ call_operation: life.create }"),
    activity("{ call_operation: { operation: life.create, inputs: { a: 3 } } }"),
    activity("{ call_operation: { operation: life.create, inputs: { a: { $get_input: q } } } }"),
    activity("{ inline: { workflow: other, inputs: { x: 1 } } }"),
    group(
        "{ type: G, description: d, metadata: { a: b }, properties: { p: 2 }, attributes: { at: "
        "x }, members: [ server ] }"
    ),
    group("{ type: G, members: [ h ] }"),
    group_type(
        "{ derived_from: G, members: [ BigServer ], properties: { a: { type: string } }, "
        "attributes: { b: { type: string } } }"
    ),
    policy("{ type: P, description: d, metadata: { a: b }, properties: { p: 3 }, targets: [ server, h ] }"),
    policy_type(
        "{ derived_from: P, targets: [ BigServer ], triggers: { u: { event: f, action: [ { delegate: d } ] } } }"
    ),
    trigger(
        "{ description: d, event: life.changed, condition: { $equal: [ { $get_property: [ SELF, "
        "v ] }, x ] }, action: [ { call_operation: life.create } ] }"
    ),
    trigger("{ event: e, action: [ ] }"),
    trigger("{ event: life.nope, action: [ ] }"),
]

INVALID = [
    ("shape", workflow("{ implementation: a.sh, steps: { a: { target: app, activities: [ { set_state: x } ] } } }")),
    ("type-unknown", workflow("{ implementation: { primary: { file: a.sh, type: Nope } } }")),
    ("key-unknown", workflow("{ implementation: { foo: a.sh } }")),
    ("key-unknown", workflow("{ preconditions: [ ], steps: {} }")),
    ("shape", workflow("{ precondition: [ { $equal: [ 1, 1 ] } ] }")),
    ("value-type", workflow("{ precondition: { $concat: [ a, b ] } }")),
    ("target-unknown", workflow("{ precondition: { $get_property: [ nope, x ] } }")),
    ("shape", workflow("{ precondition: yes_ }")),
    ("type-unknown", workflow("{ inputs: { i: { type: Nope } } }")),
    ("value-type", workflow("{ inputs: { i: { type: integer, default: x } } }")),
    ("attribute-unknown", workflow("{ outputs: { o: [ app, nope ] } }")),
    ("target-unknown", workflow("{ outputs: { o: [ nope, out ] } }")),
    ("target-unknown", workflow("{ outputs: { o: [ SELF, out ] } }")),
    ("shape", workflow("{ outputs: { o: app } }")),
    ("shape", "service_template: { workflows: [ w ] }"),
    ("shape", "service_template: { workflows: { w: a.sh } }"),
    ("key-missing", step("{ activities: [ { set_state: x } ] }")),
    ("key-missing", step("{ target: app }")),
    ("target-unknown", step("{ target: nope, activities: [ { set_state: x } ] }")),
    ("target-unknown", step("{ target: App, activities: [ { set_state: x } ] }")),
    ("requirement-unknown", step("{ target: app, target_relationship: nope, activities: [ { set_state: x } ] }")),
    ("key-unknown", step("{ target: app, operation_host: app, activities: [ { set_state: x } ] }")),
    ("shape", step("{ target: app, filter: { $equal: [ 1, 1 ] }, activities: [ { set_state: x } ] }")),
    ("value-type", step("{ target: app, filter: [ { $concat: [ a, b ] } ], activities: [ { set_state: x } ] }")),
    ("step-unknown", step("{ target: app, activities: [ { set_state: x } ], on_success: [ nope ] }")),
    ("shape", step("{ target: app, activities: [ { set_state: x } ], on_failure: { a: b } }")),
    ("shape", workflow("{ steps: [ a ] }")),
    ("shape", step("{ target: app, activities: { set_state: x } }")),
    ("activity-unknown", activity("{ frob: x }")),
    ("shape", activity("{ set_state: x, delegate: y }")),
    ("shape", activity("set_state")),
    ("key-missing", activity("{ delegate: { inputs: { a: 1 } } }")),
    ("key-unknown", activity("{ delegate: { workflow: w, foo: 1 } }")),
    ("shape", activity("{ set_state: { a: b } }")),
    ("shape", activity("{ set_state: 5 }")),
    ("shape", activity("{ set_state: }")),
    ("operation-unknown", activity("{ call_operation: life.nope }")),
    ("operation-unknown", activity("{ call_operation: nope.create }")),
    ("operation-unknown", activity("{ call_operation: create }")),
    ("input-unknown", activity("{ call_operation: { operation: life.create, inputs: { zz: 3 } } }")),
    ("value-type", activity("{ call_operation: { operation: life.create, inputs: { a: x } } }")),
    ("key-missing", activity("{ call_operation: { inputs: { a: x } } }")),
    ("input-unknown", activity("{ call_operation: { operation: life.create, inputs: { a: { $get_input: nope } } } }")),
    ("activity-incomplete", activity("{ inline: other }")),
    ("value-type", activity("{ inline: { workflow: other, inputs: { x: y } } }")),
    ("workflow-unknown", activity("{ inline: nope }")),
    ("input-unknown", activity("{ inline: { workflow: other, inputs: { x: 1, zz: 1 } } }")),
    ("key-missing", group("{ members: [ server ] }")),
    ("type-unknown", group("{ type: Nope }")),
    ("key-unknown", group("{ type: G, interfaces: {} }")),
    ("target-unknown", group("{ type: G, members: [ nope ] }")),
    ("target-mismatch", group("{ type: G, members: [ app ] }")),
    ("shape", group("{ type: G, members: server }")),
    ("property-unknown", group("{ type: G, properties: { x: 1 } }")),
    ("value-type", group("{ type: G, properties: { p: x } }")),
    ("property-unknown", group("{ type: G, attributes: { x: 1 } }")),
    ("value-type", group("{ type: G, attributes: { at: 1 } }")),
    ("group-cycle", group("{ type: H, members: [ g ] }")),
    ("refinement", group_type("{ derived_from: G, members: [ App ] }")),
    ("type-unknown", group_type("{ members: [ Nope ] }")),
    ("key-unknown", group_type("{ interfaces: {} }")),
    ("shape", group_type("{ members: Server }")),
    ("type-unknown", group_type("{ properties: { a: { type: Nope } } }")),
    ("key-missing", policy("{ targets: [ server ] }")),
    ("type-unknown", policy("{ type: Nope }")),
    ("target-unknown", policy("{ type: P, targets: [ nope ] }")),
    ("target-mismatch", policy("{ type: P, targets: [ app ] }")),
    ("property-unknown", policy("{ type: P, properties: { z: 1 } }")),
    ("value-type", policy("{ type: P, properties: { p: z } }")),
    ("key-unknown", policy("{ type: P, foo: 1 }")),
    ("shape", "policy_types: { Q: {} }\nservice_template: { policies: [ { x: { type: Q }, y: { type: Q } } ] }"),
    (
        "yaml-key-duplicate",
        "policy_types: { Q: {} }\nservice_template: { policies: [ { x: { type: Q } }, { x: { type: Q } } ] }",
    ),
    ("shape", policy("{ type: P, targets: server }")),
    ("refinement", policy_type("{ derived_from: P, targets: [ App ] }")),
    ("type-unknown", policy_type("{ targets: [ Nope ] }")),
    ("refinement", policy_type("{ derived_from: P, triggers: { t: { event: f, action: [ { delegate: d } ] } } }")),
    ("key-unknown", policy_type("{ foo: 1 }")),
    ("key-missing", policy_type("{ triggers: { u: { action: [ { delegate: d } ] } } }")),
    ("activity-unknown", policy_type("{ triggers: { u: { event: f, action: [ { frob: d } ] } } }")),
    ("type-unknown", policy_type("{ targets: [ Room ] }")),
    ("key-missing", trigger("{ action: [ { call_operation: life.create } ] }")),
    ("key-missing", trigger("{ event: e }")),
    ("shape", trigger("{ event: e, action: { call_operation: life.create } }")),
    ("value-type", trigger("{ event: e, condition: { $concat: [ a, b ] }, action: [ ] }")),
    ("shape", trigger("{ event: e, condition: [ { $equal: [ 1, 1 ] } ], action: [ ] }")),
    (
        "target-unknown",
        trigger("{ event: e, condition: { $equal: [ { $get_property: [ nope, x ] }, 1 ] }, action: [ ] }"),
    ),
    ("operation-unknown", trigger("{ event: e, action: [ { call_operation: life.nope } ] }")),
    ("key-unknown", trigger("{ event: e, event_type: x, action: [ ] }")),
    ("shape", trigger("{ event: { type: e }, action: [ ] }")),
    ("workflow-unknown", trigger("{ event: e, action: [ { inline: nope } ] }")),
    (
        "refinement",
        "policy_types: { Q: { triggers: { t: { event: e, action: [ ] } } } }\nservice_template: { "
        "policies: [ { x: { type: Q, triggers: { t: { event: e, action: [ ] } } } } ] }",
    ),
]


@pytest.mark.parametrize("change", VALID)
def test_a_procedure_as_the_standard_has_it_is_accepted(change):
    assert verdict(changed(change)) == []


@pytest.mark.parametrize(("code", "change"), INVALID)
def test_a_procedure_against_the_standard_is_an_error(code, change):
    found = verdict(changed(change))
    assert found
    assert found[0] == ("error", code)


# ---------------------------------------------------------------------------------------------
# how many


def count(written, more=""):
    nodes = f"{{ t: {{ type: Thing, {written} }} {more} }}"
    return f"service_template: {{ inputs: {{ n: {{ type: integer, default: 2 }} }}, node_templates: {nodes} }}"


@pytest.mark.parametrize(
    ("written", "wanted"),
    [
        ("count: 0", 0),
        ("count: 3", 3),
        ("count: { $get_input: n }", 2),
        ("count: { $sum: [ { $get_input: n }, 1 ] }", 3),
        ("", 1),
    ],
)
def test_a_count_is_worked_out(written, wanted):
    result = changed(count(written))
    assert result.topology is not None, [d.summary for d in result.diagnostics]
    assert result.topology.nodes["t"].count == wanted


@pytest.mark.parametrize(
    ("code", "written"),
    [
        ("value-type", "count: -1"),
        ("value-type", "count: '2'"),
        ("value-type", "count: 2.0"),
        ("value-type", "count: true"),
        ("value-type", "count: [ 2 ]"),
        ("value-type", "count: null"),
        ("function-arguments", "count: $node_index"),
        ("input-unknown", "count: { $get_input: m }"),
    ],
)
def test_what_is_no_count_is_an_error(code, written):
    assert ("error", code) in verdict(changed(count(written)))


# ---------------------------------------------------------------------------------------------
# substitution

SUBSTITUTION = """
tosca_definitions_version: tosca_2_0
capability_types:
  Room: { properties: { n: { type: integer, default: 1 } }, attributes: { used: { type: integer } } }
  Other: {}
relationship_types:
  Link: { properties: { speed: { type: integer, default: 1 } }, attributes: { load: { type: integer } } }
interface_types: { Life: { operations: { create: {} } } }
node_types:
  Server: { attributes: { address: { type: string } }, capabilities: { room: { type: Room }, other: { type: Other } } }
  Outer:
    properties: { p: { type: integer }, s: { type: string, required: false } }
    attributes: { at: { type: string }, num: { type: integer } }
    capabilities: { room: { type: Room } }
    requirements: [ { up: { capability: Room, relationship: Link, count_range: [ 2, 3 ] } } ]
    interfaces: { life: { type: Life } }
  Inner:
    requirements:
    - may: { capability: Room, relationship: Link, count_range: [ 0, 4 ] }
    - must: { capability: Room, relationship: Link, count_range: [ 1, 1 ] }
    - two: { capability: Room, relationship: Link, count_range: [ 2, 2 ] }
service_template:
  inputs: { i: { type: integer, default: 1 }, l: { type: list, entry_schema: integer, default: [ 1 ] } }
  outputs:
    o: { type: string, value: x }
    n: { type: integer, value: 1 }
    l: { type: list, entry_schema: integer, value: [ 1 ] }
  workflows: { w: { steps: { a: { target: s, activities: [ { set_state: x } ] } } } }
  substitution_mappings:
    node_type: Outer
    %s
  node_templates:
    s: { type: Server }
    chosen: { type: Server, directives: [ select ] }
    inner: { type: Inner, requirements: [ { must: s }, { two: { count: 1, node: s } }, { two: bound } ] }
    open: { type: Inner }
    bound: { type: Server }
"""


def substituting(mapping):
    return load(Bundle("t.yaml", {"t.yaml": (SUBSTITUTION % mapping).encode()}))


MAPPED = [
    "properties: { p: i }",
    "properties: { [ CAPABILITY, room, n ]: i }",
    "properties: { [ RELATIONSHIP, up, speed ]: i }",
    "properties: { [ RELATIONSHIP, up, 2, speed ]: i }",
    "properties: { [ RELATIONSHIP, up, ALL, speed ]: l }",
    "attributes: { at: o, num: n }",
    "attributes: { [ CAPABILITY, room, used ]: n }",
    "attributes: { [ RELATIONSHIP, up, ALL, load ]: l }",
    "capabilities: { room: [ s, room ] }",
    "requirements: [ { up: [ open, must ] } ]",
    "requirements: [ { up: [ [ open, must ], chosen ] } ]",
    "requirements: [ { [ up, 2 ]: [ open, may ] } ]",
    "requirements: [ { up: chosen }, { [ up, UNBOUNDED ]: [ open, may ] } ]",
    "interfaces: { life: { create: w } }",
    "substitution_filter: { $greater_than: [ { $get_property: [ SELF, p ] }, 3 ] }",
    "substitution_filter: { $equal: [ { $get_property: [ SELF, CAPABILITY, room, n ] }, 3 ] }",
]
MISMAPPED = [
    ("key-unknown", "foo: 1"),
    ("substitution", "properties: { nope: i }"),
    ("substitution", "properties: { p: nope }"),
    ("substitution", "properties: { s: i }"),
    ("substitution", "properties: { [ CAPABILITY, nope, n ]: i }"),
    ("substitution", "properties: { [ CAPABILITY, room, nope ]: i }"),
    ("substitution", "properties: { [ RELATIONSHIP, up, ALL, speed ]: i }"),
    ("substitution", "properties: { [ RELATIONSHIP, up, 0, speed ]: l }"),
    ("substitution", "properties: { [ RELATIONSHIP, up, -1, speed ]: i }"),
    ("substitution", "properties: { [ RELATIONSHIP, up, 3, speed ]: i }"),
    ("substitution", "properties: { [ ELSEWHERE, up, speed ]: i }"),
    ("substitution", "attributes: { at: n }"),
    ("substitution", "attributes: { p: n }"),
    ("substitution", "attributes: { [ RELATIONSHIP, up, ALL, load ]: n }"),
    ("substitution", "capabilities: { nope: [ s, room ] }"),
    ("substitution", "capabilities: { room: [ s, nope ] }"),
    ("substitution", "capabilities: { room: [ s, other ] }"),
    ("substitution", "capabilities: { room: s }"),
    ("substitution", "requirements: { up: chosen }"),
    ("substitution", "requirements: [ { up: chosen, nope: chosen } ]"),
    ("substitution", "requirements: [ { nope: chosen } ]"),
    ("substitution", "requirements: [ { up: s } ]"),
    ("substitution", "requirements: [ { up: [ inner, must ] } ]"),
    ("substitution", "requirements: [ { up: [ open, nope ] } ]"),
    ("substitution", "requirements: [ { [ up, x ]: [ open, may ] } ]"),
    ("substitution", "requirements: [ { [ up, UNBOUNDED ]: [ open, may ] }, { up: chosen } ]"),
    ("substitution", "requirements: [ { up: [ open, must ] }, { up: [ open, two ] } ]"),
    ("substitution", "interfaces: { nope: { create: w } }"),
    ("substitution", "interfaces: { life: { nope: w } }"),
    ("substitution", "interfaces: { life: { create: nope } }"),
    ("substitution", "interfaces: { life: w }"),
    ("node-filter", "substitution_filter: { properties: [] }"),
    ("value-type", "substitution_filter: { $concat: [ a, b ] }"),
    ("property-unknown", "substitution_filter: { $equal: [ { $get_property: [ SELF, nope ] }, 3 ] }"),
    ("value-type", "substitution_filter: { $equal: [ { $get_property: [ SELF, p ] }, abc ] }"),
]


@pytest.mark.parametrize("mapping", MAPPED)
def test_a_mapping_as_the_standard_has_it_is_no_error(mapping):
    assert [v for v in verdict(substituting(mapping)) if v[0] == "error"] == []


@pytest.mark.parametrize(("code", "mapping"), MISMAPPED)
def test_a_mapping_against_the_standard_is_an_error(code, mapping):
    found = verdict(substituting(mapping))
    assert found
    assert found[0] == ("error", code)
