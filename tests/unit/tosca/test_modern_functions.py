"""Functions, TOSCA paths and function definitions of TOSCA 2.0 (chapter 10), sentence by sentence."""

from __future__ import annotations

import pytest

from .modern import changed, verdict

INPUTS = (
    "{ i: { type: integer, default: 3 }, s: { type: string, default: abc }, "
    "l: { type: list, entry_schema: integer, default: [ 1, 2 ] }, f: { type: float, default: 1.5 }, "
    "b: { type: boolean, default: true }, z: { type: Size, default: 3 kB } }"
)


def value(expression, kind="string", more=""):
    """The expression as the value of a property of that type."""
    return (
        f"node_types: {{ App: {{ properties: {{ v: {{ type: {kind} }} }} }} }}\n"
        f"service_template: {{ inputs: {INPUTS}, "
        f"node_templates: {{ app: {{ properties: {{ v: {expression} }} }} {more} }} }}"
    )


def function(definition, more=""):
    return f"functions: {{ fun: {definition} }}\n{more}"


VALID = [
    value("{ $and: [ true, false ] }", "boolean"),
    value("{ $not: [ true ] }", "boolean"),
    value("{ $xor: [ true, false ] }", "boolean"),
    value("{ $equal: [ 1, 1.0 ] }", "boolean"),
    value("{ $equal: [ { a: 1 }, { a: 1 } ] }", "boolean"),
    value("{ $greater_than: [ 2, 1 ] }", "boolean"),
    value("{ $greater_than: [ { $get_input: z }, 1 kB ] }", "boolean"),
    value("{ $valid_values: [ 1, [ 1, 2 ] ] }", "boolean"),
    value("{ $valid_values: [ 1, [ ] ] }", "boolean"),
    value("{ $matches: [ a, '^a$' ] }", "boolean"),
    value("{ $has_suffix: [ [ a, b ], [ b ] ] }", "boolean"),
    value("{ $has_entry: [ [ 1, 2 ], 1 ] }", "boolean"),
    value("{ $has_key: [ { a: 1 }, a ] }", "boolean"),
    value("{ $has_any_key: [ { a: 1 }, [ a ] ] }", "boolean"),
    value("{ $length: [ abc ] }", "integer"),
    value("{ $length: [ [ 1, 2 ] ] }", "integer"),
    value("{ $concat: [ a, { $get_input: i } ] }", "string"),
    value("{ $concat: [ [ 1 ], [ 2 ] ] }", "list, entry_schema: integer"),
    value("{ $concat: [ a ] }", "string"),
    value("{ $join: [ [ a, b ], ',' ] }", "string"),
    value("{ $token: [ 'a:b', ':', 1 ] }", "string"),
    value("{ $union: [ [ 1 ], [ 1, 2 ] ] }", "list, entry_schema: integer"),
    value("{ $intersection: [ [ 1 ], [ 1, 2 ] ] }", "list, entry_schema: integer"),
    value("{ $sum: [ 1, 2 ] }", "integer"),
    value("{ $sum: [ 1, 2.5 ] }", "float"),
    value("{ $sum: [ { $get_input: z }, 1 kB ] }", "Size"),
    value("{ $product: [ { $get_input: z }, 2 ] }", "Size"),
    value("{ $product: [ 2, 2 ] }", "float"),
    value("{ $quotient: [ 4, 2 ] }", "float"),
    value("{ $quotient: [ { $get_input: z }, 2 ] }", "Size"),
    value("{ $remainder: [ 7, 2 ] }", "integer"),
    value("{ $round: [ 3.5 ] }", "integer"),
    value("{ $round: [ 3 ] }", "integer"),
    value("{ $get_property: [ server, name ] }"),
    value("{ $get_property: [ server, 0, name ] }"),
    value("{ $get_property: [ server, ALL, name ] }", "list, entry_schema: string"),
    value("{ $get_property: [ SELF, RELATIONSHIP, base, speed ] }", "integer"),
    value("{ $get_property: [ SELF, RELATIONSHIP, base, TARGET, name ] }"),
    value("{ $get_property: [ SELF, RELATIONSHIP, base, 0, CAPABILITY, cpus ] }", "integer"),
    value("{ $get_property: [ server, CAPABILITY, room, cpus ] }", "integer"),
    value("{ $get_property: [ server, CAPABILITY, room, RELATIONSHIP, SOURCE, n ] }", "integer"),
    value("{ $get_property: [ server, CAPABILITY, room, RELATIONSHIP, 0, speed ] }", "integer"),
    value("{ $get_property: [ server, CAPABILITY, room, RELATIONSHIP, ALL, speed ] }", "list, entry_schema: integer"),
    value(
        "{ $get_property: [ SELF, RELATIONSHIP, base, TARGET, CAPABILITY, room, RELATIONSHIP, 0, "
        "SOURCE, RELATIONSHIP, base, TARGET, name ] }"
    ),
    value("{ $get_attribute: [ server, name ] }"),
    value("{ $get_attribute: [ server, address ] }"),
    value("$node_index", "integer"),
    value("{ $node_index: [ ] }", "integer"),
    value("{ $available_allocation: [ server, CAPABILITY, room, cpus ] }", "integer"),
    value("{ $available_allocation: [ SELF, RELATIONSHIP, base, CAPABILITY, cpus ] }", "integer"),
    value("$$foo"),
    function(
        "{ signatures: [ { arguments: [ integer ], optional_arguments: [ { type: string } ], "
        "variadic: true, result: float, implementation: a.sh } ], description: d, metadata: { a: "
        "b } }"
    ),
    function("{ signatures: { one: { result: string } } }"),
    function("{ signatures: [ { implementation: { primary: { file: a.sh, type: Bash }, dependencies: [ b.sh ] } } ] }"),
    function(
        "{ signatures: [ { arguments: [ integer ], result: string } ] }",
        "service_template: { functions: { fun: { signatures: [ { implementation: a.sh } ] } } }",
    ),
    function(
        "{ signatures: [ { arguments: [ integer ], result: string } ] }",
        "service_template: { functions: { fun: { signatures: [ {}, { arguments: [ string ] } ] } } }",
    ),
]

