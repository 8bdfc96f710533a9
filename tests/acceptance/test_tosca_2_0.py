"""A template of TOSCA 2.0, made real on Docker: a count, the index of a node, a path through a relationship."""

from __future__ import annotations

from pathlib import Path

import pytest

from .conftest import Cli

pytestmark = pytest.mark.engine

TEMPLATE = """\
tosca_definitions_version: tosca_2_0
imports:
  - profile: org.oasis-open.simple:2.0
service_template:
  inputs:
    workers: { type: integer, default: 2, validation: { $greater_or_equal: [ $value, 1 ] } }
  node_templates:
    worker:
      type: Compute
      count: { $get_input: workers }
      capabilities:
        host:
          properties: { num_cpus: 1, mem_size: 512 MB }
    greeter:
      type: SoftwareComponent
      count: { $get_input: workers }
      requirements:
        - host: { node: [ worker, $node_index ] }
      interfaces:
        Standard:
          operations:
            configure:
              implementation: greet.sh
              inputs:
                number: $node_index
                where: { $get_attribute: [ SELF, RELATIONSHIP, host, TARGET, private_address ] }
  outputs:
    addresses:
      value: { $get_attribute: [ worker, ALL, private_address ] }
"""
SCRIPT = '#!/bin/sh\nset -e\necho "$number at $where" > /root/greeting\n'


def test_each_machine_of_a_count_knows_its_index_and_its_address(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "service.yaml").write_text(TEMPLATE)
    (tmp_path / "greet.sh").write_text(SCRIPT)
    cli.run("deploy", str(tmp_path / "service.yaml"), "--name", "modern", "--yes")

    addresses = cli.ask("outputs", "modern")["addresses"]
    greetings = [cli.run("exec", "modern", f"worker[{i}]", "--", "cat", "/root/greeting").stdout for i in (0, 1)]

    assert greetings == [f"{i} at {address}\n" for i, address in enumerate(addresses)]
    assert len(set(addresses)) == 2
    cli.run("delete", "modern", "--yes", "--wait")


def test_a_value_that_breaks_a_validation_clause_is_refused_before_anything_is_made(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "service.yaml").write_text(TEMPLATE)
    (tmp_path / "greet.sh").write_text(SCRIPT)

    refused = cli.run("deploy", str(tmp_path / "service.yaml"), "--set", "workers=0", "--yes", ok=False)

    assert refused.returncode != 0
    assert "validation clause" in refused.stderr
    assert "modern" not in [d["name"] for d in cli.ask("list")]
