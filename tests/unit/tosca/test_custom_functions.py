"""Functions that documents define themselves (TOSCA 2.0 §10.4)."""

from __future__ import annotations

import pytest

from isthmus.topology import Call

HEAD = """tosca_definitions_version: tosca_2_0
data_types:
  Place: { properties: { city: { type: string } } }
node_types:
  N:
    properties:
      value: { type: integer, required: false }
      text: { type: string, required: false }
functions:
  root:
    signatures:
    - arguments: [ { type: integer, validation: { $greater_or_equal: [ $value, 0 ] } } ]
      result: integer
    - arguments: [ float ]
      result: float
  greet:
    signatures:
    - arguments: [ Place ]
      optional_arguments: [ string, integer ]
      variadic: true
      result: string
      implementation: greet.sh
  chance:
    signatures: [ { result: { type: integer } } ]
  whatever:
    signatures: [ { variadic: true } ]
"""
BODY = """
service_template:
  inputs: {{ word: {{ type: string, default: w }}, number: {{ type: integer, default: 4 }} }}
  node_templates:
    n: {{ type: N, properties: {{ {name}: {value} }} }}
"""

CALLS = [
    ("value", "{ $root: [ 4 ] }", Call("custom:root", (4,))),
    ("value", "{ $root: [ { $get_input: number } ] }", Call("custom:root", (4,))),
    ("value", "$chance", Call("custom:chance", ())),
    ("value", "{ $chance: [] }", Call("custom:chance", ())),
    ("value", "{ $sum: [ { $root: [ 4 ] }, 1 ] }", Call("sum", (Call("custom:root", (4,)), 1))),
    ("text", "{ $greet: [ { city: Bari } ] }", Call("custom:greet", ({"city": "Bari"},))),
    ("text", "{ $greet: [ { city: Bari }, x, 1, 2 ] }", Call("custom:greet", ({"city": "Bari"}, "x", 1, 2))),
    ("text", "{ $whatever: [ 1, [ a ] ] }", Call("custom:whatever", (1, ["a"]))),
]


@pytest.mark.parametrize(("name", "call", "made"), CALLS, ids=[c for _, c, _ in CALLS])
def test_a_call_that_fits_a_signature_is_right_and_cannot_be_deployed(name, call, made, loaded):
    result = loaded(HEAD + BODY.format(name=name, value=call))
    assert result.topology is not None, "\n".join(d.render() for d in result.diagnostics)
    assert result.topology.nodes["n"].properties[name] == made
    assert {d.code for d in result.diagnostics if d.severity == "refusal"} == {"unsupported"}


UNFIT = [
    ("value", "{ $root: [] }", "function-arguments", "[ integer ] or [ float ]"),
    ("value", "{ $root: [ 1, 2 ] }", "function-arguments", "[ integer ] or [ float ]"),
    ("value", "{ $root: [ abc ] }", "function-arguments", ""),
    ("value", "{ $root: [ -1 ] }", "value-type", "a float stands where a integer is wanted"),
    ("value", "{ $root: [ { $get_input: word } ] }", "function-arguments", ""),
    ("value", "{ $root: [ { $get_input: wort } ] }", "input-unknown", ""),
    ("value", "{ $chance: [ 1 ] }", "function-arguments", "takes no arguments"),
    ("value", "{ $greet: [ { city: Bari } ] }", "value-type", ""),
    ("text", "{ $greet: [ { town: Bari } ] }", "function-arguments", "[ Place, string?, integer?, … ]"),
    ("text", "{ $greet: [ { city: Bari }, x, y ] }", "function-arguments", ""),
    ("text", "{ $gret: [ { city: Bari } ] }", "function-unknown", ""),
]


@pytest.mark.parametrize(("name", "call", "code", "summary"), UNFIT, ids=[c for _, c, _, _ in UNFIT])
def test_a_call_that_no_signature_fits_is_told_with_the_signatures(name, call, code, summary, loaded):
    result = loaded(HEAD + BODY.format(name=name, value=call))
    (found,) = [d for d in result.diagnostics if d.severity == "error"]
    assert found.code == code
    assert summary in found.summary


BAD = [
    ("[ a ]", "shape"),
    ("{ f: [ a ] }", "shape"),
    ("{ f: {} }", "key-missing"),
    ("{ f: { signatures: [] } }", "shape"),
    ("{ f: { signatures: [ 5 ] } }", "shape"),
    ("{ f: { signatures: [ { arguments: [ Nope ] } ] } }", "type-unknown"),
    ("{ f: { signatures: [ { result: Nope } ] } }", "type-unknown"),
    ("{ f: { signatures: [ { argument: [ string ] } ] } }", "key-unknown"),
    ("{ f: { signatures: [ { variadic: sometimes } ] } }", "shape"),
    ("{ f: { signature: [ {} ], signatures: [ {} ] } }", "key-unknown"),
    ("{ f: { signatures: [ { arguments: [ { type: integer, validation: { $less_than: [ $value, a ] } } ] } ] } }",
     "value-type"),
]  # fmt: skip


@pytest.mark.parametrize(("section", "code"), BAD, ids=[s for s, _ in BAD])
def test_a_definition_that_makes_no_sense_is_told_though_nothing_calls_it(section, code, loaded):
    found = loaded(f"tosca_definitions_version: tosca_2_0\nfunctions: {section}\n").diagnostics
    assert [d.code for d in found] == [code], [d.render() for d in found]


def test_a_function_of_a_namespace_is_called_with_its_prefix(loaded):
    library = "tosca_definitions_version: tosca_2_0\nfunctions: { lucky: { signatures: [ { result: integer } ] } }\n"
    text = """
        tosca_definitions_version: tosca_2_0
        imports: [ { url: lib.yaml, namespace: lib } ]
        node_types: { N: { properties: { value: { type: %s } } } }
        service_template: { node_templates: { n: { type: N, properties: { value: %s } } } }
        """
    result = loaded(text % ("integer", "$lib:lucky"), {"lib.yaml": library})
    assert result.topology.nodes["n"].properties["value"] == Call("custom:lib:lucky", ())
    for kind, call, code in (("string", "$lib:lucky", "value-type"), ("integer", "$lucky", "function-unknown")):
        codes = {d.code for d in loaded(text % (kind, call), {"lib.yaml": library}).diagnostics}
        assert code in codes


def test_a_service_template_may_add_signatures_and_change_implementations_only(loaded):
    inside = (
        "  functions: {{ root: {{ signatures: [ {first}, {{}}, {{ arguments: [ string ], result: integer }} ] }} }}\n"
    )
    text = HEAD + BODY.format(name="value", value="{ $root: [ nine ] }")
    assert loaded(text + inside.format(first="{ implementation: x.sh }")).topology is not None
    codes = [d.code for d in loaded(text + inside.format(first="{ result: string }")).diagnostics]
    assert codes[0] == "refinement"


def test_a_function_is_not_defined_in_two_files_whose_names_are_not_kept_apart(loaded):
    other = "tosca_definitions_version: tosca_2_0\nfunctions: { root: { signatures: [ {} ] } }\n"
    text = HEAD.replace("data_types:", "imports: [ other.yaml ]\ndata_types:")
    assert [d.code for d in loaded(text, {"other.yaml": other}).diagnostics] == ["function-redefined"]