INVALID = [
    ("function-arguments", value("{ $and: [ true ] }", "boolean")),
    ("value-type", value("{ $and: [ true, a ] }", "boolean")),
    ("value-type", value("{ $and: [ true, 'true' ] }", "boolean")),
    ("function-arguments", value("{ $and: { a: true, b: true } }", "boolean")),
    ("value-type", value("{ $and: [ true, false ] }", "integer")),
    ("function-arguments", value("{ $or: [ true ] }", "boolean")),
    ("function-arguments", value("{ $not: [ true, true ] }", "boolean")),
    ("function-arguments", value("{ $not: true }", "boolean")),
    ("function-arguments", value("{ $xor: [ true, true, true ] }", "boolean")),
    ("function-arguments", value("{ $equal: [ 1 ] }", "boolean")),
    ("value-type", value("{ $equal: [ 1, a ] }", "boolean")),
    ("value-type", value("{ $equal: [ { $get_input: i }, abc ] }", "boolean")),
    ("value-type", value("{ $greater_than: [ true, false ] }", "boolean")),
    ("value-type", value("{ $greater_than: [ [ 1 ], [ 2 ] ] }", "boolean")),
    ("function-arguments", value("{ $greater_than: [ 2, 1, 0 ] }", "boolean")),
    ("value-type", value("{ $greater_than: [ { $get_input: z }, 1 ZB ] }", "boolean")),
    ("value-type", value("{ $valid_values: [ 1, 2 ] }", "boolean")),
    ("value-type", value("{ $valid_values: [ 1, [ a, b ] ] }", "boolean")),
    ("value-type", value("{ $matches: [ 1, '^a$' ] }", "boolean")),
    ("pattern", value("{ $matches: [ a, '(' ] }", "boolean")),
    ("value-type", value("{ $has_suffix: [ a, [ a ] ] }", "boolean")),
    ("value-type", value("{ $has_suffix: [ { a: b }, { a: b } ] }", "boolean")),
    ("value-type", value("{ $contains: [ 1, 1 ] }", "boolean")),
    ("value-type", value("{ $has_entry: [ abc, a ] }", "boolean")),
    ("value-type", value("{ $has_entry: [ { $get_input: l }, a ] }", "boolean")),
    ("value-type", value("{ $has_key: [ [ a ], a ] }", "boolean")),
    ("value-type", value("{ $has_all_keys: [ { a: 1 }, a ] }", "boolean")),
    ("value-type", value("{ $has_all_entries: [ [ 1 ], 1 ] }", "boolean")),
    ("value-type", value("{ $length: [ 1 ] }", "integer")),
    ("function-arguments", value("{ $length: [ a, b ] }", "integer")),
    ("function-arguments", value("{ $length: abc }", "integer")),
    ("value-type", value("{ $length: [ abc ] }", "string")),
    ("value-type", value("{ $concat: [ a, 1 ] }", "string")),
    ("value-type", value("{ $concat: [ a, [ b ] ] }", "string")),
    ("value-type", value("{ $concat: [ [ 1 ], [ a ] ] }", "list, entry_schema: string")),
    ("function-arguments", value("{ $concat: [ ] }", "string")),
    ("function-arguments", value("{ $concat: a }", "string")),
    ("value-type", value("{ $join: [ a, b ] }", "string")),
    ("value-type", value("{ $join: [ [ 1, 2 ] ] }", "string")),
    ("value-type", value("{ $join: [ { $get_input: l } ] }", "string")),
    ("function-arguments", value("{ $join: [ [ a ], b, c ] }", "string")),
    ("value-type", value("{ $join: [ [ a ], 1 ] }", "string")),
    ("function-arguments", value("{ $token: [ 'a:b', ':' ] }", "string")),
    ("value-type", value("{ $token: [ 'a:b', ':', a ] }", "string")),
    ("function-arguments", value("{ $token: [ 'a:b', ':', -1 ] }", "string")),
    ("function-arguments", value("{ $token: [ 'a:b', ':', 5 ] }", "string")),
    ("function-arguments", value("{ $token: [ 'a:b', '', 0 ] }", "string")),
    ("value-type", value("{ $token: [ 12, ':', 0 ] }", "string")),
    ("value-type", value("{ $union: [ 1, 2 ] }", "list, entry_schema: integer")),
    ("value-type", value("{ $union: [ [ 1 ], [ a ] ] }", "list, entry_schema: integer")),
    ("function-arguments", value("{ $union: [ ] }", "list, entry_schema: integer")),
    ("value-type", value("{ $sum: [ 1, a ] }", "integer")),
    ("value-type", value("{ $sum: [ { $get_input: z }, 1 ] }", "Size")),
    ("function-arguments", value("{ $sum: [ ] }", "integer")),
    ("value-type", value("{ $sum: [ true, 1 ] }", "integer")),
    ("function-arguments", value("{ $difference: [ 1 ] }", "integer")),
    ("function-arguments", value("{ $difference: [ 1,2,3 ] }", "integer")),
    ("function-arguments", value("{ $product: [ { $get_input: z }, 2, 3 ] }", "Size")),
    ("value-type", value("{ $product: [ 2, { $get_input: z } ] }", "Size")),
    ("value-type", value("{ $product: [ 2, 2.5 ] }", "integer")),
    ("value-type", value("{ $quotient: [ 4, 2 ] }", "integer")),
    ("function-arguments", value("{ $quotient: [ 4, 0 ] }", "float")),
    ("value-type", value("{ $quotient: [ 4, { $get_input: z } ] }", "Size")),
    ("value-type", value("{ $remainder: [ 4.5, 2 ] }", "float")),
    ("value-type", value("{ $remainder: [ 4, 2.5 ] }", "integer")),
    ("value-type", value("{ $round: [ a ] }", "integer")),
    ("function-arguments", value("{ $round: [ 1.5, 2.5 ] }", "integer")),
    ("function-arguments", value("{ $floor: 1.5 }", "integer")),
    ("input-unknown", value("{ $get_input: nope }")),
    ("function-arguments", value("$get_input")),
    ("value-type", value("{ $get_input: i }", "string")),
    ("function-arguments", value("{ $get_input: [ l, 5 ] }", "integer")),
    ("property-unknown", value("{ $get_input: [ i, x ] }", "integer")),
    ("function-arguments", value("{ $get_input: { a: b } }", "string")),
    ("input-unknown", value("{ $get_input: 5 }", "string")),
    ("property-unknown", value("{ $get_property: [ SELF, nope ] }")),
    ("property-cycle", value("{ $get_property: [ SELF, v ] }")),
    ("function-arguments", value("{ $get_property: [ SELF ] }")),
    ("function-arguments", value("{ $get_property: SELF }")),
    ("function-arguments", value("{ $get_property: [ server, 1, name ] }")),
    ("function-arguments", value("{ $get_property: [ server, -1, name ] }")),
    ("value-type", value("{ $get_property: [ server, ALL, name ] }")),
    ("function-arguments", value("{ $get_property: [ SELF, 0, n ] }", "integer")),
    ("function-arguments", value("{ $get_property: [ SELF, SOURCE, n ] }", "integer")),
    ("function-arguments", value("{ $get_property: [ HOST, n ] }", "integer")),
    ("function-arguments", value("{ $get_property: [ TARGET, n ] }", "integer")),
    ("function-arguments", value("{ $get_property: [ SELF, RELATIONSHIP, base, 1, CAPABILITY, cpus ] }", "integer")),
    ("requirement-unknown", value("{ $get_property: [ SELF, RELATIONSHIP, nope, speed ] }", "integer")),
    ("capability-unknown", value("{ $get_property: [ server, CAPABILITY, nope, cpus ] }", "integer")),
    ("function-arguments", value("{ $get_property: [ server, CAPABILITY, room, RELATIONSHIP, 9, speed ] }", "integer")),
    ("property-unknown", value("{ $get_property: [ server, address ] }")),
    ("value-type", value("{ $get_attribute: [ server, address ] }", "integer")),
    ("attribute-unknown", value("{ $get_attribute: [ server, nope ] }")),
    ("artifact-unknown", value("{ $get_artifact: [ SELF, nope ] }")),
    ("function-arguments", value("{ $get_artifact: [ SELF, RELATIONSHIP, base, nope ] }")),
    ("function-arguments", value("$value")),
    ("function-arguments", value("{ $node_index: [ 1 ] }", "integer")),
    ("value-type", value("$node_index", "string")),
    ("function-arguments", value("$relationship_index", "integer")),
    ("value-type", value("{ $available_allocation: [ server, CAPABILITY, room, label ] }", "string")),
    ("function-arguments", value("{ $available_allocation: [ server, name ] }", "string")),
    ("function-arguments", value("{ $available_allocation: [ server, CAPABILITY, room, cpus, x ] }", "integer")),
    ("function-unknown", value("{ $conca: [ a ] }")),
    ("function-unknown", value("{ $con$cat: [ a ] }")),
    ("function-malformed", value("{ $concat: [ a ], b: c }")),
    ("function-unknown", value("{ $: [ a ] }")),
    ("function-unknown", value("$")),
    ("key-missing", function("{ description: d }")),
    ("shape", function("{ signatures: [ ] }")),
    ("key-unknown", function("{ signatures: [ { result: string } ], foo: 1 }")),
    ("key-unknown", function("{ signatures: [ { result: string, foo: 1 } ] }")),
    ("type-unknown", function("{ signatures: [ { result: Nope } ] }")),
    ("type-unknown", function("{ signatures: [ { arguments: [ Nope ] } ] }")),
    ("shape", function("{ signatures: [ { arguments: { a: integer } } ] }")),
    ("shape", function("{ signatures: [ { variadic: maybe } ] }")),
    ("key-missing", function("{ signatures: [ { arguments: [ list ] } ] }")),
    ("key-unknown", function("{ signatures: [ { implementation: { foo: a.sh } } ] }")),
    ("shape", function("{ signatures: [ { implementation: [ a.sh ] } ] }")),
    ("type-unknown", function("{ signatures: [ { implementation: { primary: { file: a.sh, type: Nope } } } ] }")),
    ("shape", "functions: { 'f$n': { signatures: [ { result: string } ] } }"),
    ("shape", "functions: { fun: a.sh }"),
    (
        "function-arguments",
        function("{ signatures: [ { arguments: [ integer ], result: string } ] }", value("{ $fun: [ 1, 2 ] }")),
    ),
    (
        "function-arguments",
        function("{ signatures: [ { arguments: [ integer ], result: string } ] }", value("{ $fun: [ a ] }")),
    ),
    (
        "value-type",
        function("{ signatures: [ { arguments: [ integer ], result: string } ] }", value("{ $fun: [ 1 ] }", "integer")),
    ),
    (
        "function-arguments",
        function(
            "{ signatures: [ { arguments: [ { type: integer, validation: { $greater_than: [ $value, "
            "3 ] } } ], result: string } ] }",
            value("{ $fun: [ 1 ] }"),
        ),
    ),
    (
        "refinement",
        function(
            "{ signatures: [ { arguments: [ integer ], result: string } ] }",
            "service_template: { functions: { fun: { signatures: [ { arguments: [ string ] } ] } } }",
        ),
    ),
    (
        "key-missing",
        function(
            "{ signatures: [ { arguments: [ integer ], result: string } ] }",
            "service_template: { functions: { fun: { description: x } } }",
        ),
    ),
]

