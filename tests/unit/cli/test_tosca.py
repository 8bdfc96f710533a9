"""`isthmus tosca`: tools that need no server."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

import pytest

from isthmus.tosca import Bundle
from isthmus.tosca.tools.interchange import loads

HEAD = "tosca_definitions_version: tosca_simple_yaml_1_3\n"
TEXT = (
    HEAD
    + """
node_types:
  Server:
    derived_from: tosca.nodes.SoftwareComponent
    description: Serves.
topology_template:
  inputs:
    cpus: { type: integer, default: 1 }
  node_templates:
    m:
      type: tosca.nodes.Compute
      capabilities: { host: { properties: { num_cpus: { get_input: cpus } } } }
    s:
      type: Server
      requirements: [ host: m ]
      interfaces: { Standard: { create: run.sh } }
  outputs:
    address: { value: { get_attribute: [ m, public_address ] } }
"""
)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "t.yaml").write_text(TEXT)
    (tmp_path / "run.sh").write_text("true\n")
    return tmp_path


def test_show_draws_a_tree_by_itself(run: Any, folder: Path) -> None:
    done = run("tosca", "show", "t.yaml", "--set", "cpus=4")
    assert done.exit_code == 0, done.stderr
    lines = done.stdout.splitlines()
    assert "      num_cpus: 4" in lines
    assert "      host: m  (tosca.relationships.HostedOn)" in lines
    assert "  address: <m.public_address>" in lines


def test_show_speaks_json_dot_and_mermaid(run: Any, folder: Path) -> None:
    text = run("tosca", "show", "t.yaml", "--format", "json").stdout
    assert text == run("tosca", "show", "t.yaml", "--json").stdout
    assert list(loads(text).nodes) == ["m", "s"]
    assert run("tosca", "show", "t.yaml", "--format", "dot").stdout.startswith("digraph")
    assert run("tosca", "show", "t.yaml", "--format", "mermaid").stdout.startswith("flowchart")
    assert run("tosca", "show", "t.yaml", "--format", "png").exit_code == 2


def test_show_refuses_what_is_not_valid_with_its_diagnostics(run: Any, folder: Path) -> None:
    Path("bad.yaml").write_text(TEXT.replace("Compute", "Computer"))
    done = run("tosca", "show", "bad.yaml")
    assert done.exit_code == 2
    assert "[type-unknown]" in done.stderr
    Path("asking.yaml").write_text(TEXT.replace(", default: 1", ""))
    done = run("tosca", "show", "asking.yaml")
    assert done.exit_code == 2
    assert "--set" in done.stderr


def test_show_tells_what_cannot_be_deployed_and_shows_it_all_the_same(run: Any, folder: Path) -> None:
    Path("run.sh").unlink()
    done = run("tosca", "show", "t.yaml")
    assert done.exit_code == 0
    assert "[file-missing]" in done.stderr
    assert "nodes" in done.stdout


def test_types_are_a_hierarchy_with_those_of_a_template(run: Any, folder: Path) -> None:
    plain = run("tosca", "types").stdout.splitlines()
    assert "    tosca.nodes.SoftwareComponent" in plain
    own = run("tosca", "types", "--in", "t.yaml").stdout.splitlines()
    assert "      Server  (Serves.)" in own
    listed = json.loads(run("tosca", "types", "--in", "t.yaml", "--json").stdout)
    assert listed[0]["name"] == "Server"


def test_a_type_is_documented(run: Any, folder: Path) -> None:
    lines = run("tosca", "types", "Server", "--in", "t.yaml").stdout.splitlines()
    assert lines[:3] == [
        "Server (node type, t.yaml)", "  Serves.", "  derives from tosca.nodes.SoftwareComponent < tosca.nodes.Root",
    ]  # fmt: skip
    assert any(line.startswith("    component_version: version  (from tosca.nodes.Sof") for line in lines)
    [told, *_] = json.loads(run("tosca", "types", "Compute", "--json").stdout)
    assert told["ancestry"] == ["tosca.nodes.Abstract.Compute", "tosca.nodes.Root"]


def test_a_type_that_is_not_known_ends_with_3_and_a_hint(run: Any, folder: Path) -> None:
    done = run("tosca", "types", "tosca.nodes.Computer")
    assert done.exit_code == 3
    assert "Did you mean tosca.nodes.Compute?" in done.stderr
    Path("bad.yaml").write_text("a: [")
    assert run("tosca", "types", "--in", "bad.yaml").exit_code == 2


@pytest.mark.parametrize(
    ("profile", "name"),
    [("simple", "tosca.nodes.Compute"), ("simple-2.0", "Compute"), ("nfv", "tosca.nodes.nfv.VNF")],
)
def test_types_of_every_profile_that_comes_with_the_language_are_documented(run: Any, profile: str, name: str) -> None:
    listed = json.loads(run("tosca", "types", "--profile", profile, "--json").stdout)
    assert ("node", name) in {(line["kind"], line["name"]) for line in listed}
    [told, *_] = json.loads(run("tosca", "types", name, "--profile", profile, "--json").stdout)
    assert told["name"] == name


def test_types_are_looked_for_in_one_place(run: Any, folder: Path) -> None:
    assert run("tosca", "types", "--profile", "none").exit_code == 2
    assert run("tosca", "types", "--profile", "nfv", "--in", "t.yaml").exit_code == 2


def test_a_template_that_sees_no_types_is_no_bad_template(run: Any, folder: Path) -> None:
    Path("bare.yaml").write_text("tosca_definitions_version: tosca_2_0\nservice_template: { node_templates: {} }\n")
    done = run("tosca", "types", "--in", "bare.yaml", "--json")
    assert (done.exit_code, done.stdout) == (0, "[]\n")


def test_what_is_refused_is_told_with_its_diagnostics_in_json_too(run: Any, folder: Path) -> None:
    Path("bad.yaml").write_text(TEXT.replace("Compute", "Computer"))
    told = json.loads(run("tosca", "show", "bad.yaml", "--json").stdout)
    assert told["error"]["diagnostics"][0]["code"] == "type-unknown"


def test_a_document_may_come_by_the_standard_input(run: Any, folder: Path) -> None:
    assert run("validate", "-", input=TEXT.replace("create: run.sh", "")).stdout == "-: valid\n"
    bad = run("validate", "-", input=TEXT.replace("Compute", "Computer"))
    assert bad.exit_code == 2
    assert "stdin.yaml:12:13: error:" in bad.stderr
    assert run("tosca", "fmt", "-", input=UNTIDY).stdout == TIDY
    assert not Path("-").exists()


def test_inputs_are_a_schema(run: Any, folder: Path) -> None:
    schema = json.loads(run("tosca", "inputs", "t.yaml").stdout)
    assert schema["properties"]["cpus"]["type"] == "integer"
    Path("bad.yaml").write_text("a: [")
    assert run("tosca", "inputs", "bad.yaml").exit_code == 2


UNTIDY = "topology_template:\n   description: x # y\n" + HEAD
TIDY = HEAD + "\ntopology_template:\n  description: x  # y\n"


def test_fmt_writes_in_place_keeps_the_mode_and_leaves_no_draft(run: Any, folder: Path) -> None:
    file = folder / "u.yaml"
    file.write_text(UNTIDY)
    file.chmod(0o640)
    (folder / "link.yaml").symlink_to("u.yaml")
    done = run("tosca", "fmt", "link.yaml")
    assert (done.exit_code, done.stdout) == (0, "link.yaml\n")
    assert file.read_text() == TIDY
    assert stat.S_IMODE(file.stat().st_mode) == 0o640
    assert (folder / "link.yaml").is_symlink()
    assert sorted(p.name for p in folder.iterdir()) == ["link.yaml", "run.sh", "t.yaml", "u.yaml"]
    assert run("tosca", "fmt", "u.yaml").stdout == ""


def test_fmt_only_tells_when_it_is_asked_to_check_or_to_show(run: Any, folder: Path) -> None:
    file = folder / "u.yaml"
    file.write_text(UNTIDY)
    checked = run("tosca", "fmt", "--check", "u.yaml")
    assert (checked.exit_code, checked.stdout) == (1, "u.yaml would change\n")
    shown = run("tosca", "fmt", "--diff", "u.yaml")
    assert shown.exit_code == 0
    assert "-   description: x # y" in shown.stdout.splitlines()
    assert file.read_text() == UNTIDY
    assert json.loads(run("tosca", "fmt", "--check", "--json", "u.yaml").stdout) == [
        {"file": "u.yaml", "changed": True, "error": ""}
    ]


def test_fmt_goes_on_after_a_file_that_it_cannot_read(run: Any, folder: Path) -> None:
    Path("u.yaml").write_text(UNTIDY)
    Path("bad.yaml").write_text("a: [")
    done = run("tosca", "fmt", "bad.yaml", "none.yaml", ".", "u.yaml")
    assert done.exit_code == 2
    assert "[yaml-syntax]" in done.stderr
    assert "none.yaml" in done.stderr
    assert Path("u.yaml").read_text() == TIDY
    assert Path("bad.yaml").read_text() == "a: ["


def test_package_packs_what_the_template_reaches_and_tells_it(run: Any, folder: Path) -> None:
    (folder / "secret.txt").write_text("no")
    done = run("tosca", "package", "t.yaml", "-o", "t.csar")
    assert done.exit_code == 0, done.stderr
    assert "  run.sh  5 B" in done.stdout.splitlines()
    bundle = Bundle.from_path("t.csar")
    assert (bundle.main, sorted(bundle.files)) == ("t.yaml", ["run.sh", "t.yaml"])
    assert run("validate", "t.csar").exit_code == 0


def test_package_overwrites_only_by_force(run: Any, folder: Path) -> None:
    Path("t.csar").write_text("mine")
    done = run("tosca", "package", "t.yaml", "-o", "t.csar")
    assert done.exit_code == 4
    assert "--force" in done.stderr
    assert Path("t.csar").read_text() == "mine"
    told = json.loads(run("tosca", "package", "t.yaml", "-o", "t.csar", "--force", "--json").stdout)
    assert told["bytes"] == Path("t.csar").stat().st_size
    assert [f["path"] for f in told["files"]] == ["run.sh", "t.yaml"]


def test_package_refuses_what_is_not_valid_and_names_that_are_no_archive(run: Any, folder: Path) -> None:
    Path("bad.yaml").write_text(TEXT.replace("Compute", "Computer"))
    assert run("tosca", "package", "bad.yaml", "-o", "t.csar").exit_code == 2
    assert run("tosca", "package", "t.yaml", "-o", "t.tar").exit_code == 2
    assert run("tosca", "package", "t.yaml", "-o", "none/t.csar").exit_code == 1
    assert not Path("t.csar").exists()


def test_hostile_names_cannot_move_the_cursor(run: Any, folder: Path) -> None:
    Path("evil.yaml").write_text(TEXT.replace("    s:", '    "s\\e[2J":'))
    for form in ("tree", "dot", "mermaid"):
        assert "\x1b" not in run("tosca", "show", "evil.yaml", "--format", form).stdout


def test_hostile_names_cannot_reorder_a_line_and_stay_themselves_in_json(run: Any, folder: Path) -> None:
    Path("evil.yaml").write_text(TEXT.replace("    s:", '    "s\\u202e\\u200f\\x9b":'))
    for form in ("tree", "dot", "mermaid", "json"):
        shown = run("tosca", "show", "evil.yaml", "--format", form).stdout
        assert not set("\u202e\u200f\x9b") & set(shown)
    assert "s\u202e\u200f\x9b" in json.loads(shown)["nodes"]
