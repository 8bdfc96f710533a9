"""Faults of real machines on Docker: scripts and playbooks that fail, a full disk, a machine that never answers."""

from __future__ import annotations

import io
import subprocess
import sys
import tarfile
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docker
import pytest

from isthmus.sites.local.driver import LocalDriver

from .servers import Server

pytestmark = pytest.mark.engine

TEMPLATE = """\
tosca_definitions_version: tosca_simple_yaml_1_3
topology_template:
  inputs:
    system: {type: string, default: debian}
    play: {type: string, default: well}
    script: {type: string, default: well}
  node_templates:
    box:
      type: tosca.nodes.Compute
      capabilities: {os: {properties: {distribution: {get_input: system}}}}
    app:
      type: tosca.nodes.SoftwareComponent
      requirements: [host: box]
      interfaces:
        Standard:
          configure: {implementation: play.yaml, inputs: {PLAY: {get_input: play}}}
          start: {implementation: step.sh, inputs: {SCRIPT: {get_input: script}}}
"""
PLAY = """\
- hosts: all
  gather_facts: false
  tasks:
    - name: Check what was asked
      ansible.builtin.fail: {msg: "the play was asked to end badly"}
      when: PLAY != "well"
"""
STEP = """\
#!/bin/sh
[ "$SCRIPT" = well ] || { echo "the script was asked to end badly" >&2; exit 7; }
"""


class Scene:
    """A server with a local site that nobody else has."""

    def __init__(self, home: Path) -> None:
        self.docker = docker.from_env()
        self.nonce = uuid.uuid4().hex[:8]
        self.site, self.deaf = f"faults-{self.nonce}", f"localhost/isthmus-faults-{self.nonce}:deaf"
        self.own_images: list[str] = []
        self.base = LocalDriver("local", {})._base.reference
        images = f"images: {{deaf: '{self.deaf}'}}, subnets: 10.199.0.0/16"
        config = f"tick: 1\nmachine_timeout: 3\nsites:\n  - {{name: {self.site}, kind: local, options: {{{images}}}}}\n"
        self.server = Server(home, config)
        self.server.start()

    def deploy(self, name: str, **inputs: str) -> None:
        files = {"app.yaml": TEMPLATE, "play.yaml": PLAY, "step.sh": STEP}
        body = {"template": {"main": "app.yaml", "files": files}, "name": name, "inputs": inputs}
        self.server.tell("/deployments", body)

    def change(self, name: str, **inputs: str) -> None:
        self.server.tell(f"/deployments/{name}", {"inputs": inputs}, "PATCH")

    def resume(self, name: str) -> None:
        self.server.tell(f"/deployments/{name}/resume")

    def failed_events(self, name: str) -> list[str]:
        return [
            e["message"] for e in self.server.ask(f"/deployments/{name}/events")["items"] if e["outcome"] == "failed"
        ]

    def container(self, name: str) -> Any:
        number = self.server.ask(f"/deployments/{name}")["id"]
        return self.docker.containers.get(f"isthmus-{number}-box-0")

    def make_deaf_image(self) -> None:
        """The machine image, except that nothing in it listens for SSH."""
        made = self.docker.containers.create(self.base, ["/sbin/init"])
        archive = io.BytesIO()
        with tarfile.open(fileobj=archive, mode="w") as tar:
            for unit in ("ssh.service", "ssh.socket"):
                mask = tarfile.TarInfo(f"etc/systemd/system/{unit}")
                mask.type, mask.linkname = tarfile.SYMTYPE, "/dev/null"
                tar.addfile(mask)
        made.put_archive("/", archive.getvalue())
        self.own_images.append(made.commit(*self.deaf.split(":")).id)
        made.remove()

    def close(self) -> None:
        self.server.close()
        mine = {"label": f"isthmus.site={self.site}"}
        for container in self.docker.containers.list(all=True, filters=mine, ignore_removed=True):
            container.remove(force=True, v=True)
        for network in self.docker.networks.list(filters=mine):
            network.remove()
        for image in (*self.own_images, *([self.deaf] if self.docker.images.list(self.deaf) else [])):
            self.docker.images.remove(image, force=True)
        self.docker.close()


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    provision = [sys.executable, "-m", "isthmus.sites.local.provision"]
    ready = subprocess.run(provision, capture_output=True, text=True, check=False)
    if ready.returncode:
        pytest.skip(ready.stderr.strip())
    made = Scene(tmp_path_factory.mktemp("home"))
    yield made
    made.close()


def test_a_playbook_and_a_script_that_fail_name_machine_task_and_words_and_a_change_goes_on(scene: Scene) -> None:
    scene.deploy("steps", play="badly")
    reason = scene.server.settled("steps", "failed")["reason"]
    assert reason.startswith("app configure failed on box[0]: ")
    assert "Check what was asked" in reason
    assert "the play was asked to end badly" in reason
    assert any("the play was asked to end badly" in m for m in scene.failed_events("steps"))
    machine = scene.container("steps").id

    scene.change("steps", play="well", script="badly")
    reason = scene.server.settled("steps", "failed")["reason"]
    assert reason == "app start failed on box[0]: exit code 7: the script was asked to end badly"

    scene.change("steps", script="well")
    scene.server.settled("steps", "running")
    assert scene.container("steps").id == machine, "the machine was kept"


def test_a_full_disk_is_told_and_resume_goes_on_once_there_is_room(scene: Scene) -> None:
    scene.deploy("full")
    scene.server.settled("full", "running")
    box = scene.container("full")
    # The place where jobs are unpacked is put on a file system of 64 MB, and that is filled.
    fill = "rm -rf /var/lib/isthmus && mkdir /dev/shm/jobs && ln -s /dev/shm/jobs /var/lib/isthmus && "
    assert box.exec_run(["sh", "-c", fill + "! cat /dev/zero >/dev/shm/filler"])[0] == 0
    scene.change("full", script="well ")
    reason = scene.server.settled("full", "failed")["reason"]
    assert reason.startswith("app start failed on box[0]: ")
    assert "No space left on device" in reason
    assert any("No space left on device" in m for m in scene.failed_events("full"))

    scene.change("full", script="well")  # still full: a second run must not hide the first one's cause
    assert "No space left on device" in scene.server.settled("full", "failed")["reason"]
    assert box.exec_run(["rm", "/dev/shm/filler"])[0] == 0
    scene.resume("full")
    scene.server.settled("full", "running")


def test_a_machine_that_never_answers_is_told_and_made_anew_once_the_cause_is_gone(scene: Scene) -> None:
    scene.make_deaf_image()
    scene.deploy("deaf", system="deaf")
    reason = scene.server.settled("deaf", "degraded")["reason"]
    assert reason.startswith("machine box[0]: ")
    assert "is not ready after 3 s" in reason
    assert "again in" in reason
    silent = scene.container("deaf").id
    box = scene.server.ask("/deployments/deaf")["nodes"][0]["instances"][0]
    assert box["state"] == "error"
    assert "is not ready" in box["reason"]

    scene.docker.images.get(scene.base).tag(*scene.deaf.split(":"))
    scene.resume("deaf")
    scene.server.settled("deaf", "running")
    assert scene.container("deaf").id != silent
    scene.server.tell("/deployments/deaf", method="DELETE")
