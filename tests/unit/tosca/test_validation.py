"""Validation clauses of TOSCA 2.0 (§9.11): what they mean for values, and what is wrong in themselves."""

from __future__ import annotations

import pytest

HEAD = """tosca_definitions_version: tosca_2_0
data_types:
  Length: {{ derived_from: scalar, units: {{ m: 1, cm: 0.01 }} }}
  Size: {{ derived_from: scalar, data_type: integer, units: {{ B: 1, kB: 1000 }} }}
  Positive: {{ derived_from: integer, validation: {{ $greater_than: [ $value, 0 ] }} }}
  Even:
    derived_from: Positive
    validation: {{ $equal: [ {{ $remainder: [ $value, 2 ] }}, 0 ] }}
  Counted: {{ derived_from: scalar, data_type: Positive, units: {{ B: 1, kB: 1000 }} }}
  Span:
    properties:
      low: {{ type: float }}
      high: {{ type: float }}
    validation: {{ $greater_or_equal: [ {{ $value: [ high ] }}, {{ $value: [ low ] }} ] }}
"""
PROPERTY = """
node_types:
  N:
    attributes: {{ address: {{ type: string }} }}
    properties:
      least: {{ type: integer, default: 1 }}
      value: {{ type: {type} }}
service_template:
  node_templates:
    n: {{ type: N, properties: {{ value: {value} }} }}
"""

KEPT = [
    ("integer, validation: { $greater_or_equal: [ $value, 0 ] }", "0"),
    ("integer, validation: { $greater_or_equal: [ { $value: [] }, 0 ] }", "0"),
    ("integer, validation: { $greater_or_equal: [ $value, { $get_property: [ SELF, least ] } ] }", "1"),
    ("integer, validation: { $and: [ { $greater_than: [ $value, 0 ] }, { $less_than: [ $value, 9 ] } ] }", "5"),
    ("float, validation: { $less_than: [ $value, 1 ] }", "0.5"),
    ("Positive", "3"),
    ("Even", "4"),
    ("Span", "{ low: 1.0, high: 2.0 }"),
    ("Length, validation: { $less_than: [ $value, 15 cm ] }", "0.1 m"),
    ("Size, validation: { $valid_values: [ $value, [ 1 kB, 2 kB ] ] }", "2000 B"),
    ("Counted", "1 kB"),
    ("version, validation: { $less_than: [ $value, 1.10.0 ] }", "1.9.1"),
    ("timestamp, validation: { $less_than: [ $value, 2025-01-01T00:00:00Z ] }", "2024-12-31T23:59:59+00:00"),
    ("string, validation: { $matches: [ $value, '^[a-z]+$' ] }", "abc"),
    ("string, validation: { $valid_values: [ $value, [ a, b ] ] }", "b"),
    ("list, entry_schema: string, validation: { $equal: [ { $length: [ $value ] }, 2 ] }", "[ a, b ]"),
    ("list, entry_schema: Positive, validation: { $has_entry: [ $value, 0 ] }", None),
    ("map, key_schema: { type: string, validation: { $has_prefix: [ $value, x ] } }, entry_schema: Even", "{ x1: 2 }"),
    ("map, entry_schema: Even, validation: { $has_all_keys: [ $value, [ a, b ] ] }", "{ a: 2, b: 4, c: 6 }"),
    ("string, validation: { $equal: [ $value, { $get_attribute: [ SELF, address ] } ] }", "anything"),
]


@pytest.mark.parametrize(("kind", "value"), [k for k in KEPT if k[1]], ids=[k for k, v in KEPT if v])
def test_a_value_that_meets_its_clause_is_taken(kind, value, resolved):
    assert resolved((HEAD + PROPERTY).format(type=kind, value=value))


BROKEN = [
    ("integer, validation: { $greater_or_equal: [ $value, 0 ] }", "-1"),
    ("integer, validation: { $greater_or_equal: [ $value, { $get_property: [ SELF, least ] } ] }", "0"),
    ("Positive", "0"),
    ("Even", "3"),
    ("Even", "0"),
    ("Positive, validation: { $less_than: [ $value, 9 ] }", "9"),
    ("Span", "{ low: 3.0, high: 2.0 }"),
    ("Length, validation: { $less_than: [ $value, 15 cm ] }", "0.2 m"),
    ("Size, validation: { $valid_values: [ $value, [ 1 kB, 2 kB ] ] }", "3 kB"),
    ("Counted", "-1 kB"),
    ("version, validation: { $less_than: [ $value, 1.10.0 ] }", "1.11.0"),
    ("timestamp, validation: { $less_than: [ $value, 2025-01-01T00:00:00Z ] }", "2025-01-01T00:00:00-01:00"),
    ("string, validation: { $matches: [ $value, '^[a-z]+$' ] }", "aBc"),
    ("list, entry_schema: string, validation: { $equal: [ { $length: [ $value ] }, 2 ] }", "[ a ]"),
    ("list, entry_schema: Even", "[ 2, 3 ]"),
    ("map, key_schema: { type: string, validation: { $has_prefix: [ $value, x ] } }, entry_schema: Even", "{ y: 2 }"),
    ("integer, validation: { $less_than: [ $value, 1 ] }", "{ $sum: [ 1, 1 ] }"),
]


