"""Values and data types of TOSCA 2.0 (chapter 9): what each type takes, wherever a value of it may stand."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from isthmus.tosca import Loaded, Severity

HEAD = "tosca_definitions_version: tosca_2_0\n"
KNOWN = """
data_types:
  Short: { derived_from: string, validation: { $less_or_equal: [ { $length: [ $value ] }, 3 ] } }
  Whole: { derived_from: integer }
  Texts: { derived_from: list, entry_schema: string }
  Named: { derived_from: map, entry_schema: string }
  Size: { derived_from: scalar, units: { B: 1, kB: 1000 } }
  Count: { derived_from: scalar, data_type: integer, units: { B: 1, kB: 1000 } }
  Metre: { derived_from: scalar, units: { m: 1 }, prefixes: { '': 1, k: 1000, m: 0.001 } }
  Pair:
    properties:
      a: { type: string }
      b: { type: integer, required: false }
      n: { type: nil, required: false }
"""

_NODE = "service_template: { node_templates: { n: { type: N, "
PLACES = (  # where a value of a type may stand
    "node_types: { N: { properties: { p: { SCHEMA, default: VALUE } } } }",
    "node_types: { N: { properties: { p: { SCHEMA, value: VALUE } } } }",
    "node_types: { N: { attributes: { p: { SCHEMA, default: VALUE } } } }",
    "node_types: { N: { properties: { p: { type: list, entry_schema: { SCHEMA }, default: [ VALUE ] } } } }",
    "node_types: { N: { properties: { p: { type: map, entry_schema: { SCHEMA }, default: { k: VALUE } } } } }",
    "artifact_types: { N: { properties: { p: { SCHEMA, default: VALUE } } } }",
    "policy_types: { N: { properties: { p: { SCHEMA, default: VALUE } } } }",
    "service_template: { node_templates: {}, inputs: { i: { SCHEMA, default: VALUE } } }",
    "service_template: { node_templates: {}, outputs: { o: { SCHEMA, value: VALUE } } }",
    f"node_types: {{ N: {{ properties: {{ p: {{ SCHEMA }} }} }} }}\n{_NODE} properties: {{ p: VALUE }} }} }} }}",
    f"node_types: {{ N: {{ attributes: {{ p: {{ SCHEMA }} }} }} }}\n{_NODE} attributes: {{ p: VALUE }} }} }} }}",
    "capability_types: { C: { properties: { p: { SCHEMA } } } }\nnode_types: { N: { capabilities: { c: C } } }\n"
    f"{_NODE} capabilities: {{ c: {{ properties: {{ p: VALUE }} }} }} }} }} }}",
)
LIST, MAP = "list, entry_schema: string", "map, entry_schema: integer"

GOOD = {
    "string": ["text", "'0.1'", "''", "'true'", "'null'", "2001-12-14", "1.2.3", "yes"],
    "integer": ["0", "-5", "+5", "0x1F", "0o17", "9223372036854775807", "-9223372036854775808"],
    "float": ["1", "1.5", "-2e3", ".5", "1."],
    "boolean": ["true", "false"],
    "bytes": ["''", "aGVsbG8="],
    "nil": ["null", "~"],
    "timestamp": ["'2001-12-14T21:59:43.10-05:00'", "2001-12-14t21:59:43Z", "'1990-12-31T23:59:60Z'", "2000-02-29"],
    "version": ["'1.0'", "1.2.3", "1.2.3.beta", "1.2.3.beta-4", "'0.0'"],
    "Short": ["abc"],
    "Size": ["1 B", "'1.5 kB'", "0x10 B", "-1 B", "1e3 B", "'1  B'"],
    "Count": ["1 B", "0x10 kB"],
    "Metre": ["1 m", "1 km", "1.5 mm"],
    LIST: ["[]", "[ a, b ]"],
    MAP: ["{}", "{ a: 1, '2': 3 }"],
    "Pair": ["{ a: x }", "{ a: x, b: 1 }", "{ a: x, n: null }"],
}
WRONG = {
    "string": ["1", "0.1", "true", "null", "[ a ]", "{ a: b }", "0x1F", "1e3", ".inf", "~"],
    "integer": ["1.0", "'1'", "true", "text", "null", "[ 1 ]", "9223372036854775808", "-9223372036854775809"],
    "float": ["'1'", "true", "text", "null", "[ 1 ]", "''"],
    "boolean": ["True", "FALSE", "yes", "on", "'true'", "1", "null", "[ true ]"],
    "bytes": ["1", "null", "'a'", "'!!!!'", "[ a ]"],
    "nil": ["text", "''", "'null'", "0", "false", "[]"],
    "timestamp": [
        "'2001-12-14 21:59:43.10Z'",
        "'2001-13-14T00:00:00Z'",
        "'2001-02-30T00:00:00Z'",
        "2001-02-29",
        "'2001-12-14T24:00:00Z'",
        "'2001-1-4T00:00:00Z'",
        "'2001-12-14T21:59:43'",
        "2001",
        "null",
    ],
    "version": ["1.0", "1", "'1'", "1.2.3-4", "1.2.x", "text", "''", "null", "'1.2.3.b-x'", "'-1.2'"],
    "Short": ["1", "null"],
    "Size": ["1", "B", "1B", "1 b", "1 MB", "null", "[ 1 B ]", "'1 B B'", "x B", "''"],
    "Count": ["1.5 B", "1.0 B", "null"],
    "Metre": ["1 mkm", "1 dm"],
    LIST: ["a", "{}", "[ 1 ]", "[ null ]", "null"],
    MAP: ["a", "[]", "{ a: b }", "{ a: null }", "{ 1: 1 }", "{ true: 1 }", "{ 1.5: 1 }", "null"],
    "Pair": ["[]", "x", "null", "{ a: 1 }", "{ a: null }", "{ a: x, b: null }", "{ a: x, b: '1' }"],
}


def errors(loaded: Callable[..., Loaded], text: str, **inputs: object) -> list[str]:
    found = loaded(HEAD + KNOWN + text, None, **inputs).diagnostics
    return [d.code for d in found if d.severity is Severity.ERROR and d.code != "input-missing"]


def values(table: dict[str, list[str]]) -> Iterator[tuple[str, str]]:
    for kind, written in table.items():
        for value in written:
            yield kind, value


@pytest.mark.parametrize(("kind", "value"), list(values(GOOD)))
def test_what_a_type_takes(loaded: Callable[..., Loaded], kind: str, value: str) -> None:
    for place in PLACES:
        text = place.replace("SCHEMA", f"type: {kind}").replace("VALUE", value)
        assert errors(loaded, text) == [], text


@pytest.mark.parametrize(("kind", "value"), list(values(WRONG)))
def test_what_a_type_does_not_take(loaded: Callable[..., Loaded], kind: str, value: str) -> None:
    for place in PLACES:
        text = place.replace("SCHEMA", f"type: {kind}").replace("VALUE", value)
        assert "value-type" in errors(loaded, text), text


@pytest.mark.parametrize("value", [".inf", "-.inf", "+.Inf", ".nan", ".NaN"])
def test_numbers_that_are_not_finite_are_right_and_not_deployable(loaded: Callable[..., Loaded], value: str) -> None:
    """IEEE 754 has them, and so has the float of TOSCA 2.0 (§9.1.1.3); JSON does not."""
    for place in PLACES:
        text = place.replace("SCHEMA", "type: float").replace("VALUE", value)
        found = loaded(HEAD + KNOWN + text).diagnostics
        assert "unsupported" in [d.code for d in found if d.severity is Severity.REFUSAL], text
        assert errors(loaded, text) == [], text


@pytest.mark.parametrize(
    ("definition", "given", "code"),
    [
        ("{ type: nil }", "null", ""),
        ("{ type: nil, default: null }", "", ""),
        ("{ type: nil, value: null }", "", ""),
        ("{ type: nil, required: false }", "", ""),
        ("{ type: nil }", "", "property-missing"),
        ("{ type: string, required: false }", "", ""),
        ("{ type: string, required: false }", "null", "value-type"),
        ("{ type: string, required: false, default: x }", "", ""),
        ("{ type: string }", "", "property-missing"),
        ("{ type: string, default: x }", "", ""),
        ("{ type: string, value: x }", "", ""),
        ("{ type: string, value: x }", "x", "refinement"),
    ],
)
def test_null_is_a_value_and_nothing_is_none(
    loaded: Callable[..., Loaded], definition: str, given: str, code: str
) -> None:
    own = f"{{ p: {given} }}" if given else "{}"
    text = f"node_types: {{ N: {{ properties: {{ p: {definition} }} }} }}\n"
    text += f"service_template: {{ node_templates: {{ n: {{ type: N, properties: {own} }} }} }}\n"
    assert errors(loaded, text) == ([code] if code else [])


SCHEMAS = [  # the schema of entries, the mistake or nothing
    ("string", ""),
    ("Short", ""),
    ("Texts", ""),
    ("Pair", ""),
    ("{ type: string, validation: { $equal: [ $value, x ] } }", ""),
    ("{ type: list, entry_schema: string }", ""),
    ("{ type: map, entry_schema: { type: map, entry_schema: Whole }, key_schema: Short }", ""),
    ("{ type: Texts, entry_schema: Short }", ""),
    ("Nope", "type-unknown"),
    ("1", "type-unknown"),
    ("{}", "key-missing"),
    ("null", "shape"),
    ("{ type: list }", "key-missing"),
    ("{ type: map, key_schema: string }", "key-missing"),
    ("{ type: string, entry_schema: string }", "shape"),
    ("{ type: string, key_schema: string }", "shape"),
    ("{ type: list, entry_schema: string, key_schema: string }", "shape"),
    ("{ type: map, entry_schema: string, key_schema: integer }", "value-type"),
    ("{ type: map, entry_schema: string, key_schema: Pair }", "value-type"),
    ("{ type: Texts, entry_schema: Whole }", "refinement"),
    ("{ type: scalar }", "value-type"),
    ("{ type: string, default: x }", "key-unknown"),
    ("{ type: string, required: true }", "key-unknown"),
    ("{ type: string, validation: text }", "shape"),
    ("{ type: string, validation: null }", "shape"),
    ("{ type: integer, validation: { $less_than: [ $value, x ] } }", "value-type"),
]


@pytest.mark.parametrize(("schema", "code"), SCHEMAS)
@pytest.mark.parametrize(
    "place",
    [
        "  A: {{ derived_from: list, entry_schema: {} }}",
        "  A: {{ derived_from: map, entry_schema: {} }}",
        "node_types: {{ N: {{ properties: {{ p: {{ type: list, entry_schema: {} }} }} }} }}",
        "node_types: {{ N: {{ attributes: {{ p: {{ type: map, entry_schema: {} }} }} }} }}",
        "service_template: {{ node_templates: {{}}, inputs: {{ i: {{ type: list, entry_schema: {} }} }} }}",
    ],
)
def test_schemas_of_entries(loaded: Callable[..., Loaded], place: str, schema: str, code: str) -> None:
    found = errors(loaded, place.format(schema))
    assert code in found if code else found == []


DEFINITIONS = [
    ("{ type: string }", ""),
    ("{ type: boolean, validation: $value }", ""),
    ("{ type: Texts }", ""),
    ("{}", "key-missing"),
    ("text", "shape"),
    ("null", "shape"),
    ("{ type: null }", "shape"),
    ("{ type: 1 }", "shape"),
    ("{ type: Nope }", "type-unknown"),
    ("{ type: range }", "type-unknown"),
    ("{ type: scalar-unit.size }", "type-unknown"),
    ("{ type: scalar }", "value-type"),
    ("{ type: list }", "key-missing"),
    ("{ type: map }", "key-missing"),
    ("{ type: string, entry_schema: string }", "shape"),
    ("{ type: string, constraints: [] }", "key-unknown"),
    ("{ type: string, description: 1 }", "shape"),
    ("{ type: string, validation: [ { $equal: [ $value, x ] } ] }", "shape"),
    ("{ type: string, validation: { $concat: [ $value, x ] } }", "value-type"),
    ("{ type: string, validation: { $equal: [ $value, 1 ] } }", "value-type"),
    ("{ type: Short, default: xxxx }", "constraint"),
]


@pytest.mark.parametrize(("definition", "code"), DEFINITIONS)
@pytest.mark.parametrize("key", ["properties", "attributes"])
def test_definitions_of_properties_and_attributes(
    loaded: Callable[..., Loaded], key: str, definition: str, code: str
) -> None:
    for kind in ("node", "relationship", "capability", "group"):
        found = errors(loaded, f"{kind}_types: {{ N: {{ {key}: {{ p: {definition} }} }} }}\n")
        assert code in found if code else found == []


@pytest.mark.parametrize("key", ["required: true", "value: x", "mapping: [ SELF, a ]"])
def test_keys_that_attributes_do_not_have(loaded: Callable[..., Loaded], key: str) -> None:
    text = f"node_types: {{ N: {{ attributes: {{ p: {{ type: string, {key} }} }} }} }}\n"
    assert errors(loaded, text) == ["key-unknown"]


DATA_TYPES = [
    ("{ derived_from: string }", ""),
    ("{ derived_from: Pair, properties: { c: { type: string } } }", ""),
    ("{ properties: { x: { type: A, required: false } } }", ""),
    ("{ derived_from: map, entry_schema: string, key_schema: { type: Short } }", ""),
    ("{ derived_from: Texts, entry_schema: Short }", ""),
    ("{}", "shape"),
    ("{ description: text }", "shape"),
    ("{ properties: {} }", "shape"),
    ("{ derived_from: Pair, properties: {} }", "shape"),
    ("{ derived_from: string, properties: { x: { type: string } } }", "shape"),
    ("{ derived_from: Texts, properties: { x: { type: string } } }", "shape"),
    ("{ derived_from: list }", "key-missing"),
    ("{ derived_from: map }", "key-missing"),
    ("{ derived_from: string, entry_schema: string }", "shape"),
    ("{ derived_from: Pair, key_schema: string }", "shape"),
    ("{ derived_from: list, entry_schema: string, key_schema: string }", "shape"),
    ("{ derived_from: map, entry_schema: string, key_schema: integer }", "value-type"),
    ("{ derived_from: Named, key_schema: Whole }", "value-type"),
    ("{ derived_from: Texts, entry_schema: integer }", "refinement"),
    ("{ derived_from: string, units: { B: 1 } }", "shape"),
    ("{ properties: { x: { type: string } }, canonical_unit: B }", "shape"),
    ("{ properties: { x: {} } }", "key-missing"),
    ("{ properties: { x: { type: Nope } } }", "type-unknown"),
]


@pytest.mark.parametrize(("written", "code"), DATA_TYPES)
def test_data_types(loaded: Callable[..., Loaded], written: str, code: str) -> None:
    found = errors(loaded, f"  A: {written}\n")
    assert code in found if code else found == []


@pytest.mark.parametrize(
    "name",
    ["string", "integer", "float", "boolean", "bytes", "nil", "timestamp", "scalar", "version", "list", "map"],
)
def test_the_names_of_built_in_types_are_reserved(loaded: Callable[..., Loaded], name: str) -> None:
    assert errors(loaded, f"  {name}: {{ properties: {{ a: {{ type: string }} }} }}\n") == ["type-redefined"]


SCALARS = [
    ("units: { B: 1 }", ""),
    ("units: { B: 1.0, kB: 1000 }", ""),
    ("units: { B: 1, C: 1 }, canonical_unit: C", ""),
    ("units: { B: 1, kB: 1000 }, data_type: Whole", ""),
    ("units: { B: 1 }, prefixes: { '': 1, k: 1000 }", ""),
    ("units: { B: 1 }, validation: { $greater_than: [ $value, 0 B ] }", ""),
    ("", "key-missing"),
    ("units: {}", "key-missing"),
    ("units: []", "shape"),
    ("units: { B: x }", "value-type"),
    ("units: { B: true }", "value-type"),
    ("units: { B: '1' }", "value-type"),
    ("units: { B: 2 }", "value-type"),
    ("units: { 'B B': 1 }", "value-type"),
    ("units: { B: 1, C: 1 }", "key-missing"),
    ("units: { B: 1, C: 0.5 }, data_type: integer", "value-type"),
    ("units: { B: 1 }, data_type: string", "value-type"),
    ("units: { B: 1 }, data_type: Nope", "type-unknown"),
    ("units: { B: 1 }, data_type: 1", "shape"),
    ("units: { B: 1 }, canonical_unit: C", "value-type"),
    ("units: { B: 1, C: 2 }, canonical_unit: C", "value-type"),
    ("units: { B: 1 }, prefixes: { k: 1000 }", "value-type"),
    ("units: { B: 1, C: 2 }, prefixes: { '': 1 }", "shape"),
    ("units: { B: 1 }, prefixes: { '': 1, k: x }", "value-type"),
    ("units: { B: 1 }, prefixes: { '': 1, m: 0.001 }, data_type: integer", "value-type"),
    ("units: { B: 1 }, entry_schema: string", "shape"),
    ("units: { B: 1 }, properties: { a: { type: string } }", "shape"),
    ("units: { B: 1 }, validation: { $greater_than: [ $value, 0 X ] }", "value-type"),
]


@pytest.mark.parametrize(("body", "code"), SCALARS)
def test_scalar_types(loaded: Callable[..., Loaded], body: str, code: str) -> None:
    found = errors(loaded, f"  A: {{ derived_from: scalar, {body} }}\n")
    assert code in found if code else found == []


@pytest.mark.parametrize(
    ("parent", "body", "code"),
    [
        ("Count", "units: { MB: 1000000 }", ""),
        ("Count", "units: { kB: 1000 }, data_type: integer", ""),
        ("Metre", "prefixes: { M: 1000000 }", ""),
        ("Count", "units: { kB: 1024 }", "refinement"),
        ("Metre", "prefixes: { k: 1024 }", "refinement"),
        ("Count", "data_type: float", "refinement"),
        ("Size", "data_type: integer", "refinement"),
        ("Count", "canonical_unit: B", "refinement"),
        ("Count", "units: { MB: 1.5 }", "value-type"),
    ],
)
def test_derived_scalar_types_add_units_and_change_nothing(
    loaded: Callable[..., Loaded], parent: str, body: str, code: str
) -> None:
    found = errors(loaded, f"  A: {{ derived_from: {parent}, {body} }}\n")
    assert code in found if code else found == []


PARAMETERS = [
    ("inputs", "{ type: string }", ""),
    ("inputs", "{ default: x }", ""),
    ("inputs", "{}", ""),
    ("inputs", "{ type: string, required: maybe }", "shape"),
    ("inputs", "{ type: string, validation: { $equal: [ $value, x ] }, default: y }", "constraint"),
    ("inputs", "{ type: string, nonsense: x }", "key-unknown"),
    ("inputs", "{ type: list, default: [] }", "key-missing"),
    ("inputs", "null", "shape"),
    ("inputs", "text", "shape"),
    ("outputs", "{ value: x }", ""),
    ("outputs", "text", ""),
    ("outputs", "{ type: string, value: 1 }", "value-type"),
    ("outputs", "{ type: Nope, value: x }", "type-unknown"),
    ("outputs", "{ value: x, nonsense: y }", "key-unknown"),
    ("outputs", "{ type: string, value: x, description: 1 }", "shape"),
    ("outputs", "{ value: { $get_input: nothing } }", "input-unknown"),
]


@pytest.mark.parametrize(("key", "written", "code"), PARAMETERS)
def test_parameters_of_a_service_template(loaded: Callable[..., Loaded], key: str, written: str, code: str) -> None:
    found = errors(loaded, f"service_template: {{ node_templates: {{}}, {key}: {{ p: {written} }} }}\n")
    assert code in found if code else found == []
