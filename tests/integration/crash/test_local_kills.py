"""A real server on Docker, killed in the middle of each kind of action: started again, it goes on to the same end."""

from __future__ import annotations

import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docker
import pytest

from isthmus.sites.local.driver import LocalDriver

from ..servers import Server, Watcher

pytestmark = pytest.mark.engine

TEMPLATE = """\
tosca_definitions_version: tosca_simple_yaml_1_3
node_types:
  App:
    derived_from: tosca.nodes.SoftwareComponent
    properties:
      greeting: {type: string}
topology_template:
  inputs:
    greeting: {type: string, default: hello}
    nonce: {type: string}
  node_templates:
    disk:
      type: tosca.nodes.BlockStorage
      properties: {size: 1 GiB}
    front:
      type: tosca.nodes.Compute
      requirements:
        - local_storage:
            node: disk
            relationship: {type: tosca.relationships.AttachesTo, properties: {location: /data}}
    worker:
      type: tosca.nodes.Compute
      capabilities:
        scalable: {properties: {min_instances: 0, max_instances: 4, default_instances: 1}}
    master:
      type: App
      properties: {greeting: {get_input: greeting}}
      requirements: [host: front]
      interfaces:
        Standard:
          inputs: {NONCE: {get_input: nonce}}
          create: step.sh
          configure:
            implementation: step.sh
            inputs: {GREETING: {get_input: greeting}, PEERS: {get_attribute: [worker, private_address]}}
          start: step.sh
          stop: step.sh
          delete: step.sh
    slave:
      type: App
      properties: {greeting: {get_input: greeting}}
      requirements: [host: worker]
      interfaces:
        Standard:
          inputs: {NONCE: {get_input: nonce}}
          create: step.sh
          configure:
            implementation: step.sh
            inputs: {GREETING: {get_input: greeting}, PEERS: {get_attribute: [front, private_address]}}
          start: step.sh
          stop: step.sh
          delete: step.sh
"""
STEP = """\
#!/bin/sh
# Each step takes two breaths, so that it can be cut off in the middle; what it leaves tells that it came to its end.
set -eu
mkdir -p /srv/app
echo "begun $ISTHMUS_OPERATION"
rm -f "/srv/app/$ISTHMUS_OPERATION"
sleep 0.25
echo "${GREETING:-} ${PEERS:-}" > "/srv/app/$ISTHMUS_OPERATION"
"""
FRONT, WORKER = "front-0", "worker-0"


