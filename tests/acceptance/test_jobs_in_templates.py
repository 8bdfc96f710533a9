"""Jobs as nodes of a template: a cluster with work on it, and work alone, made real by one command."""

from __future__ import annotations

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
        command: [ sh, -c, "echo first; exit $CODE" ]
        env: { CODE: "0" }
    second:
      type: Job
      properties:
        command: [ sh, -c, "echo after $FIRST" ]
        env: { FIRST: { $get_attribute: [ first, job ] } }
        array: [ 1, 3 ]
  outputs:
    code: { value: { $get_attribute: [ second, exit_code ] } }
"""
WORK = """
    prepare:
      type: isthmus.nodes.Job
      properties: { command: [ sh, -c, "hostname > ~/prepared" ] }
      requirements: [ batch: slurmctld ]
    work:
      type: isthmus.nodes.Job
      properties:
        command: [ sh, -c, "cat ~/prepared; echo $ISTHMUS_TASK" ]
        array: [ 1, 4 ]
        time: 1 m
      requirements: [ batch: slurmctld, dependency: prepare ]
"""


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