@pytest.mark.parametrize(("kind", "value"), BROKEN, ids=[f"{k} = {v}" for k, v in BROKEN])
def test_a_value_that_breaks_its_clause_is_refused(kind, value, refused):
    assert [c for c, _, _ in refused((HEAD + PROPERTY).format(type=kind, value=value))] == ["constraint"]


def test_the_clause_that_is_broken_is_shown(loaded):
    result = loaded((HEAD + PROPERTY).format(type="Positive", value="-4"))
    assert result.diagnostics[0].summary == "-4 breaks its validation clause { $greater_than: [ $value, 0 ] }"


SENSELESS = [
    ("integer", "5", "shape"),
    ("integer", "[ $greater_than ]", "shape"),
    ("integer", "{ greater_than: 5 }", "shape"),
    ("integer", "{ $greater_then: [ $value, 5 ] }", "function-unknown"),
    ("integer", "{ $greater_than: [ $value ] }", "function-arguments"),
    ("integer", "{ $greater_than: [ $value, abc ] }", "value-type"),
    ("integer", "{ $sum: [ $value, 1 ] }", "value-type"),
    ("integer", "$value", "value-type"),
    ("string", "{ $less_than: [ $value, 5 ] }", "value-type"),
    ("string", "{ $matches: [ $value, '(' ] }", "pattern"),
    ("integer", "{ $matches: [ $value, a ] }", "value-type"),
    ("integer", "{ $equal: [ { $length: [ $value ] }, 5 ] }", "value-type"),
    ("string", "{ $equal: [ { $length: [ $value ] }, five ] }", "value-type"),
    ("Length", "{ $less_than: [ $value, 15 kg ] }", "value-type"),
    ("Length", "{ $less_than: [ $value, 15 ] }", "value-type"),
    ("Span", "{ $less_than: [ { $value: [ hihg ] }, 15.0 ] }", "function-arguments"),
    ("Span", "{ $less_than: [ $value, 15.0 ] }", "value-type"),
    ("integer", "{ $valid_values: [ $value, [ 1, two ] ] }", "value-type"),
    ("integer", "{ $get_property: [ SELF ] }", "function-arguments"),
    ("integer", "{ $less_than: [ $value, 1 ], $greater_than: [ $value, 0 ] }", "shape"),
]


@pytest.mark.parametrize(("kind", "clause", "code"), SENSELESS, ids=[c for _, c, _ in SENSELESS])
def test_a_clause_that_makes_no_sense_is_told_without_any_value(kind, clause, code, loaded):
    text = HEAD.format() + f"node_types: {{ N: {{ properties: {{ p: {{ type: {kind}, validation: {clause} }} }} }} }}\n"
    found = loaded(text).diagnostics
    assert [d.code for d in found] == [code], [d.render() for d in found]


def test_a_clause_of_a_data_type_is_checked_though_nothing_uses_the_type(loaded):
    text = HEAD.format() + "  Bad: { derived_from: string, validation: { $greater_than: [ $value, 1 ] } }\n"
    assert [d.code for d in loaded(text).diagnostics] == ["value-type"]


def test_a_default_that_breaks_its_clause_is_told(loaded):
    text = HEAD.format() + "node_types: { N: { properties: { p: { type: Positive, default: 0 } } } }\n"
    assert [d.code for d in loaded(text).diagnostics] == ["constraint"]


def test_an_input_that_breaks_its_clause_is_refused(loaded):
    text = HEAD.format() + "service_template: { node_templates: {}, inputs: { p: { type: Even } } }\n"
    assert loaded(text, p=4).topology is not None
    assert [d.code for d in loaded(text, p=5).diagnostics if d.severity == "error"] == ["constraint"]


def test_constraints_of_1_x_know_json_schemas_and_refuse_to_check_them(loaded):
    text = """
        node_types:
          N:
            derived_from: tosca.nodes.Root
            properties: { p: { type: string, required: false, constraints: [ schema: %s ] } }
        """
    found = loaded(text % '\'{ "type": "object" }\'').diagnostics
    assert [(d.code, d.severity) for d in found] == [("unsupported", "refusal")]
    assert [d.code for d in loaded(text % "no json").diagnostics] == ["constraint-bad"]


def test_a_type_that_contains_itself_may_have_a_clause_about_its_parts(loaded):
    text = """
        tosca_definitions_version: tosca_2_0
        data_types:
          Short: { derived_from: list, entry_schema: Short, validation: { $less_than: [ { $length: [ $value ] }, 3 ] } }
          Chain:
            properties: { next: { type: Chain, required: false }, rank: { type: integer } }
            validation: { $greater_than: [ { $value: [ rank ] }, 0 ] }
        node_types: { N: { properties: { a: { type: Short }, b: { type: Chain } } } }
        service_template:
          node_templates: { n: { type: N, properties: { a: %s, b: %s } } }
        """
    short, chain = "{ $union: [ [ [], [ [] ] ], [ [] ] ] }", "{ rank: 1, next: { rank: 2 } }"
    assert loaded(text % (short, chain)).topology is not None
    assert [d.code for d in loaded(text % ("[ [ [], [], [] ] ]", chain)).diagnostics] == ["constraint"]
    assert [d.code for d in loaded(text % (short, "{ rank: 1, next: { rank: 0 } }")).diagnostics] == ["constraint"]
