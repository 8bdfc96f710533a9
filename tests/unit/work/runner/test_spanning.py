"""A program on one node reaches the others of its job, and nobody else does."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from isthmus.work.program import program

KEY = "5a" * 32


@dataclass(frozen=True)
class Nodes:
    """Two nodes of one job, each with a folder of its own on this machine."""

    folder: Path
    program: Path

    def start(self, rank: int, *command: str) -> subprocess.Popen[str]:
        """What the supervisor of a node starts."""
        submission = self.folder / f"node-{rank}"
        for name in ("work", "tasks/0"):
            (submission / name).mkdir(parents=True)
        (submission / "work" / "here").write_text(f"node {rank}\n")
        spec = {"containers": [{"name": "main"}], "resources": {"nodes": 2, "tasks": 4}}
        order = {"id": f"{self.folder.name}-{rank}", "spec": spec, "runtime": {"span": KEY, "rank": "RANK"}}
        (submission / "order.json").write_text(json.dumps(order))
        return subprocess.Popen(
            [sys.executable, "-I", "-S", self.program, "span", "--submission", submission, "--", *command],
            env={**os.environ, "RANK": str(rank), "SIZE": "2", "PAPER": str(self.folder)},
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip

    @contextmanager
    def peer(self) -> Iterator[subprocess.Popen[str]]:
        with self.start(1, "false") as peer:
            try:
                yield peer
            finally:
                peer.kill()

    def run(self, script: str) -> tuple[int, str, str]:
        """How a script on the first node ends, and what it says."""
        with self.peer():
            return self.first("sh", "-c", script)

    def first(self, *command: str) -> tuple[int, str, str]:
        """How a command on the first node ends, and what it says."""
        with self.start(0, *command) as first:
            try:
                out, err = first.communicate(timeout=120)
            finally:
                first.kill()
            return first.returncode, out, err


@pytest.fixture
def nodes(tmp_path: Path) -> Iterator[Nodes]:
    place = tmp_path / "runner.pyz"
    place.write_bytes(program("tests.unit.work.runner.paper_batch").data)
    yield Nodes(tmp_path, place)
    for link in Path("/tmp").glob(f"isthmus-{tmp_path.name}-*"):
        link.unlink()


def test_the_program_runs_in_its_sandbox_and_knows_the_hosts(nodes: Nodes) -> None:
    code, out, err = nodes.run('cat here; cat "$ISTHMUS_HOSTS"; test "$PWD" -ef "$(pwd -P)"; exit 7')
    lines = out.splitlines()
    assert (code, lines[0], err) == (7, "node 0", "")
    assert [line.partition(" ")[2] for line in lines[1:]] == ["slots=2"] * 2


def test_another_node_is_reached_as_by_ssh(nodes: Nodes) -> None:
    host = "$(tail -n 1 $ISTHMUS_HOSTS | cut -d' ' -f1)"
    command = "'cat here; echo wrong >&2;' exit 3"
    code, out, err = nodes.run(f"$ISTHMUS_REACH -x {host} {command}; echo it was $?")
    assert (code, out, err) == (0, "node 1\nit was 3\n", "wrong\n")


@pytest.mark.parametrize(
    "variable",
    ["OMPI_MCA_plm_rsh_agent", "PRTE_MCA_plm_ssh_agent", "HYDRA_LAUNCHER_EXEC", "I_MPI_HYDRA_BOOTSTRAP_EXEC"],
)
def test_launchers_are_told(nodes: Nodes, variable: str) -> None:
    assert nodes.run(f'test "${variable}" = "$ISTHMUS_REACH"')[0] == 0


def test_the_other_node_ends_with_the_program_and_not_before(nodes: Nodes) -> None:
    with nodes.peer() as peer:
        assert nodes.first("sh", "-c", "sleep 0.5; kill -9 $$")[0] == -9
        assert peer.wait(60) == 0


def test_what_is_under_way_there_may_end_and_tell_so(nodes: Nodes) -> None:
    """A launcher that ends does not wait for what it started on other nodes."""
    host = "$(tail -n 1 $ISTHMUS_HOSTS | cut -d' ' -f1)"
    begun = nodes.folder / "begun"
    there = f"touch {begun}; sleep 0.5; echo done"
    code, out, err = nodes.run(f"$ISTHMUS_REACH {host} '{there}' & until test -e {begun}; do sleep 0.02; done")
    assert (code, out, err) == (0, "done\n", "")


def test_a_host_of_no_job_is_not_reached(nodes: Nodes) -> None:
    code, out, err = nodes.run("$ISTHMUS_REACH 192.0.2.7 true")
    assert (code, out, err) == (255, "", "192.0.2.7: not a node of this job\n")


def test_a_peer_that_is_gone_is_told(nodes: Nodes) -> None:
    kill = "$ISTHMUS_REACH $(tail -n 1 $ISTHMUS_HOSTS | cut -d' ' -f1) 'kill -9 $PPID'"
    code, _, err = nodes.run(kill)
    assert code == 255
    assert "gone" in err or "reset" in err


ASK = """
import json, sys
from multiprocessing.connection import Client
[(host, port)] = json.load(open(sys.argv[1])).items()
with Client((host, port), authkey=bytes.fromhex(sys.argv[2])) as peer:
    peer.send_bytes(b"true")
    print(peer.recv_bytes())
"""


def test_who_has_not_the_key_gets_nothing(nodes: Nodes) -> None:
    ask = f"{sys.executable} -c '{ASK}' ${{ISTHMUS_HOSTS%hosts}}peers.json"
    code, out, err = nodes.run(f"{ask} {'00' * 32}; {ask} {KEY}")
    assert (code, out) == (0, "b'x0'\n")
    assert "AuthenticationError" in err


def test_a_command_that_is_not_there_is_told(nodes: Nodes) -> None:
    with nodes.peer():
        code, _, err = nodes.first("no-such-program")
    assert (code, err) == (127, "no-such-program: No such file or directory\n")
