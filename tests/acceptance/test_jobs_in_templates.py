"""Jobs as nodes of a template: a cluster with work on it, and work alone, made real by one command."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from isthmus import catalogue

from .conftest import Cli

pytestmark = pytest.mark.engine

ALONE = """\
tosca_definitions_version: tosca_2_0
imports:
  - profile: org.oasis-open.simple:2.0
service_template:
  node_templates:
    first:
      type: Job
      properties:
        container: false
        command: [ sh, -c, "echo first; exit $CODE" ]
        env: { CODE: "0" }
    second:
      type: Job
      properties:
        container: false
        command: [ sh, -c, "echo after $FIRST" ]
        env: { FIRST: { $get_attribute: [ first, job ] } }
        array: [ 1, 3 ]
  outputs:
    code: { value: { $get_attribute: [ second, exit_code ] } }
"""
WORK = """
    prepare:
      type: isthmus.nodes.Job
      properties: { container: false, command: [ sh, -c, "hostname > ~/prepared" ] }
      requirements: [ batch: slurmctld ]
    work:
      type: isthmus.nodes.Job
      properties:
        container: false
        command: [ sh, -c, "cat ~/prepared; echo $ISTHMUS_TASK" ]
        array: [ 1, 4 ]
        time: 1 m
      requirements: [ batch: slurmctld, dependency: prepare ]
"""


FILES = """\
tosca_definitions_version: tosca_simple_yaml_1_3
topology_template:
  inputs:
    token: { type: isthmus.datatypes.Secret }
  node_templates:
    count:
      type: isthmus.nodes.Job
      properties:
        container: false
        command: [ ./count.sh, tables ]
        secrets: { TOKEN: { get_input: token } }
        inputs:
          - { from: count.sh }
          - { from: data, to: tables }
        outputs:
          - { from: out }
        array: 1-3:2%1
        keep: 1 h
"""
COUNT = """\
#!/bin/sh
mkdir -p out
cat "$1"/*.txt "$1"/more/*.txt > "out/$ISTHMUS_TASK.txt"
echo "the token has ${#TOKEN} letters"
"""


def test_a_job_has_files_of_its_template_and_leaves_what_is_fetched(cli: Cli, tmp_path: Path) -> None:
    folder = tmp_path / "template"
    (folder / "data" / "more").mkdir(parents=True)
    (folder / "service.yaml").write_text(FILES)
    (folder / "count.sh").write_text(COUNT)
    (folder / "data" / "a.txt").write_text("one\n")
    (folder / "data" / "more" / "b.txt").write_text("two\n")
    template = str(folder / "service.yaml")
    cli.run("deploy", template, "--name", "filed", "--set", "token=hidden-word", "--yes")
    first = cli.ask("show", "job:count")
    assert cli.run("logs", "job:count", "--task", "3").stdout == "the token has 11 letters\n"
    assert "hidden-word" not in json.dumps([first, cli.ask("show", "filed")])
    cli.run("fetch", "job:count", "--to", str(tmp_path / "got"))
    assert {f.name: f.read_text() for f in (tmp_path / "got" / "out").iterdir()} == {
        "1.txt": "one\ntwo\n", "3.txt": "one\ntwo\n",
    }  # fmt: skip
    (folder / "data" / "more" / "b.txt").write_text("three\n")
    cli.run("update", "filed", template, "--yes")
    assert cli.ask("show", "job:count")["id"] != first["id"], "what it runs has changed"
    cli.run("fetch", "job:count", "--to", str(tmp_path / "got"))
    assert (tmp_path / "got" / "out" / "3.txt").read_text() == "one\nthree\n"
    cli.run("delete", "filed", "--yes")
    assert cli.run("fetch", "job:count", "--to", str(tmp_path / "got"), ok=False).returncode == 3


def test_a_job_without_an_image_runs_only_when_asked_for_by_name(cli: Cli, tmp_path: Path) -> None:
    file = tmp_path / "service.yaml"
    file.write_text(ALONE.replace("        container: false\n", "", 1))
    for words in (("validate", str(file)), ("plan", str(file)), ("deploy", str(file), "--yes")):
        refused = cli.run(*words, ok=False)
        assert refused.returncode != 0
        assert "service.yaml:6:5" in refused.stdout + refused.stderr
        assert "'first': it has no image" in refused.stdout + refused.stderr


def test_jobs_run_in_the_order_of_their_template(cli: Cli, tmp_path: Path) -> None:
    file = tmp_path / "service.yaml"
    file.write_text(ALONE)
    cli.run("deploy", str(file), "--name", "alone", "--yes")
    assert cli.ask("outputs", "alone") == {"code": 0}
    first = cli.ask("show", "job:first")
    assert cli.run("logs", "job:second", "--task", "2").stdout == f"after {first['id']}\n"
    file.write_text(ALONE.replace('CODE: "0"', 'CODE: "3"'))
    failed = cli.run("update", "alone", str(file), "--yes", ok=False)
    assert failed.returncode == 1
    assert "exit code 3" in failed.stderr
    assert cli.ask("show", "alone")["phase"] == "failed"
    cli.run("delete", "alone", "--yes")
    assert cli.run("show", "job:first", ok=False).returncode == 3


def test_a_cluster_comes_with_its_work(cli: Cli, tmp_path: Path) -> None:
    folder = tmp_path / "cluster"
    for path, content in catalogue.bundle("slurm-cluster").files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
    template = (folder / catalogue.MAIN).read_text()
    before, relations, after = template.partition("\n  relationship_templates:")
    (folder / catalogue.MAIN).write_text(before + WORK + relations + after)
    cli.run("deploy", str(folder / catalogue.MAIN), "--name", "small", "--yes")
    assert cli.ask("show", "job:work")["site"] == "small"
    assert cli.run("logs", "job:work", "--task", "3").stdout.splitlines()[1:] == ["3"]
    cli.run("delete", "small", "--yes")
