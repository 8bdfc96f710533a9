"""Documents made to do harm end in a diagnostic, soon and in little memory."""

import subprocess
import sys

import pytest

from isthmus.tosca import Bundle, Form, form, load

HEAD = "tosca_definitions_version: tosca_simple_yaml_1_3\n"


def codes(text, files=None, **inputs):
    data = text if isinstance(text, bytes) else (HEAD + text).encode()
    bundle = Bundle("t.yaml", {"t.yaml": data, **(files or {})})
    result = load(bundle, inputs)
    assert isinstance(form(bundle), Form | tuple)
    assert all(len(d.render()) < 3000 for d in result.diagnostics)
    assert len(result.diagnostics) <= 401
    assert (result.topology is None) == any(d.severity == "error" for d in result.diagnostics)
    return {d.code for d in result.diagnostics}


def aliases(levels):
    lines = ["a0: &a0 [ x, x, x, x, x, x, x, x, x ]"]
    lines += [f"a{i}: &a{i} [ {', '.join([f'*a{i - 1}'] * 9)} ]" for i in range(1, levels)]
    return "dsl_definitions:\n" + "".join(f"  {line}\n" for line in lines)


BIG = "x: " + "y" * 100_000 + "\n"
DOUBLED = "".join(
    f"    p{i}: {{ type: Database, properties: {{ name: {{ concat: [ {{ get_property: [ p{i - 1}, name ] }}, "
    f"{{ get_property: [ p{i - 1}, name ] }} ] }} }} }}\n"
    for i in range(1, 60)
)
CHAIN = "".join(
    f"    p{i}: {{ type: Database, properties: {{ name: {{ get_property: [ p{i + 1}, name ] }} }} }}\n"
    for i in range(500)
)
NAMED = "{{ type: Database, properties: {{ name: {{ concat: [ {{ get_property: [ p{0}, name ] }}{1} ] }} }} }}\n"
TREE = "".join(
    f"  d{i}: {{ properties: {{ a: {{ type: d{i + 1}, default: {{}} }}, b: {{ type: d{i + 1}, default: {{}} }} }} }}\n"
    for i in range(60)
)
START = "topology_template:\n  node_templates:\n"
TYPE_CHAIN = "node_types:\n" + "".join(f"  t{i}: {{ derived_from: t{i + 1} }}\n" for i in range(500))

