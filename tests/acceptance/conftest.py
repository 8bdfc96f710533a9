"""A home of its own, the `isthmus` command as users type it, and Docker to look at what is really there."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import docker
import pytest

ISTHMUS = Path(sys.executable).with_name("isthmus")


@dataclass(frozen=True)
class Cli:
    """Runs `isthmus` with a home of its own."""

    home: Path

    def run(self, *args: str, ok: bool = True, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "ISTHMUS_HOME": str(self.home), "ISTHMUS_TICK": "1"}
        ran = subprocess.run(
            [str(ISTHMUS), *args],
            env=environment,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=1800,
            check=False,
        )
        if ok:
            assert ran.returncode == 0, (
                f"isthmus {' '.join(args)}: {ran.returncode}\n{ran.stdout[-3000:]}\n{ran.stderr[-3000:]}"
            )
        return ran

    def ask(self, *args: str) -> Any:
        """What a command answers with --json; of several lines the last one."""
        out = self.run(*args, "--json").stdout
        try:
            return json.loads(out)
        except json.JSONDecodeError:
            return json.loads(out.splitlines()[-1])

    @contextmanager
    def running(self, *args: str) -> Iterator[subprocess.Popen[str]]:
        """A command that goes on while others are typed; it is ended if it does not end by itself."""
        environment = {**os.environ, "ISTHMUS_HOME": str(self.home), "ISTHMUS_TICK": "1"}
        with subprocess.Popen(
            [str(ISTHMUS), *args], env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True
        ) as process:
            try:
                yield process
            finally:
                if process.poll() is None:
                    process.terminate()

    def events(self, name: str) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.run("events", name, "--json").stdout.splitlines()]

    def actions_since(self, name: str, number: int) -> list[str]:
        """The actions done after an event, by id."""
        return [e["action"] for e in self.events(name) if e["kind"] == "action.done" and e["id"] > number]

    def last_event(self, name: str) -> int:
        return max(e["id"] for e in self.events(name))


@pytest.fixture(scope="session")
def cli(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cli]:
    provision = [sys.executable, "-m", "isthmus.sites.local.provision"]
    ready = subprocess.run(provision, capture_output=True, text=True, check=False)
    if ready.returncode:
        pytest.skip(ready.stderr.strip())
    if kept := os.environ.get("ISTHMUS_TEST_HOME"):  # to try tests again and again on what is deployed there
        yield Cli(Path(kept))
        return
    command = Cli(tmp_path_factory.mktemp("home"))
    yield command
    for deployment in command.ask("list"):
        command.run("delete", deployment["name"], "--yes", ok=False)
    command.run("server", "stop", ok=False)


@pytest.fixture(scope="session")
def engine() -> Iterator[docker.DockerClient]:
    client = docker.from_env()
    yield client
    client.close()


@pytest.fixture
def name(cli: Cli) -> Iterator[str]:
    """A name for a deployment, which is deleted at the end if the test did not."""
    chosen = f"t-{uuid.uuid4().hex[:8]}"
    yield chosen
    cli.run("delete", chosen, "--yes", ok=False)


@pytest.fixture
def left_behind(cli: Cli, engine: docker.DockerClient) -> Callable[[str], list[str]]:
    """What a deployment has in Docker, by its id."""

    def look(number: str) -> list[str]:
        label = {"label": f"isthmus.deployment={number}"}
        return [
            *(c.name or "" for c in engine.containers.list(all=True, filters=label, ignore_removed=True)),
            *(n.name or "" for n in engine.networks.list(filters=label)),
            *(v.name or "" for v in engine.volumes.list(filters=label)),
        ]

    return look
