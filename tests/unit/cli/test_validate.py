"""`isthmus validate`: what it says of a template, in words, in JSON and as SARIF, and with which code it ends."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from isthmus.library import Library
from isthmus.tosca import Bundle

HEAD = "tosca_definitions_version: tosca_simple_yaml_1_3\n"
GOOD = HEAD + "topology_template: { node_templates: { m: { type: tosca.nodes.Compute } } }\n"
BAD = GOOD.replace("Compute", "Computer")
UNUSED = GOOD.replace("{ node_t", "{ inputs: { a: { type: string, default: x } }, node_t")
ASKING = (
    HEAD
    + """
topology_template:
  inputs:
    size: { type: integer, description: How large. }
  node_templates:
    m:
      type: tosca.nodes.Compute
      capabilities: { host: { properties: { num_cpus: { get_input: size } } } }
"""
)
MISSING = GOOD.replace(
    "m: { type: tosca.nodes.Compute }",
    "m: { type: tosca.nodes.Compute }, s: { type: tosca.nodes.SoftwareComponent, requirements: [ host: m ],"
    " interfaces: { Standard: { create: nowhere.sh } } }",
)
MARKED = (
    HEAD
    + """
node_types:
  tosca.nodes.indigo.Thing: { derived_from: tosca.nodes.Root }
topology_template:
  node_templates:
    m: { type: tosca.nodes.Compute, strange: 1 }