CASES = {
    "aliases that multiply": (aliases(12), "yaml-alias"),
    "merges that multiply": (
        "dsl_definitions:\n  a: &a { "
        + ", ".join(f"k{i}: v" for i in range(2000))
        + " }\n"
        + "".join(f"  b{i}: {{ <<: *a }}\n" for i in range(200)),
        "yaml-alias",
    ),
    "an alias inside its own anchor": ("dsl_definitions: &a { x: *a }\n", "yaml-alias"),
    "lists nested without end": ("x: " + "[" * 100_000, "yaml-depth"),
    "maps nested without end": ("".join(" " * i + "a:\n" for i in range(300)), "yaml-depth"),
    "keys nested without end": ("? " * 100_000, "yaml-depth"),
    "a document of 50 MB": (b"#" * (50 * 2**20), "too-large"),
    "bytes that are no text": (b"\xff\xfe\x00", "yaml-encoding"),
    "a null byte": ("x: \0", "yaml-syntax"),
    "a type name of 100,000 characters": (START + "    m: { type: " + "y" * 100_000 + " }\n", "type-unknown"),
    "texts that double": (
        START + "    p0: { type: Database, properties: { name: xxxxxxxx } }\n" + DOUBLED,
        "too-large",
    ),
    "calls that double": (
        START + "    p0: { type: Database, properties: { name: { get_attribute: [ p0, state ] } } }\n" + DOUBLED,
        "too-large",
    ),
    "calls nested through properties": (
        START
        + "    p0: { type: Database, properties: { name: { get_attribute: [ p0, state ] } } }\n"
        + "".join(f"    p{i}: {NAMED.format(i - 1, '')}" for i in range(1, 3000)),
        "value-depth",
    ),
    "many long texts": (
        START
        + "    p0: { type: Database, properties: { name: "
        + "x" * 400_000
        + " } }\n"
        + "".join(f"    p{i}: {NAMED.format(0, f', b{i}')}" for i in range(1, 3000)),
        "too-large",
    ),
    "a path without end": (
        START
        + "    m: { type: Compute, requirements: [ dependency: { node: n } ] }\n    n: { type: Compute }\n"
        + "  outputs: { x: { value: { get_attribute: [ m, "
        + "dependency, " * 3000
        + "state ] } } }\n",
        "function-arguments",
    ),
    "digits that are none": (
        "topology_template: { inputs: { x: { type: list, default: [ a ] } }, outputs: { y: { value: "
        "[ { get_input: [ x, ² ] }, { token: [ a, b, ² ] } ] } } }\n",
        "function-arguments",
    ),
    "a long chain of properties": (START + CHAIN, "value-depth"),
    "a long chain of types": (TYPE_CHAIN, "too-large"),
    "types in a large circle": (TYPE_CHAIN.replace("t500", "t0"), "too-large"),
    "a data type that contains itself": (
        "data_types: { A: { properties: { a: { type: A, default: {} } } } }\n"
        "topology_template: { inputs: { x: { type: A, default: {} } } }\n",
        "value-depth",
    ),
    "data types whose defaults double": (
        "data_types:\n" + TREE + "  d60: { properties: { z: { type: string, default: q } } }\n"
        "topology_template: { inputs: { x: { type: d0, default: {} } } }\n",
        "too-large",
    ),
    "a list that every node brings": (
        START
        + "    a: { type: Compute, properties: { x: ["
        + "a," * 3000
        + "] } }\n"
        + "".join(f"    a{i}: {{ copy: a }}\n" for i in range(3000)),
        "too-large",
    ),
    "a thousand unknown types": (
        START + "".join(f"    m{i}: {{ type: tosca.nodes.Compute{i} }}\n" for i in range(1000)),
        "type-unknown",
    ),
    "many types with many properties": (
        "node_types:\n  B:\n    properties:\n"
        + "".join(f"      p{i}: {{ type: string, required: false }}\n" for i in range(8000))
        + "".join(f"  t{i}: {{ derived_from: B }}\n" for i in range(8000)),
        "too-large",
    ),
    "a pattern that explodes": (
        "topology_template: { inputs: { x: { type: string, default: " + "a" * 5000 + ", constraints: "
        "[ pattern: '(a|a)*(a|a)*(a|a)*b' ] } } }\n",
        "constraint",
    ),
    "a key that is a list of everything": ("? [ a, { b: c } ]\n: d\n", "yaml-key-complex"),
    "a list for a document": (b"- 1\n", "shape"),
    "nothing": (b"", "yaml-syntax"),
    "a huge number": (
        "topology_template: { inputs: { x: { type: integer, default: " + "9" * 5000 + " } } }\n",
        "value-type",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_the_document_is_refused_with_a_diagnostic(case):
    text, code = CASES[case]
    assert code in codes(text)


TINY = """
import resource, sys
from isthmus.tosca import Bundle, load
from isthmus.tosca.reading.compose import MAX_DOCUMENT
head = b"tosca_definitions_version: tosca_simple_yaml_1_3\\ndsl_definitions: [ "
data = head + b"a," * ((MAX_DOCUMENT - len(head) - 4) // 2) + b"]"
codes = {d.code for d in load(Bundle("t.yaml", {"t.yaml": data})).diagnostics}
print(*codes, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""


def test_a_large_document_of_tiny_nodes_takes_little_memory():
    out = subprocess.run([sys.executable, "-c", TINY], capture_output=True, text=True, check=True).stdout
    code, megabytes = out.split()
    assert code == "too-large"
    assert int(megabytes) < 500


def test_many_documents_are_refused():
    files = {f"d{i}.yaml": f"imports: [ d{i + 1}.yaml ]\n".encode() for i in range(300)}
    assert codes("imports: [ d0.yaml ]\n", files) == {"too-large"}


def test_inputs_nested_without_end_are_refused():
    deep: list[object] = []
    for _ in range(400):
        deep = [deep]
    text = "topology_template: { inputs: { x: { type: list } }, outputs: { y: { value: { get_input: x } } } }\n"
    assert "value-depth" in codes(text, x=deep)


def test_namespaces_that_multiply_are_not_followed():
    text = "tosca_definitions_version: tosca_2_0\nimports:\n"
    text += "".join(f"  - {{ url: {{}}, namespace: n{i} }}\n" for i in range(30))
    call = "service_template: { node_templates: {}, outputs: { x: { value: { $nowhere: [] } } } }\n"
    assert "function-unknown" in codes(
        (text.replace("{}", "u.yaml") + call).encode(), {"u.yaml": text.replace("{}", "t.yaml").encode()}
    )


def test_a_name_is_looked_for_once_among_documents_that_all_import_one_another():
    every = ", ".join(f"d{i}.yaml" for i in range(100))
    files = {
        f"d{i}.yaml": f"{HEAD}imports: [ {every} ]\nnode_types: {{ t{i}: {{ derived_from: nope }} }}\n".encode()
        for i in range(100)
    }
    assert codes("imports: [ d0.yaml ]\n", files) == {"type-unknown"}


def test_inputs_of_thousands_of_digits_are_refused():
    text = (
        "topology_template: {{ inputs: {{ x: {{ type: {} }} }}, outputs: {{ y: {{ value: {{ get_input: x }} }} }} }}\n"
    )
    for kind in ("integer", "float", "string", "scalar-unit.size", "list", "map", "range", "boolean"):
        assert "value-type" in codes(text.format(kind), x=10**6000)
    assert "value-type" in codes(text.format("list"), x=[10**6000])


def test_what_is_too_much_work_is_told_with_a_place():
    text, _ = CASES["data types whose defaults double"]
    bundle = Bundle("t.yaml", {"t.yaml": (HEAD + text).encode()})
    [found] = [d for d in load(bundle).diagnostics if d.code == "too-large"]
    assert (found.position.file, found.position.line) == ("t.yaml", 1)


def test_secrets_of_the_machine_cannot_be_named():
    text = (
        START
        + "    m: { type: Compute, interfaces: { Standard: { create: /etc/passwd, start: 'file:///etc/passwd' } } }\n"
    )
    assert codes(text) == {"path-escape"}
