"""Whatever a document holds, loading it answers with a topology or with diagnostics that lie inside it."""

from hypothesis import given, settings
from hypothesis import strategies as st

from isthmus.tosca import Bundle, form, load

TEMPLATE = """tosca_definitions_version: tosca_simple_yaml_1_3
imports: [ t.yaml ]
topology_template:
  inputs:
    n: { type: integer, default: 2, constraints: [ in_range: [ 1, 4 ] ] }
  node_templates:
    m:
      type: tosca.nodes.Compute
      capabilities: { host: { properties: { num_cpus: { get_input: n }, mem_size: 2 GB } } }
    s:
      type: Mine
      properties: { level: 3 }
      requirements: [ host: m ]
      interfaces:
        Standard:
          configure: { implementation: a.sh, inputs: { x: { get_attribute: [ HOST, private_address ] } } }
  outputs:
    o: { value: { concat: [ a, { get_property: [ s, level ] } ] } }
"""
TYPES = "node_types: { Mine: { derived_from: SoftwareComponent, properties: { level: { type: integer } } } }\n"
WORDS = [
    "",
    "[",
    "{",
    "}",
    "]",
    ":",
    "- ",
    "&a ",
    "*a",
    "<<: ",
    "!!x ",
    "'",
    '"',
    "\n",
    "  ",
    "null",
    "get_input",
    "SELF",
]


def check(text: str) -> None:
    bundle = Bundle("m.yaml", {"m.yaml": text.encode(), "t.yaml": TYPES.encode(), "a.sh": b""})
    result = load(bundle)
    form(bundle)
    lines = {"m.yaml": text.split("\n"), "t.yaml": TYPES.split("\n")}
    assert (result.topology is None) == any(d.severity == "error" for d in result.diagnostics)
    for d in result.diagnostics:
        if d.position is not None:
            assert 1 <= d.position.line <= len(lines[d.position.file])
            assert d.position.column >= 1


def test_the_template_as_it_stands_loads():
    assert load(Bundle("m.yaml", {"m.yaml": TEMPLATE.encode(), "t.yaml": TYPES.encode(), "a.sh": b""})).topology


@settings(max_examples=150, deadline=None)
@given(st.integers(0, len(TEMPLATE)), st.integers(0, 40), st.sampled_from(WORDS))
def test_a_mutated_template_loads_or_is_told_why_not(at, length, word):
    check(TEMPLATE[:at] + word + TEMPLATE[at + length :])


@settings(max_examples=60, deadline=None)
@given(st.permutations(TEMPLATE.split("\n")[6:18]))
def test_shuffled_lines_load_or_are_told_why_not(lines):
    check("\n".join([*TEMPLATE.split("\n")[:6], *lines]))


@settings(max_examples=60, deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda v: st.lists(v) | st.dictionaries(st.text(), v),
        max_leaves=8,
    )
)
def test_any_input_value_is_taken_or_refused(value):
    load(Bundle("m.yaml", {"m.yaml": TEMPLATE.encode(), "t.yaml": TYPES.encode(), "a.sh": b""}), {"n": value})


@given(st.text(max_size=60))
def test_any_text_is_taken_or_refused(text):
    load(Bundle("m.yaml", {"m.yaml": text.encode("utf-8", "surrogatepass")}))
