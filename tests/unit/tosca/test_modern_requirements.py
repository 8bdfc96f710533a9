"""Requirements and node filters of TOSCA 2.0 (§8.4 to §8.6), sentence by sentence."""

from __future__ import annotations

import pytest

from .modern import changed, verdict


def definition(body):
    return f"node_types: {{ T: {{ requirements: [ {{ r: {body} }} ] }} }}"


def refinement(parent, child):
    return (
        f"node_types: {{ P: {{ requirements: [ {{ r: {parent} }} ] }}, "
        f"C: {{ derived_from: P, requirements: [ {{ r: {child} }} ] }} }}"
    )


def assignment(entries, more=""):
    return f"service_template: {{ node_templates: {{ app: {{ requirements: [ {entries} ] }} {more} }} }}"


VALID = [
    definition("{ capability: Room, relationship: Link }"),
    definition("{ capability: room, relationship: Link, node: Server }"),
    definition(
        "{ capability: Room, relationship: { type: Link, description: d, metadata: { a: b }, "
        "properties: { speed: { default: 3 } }, attributes: { load: { description: d } }, "
        "interfaces: { conf: { operations: { go: a.sh } } } } }"
    ),
    definition("{ capability: Room, relationship: Link, count_range: [ 0, UNBOUNDED ] }"),
    definition("{ capability: Room, relationship: Link, node_filter: { $equal: [ 1, 1 ] } }"),
    refinement(
        "{ capability: Room, relationship: Link, count_range: [ 0, 4 ] }",
        "{ capability: BigRoom, relationship: LinkFast, node: BigServer, count_range: [ 1, 3 ] }",
    ),
    refinement("{ capability: Room, relationship: Link }", "{ count_range: [ 1, 1 ] }"),
    refinement(
        "{ capability: room, relationship: Link, node: Server }",
        "{ capability: room, relationship: Link, node: BigServer }",
    ),
    refinement(
        "{ capability: Room, relationship: Link }",
        "{ relationship: { type: LinkFast, properties: { speed: { default: 2 } } } }",
    ),
    assignment("{ base: server }"),
    assignment("{ base: { node: Server } }"),
    assignment("{ base: { node: [ server, 0 ] } }"),
    assignment("{ base: [ server, 0 ] }"),
    assignment("{ base: { node: [ server, $node_index ] } }"),
    assignment("{ base: { node: [ server, $relationship_index ] } }"),
    assignment("{ base: { node: server, capability: room } }"),
    assignment("{ base: { node: server, capability: Room } }"),
    assignment("{ base: { node: server, relationship: LinkFast } }"),
    assignment(
        "{ base: { node: server, relationship: { type: LinkFast, properties: { speed: 2 }, "
        "attributes: { load: 0.5 }, interfaces: { conf: { operations: { go: a.sh } } } } } }"
    ),
    assignment("{ base: { node: server, relationship: { properties: { speed: 2 } } } }"),
    assignment("{ base: { node: server, relationship: rt } }", "}, relationship_templates: { rt: { type: Link }"),
    assignment("{ base: { node: server, count: 0 } }"),
    assignment("{ base: { node: Server, count: { $get_input: c } } }", "}, inputs: { c: { type: integer, default: 1 }"),
    assignment("{ base: { optional: true } }"),
    assignment("{ base: { node: server, directives: [ internal ] } }"),
    assignment("{ base: { node: server, directives: [ internal, external ] } }"),
    assignment("{ base: { node: server, allocation: { cpus: 2, mem: 1 MB } } }"),
    assignment(
        "{ base: { node: server, node_filter: { $equal: [ { $get_property: [ SELF, CAPABILITY, cpus ] }, 4 ] } } }"
    ),
    assignment("{ base: { node: Server, node_filter: { $equal: [ { $get_property: [ SELF, TARGET, name ] }, s ] } } }"),
]

