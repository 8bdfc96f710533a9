"""Bundles: what is taken from a folder, and everything that must not get in; see test_archive for CSARs."""

import os

import pytest

from isthmus.tosca import Bundle, BundleError, load
from isthmus.tosca.reading.importers import collect as collect_module

TEMPLATE = b"""tosca_definitions_version: tosca_simple_yaml_1_3
imports: [ types/types.yaml ]
topology_template:
  node_templates:
    m: { type: Mine, interfaces: { Standard: { configure: { implementation: run/a.sh } } } }
"""
TYPES = b"""node_types:
  Mine:
    derived_from: tosca.nodes.Compute
    artifacts: { data: ../data/d.txt }
    interfaces: { Standard: { create: { implementation: { primary: play.yml, dependencies: [ ../data/e.txt ] } } } }
"""
FILES = {
    "template.yaml": TEMPLATE,
    "types/types.yaml": TYPES,
    "types/play.yml": b"- hosts: all\n",
    "run/a.sh": b"#!/bin/sh\n",
    "data/d.txt": b"d",
    "data/e.txt": b"e",
}


@pytest.fixture
def folder(tmp_path):
    root = tmp_path / "root"
    for path, content in FILES.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(content)
    return root


def refusal(call, *args, **options):
    with pytest.raises(BundleError) as caught:
        call(*args, **options)
    return caught.value.diagnostics[0].code


def test_a_folder_gives_what_the_template_reaches_and_nothing_else(folder):
    (folder / "secret.txt").write_bytes(b"not named")
    (folder / "other.yaml").write_bytes(b"not named")
    bundle = Bundle.from_path(folder / "template.yaml")
    assert dict(bundle.files) == FILES
    assert load(bundle).topology is not None


@pytest.mark.parametrize("escape", ["../outside.yaml", "/etc/passwd", "file:///etc/passwd", "types/../../outside.yaml"])
def test_nothing_outside_the_folder_is_read(folder, escape):
    (folder.parent / "outside.yaml").write_bytes(b"node_types: {}\n")
    text = TEMPLATE.replace(b"types/types.yaml", escape.encode())
    (folder / "template.yaml").write_bytes(text)
    bundle = Bundle.from_path(folder / "template.yaml")
    assert bundle.files.keys() <= FILES.keys()
    found = load(bundle).diagnostics[0]
    assert (found.code, found.position.line) == ("import", 2)
    assert escape in found.summary
    assert "beside the template" in found.suggestion


def test_a_link_that_leads_out_is_refused(folder):
    (folder.parent / "outside.sh").write_bytes(b"x")
    (folder / "run/a.sh").unlink()
    (folder / "run/a.sh").symlink_to(folder.parent / "outside.sh")
    assert refusal(Bundle.from_path, folder / "template.yaml") == "path-escape"


def test_a_link_to_a_folder_outside_is_refused(folder):
    (folder / "run/a.sh").unlink()
    (folder / "run").rmdir()
    (folder.parent / "outside").mkdir()
    (folder.parent / "outside/a.sh").write_bytes(b"x")
    (folder / "run").symlink_to(folder.parent / "outside")
    assert refusal(Bundle.from_path, folder / "template.yaml") == "path-escape"


def test_a_link_inside_the_folder_is_followed(folder):
    (folder / "run/b.sh").write_bytes(b"b")
    (folder / "run/a.sh").unlink()
    (folder / "run/a.sh").symlink_to("b.sh")
    assert Bundle.from_path(folder / "template.yaml").files["run/a.sh"] == b"b"


@pytest.mark.parametrize("name", ["nothing.yaml", ".", "pipe.yaml"])
def test_what_is_no_file_is_refused(folder, name):
    os.mkfifo(folder / "pipe.yaml")
    assert refusal(Bundle.from_path, folder / name) == "file-missing"


def test_a_document_that_is_too_large_is_refused(folder, monkeypatch):
    monkeypatch.setattr(collect_module, "MAX_DOCUMENT", 10)
    assert refusal(Bundle.from_path, folder / "template.yaml") == "too-large"


def test_an_archive_and_back_is_the_same_bundle(folder, tmp_path):
    bundle = Bundle.from_path(folder / "template.yaml")
    packed = bundle.to_zip()
    assert Bundle.from_zip(packed) == bundle
    assert packed == Bundle("template.yaml", dict(reversed(FILES.items()))).to_zip()
    (tmp_path / "t.csar").write_bytes(packed)
    assert Bundle.from_path(tmp_path / "t.csar").digest == bundle.digest


