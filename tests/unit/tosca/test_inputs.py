"""Inputs: given, defaulted, missing, unknown, unused."""

import pytest

TEXT = """
    topology_template:
      inputs:
        size: { type: integer, description: How many., constraints: [ in_range: [ 1, 4 ] ] }
        name: { type: string, default: x }
        maybe: { type: string, required: false }
      outputs:
        all: { value: [ { get_input: size }, { get_input: name }, { get_input: maybe } ] }
    """


@pytest.mark.parametrize(("given", "value"), [(2, 2), ("2", 2), (2.0, 2)])
def test_a_given_value_is_read_by_its_type(given, value, resolved):
    assert resolved(TEXT, size=given).outputs["all"].value == [value, "x", None]


@pytest.mark.parametrize(
    ("inputs", "code"),
    [
        ({}, "input-missing"),
        ({"size": 5}, "constraint"),
        ({"size": "many"}, "value-type"),
        ({"size": [1]}, "value-type"),
        ({"size": True}, "value-type"),
        ({"size": 1, "nam": "y"}, "input-unknown"),
        ({"size": 1, "name": {"get_input": "size"}}, "value-type"),
    ],
)
def test_inputs_that_do_not_fit_are_refused(inputs, code, refused):
    assert [c for c, _, _ in refused(TEXT, **inputs)] == [code]


def test_a_given_text_that_looks_like_a_function_stays_text(resolved):
    text = """
        topology_template:
          inputs: { x: { type: map } }
          outputs: { x: { value: { get_input: x } } }
        """
    assert resolved(text, x={"get_secret": "root"}).outputs["x"].value == {"get_secret": "root"}


def test_an_unused_input_is_a_warning(loaded):
    result = loaded("topology_template: { inputs: { x: { type: string, default: y } } }\n")
    assert result.topology is not None
    assert [d.code for d in result.diagnostics] == ["input-unused"]