INVALID = [
    ("key-missing", definition("{ relationship: Link }")),
    ("key-missing", definition("{ capability: Room }")),
    ("type-unknown", definition("{ capability: Nope, relationship: Link }")),
    ("type-unknown", definition("{ capability: Room, relationship: Nope }")),
    ("type-unknown", definition("{ capability: Room, relationship: Link, node: Nope }")),
    ("target-mismatch", definition("{ capability: Room, relationship: Link, node: Thing }")),
    ("type-unknown", definition("{ capability: room, relationship: Link }")),
    ("capability-unknown", definition("{ capability: rooom, relationship: Link, node: Server }")),
    ("key-missing", definition("{ capability: Room, relationship: { description: d } }")),
    (
        "property-unknown",
        definition("{ capability: Room, relationship: { type: Link, properties: { nope: { type: string } } } }"),
    ),
    (
        "attribute-unknown",
        definition("{ capability: Room, relationship: { type: Link, attributes: { nope: { type: string } } } }"),
    ),
    (
        "interface-unknown",
        definition("{ capability: Room, relationship: { type: Link, interfaces: { nope: { type: Conf } } } }"),
    ),
    (
        "operation-unknown",
        definition(
            "{ capability: Room, relationship: { type: Link, interfaces: { conf: { operations: { nope: a.sh } } } } }"
        ),
    ),
    ("key-unknown", definition("{ capability: Room, relationship: { type: Link, foo: 1 } }")),
    (
        "refinement",
        definition("{ capability: Room, relationship: { type: Link, properties: { speed: { type: string } } } }"),
    ),
    (
        "value-type",
        definition("{ capability: Room, relationship: { type: Link, properties: { speed: { default: abc } } } }"),
    ),
    ("key-unknown", definition("{ capability: Room, relationship: Link, occurrences: [ 0, 1 ] }")),
    ("value-type", definition("{ capability: Room, relationship: Link, count_range: [ 0 ] }")),
    ("value-type", definition("{ capability: Room, relationship: Link, count_range: [ 0,1,2 ] }")),
    ("value-type", definition("{ capability: Room, relationship: Link, count_range: [ 2,1 ] }")),
    ("value-type", definition("{ capability: Room, relationship: Link, count_range: [ -1,1 ] }")),
    ("value-type", definition("{ capability: Room, relationship: Link, count_range: [ UNBOUNDED,UNBOUNDED ] }")),
    ("value-type", definition("{ capability: Room, relationship: Link, count_range: [ '0','1' ] }")),
    ("value-type", definition("{ capability: Room, relationship: Link, count_range: [ 0.5,1 ] }")),
    ("shape", definition("{ capability: Room, relationship: Link, count_range: 1 }")),
    (
        "shape",
        "node_types: { T: { requirements: [ { r: { capability: Room, relationship: Link } }, { "
        "r: { capability: Room, relationship: Link } } ] } }",
    ),
    ("shape", "node_types: { T: { requirements: { r: { capability: Room, relationship: Link } } } }"),
    ("node-filter", definition("{ capability: Room, relationship: Link, node_filter: { properties: [ ] } }")),
    ("node-filter", definition("{ capability: Room, relationship: Link, node_filter: 5 }")),
    ("value-type", definition("{ capability: Room, relationship: Link, node_filter: { $concat: [ a, b ] } }")),
    ("node-filter", definition("{ capability: Room, relationship: Link, node_filter: [ { $equal: [ 1, 1 ] } ] }")),
    ("refinement", refinement("{ capability: Room, relationship: Link }", "{ capability: Other, relationship: Link }")),
    (
        "refinement",
        refinement("{ capability: Room, relationship: Link }", "{ capability: Room, relationship: Unrelated }"),
    ),
    (
        "refinement",
        refinement(
            "{ capability: Room, relationship: Link, node: Server }",
            "{ capability: Room, relationship: Link, node: App }",
        ),
    ),
    (
        "target-mismatch",
        refinement("{ capability: Room, relationship: Link }", "{ capability: Room, relationship: Link, node: Thing }"),
    ),
    (
        "refinement",
        refinement(
            "{ capability: Room, relationship: Link, count_range: [ 1, 2 ] }",
            "{ capability: Room, relationship: Link, count_range: [ 0, 2 ] }",
        ),
    ),
    (
        "refinement",
        refinement(
            "{ capability: Room, relationship: Link, count_range: [ 1, 2 ] }",
            "{ capability: Room, relationship: Link, count_range: [ 1, UNBOUNDED ] }",
        ),
    ),
    (
        "refinement",
        refinement(
            "{ capability: room, relationship: Link, node: Server }",
            "{ capability: Room, relationship: Link, node: BigServer }",
        ),
    ),
    ("target-unknown", assignment("{ base: nope }")),
    ("requirement-unknown", assignment("{ nope: server }")),
    ("value-type", assignment("{ base: { node: [ server, -1 ] } }")),
    ("value-type", assignment("{ base: { node: [ server, x ] } }")),
    ("shape", assignment("{ base: { node: [ server, 0, 0 ] } }")),
    ("value-type", assignment("{ base: { node: [ server, 0.5 ] } }")),
    ("value-type", assignment("{ base: { node: [ server, { $concat: [ a, b ] } ] } }")),
    ("function-unknown", assignment("{ base: { node: [ server, $node_indx ] } }")),
    ("target-unknown", assignment("{ base: { node: [ Server, 0 ] } }")),
    ("target-mismatch", assignment("{ base: { node: server, capability: BigRoom } }")),
    ("target-mismatch", assignment("{ base: { node: server, capability: nope } }")),
    ("target-mismatch", assignment("{ base: { node: server, capability: Other } }")),
    ("target-mismatch", assignment("{ base: { node: server, relationship: Unrelated } }")),
    ("type-unknown", assignment("{ base: { node: server, relationship: Nope } }")),
    ("property-unknown", assignment("{ base: { node: server, relationship: { properties: { nope: 2 } } } }")),
    ("value-type", assignment("{ base: { node: server, relationship: { attributes: { load: x } } } }")),
    ("value-type", assignment("{ base: { node: server, relationship: { properties: { speed: x } } } }")),
    (
        "interface-unknown",
        assignment("{ base: { node: server, relationship: { interfaces: { nope: { operations: { go: a.sh } } } } } }"),
    ),
    ("key-unknown", assignment("{ base: { node: server, relationship: { foo: 1 } } }")),
    (
        "type-unknown",
        assignment(
            "{ base: { node: server, relationship: { type: rt } } }", "}, relationship_templates: { rt: { type: Link }"
        ),
    ),
    (
        "target-mismatch",
        assignment(
            "{ base: { node: server, relationship: rt } }", "}, relationship_templates: { rt: { type: Unrelated }"
        ),
    ),
    ("value-type", assignment("{ base: { node: server, count: -1 } }")),
    ("value-type", assignment("{ base: { node: server, count: 1.5 } }")),
    ("requirement-count", assignment("{ base: { count: 3 } }")),
    ("requirement-count", assignment("{ base: server }, { base: server }, { base: server }")),
    (
        "value-type",
        assignment(
            "{ base: { node: Server, count: { $get_input: c } } }", "}, inputs: { c: { type: string, default: x }"
        ),
    ),
    ("value-type", assignment("{ base: { optional: 'true' } }")),
    ("value-type", assignment("{ base: { optional: yes_ } }")),
    ("shape", assignment("{ base: { node: server, directives: [ foo ] } }")),
    ("shape", assignment("{ base: { node: server, directives: internal } }")),
    ("allocation", assignment("{ base: { node: server, allocation: { cpus: 5 } } }")),
    ("allocation", assignment("{ base: { node: server, allocation: { label: x } } }")),
    ("value-type", assignment("{ base: { node: server, allocation: { cpus: x } } }")),
    ("shape", assignment("{ base: { node: server, allocation: [ cpus ] } }")),
    (
        "allocation",
        assignment(
            "{ base: { node: server, allocation: { cpus: 2 } } }, { base: { node: server, allocation: { cpus: 3 } } }"
        ),
    ),
    ("key-unknown", assignment("{ base: { node: server, occurrences: [ 1,1 ] } }")),
    (
        "target-mismatch",
        assignment(
            "{ base: { node: server, node_filter: { $equal: [ { $get_property: [ SELF, CAPABILITY, cpus ] }, 5 ] } } }"
        ),
    ),
    ("function-unknown", assignment("{ base: { node: server, node_filter: { $equa: [ 1, 5 ] } } }")),
    ("value-type", assignment("{ base: { node: server, node_filter: { $greater_than: [ a, 5 ] } } }")),
    ("value-type", assignment("{ base: { node: server, node_filter: { $concat: [ a, b ] } } }")),
    ("shape", assignment("{ base: server, foo: server }")),
    ("shape", "service_template: { node_templates: { app: { requirements: { base: server } } } }"),
    ("target-mismatch", assignment("{ base: { node: Thing } }")),
    ("target-mismatch", assignment("{ base: t }", ", t: { type: Thing }")),
]

REFUSED = [
    ("requirement-unmet", assignment("{ base: { node: [ server, 1 ] } }")),
    ("requirement-unmet", assignment("{ base: { node: Server, allocation: { cpus: 5 } } }")),
    ("allocation", assignment("{ base: { node: server, allocation: { nope: 1 } } }")),
    (
        "requirement-unmet",
        assignment(
            "{ base: { node: Server, node_filter: { $equal: [ { $get_property: [ SELF, TARGET, name ] }, q ] } } }"
        ),
    ),
]


@pytest.mark.parametrize("change", VALID)
def test_a_requirement_as_the_standard_has_it_is_accepted(change):
    assert verdict(changed(change)) == []


@pytest.mark.parametrize(("code", "change"), INVALID)
def test_a_requirement_against_the_standard_is_an_error(code, change):
    found = verdict(changed(change))
    assert found
    assert found[0] == ("error", code)


@pytest.mark.parametrize(("code", "change"), REFUSED)
def test_a_requirement_that_nothing_here_can_follow_is_refused(code, change):
    found = verdict(changed(change))
    assert found
    assert found[0] == ("refusal", code)
