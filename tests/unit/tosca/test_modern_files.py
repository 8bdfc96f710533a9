"""Files of TOSCA 2.0 (§5.3, chapter 6): their keys, what they import, and the namespaces of names."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest

from isthmus.tosca import Loaded, Severity

HEAD = "tosca_definitions_version: tosca_2_0\n"


def errors(loaded: Callable[..., Loaded], text: str, files: Mapping[str, str] | None = None) -> list[str]:
    head = "" if "tosca_definitions_version" in text else HEAD
    content = {
        n: t if "tosca_definitions_version" in t or n.endswith(".py") else HEAD + t for n, t in (files or {}).items()
    }
    found = loaded(head + text, content).diagnostics
    return [d.code for d in found if d.severity is Severity.ERROR]


FILES = [
    ("description: text", ""),
    ("metadata: { a: 1, b: [ x ], c: { d: e }, f: true, g: null, h: 1.5 }", ""),
    ("dsl_definitions: { a: &x { description: c } }\nnode_types: { A: *x, B: { <<: *x } }", ""),
    ("dsl_definitions: { a: &x 1, b: &y [ 1 ] }", ""),
    ("imports: []\nrepositories: {}\nfunctions: {}\ndsl_definitions: {}", ""),
    ("profile: 'any string'", ""),
    ("service_template: { node_templates: {} }", ""),
    ("tosca_definitions_version: 'tosca_2_0'", ""),
    ("description: text\ntosca_definitions_version: tosca_2_0", "version"),
    ("tosca_definitions_version: tosca_2_1", "version"),
    ("tosca_definitions_version: TOSCA_2_0", "version"),
    ("tosca_definitions_version: 2.0", "version"),
    ("tosca_definitions_version: null", "version"),
    ("tosca_definitions_version: [ tosca_2_0 ]", "version"),
    ("description: 1", "shape"),
    ("description: [ a ]", "shape"),
    ("description: null", "shape"),
    ("metadata: text", "shape"),
    ("metadata: []", "shape"),
    ("metadata: null", "shape"),
    ("topology_template: {}", "key-unknown"),
    ("namespace: x", "key-unknown"),
    ("template_name: x", "key-unknown"),
    ("Description: x", "key-unknown"),
    ("dsl_definitions: null", "shape"),
    ("dsl_definitions: []", "shape"),
    ("dsl_definitions: { a: }", "shape"),
    ("node_types: { A: *unknown }", "yaml-alias"),
    ("functions: []", "shape"),
    ("imports: null", "shape"),
    ("imports: {}", "shape"),
    ("imports: text", "shape"),
    ("profile: null", "shape"),
    ("profile: 1.0", "shape"),
    ("profile: a\nservice_template: { node_templates: {} }", "shape"),
    ("service_template: null", "shape"),
    ("service_template: []", "shape"),
    ("service_template: {}", "key-missing"),
    ("service_template: { node_templates: null }", "shape"),
    ("service_template: { node_templates: [] }", "shape"),
    ("service_template: { node_templates: {}, inputs: null }", "shape"),
    ("service_template: { node_templates: {}, outputs: [] }", "shape"),
    ("service_template: { node_templates: {}, groups: null }", "shape"),
    ("service_template: { node_templates: {}, policies: {} }", "shape"),
    ("service_template: { node_templates: {}, workflows: [] }", "shape"),
    ("service_template: { node_templates: {}, relationship_templates: null }", "shape"),
    ("service_template: { node_templates: {}, version: '1.0' }", "key-unknown"),
    ("service_template: { node_templates: {}, inputs: { 1: { type: string } } }", "shape"),
    (
        "service_template: { node_templates: {}, inputs: { a: { type: string }, a: { type: string } } }",
        "yaml-key-duplicate",
    ),
]


@pytest.mark.parametrize(("text", "code"), FILES)
def test_files(loaded: Callable[..., Loaded], text: str, code: str) -> None:
    found = errors(loaded, text + "\n")
    assert code in found if code else found == []


COMMON = [  # where `description` and `metadata` may stand
    "repositories: { r: { url: 'https://a.example', KEY } }",
    "imports: [ { url: a.yaml, KEY } ]",
    "functions: { f: { signatures: [ { implementation: a.py } ], KEY } }",
    "service_template: { node_templates: {}, KEY }",
    "node_types: { A: { properties: { p: { type: string, KEY } } } }",
    "node_types: { A: { attributes: { p: { type: string, KEY } } } }",
    "node_types: { A: { properties: { p: { type: list, entry_schema: { type: string, KEY } } } } }",
    "node_types: { A: { capabilities: { c: { type: C, KEY } } } }\ncapability_types: { C: {} }",
    "node_types: { A: { artifacts: { f: { type: F, file: a.py, KEY } } } }\nartifact_types: { F: {} }",
    "node_types: { A: {} }\nservice_template: { node_templates: { a: { type: A, KEY } } }",
    "relationship_types: { R: {} }\n"
    "service_template: { node_templates: {}, relationship_templates: { r: { type: R, KEY } } }",
    "service_template: { node_templates: {}, inputs: { i: { type: string, default: x, KEY } } }",
    "service_template: { node_templates: {}, outputs: { o: { value: x, KEY } } }",
    "group_types: { G: {} }\nservice_template: { node_templates: {}, groups: { g: { type: G, KEY } } }",
    "policy_types: { P: {} }\nservice_template: { node_templates: {}, policies: [ p: { type: P, KEY } ] }",
    "node_types: { A: {} }\nservice_template: { node_templates: {}, substitution_mappings: { node_type: A, KEY } }",
    "service_template: { node_templates: {}, workflows: { w: { steps: {}, KEY } } }",
]


@pytest.mark.parametrize("place", COMMON)
def test_descriptions_and_metadata_of_everything(loaded: Callable[..., Loaded], place: str) -> None:
    def codes(key: str) -> list[str]:
        return errors(loaded, place.replace("KEY", key) + "\n", {"a.yaml": "node_types: {}\n", "a.py": ""})

    for key in ("description: text", "description: ''", "metadata: {}", "metadata: { a: 1, b: null }"):
        assert codes(key) == [], key
    for key in ("description: 1", "description: null", "description: { a: b }", "metadata: x", "metadata: []"):
        assert codes(key) == ["shape"], key
    assert codes("nonsense: x") == ["key-unknown"]


REPOSITORIES = [
    ("https://a.example", ""),
    ("{ url: 'https://a.example' }", ""),
    ("{}", "key-missing"),
    ("null", "shape"),
    ("1", "shape"),
    ("true", "shape"),
    ("[ a ]", "shape"),
    ("{ url: null }", "shape"),
    ("{ url: 1 }", "shape"),
    ("{ url: a, credential: { token: x } }", "key-unknown"),
    ("{ url: a, type: git }", "key-unknown"),
]


@pytest.mark.parametrize(("written", "code"), REPOSITORIES)
def test_repositories(loaded: Callable[..., Loaded], written: str, code: str) -> None:
    assert errors(loaded, f"repositories: {{ r: {written} }}\n") == ([code] if code else [])


BUNDLE = {
    "a.yaml": "node_types: { A: {} }\n",
    "d/b.yaml": "imports: [ ../a.yaml, { url: c.yaml, namespace: in } ]\nnode_types: { B: { derived_from: 'in:C' } }\n",
    "d/c.yaml": "node_types: { C: {} }\n",
    "p.yaml": "profile: 'org.example:1'\nnode_types: { P: {} }\n",
    "service.yaml": "node_types: { S: {} }\nservice_template: { node_templates: { s: { type: S } } }\n",
    "wrong.yaml": "node_types: { W: { derived_from: Nope } }\n",
    "version.yaml": "tosca_definitions_version: nope\n",
    "old.yaml": "tosca_definitions_version: tosca_simple_yaml_1_3\nnode_types: {}\n",
}
IMPORTS = [  # an import, a type that must be known by it, the mistake or nothing
    ("a.yaml", "A", ""),
    ("/a.yaml", "A", ""),
    ("{ url: a.yaml }", "A", ""),
    ("{ url: a.yaml, namespace: n }", "n:A", ""),
    ("d/b.yaml", "A", ""),
    ("d/b.yaml", "in:C", ""),
    ("{ url: d/b.yaml, namespace: n }", "n:in:C", ""),
    ("{ profile: 'org.example:1' }", "P", ""),
    ("{ profile: 'org.example:1', namespace: n }", "n:P", ""),
    ("{ url: p.yaml }", "P", ""),
    ("{ url: a.yaml, repository: here }", "A", ""),
    ("{ url: c.yaml, repository: folder }", "C", ""),
    ("service.yaml", "S", ""),
    ("{ url: a.yaml, namespace: n }", "A", "type-unknown"),
    ("a.yaml", "n:A", "type-unknown"),
    ("d/b.yaml", "C", "type-unknown"),
    ("{ url: d/b.yaml, namespace: n }", "in:C", "type-unknown"),
    ("{ profile: 'org.example:1', url: p.yaml }", "P", "import"),
    ("{ profile: 'org.example:1', repository: here }", "P", "import"),
    ("{}", "A", "import"),
    ("null", "A", "import"),
    ("[ a.yaml ]", "A", "import"),
    ("{ namespace: n }", "A", "import"),
    ("{ repository: here }", "A", "import"),
    ("{ file: a.yaml }", "A", "key-unknown"),
    ("{ url: a.yaml, namespace_prefix: n }", "n:A", "key-unknown"),
    ("{ n: a.yaml }", "A", "key-unknown"),
    ("{ url: 1 }", "A", "shape"),
    ("{ url: null }", "A", "shape"),
    ("{ profile: null }", "P", "shape"),
    ("{ url: a.yaml, namespace: 1 }", "A", "shape"),
    ("{ url: a.yaml, namespace: null }", "A", "shape"),
    ("{ url: a.yaml, repository: null }", "A", "shape"),
    ("{ url: a.yaml, repository: nobody }", "A", "import"),
    ("{ url: 'https://a.example/a.yaml', repository: here }", "A", "import"),
    ("missing.yaml", "A", "file-missing"),
    ("../a.yaml", "A", "import"),
    ("wrong.yaml", "W", "type-unknown"),
    ("version.yaml", "A", "version"),
    ("old.yaml", "A", "version"),
]


@pytest.mark.parametrize(("written", "name", "code"), IMPORTS)
def test_imports(loaded: Callable[..., Loaded], written: str, name: str, code: str) -> None:
    text = f"repositories: {{ here: './', folder: d }}\nimports: [ {written} ]\n"
    found = errors(loaded, f"{text}node_types: {{ X: {{ derived_from: '{name}' }} }}\n", BUNDLE)
    assert code in found if code else found == []


BODIES = {
    "node_types": "{}",
    "relationship_types": "{}",
    "capability_types": "{}",
    "artifact_types": "{}",
    "interface_types": "{}",
    "policy_types": "{}",
    "group_types": "{}",
    "data_types": "{ derived_from: string }",
    "repositories": "'https://a.example'",
    "functions": "{ signatures: [ { implementation: a.py } ] }",
}


@pytest.mark.parametrize("section", BODIES)
def test_names_are_unique_in_a_namespace(loaded: Callable[..., Loaded], section: str) -> None:
    one = f"{section}: {{ Mine: {BODIES[section]} }}\n"
    twice = f"{section}: {{ Mine: {BODIES[section]}, Mine: {BODIES[section]} }}\n"
    code = {"repositories": "repository-redefined", "functions": "function-redefined"}.get(section, "type-redefined")

    def codes(text: str, **files: str) -> list[str]:
        return errors(loaded, text, {"a.py": "", **{f"{n}.yaml": t for n, t in files.items()}})

    assert codes(twice) == ["yaml-key-duplicate"]
    assert codes("imports: [ a.yaml, b.yaml ]\n", a=one, b=one) == [code]
    same = "imports: [ { url: a.yaml, namespace: x }, { url: b.yaml, namespace: x } ]\n"
    assert codes(same, a=one, b=one) == [code]
    # of two definitions in namespaces of their own, and of one that is reached twice, nothing is doubtful
    assert codes("imports: [ { url: a.yaml, namespace: x } ]\n" + one, a=one) == []
    apart = "imports: [ { url: a.yaml, namespace: x }, { url: b.yaml, namespace: y } ]\n"
    assert codes(apart, a=one, b=one) == []
    shared = {"a": "imports: [ c.yaml ]\n", "b": "imports: [ c.yaml, c.yaml ]\n", "c": one}
    assert codes("imports: [ a.yaml, b.yaml ]\n", **shared) == []


@pytest.mark.parametrize("section", BODIES)
def test_a_file_defines_again_what_it_imports(loaded: Callable[..., Loaded], section: str) -> None:
    """Of types it means its own, which is a warning; of repositories and functions that is a mistake."""
    one = f"{section}: {{ Mine: {BODIES[section]} }}\n"
    result = loaded(f"{HEAD}imports: [ a.yaml ]\n{one}", {"a.yaml": HEAD + one, "a.py": ""})
    (found,) = (d for d in result.diagnostics if d.code.endswith("-redefined"))
    assert found.severity is (Severity.WARNING if section.endswith("_types") else Severity.ERROR)
    assert str(found.position).startswith("template.yaml:3:")
    assert "a.yaml" in found.summary


def test_files_that_import_one_another_are_read_once(loaded: Callable[..., Loaded]) -> None:
    other = "imports: [ template.yaml ]\nnode_types: { A: {} }\n"
    assert errors(loaded, "imports: [ a.yaml ]\nnode_types: { B: { derived_from: A } }\n", {"a.yaml": other}) == []


@pytest.mark.parametrize(
    ("text", "line", "column"),
    [
        ("node_types:\n  1: {}\n", 3, 3),
        ("node_types:\n  A:\n    version: 1.0\n", 4, 14),
        ("repositories:\n  r: 1\n", 3, 6),
        ("node_types:\n  A:\n    artifacts:\n      a: file.sh\n", 5, 10),
        ("node_types:\n  A:\n    properties:\n      p: { type: string, default: null }\n", 5, 35),
        ("service_template:\n  node_templates:\n    n: text\n", 4, 8),
        ("service_template:\n  node_templates:\n    n:\n", 4, 7),
    ],
)
def test_a_mistake_is_told_where_it_stands(loaded: Callable[..., Loaded], text: str, line: int, column: int) -> None:
    position = loaded(HEAD + text).diagnostics[0].position
    assert position is not None
    assert (position.line, position.column) == (line, column)