def test_the_digest_depends_on_every_path_and_byte():
    digests = {
        Bundle("a", {"a": b"x", "b": b"y"}).digest,
        Bundle("b", {"a": b"x", "b": b"y"}).digest,
        Bundle("a", {"a": b"x", "b": b"z"}).digest,
        Bundle("a", {"a": b"x", "c": b"y"}).digest,
        Bundle("a", {"a": b"xb", "": b"y"}).digest,
    }
    assert len(digests) == 5


def test_a_link_that_leads_out_is_told_where_it_is_named(folder):
    (folder / "run/a.sh").unlink()
    (folder / "run/a.sh").symlink_to("/etc/passwd")
    with pytest.raises(BundleError) as caught:
        Bundle.from_path(folder / "template.yaml")
    assert str(caught.value.diagnostics[0].position).startswith("template.yaml:5:")


# ---------------------------------------------------------------------------------------------
# a root above the template's folder


@pytest.fixture
def tree(tmp_path):
    files = {
        "templates/a.yaml": TEMPLATE.replace(b"types/types.yaml", b"../types/types.yaml"),
        **{p: c for p, c in FILES.items() if p != "template.yaml"},
        "templates/run/a.sh": b"x",
    }
    for path, content in files.items():
        (tmp_path / "root" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "root" / path).write_bytes(content)
    return tmp_path / "root"


def test_with_a_root_imports_may_lead_up_to_it(tree):
    bundle = Bundle.from_path(tree / "templates/a.yaml", root=tree)
    assert bundle.main == "templates/a.yaml"
    assert {"types/types.yaml", "types/play.yml", "data/d.txt", "templates/run/a.sh"} < set(bundle.files)
    assert load(bundle).topology is not None


def test_without_one_they_may_not(tree):
    assert set(Bundle.from_path(tree / "templates/a.yaml").files) == {"a.yaml", "run/a.sh"}


def test_nothing_above_the_root_is_read(tree):
    (tree.parent / "outside.yaml").write_bytes(b"node_types: {}\n")
    (tree / "templates/a.yaml").write_bytes(TEMPLATE.replace(b"types/types.yaml", b"../../outside.yaml"))
    assert set(Bundle.from_path(tree / "templates/a.yaml", root=tree).files) == {
        "templates/a.yaml",
        "templates/run/a.sh",
    }


def test_a_template_outside_the_root_is_refused(tree):
    assert refusal(Bundle.from_path, tree / "templates/a.yaml", root=tree / "types") == "path-escape"


def test_a_leading_slash_is_the_root(tree):
    text = b"tosca_definitions_version: tosca_2_0\nimports: [ /types/b.yaml ]\n"
    (tree / "templates/a.yaml").write_bytes(text)
    (tree / "types/b.yaml").write_bytes(b"tosca_definitions_version: tosca_2_0\n")
    assert "types/b.yaml" in Bundle.from_path(tree / "templates/a.yaml", root=tree).files


# ---------------------------------------------------------------------------------------------
# what is named, in TOSCA 2.0 too

OPERATION = "interfaces: { Standard: { operations: { create: %s } } }"


@pytest.mark.parametrize(
    ("text", "named"),
    [
        (OPERATION % "run/a.sh", {"run/a.sh"}),
        (OPERATION % "{ implementation: run/a.sh }", {"run/a.sh"}),
        (
            OPERATION % "{ implementation: { primary: run/a.sh, dependencies: [ data/d.txt ] } }",
            {"run/a.sh", "data/d.txt"},
        ),
        (
            OPERATION
            % "{ implementation: { primary: { file: run/a.sh, type: T }, dependencies: [ { file: data/d.txt } ] } }",
            {"run/a.sh", "data/d.txt"},
        ),
        ("interfaces: { S: { type: data/d.txt, notifications: { n: run/a.sh } } }", {"run/a.sh"}),
        ("artifacts: { x: { type: T, file: data/d.txt }, y: data/e.txt }", {"data/d.txt", "data/e.txt"}),
    ],
)
@pytest.mark.parametrize(
    "place",
    [
        "service_template: {{ node_templates: {{ n: {{ {} }} }} }}",
        "service_template: {{ relationship_templates: {{ n: {{ {} }} }} }}",
        "node_types: {{ n: {{ {} }} }}",
        "relationship_types: {{ n: {{ {} }} }}",
    ],
)
def test_files_of_operations_and_artifacts_are_taken(folder, place, text, named):
    document = f"tosca_definitions_version: tosca_2_0\n{place.format(text)}\n"
    (folder / "template.yaml").write_text(document)
    assert set(Bundle.from_path(folder / "template.yaml").files) == {"template.yaml"} | named


