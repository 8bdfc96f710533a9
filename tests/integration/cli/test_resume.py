"""`isthmus deploy --resume`: a deployment that failed says why, and goes on once the cause is gone."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from isthmus.sites.fake import World, audit

from ..servers import Server

TEMPLATE = """\
tosca_definitions_version: tosca_simple_yaml_1_3
topology_template:
  node_templates:
    box: {type: tosca.nodes.Compute}
    app:
      type: tosca.nodes.SoftwareComponent
      requirements: [host: box]
      interfaces: {Standard: {configure: step.sh}}
"""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    made = Server(tmp_path, f"sites:\n  - {{name: fake, kind: fake, options: {{world: {tmp_path / 'world.db'}}}}}\n")
    made.start()
    yield made
    made.close()


def isthmus(server: Server, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "isthmus.cli.main", *words]
    return subprocess.run(command, env=server.environment, capture_output=True, text=True, timeout=300, check=False)


def test_what_failed_says_why_and_resume_goes_on_once_the_cause_is_gone(server: Server, tmp_path: Path) -> None:
    (tmp_path / "app.yaml").write_text(TEMPLATE)
    (tmp_path / "step.sh").write_text("#!/bin/sh\n")
    world = World(tmp_path / "world.db")
    world.fail_operation("app.Standard.configure", 9, message="exit code 9: no licence server")

    failed = isthmus(server, "deploy", str(tmp_path / "app.yaml"), "--name", "app", "--yes")
    told = failed.stdout + failed.stderr
    assert failed.returncode == 1, told
    assert "app configure failed on box[0]: exit code 9: no licence server" in told
    assert "isthmus deploy --resume app" in told

    again = isthmus(server, "deploy", "--resume", "app")
    assert again.returncode == 1, "the cause is still there"
    world.clear_rules()
    resumed = isthmus(server, "deploy", "--resume", "app")
    assert resumed.returncode == 0, resumed.stdout + resumed.stderr
    assert server.ask("/deployments/app")["phase"] == "running"
    assert audit(world) == []
    world.close()
