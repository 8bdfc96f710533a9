"""A batch system of the catalogue, deployed once for all tests of its driver, and what they do with it over SSH."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import shlex
import subprocess
import sys
import time
import uuid
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import asyncssh
import pytest

from isthmus.sites.batch.driver import BatchDriver
from isthmus.sites.jobs import LogOptions, Submission
from isthmus.work.job import ENDED, Container, JobSpec, JobState, TaskStatus

ISTHMUS = Path(sys.executable).with_name("isthmus")


@dataclass(frozen=True)
class Cluster:
    """A deployed cluster: the options with which a driver reaches it, and a way to be root on its machines."""

    home: Path
    name: str
    head: str
    """The machine to log in to."""
    user: str
    options: Mapping[str, object]

    def root(self, script: str, node: str = "") -> str:
        """What a script prints that root runs on a machine, the head if none is named."""
        return _isthmus(self.home, "exec", self.name, node or self.head, "--", "bash", "-c", script)

    def script(self, text: str) -> str:
        """What a script prints that the user runs on the head."""
        return self.root(f"runuser --login {self.user} --command {shlex.quote(text)}")


@contextmanager
def deployed(
    folders: pytest.TempPathFactory, kept: str, template: str, name: str, head: str, user: str, *inputs: str
) -> Iterator[Cluster]:
    """A cluster of a template; the environment's ``kept`` names a home where it is used if it is there, and left."""
    there = os.environ.get(kept)
    home = Path(there) if there else folders.mktemp("home")
    provision = [sys.executable, "-m", "isthmus.sites.local.provision"]
    ready = subprocess.run(provision, capture_output=True, text=True, check=False)
    if ready.returncode:
        pytest.skip(ready.stderr.strip())
    try:
        if name not in {one["name"] for one in json.loads(_isthmus(home, "list", "--json"))}:
            given = [word for value in inputs for word in ("--set", value)]
            _isthmus(home, "deploy", template, "--name", name, "--yes", *given)
        cluster = Cluster(home, name, head, user, {})
        yield replace(cluster, options=_reach(cluster, folders.mktemp("key")))
    finally:
        if not there:
            _isthmus(home, "delete", name, "--yes")
            _isthmus(home, "server", "stop")


def _reach(cluster: Cluster, folder: Path) -> dict[str, object]:
    """Options with which a driver logs in, once a new key of the user is known there."""
    key = asyncssh.generate_private_key("ssh-ed25519")
    file = folder / "key"
    key.write_private_key(file)
    line = base64.b64encode(key.export_public_key()).decode()
    cluster.root(f"base64 -d <<<{line} >>/home/{cluster.user}/.ssh/authorized_keys")
    outputs = json.loads(_isthmus(cluster.home, "outputs", cluster.name, "--json"))
    return {
        "host": outputs["address"],
        "user": cluster.user,
        "key_file": str(file),
        "host_key": " ".join(cluster.root("cat /etc/ssh/ssh_host_ed25519_key.pub").split()[:2]),
        "runtime": "none",
    }


def _isthmus(home: Path, *args: str) -> str:
    environment = {**os.environ, "ISTHMUS_HOME": str(home)}
    ran = subprocess.run(
        [str(ISTHMUS), *args], env=environment, capture_output=True, text=True, timeout=600, check=False,
        stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert ran.returncode == 0, f"isthmus {' '.join(args)}: {ran.stdout[-2000:]}\n{ran.stderr[-2000:]}"
    return ran.stdout


@dataclass
class Site:
    """The driver of a cluster, and what tests do with it."""

    driver: BatchDriver
    cluster: Cluster

    async def hand_over(
        self, spec: JobSpec, name: str = "a test", id: str = "", blobs: Mapping[str, Path] | None = None
    ) -> str:
        """Submit; the id."""
        submission = Submission(id or new_id(), name, spec, spec.indices, blobs or {})
        assert await self.driver.submit_jobs([submission]) == [None]
        return submission.id

    async def look(self, id: str) -> Sequence[TaskStatus]:
        return (await self.driver.look_at_jobs([id]))[id]

    async def until(self, id: str, states: Collection[JobState] = ENDED, seconds: float = 90) -> Sequence[TaskStatus]:
        """All tasks, when each is in one of ``states``."""
        deadline = time.monotonic() + seconds
        while True:
            tasks = await self.look(id)
            if all(task.state in states for task in tasks):
                return tasks
            assert time.monotonic() < deadline, tasks
            await asyncio.sleep(0.2)

    async def run(self, spec: JobSpec) -> TaskStatus:
        """Submit one task, and how it ended."""
        [task] = await self.until(await self.hand_over(spec))
        return task

    async def log(self, id: str, index: int = 0, container: str = "main", options: LogOptions | None = None) -> str:
        parts = [part async for part in self.driver.read_log(id, index, container, options or LogOptions())]
        return b"".join(parts).decode(errors="replace")

    async def until_log(self, id: str, text: str, seconds: float = 60) -> str:
        """The log, when it has ``text``."""
        deadline = time.monotonic() + seconds
        while text not in (log := await self.log(id)):
            assert time.monotonic() < deadline, log
            await self.look(id)
            await asyncio.sleep(0.2)
        return log


def new_id() -> str:
    return f"{uuid.uuid4().hex[:12]}-1"


def shell(text: str, **more: object) -> Container:
    """A plain program: a shell with a script."""
    return Container("main", command=("/bin/sh", "-c", text), **more)  # type: ignore[arg-type]