def test_the_implementation_of_a_function_is_taken(folder):
    text = "tosca_definitions_version: tosca_2_0\nfunctions: { f: { signatures: [ { implementation: run/a.sh } ] } }\n"
    (folder / "template.yaml").write_text(text)
    assert "run/a.sh" in Bundle.from_path(folder / "template.yaml").files


# ---------------------------------------------------------------------------------------------
# every form of import, repositories included


@pytest.mark.parametrize(
    "imports",
    [
        "imports: [ types/b.yaml ]",
        "imports: types/b.yaml",
        "imports: [ { file: types/b.yaml, namespace_prefix: p, namespace_uri: u } ]",
        "imports: [ { named: types/b.yaml } ]",
        "imports: [ { named: { file: types/b.yaml, namespace_prefix: p } } ]",
        "imports: { named: types/b.yaml }",
        "imports: [ 'file:types/b.yaml' ]",
        "imports: [ { named: { file: b.yaml, repository: r } } ]\nrepositories: { r: { url: types } }",
        "imports: [ { file: b.yaml, repository: r } ]\nrepositories: { r: 'file:types/' }",
        "imports: [ { file: types/b.yaml, repository: r } ]\nrepositories: { r: { url: . } }",
        "tosca_definitions_version: tosca_2_0\nimports: [ { url: types/b.yaml, namespace: p } ]",
        "tosca_definitions_version: tosca_2_0\nimports: [ { url: /types/b.yaml } ]",
        "tosca_definitions_version: tosca_2_0\nimports: [ { profile: some.profile }, types/b.yaml ]",
        "tosca_definitions_version: tosca_2_0\nrepositories: { r: { url: types } }\n"
        "imports: [ { url: /b.yaml, repository: r } ]",
    ],
)
def test_every_form_of_import_is_followed(folder, imports):
    head = "" if "tosca_2_0" in imports else "tosca_definitions_version: tosca_simple_yaml_1_0\n"
    (folder / "template.yaml").write_text(f"{head}{imports}\n")
    (folder / "types/b.yaml").write_text("artifacts: { x: ../data/e.txt }\n")
    assert set(Bundle.from_path(folder / "template.yaml").files) == {"template.yaml", "types/b.yaml", "data/e.txt"}


def test_imports_in_a_circle_come_to_an_end(folder):
    (folder / "template.yaml").write_text("imports: [ a.yaml, template.yaml ]\n")
    (folder / "a.yaml").write_text("imports: [ template.yaml, a.yaml, ./types/../a.yaml ]\n")
    assert set(Bundle.from_path(folder / "template.yaml").files) == {"template.yaml", "a.yaml"}


def test_a_chain_of_imports_is_not_followed_for_ever(folder):
    for i in range(300):
        (folder / f"t{i}.yaml").write_text(f"imports: [ t{i + 1}.yaml ]\n")
    assert 200 <= len(Bundle.from_path(folder / "t0.yaml").files) <= 202


@pytest.mark.parametrize(
    "text",
    [
        "tosca_definitions_version: tosca_simple_yaml_1_3\nimports: [ { n: { file: 'org.example:1.0' } } ]",
        "tosca_definitions_version: tosca_simple_yaml_1_3\nimports: [ 'org.example:1.0' ]",
        "tosca_definitions_version: tosca_2_0\nimports: [ { profile: 'org.example:1.0' } ]",
    ],
)
def test_a_profile_is_taken_from_the_nearest_folder_of_profiles(tree, text):
    here, above = tree / "templates/profiles/org/example/1.0", tree / "profiles/org/example/1.0"
    (tree / "templates/a.yaml").write_text(text)
    assert len(Bundle.from_path(tree / "templates/a.yaml", root=tree).files) == 1
    for folder in (above, here):
        folder.mkdir(parents=True)
        (folder / "profile.yaml").write_text("artifacts: { x: run.sh }\n")
        (folder / "run.sh").write_text("")
        taken = {str(f.relative_to(tree)) for f in folder.iterdir()}
        assert set(Bundle.from_path(tree / "templates/a.yaml", root=tree).files) == {"templates/a.yaml", *taken}


@pytest.mark.parametrize("name", ["..:1.0", "a.b:../../../../etc", "/etc", "..", "a.b:1.0\x00"])
def test_no_profile_leads_out(tree, name):
    text = f"tosca_definitions_version: tosca_2_0\nimports: [ {{ profile: {name!r} }} ]"
    (tree / "templates/a.yaml").write_text(text)
    assert len(Bundle.from_path(tree / "templates/a.yaml", root=tree).files) == 1