REFUSED = [
    ("function-unknown", value("{ $frobnicate: [ 1 ] }")),
    (
        "unsupported",
        function("{ signatures: [ { arguments: [ integer ], result: string } ] }", value("{ $fun: [ 1 ] }")),
    ),
    ("unsupported", function("{ signatures: [ { result: string } ] }", value("$fun"))),
]


TWO = (
    ", b1: { type: Server, properties: { name: x } }, "
    "b2: { type: Server, properties: { name: y }, capabilities: { room: { properties: { cpus: 8, mem: 3 MB } } } }, "
    "user: { type: App, requirements: [ { base: { node: b1, allocation: { cpus: 3 }, "
    "relationship: { properties: { speed: 5 } } } }, { base: { node: b2, allocation: { cpus: 2, mem: 1 MB }, "
    "relationship: { type: LinkFast, properties: { speed: 6 } } } } ] }"
)
MANY, NUMBERS = "list, entry_schema: string", "list, entry_schema: integer"
WORKED_OUT = [
    ("{ $get_property: [ user, RELATIONSHIP, base, ALL, TARGET, name ] }", MANY, ["x", "y"]),
    ("{ $get_property: [ user, RELATIONSHIP, base, ALL, speed ] }", NUMBERS, [5, 6]),
    ("{ $get_property: [ b2, CAPABILITY, room, RELATIONSHIP, 0, speed ] }", "integer", 6),
    (
        "{ $get_property: [ b2, CAPABILITY, room, RELATIONSHIP, ALL, SOURCE, RELATIONSHIP, base, ALL, TARGET, name ] }",
        MANY,
        ["x", "y"],
    ),
    ("{ $available_allocation: [ b1, CAPABILITY, room, cpus ] }", "integer", 1),
    ("{ $available_allocation: [ b2, CAPABILITY, room, mem ] }", "Size", "2000000 B"),
    ("{ $available_allocation: [ user, RELATIONSHIP, base, ALL, CAPABILITY, cpus ] }", NUMBERS, [1, 6]),
    ("{ $quotient: [ { $get_property: [ b2, CAPABILITY, room, mem ] }, 2 ] }", "Size", "1500000 B"),
    ("{ $sum: [ { $get_property: [ b2, CAPABILITY, room, mem ] }, 500 kB ] }", "Size", "3500000 B"),
    ("{ $equal: [ 3000 kB, { $get_property: [ b2, CAPABILITY, room, mem ] } ] }", "boolean", True),
    ("{ $round: [ 3.5 ] }", "integer", 3),
    ("{ $round: [ 3.53 ] }", "integer", 4),
    ("{ $round: [ -3.5 ] }", "integer", -4),
    ("{ $remainder: [ -7, 2 ] }", "integer", -1),
    ("{ $union: [ [ 1, 2, 1 ] ] }", NUMBERS, [1, 2]),
    ("{ $token: [ a-b_c, -_, 2 ] }", "string", "c"),
    ("{ $concat: [ node-, $node_index ] }", "string", "node-0"),
]