"""
)


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.chdir(tmp_path)

    def run(name: str, text: str) -> str:
        Path(name).parent.mkdir(exist_ok=True)
        Path(name).write_text(text)
        return name

    return run


def test_a_valid_template_is_called_so(run: Any, write: Any) -> None:
    done = run("validate", write("a.yaml", GOOD))
    assert (done.exit_code, done.stdout, done.stderr) == (0, "a.yaml: valid\n", "")


def test_warnings_are_counted_and_do_no_harm(run: Any, write: Any) -> None:
    done = run("validate", write("a.yaml", UNUSED))
    assert (done.exit_code, done.stdout) == (0, "a.yaml: valid, 1 warning\n")
    assert "[input-unused]" in done.stderr


def test_one_bad_template_among_several_ends_with_2(run: Any, write: Any) -> None:
    done = run("validate", write("a.yaml", BAD), write("b.yaml", GOOD))
    assert done.exit_code == 2
    assert "a.yaml:2:51: error:" in done.stderr
    assert "^" in done.stderr
    assert "did you mean" in done.stderr
    assert done.stderr.endswith("a.yaml: 1 error\n")
    assert done.stdout == "b.yaml: valid\n"


def test_places_are_told_as_seen_from_where_one_stands(run: Any, write: Any) -> None:
    assert "sub/a.yaml:2:51: error:" in run("validate", write("sub/a.yaml", BAD)).stderr
    assert "sub/a.yaml:2:51: error:" in run("validate", str(Path("sub/a.yaml").absolute())).stderr
    [told] = json.loads(run("validate", "sub/a.yaml", "--json").stdout)
    assert (told["file"], told["diagnostics"][0]["file"]) == ("sub/a.yaml", "a.yaml")


def test_a_file_that_is_not_there_does_not_keep_others_from_being_checked(run: Any, write: Any) -> None:
    done = run("validate", "none.yaml", write("b.yaml", GOOD))
    assert done.exit_code == 2
    assert "none.yaml: 1 error" in done.stderr
    assert done.stdout == "b.yaml: valid\n"


def test_an_input_without_value_is_a_note_while_no_input_is_given(run: Any, write: Any) -> None:
    file = write("a.yaml", ASKING)
    done = run("validate", file)
    assert (done.exit_code, done.stdout) == (0, "a.yaml: valid, 1 input to be given\n")
    assert "note: the input 'size' has no value" in done.stderr
    [told] = json.loads(run("validate", file, "--json").stdout)
    assert (told["valid"], told["deployable"], told["errors"]) == (True, True, 0)
    assert [(d["severity"], d["code"]) for d in told["diagnostics"]] == [("note", "input-missing")]


def test_an_input_without_value_is_an_error_once_inputs_are_given(run: Any, write: Any) -> None:
    file = write("a.yaml", ASKING)
    assert run("validate", file, "--set", "size=2").exit_code == 0
    assert run("validate", file, "--set", "size=0").exit_code == 2
    done = run("validate", file, "--set", "other=2")
    assert done.exit_code == 2
    assert "[input-missing]" in done.stderr
    assert "[input-unknown]" in done.stderr


def test_what_is_tosca_and_cannot_be_deployed_is_told_apart(run: Any, write: Any) -> None:
    file = write("a.yaml", MISSING)
    done = run("validate", file)
    assert done.exit_code == 2
    assert "nowhere.sh" in done.stderr
    assert "a.yaml: valid TOSCA, but cannot be deployed: 1 refusal" in done.stderr
    alone = run("validate", file, "--language")
    assert (alone.exit_code, alone.stdout) == (0, "a.yaml: valid, 1 refusal\n")
    [told] = json.loads(run("validate", file, "--json").stdout)
    assert (told["valid"], told["deployable"], told["refusals"]) == (True, False, 1)


def test_leniencies_that_were_used_are_listed_with_their_explanation(run: Any, write: Any) -> None:
    file = write("a.yaml", MARKED)
    assert "leniency" not in run("validate", file).stdout
    told = run("validate", file, "-v")
    assert told.exit_code == 0, told.stderr
    assert "  leniency stray-keys: Keys that the grammar does not know are passed over.\n" in told.stdout
    [found] = json.loads(run("validate", file, "--json").stdout)
    assert [told["name"] for told in found["leniencies"]] == ["catalogue-types", "stray-keys"]


def test_sarif_places_are_relative_to_where_one_stands(run: Any, write: Any) -> None:
    done = run("validate", write("sub/a.yaml", BAD), write("b.yaml", ASKING), "--sarif")
    assert done.exit_code == 2
    assert done.stderr == ""
    error, note = json.loads(done.stdout)["runs"][0]["results"]
    place = error["locations"][0]["physicalLocation"]
    assert place["artifactLocation"]["uri"] == "sub/a.yaml"
    assert place["region"] == {"startLine": 2, "startColumn": 51}
    assert (note["ruleId"], note["level"]) == ("input-missing", "note")
    assert run("validate", "b.yaml", "--sarif", "--json").exit_code == 2


def test_no_file_however_strange_ends_in_a_traceback(run: Any, write: Any, tmp_path: Path) -> None:
    (tmp_path / "bytes.yaml").write_bytes(bytes(range(256)))
    (tmp_path / "archive.csar").write_bytes(b"PK\x03\x04" + b"\0" * 40)
    (tmp_path / "folder").mkdir()
    deep = write("deep.yaml", HEAD + "description: " + "[" * 5000)
    found = run("validate", "bytes.yaml", "archive.csar", "folder", deep, write("empty.yaml", ""))
    assert found.exit_code == 2
    assert "unforeseen" not in found.stderr
    assert found.exception is None or isinstance(found.exception, SystemExit)


def test_a_template_is_judged_as_the_server_judges_it(run: Any, write: Any) -> None:
    for text in (GOOD, BAD, ASKING, MARKED, MISSING):
        [told] = json.loads(run("validate", write("a.yaml", text), "--json").stdout)
        bundle = Bundle("a.yaml", {"a.yaml": text.encode()})
        assert told == {"file": "a.yaml", **json.loads(json.dumps(asdict(Library.check(bundle, {}))))}


def test_a_folder_with_several_templates_asks_for_one(run: Any, write: Any) -> None:
    write("sub/a.yaml", GOOD)
    write("sub/b.yaml", GOOD)
    done = run("validate", "sub", "-v")
    assert done.exit_code == 2
    assert "sub has 2 YAML files at its root" in done.stderr
    assert "Name the file." in done.stderr
    assert run("validate", "").exit_code == 2


def test_imports_may_lead_to_a_root_that_is_told(run: Any, write: Any) -> None:
    write("lib/types.yaml", HEAD + "node_types: { Own: { derived_from: tosca.nodes.Compute } }\n")
    text = HEAD + "imports: [ ../lib/types.yaml ]\ntopology_template: { node_templates: { m: { type: Own, x: 1 } } }\n"
    file = write("main/t.yaml", text)
    assert "[import]" in run("validate", file).stderr
    assert "main/t.yaml:3:" in run("validate", file, "--root", ".").stderr
    assert run("validate", write("main/t.yaml", text.replace(", x: 1", "")), "--root", ".").exit_code == 0


def test_a_host_that_is_none_is_wrong_usage(run: Any, write: Any) -> None:
    done = run("validate", write("a.yaml", GOOD), "--allow-import", "not a host")
    assert done.exit_code == 2
    assert "--allow-import" in done.stderr
