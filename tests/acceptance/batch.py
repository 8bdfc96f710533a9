"""A deployed cluster as the site of jobs, used by the command line alone."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from .conftest import Cli

T = TypeVar("T")
ENDED = frozenset({"succeeded", "failed", "cancelled"})
HELLO_MPI = """
#include <mpi.h>
#include <stdio.h>
int main(int argc, char **argv) {
    int rank, size, length, sum;
    char host[MPI_MAX_PROCESSOR_NAME];
    MPI_Init(&argc, &argv);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &size);
    MPI_Get_processor_name(host, &length);
    rank += 1;
    MPI_Allreduce(&rank, &sum, 1, MPI_INT, MPI_SUM, MPI_COMM_WORLD);
    printf("%s: %d of %d, sum %d\\n", host, rank, size, sum);
    MPI_Finalize();
}
"""
MORE_THAN_100_MIB = "import time; held = bytearray(300 << 20); time.sleep(120)"


def eventually(ask: Callable[[], T | None], seconds: float = 60.0, pause: float = 0.3) -> T:
    """What ``ask`` answers once that is true."""
    deadline = time.monotonic() + seconds
    while not (answer := ask()):
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(pause)
    return answer


@dataclass(frozen=True)
class Cluster:
    """A deployed batch system: its name, the node to log in to and the user there."""

    cli: Cli
    name: str
    head: str
    user: str

    def run(self, *words: str, code: int = 0) -> str:
        """What a job printed that was seen through to its end; ``words`` are options, ``--`` and the command."""
        ran = self.cli.run("run", "--site", self.name, "--no-container", *words, ok=False)
        assert ran.returncode == code, (ran.returncode, ran.stdout[-2000:], ran.stderr[-2000:])
        return ran.stdout

    def start(self, *words: str) -> str:
        """The id of a job that is not waited for."""
        made = self.cli.run("run", "--site", self.name, "--no-container", "-d", "--json", *words)
        return str(json.loads(made.stdout)["id"])

    def show(self, job: str) -> dict[str, Any]:
        return dict(self.cli.ask("show", job))

    def task(self, job: str) -> dict[str, Any]:
        """How the only task of a job stands."""
        [task] = self.show(job)["details"]
        return dict(task)

    def until(self, job: str, *states: str, seconds: float = 60.0) -> dict[str, Any]:
        """A job once it is in one of ``states``, or has ended where none is named."""

        def look() -> dict[str, Any] | None:
            found = self.show(job)
            if found["state"] in (states or ENDED):
                return found
            assert found["state"] not in ENDED, found
            return None

        return eventually(look, seconds)

    def ended(self, job: str) -> tuple[str, str, int | None]:
        """How a job has ended: state, reason and exit code."""
        found = self.until(job, seconds=90)
        return found["state"], found["reason"], found["exit_code"]

    def jobs(self) -> dict[str, dict[str, Any]]:
        """All jobs of this site by id, as `isthmus jobs` lists them."""
        return {job["id"]: job for job in self.cli.ask("jobs", "--all", "--site", self.name)}

    def root(self, script: str, node: str = "") -> str:
        """What a script prints that root runs on a machine, the head if none is named."""
        return self.cli.run("exec", self.name, node or self.head, "--", "bash", "-c", script).stdout

    def script(self, text: str) -> str:
        """What a script prints that the user runs on the head."""
        command = ("runuser", "--login", self.user, "--command", "bash -s")
        return self.cli.run("exec", self.name, self.head, "--", *command, stdin=text).stdout

    def left(self) -> list[str]:
        """The submissions that have something on the site."""
        return self.script("ls .isthmus/submissions").split()

    def blobs(self, digests: set[str]) -> dict[str, str]:
        """The inodes of files that jobs brought along, by digest: one that was put again has another."""
        lines = self.script("find .isthmus/blobs -type f -printf '%f %i\\n'").splitlines()
        return {digest: inode for digest, inode in map(str.split, lines) if digest in digests}

    def delete(self, *jobs: str) -> None:
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda job: self.cli.run("delete", job, "--yes"), jobs))


def kill_server(cli: Cli) -> None:
    """As a crash would; the next command starts another."""
    noted = json.loads((cli.home / "server.json").read_text())
    with contextlib.suppress(ProcessLookupError):
        os.kill(int(noted["pid"]), signal.SIGKILL)


@contextmanager
def deployed(cli: Cli, template: str, name: str, head: str, user: str, *inputs: str) -> Iterator[Cluster]:
    """A cluster of the catalogue, deleted at the end; one that is there already is used and left."""
    there = name in {one["name"] for one in cli.ask("list")}
    if not there:
        cli.run("deploy", template, "--name", name, "--yes", *(w for value in inputs for w in ("--set", value)))
    try:
        yield Cluster(cli, name, head, user)
    finally:
        if not there:
            cli.run("delete", name, "--yes", ok=False)