@pytest.mark.parametrize(("expression", "kind", "wanted"), WORKED_OUT)
def test_what_is_known_of_the_graph_is_worked_out(expression, kind, wanted):
    result = changed(value(expression, kind, TWO))
    assert result.topology is not None, [d.summary for d in result.diagnostics]
    assert result.topology.nodes["app"].properties["v"] == wanted


AT = """
    tosca_definitions_version: tosca_2_0
    node_types: { N: { properties: { v: { type: string } } } }
    service_template:
      node_templates:
        n:
          type: N
          properties:
            v: %s
    """


@pytest.mark.parametrize(
    ("expression", "code", "column"),
    [
        ("{ $concat: [ a, 1 ] }", "value-type", 28),
        ("{ $get_property: [ nope, v ] }", "target-unknown", 31),
        ("{ $get_property: [ SELF, RELATIONSHIP, r, v ] }", "requirement-unknown", 51),
        ("{ $length: abc }", "function-arguments", 23),
        ("{ $token: [ 'a:b', ':', 5 ] }", "function-arguments", 36),
    ],
)
def test_a_mistake_is_told_where_it_stands(expression, code, column, refused):
    assert refused(AT % expression) == [(code, 8, column)]


@pytest.mark.parametrize("change", VALID)
def test_a_function_as_the_standard_has_it_is_accepted(change):
    assert verdict(changed(change)) == []


@pytest.mark.parametrize(("code", "change"), INVALID)
def test_a_function_against_the_standard_is_an_error(code, change):
    found = verdict(changed(change))
    assert found
    assert found[0] == ("error", code)


@pytest.mark.parametrize(("code", "change"), REFUSED)
def test_a_function_that_nothing_here_can_follow_is_refused(code, change):
    found = verdict(changed(change))
    assert found
    assert found[0] == ("refusal", code)