class Scene:
    """A server on a local site that nobody else has, and Docker to see what is really there."""

    def __init__(self, home: Path) -> None:
        self.nonce = uuid.uuid4().hex[:8]
        self.docker = docker.from_env()
        self.site, self.prefix = f"kills-{self.nonce}", f"localhost/isthmus-kills-{self.nonce}"
        self._lend_machine_image()
        options = f"{{prefix: {self.prefix}, subnets: 10.198.0.0/16}}"
        config = f"tick: 1\nlease: 3\nsites:\n  - {{name: {self.site}, kind: local, options: {options}}}\n"
        self.server = Server(home, config)
        self.server.start()
        self.watcher = Watcher(home)
        self.kills: list[str] = []
        self.id = ""

    def _lend_machine_image(self) -> None:
        """The usual machine image under this scene's own name."""
        usual = LocalDriver("local", {})._base.reference
        own = LocalDriver("local", {"prefix": self.prefix})._base.reference
        self.docker.images.get(usual).tag(*own.rsplit(":", 1))

    def ask_for(self, what: str, *moments: str, path: str = "", body: Any = None, method: str = "POST") -> None:
        """Ask the server for something, and kill it each time it writes that it begins one of ``moments``."""
        self.watcher.skip()
        made = self.server.tell(f"/deployments{path}", body, method)
        self.id = made["id"]
        for moment in moments:
            beginning, _, pause = moment.partition(" + ")
            self.watcher.wait(f"action.started {beginning}")
            time.sleep(float(pause or 0))  # into the middle of it; any other moment must be as good
            self.server.kill()
            self.kills.append(f"{what}: {moment}")
            self.server.start()

    def world(self) -> dict[str, list[str]]:
        """Everything on the engine that carries this site's label, by kind."""
        mine = {"label": f"isthmus.site={self.site}"}
        assert {
            c.labels["isthmus.deployment"]
            for c in self.docker.containers.list(all=True, filters=mine, ignore_removed=True)
        } <= {self.id}
        return {
            "machines": sorted(
                f"{c.name.removeprefix(f'isthmus-{self.id}-')} {c.status}"  # type: ignore[union-attr]
                for c in self.docker.containers.list(all=True, filters=mine, ignore_removed=True)
            ),
            "networks": sorted(n.name or "" for n in self.docker.networks.list(filters=mine)),
            "volumes": sorted(v.name or "" for v in self.docker.volumes.list(filters=mine)),
            "images": sorted(t for i in self.docker.images.list(f"{self.prefix}/baked") for t in i.tags),
        }

    def check(self, phase: str, *machines: str, state: str = "running", greeting: str = "hello") -> None:
        """Wait for the end, and compare the world, the machines' own files and the store with what they must be."""
        found = self.server.settled(self.id, phase)
        world = self.world()
        assert world["machines"] == sorted(f"{m} {state}" for m in machines)
        assert len(world["networks"]) == len(world["volumes"]) == (1 if machines else 0), world
        # A machine whose image was not yet saved when its server died is not kept: the next deployment's is.
        assert len(world["images"]) <= 2, world
        known = {i["name"] for n in found["nodes"] if n["kind"] == "machine" for i in n["instances"] if i["id"]}
        assert len(known) == len(machines), known
        if phase == "running":
            self._look_inside(machines, greeting)

    def _look_inside(self, machines: tuple[str, ...], greeting: str) -> None:
        addresses = {m: self._run(m, "hostname", "-I").split()[0] for m in machines}
        workers = [addresses[m] for m in machines if m != FRONT]
        for name in machines:
            configured = self._run(name, "cat", "/srv/app/Standard.configure")
            assert configured.split()[0] == greeting
            for peer in workers if name == FRONT else [addresses[FRONT]]:
                assert peer in configured, (name, configured, addresses)
            self._run(name, "test", "-e", "/srv/app/Standard.start")
            assert self._run(name, "cat", "/etc/machine-id").strip(), f"{name} lost its machine id"
            assert "step.sh" not in self._run(name, "ps", "-eo", "args"), f"a step still runs on {name}"

    def _run(self, machine: str, *words: str) -> str:
        code, out = self.docker.containers.get(f"isthmus-{self.id}-{machine}").exec_run(list(words))
        assert code == 0, (machine, words, out)
        return bytes(out).decode()

    def close(self) -> None:
        """Remove everything that this scene can have made, whatever the server still knows."""
        self.server.close()
        mine = {"label": f"isthmus.site={self.site}"}
        for container in self.docker.containers.list(all=True, filters=mine, ignore_removed=True):
            container.remove(force=True, v=True)
        for network in self.docker.networks.list(filters=mine):
            network.remove()
        for volume in self.docker.volumes.list(filters=mine):
            volume.remove(force=True)
        for kind in ("baked", "machine"):
            for image in self.docker.images.list(f"{self.prefix}/{kind}"):
                for tag in image.tags:
                    if tag.startswith(self.prefix):
                        self.docker.images.remove(tag, force=True)
        self.docker.close()


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    provision = [sys.executable, "-m", "isthmus.sites.local.provision"]
    ready = subprocess.run(provision, capture_output=True, text=True, check=False)
    if ready.returncode:
        pytest.skip(ready.stderr.strip())
    made = Scene(tmp_path / "home")
    yield made
    made.close()


def test_a_server_killed_in_the_middle_of_each_kind_of_action_loses_leaks_and_doubles_nothing(scene: Scene) -> None:
    files = {"app.yaml": TEMPLATE, "step.sh": STEP}
    body = {"template": {"main": "app.yaml", "files": files}, "name": "app", "inputs": {"nonce": scene.nonce}}
    scene.ask_for("create", "create:network", "create:machine:front[0] + 0.05", "create:image + 0.1",
                  "configure:master.Standard.configure + 0.2", body=body)  # fmt: skip
    scene.check("running", FRONT, WORKER)
    scene.ask_for("scale out", "create:machine:worker[1] + 0.1", path="/app/scale", body={"node": "worker", "count": 2})
    scene.check("running", FRONT, WORKER, "worker-1")
    scene.ask_for("update", "configure:slave.Standard.create + 0.2", "configure:slave.Standard.configure + 0.2",
                  path="/app", method="PATCH", body={"inputs": {"greeting": "hi", "nonce": "other"}})  # fmt: skip
    scene.check("running", FRONT, WORKER, "worker-1", greeting="hi")
    scene.ask_for("stop", "stop:slave.Standard.stop + 0.1", "stop:machine + 0.1", path="/app/stop")
    scene.check("stopped", FRONT, WORKER, "worker-1", state="exited")
    scene.ask_for("start", "start:machine + 0.05", "configure:master.Standard.start + 0.2", path="/app/start")
    scene.check("running", FRONT, WORKER, "worker-1", greeting="hi")
    scene.ask_for("scale in", "delete:machine:worker[1]", path="/app/scale", body={"node": "worker", "count": 1})
    scene.check("running", FRONT, WORKER, greeting="hi")
    scene.ask_for("delete", "delete:slave.Standard.delete + 0.1", "delete:machine", "delete:network",
                  path="/app", method="DELETE")  # fmt: skip
    scene.check("deleted")
    assert len(scene.kills) >= 12, scene.kills
