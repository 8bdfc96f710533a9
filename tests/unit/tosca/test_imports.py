"""Imports in all forms, with namespaces, and those that lead nowhere."""

import pytest

TYPES = "node_types: { Mine: { derived_from: tosca.nodes.Compute } }\n"
USE = "topology_template: { node_templates: { m: { type: Mine } } }\n"


@pytest.mark.parametrize(
    "imports",
    [
        "[ lib/t.yaml ]",
        "[ { file: lib/t.yaml } ]",
        "[ { named: lib/t.yaml } ]",
        "[ { named: { file: lib/t.yaml } } ]",
        "{ named: lib/t.yaml }",
        "[ ./lib/../lib/t.yaml ]",
        "[ lib/via.yaml ]",
    ],
)
def test_every_form_of_import_brings_its_types(imports, resolved):
    files = {"lib/t.yaml": TYPES, "lib/via.yaml": "imports: [ t.yaml ]\n"}
    assert resolved(f"imports: {imports}\n{USE}", files).nodes["m"].ancestors[1] == "tosca.nodes.Compute"


@pytest.mark.parametrize("name", ["far:Mine", "far.Mine"])
def test_a_prefix_keeps_names_apart(name, resolved, refused):
    text = f"imports: [ {{ file: t.yaml, namespace_prefix: far }} ]\n{USE}"
    assert resolved(text.replace("Mine", name), {"t.yaml": TYPES}).nodes["m"].type == "Mine"
    assert [c for c, _, _ in refused(text, {"t.yaml": TYPES})] == ["type-unknown"]


def test_documents_may_import_one_another(resolved):
    resolved(f"imports: [ t.yaml ]\n{USE}", {"t.yaml": f"imports: [ template.yaml, t.yaml ]\n{TYPES}"})


@pytest.mark.parametrize(
    ("target", "code"),
    [
        ("https://example.org/t.yaml", "import"),
        ("file:///etc/passwd", "import"),
        ("/etc/passwd", "import"),
        ("../t.yaml", "import"),
        ("http://169.254.169.254/latest", "import"),
        ("nope.yaml", "file-missing"),
    ],
)
def test_an_import_that_is_not_in_the_bundle_is_refused_by_name(target, code, loaded):
    result = loaded(f"imports:\n  - {target}\n")
    (found,) = result.diagnostics
    assert (found.code, found.position.line, found.position.column) == (code, 3, 5)
    assert target in found.summary


def test_mistakes_in_an_imported_file_are_told_there(loaded):
    result = loaded("imports: [ lib/t.yaml ]\n", {"lib/t.yaml": "node_types: { A: { derived_from: Nope } }\n"})
    assert str(result.diagnostics[0].position) == "lib/t.yaml:1:34"


@pytest.mark.parametrize("content", ["- a\n", "", "a: [", "tosca_definitions_version: tosca_2_0\n"])
def test_an_imported_file_that_is_no_document_is_refused(content, loaded):
    result = loaded("imports: [ t.yaml ]\n", {"t.yaml": content})
    assert result.topology is None
    assert result.diagnostics[0].position.file == "t.yaml"
