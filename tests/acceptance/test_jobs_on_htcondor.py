"""Jobs on an HTCondor pool of the catalogue, as a person at a terminal runs them and as pools treat them."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import docker
import pytest

from .batch import HELLO_MPI, MORE_THAN_100_MIB, Cluster, deployed, eventually, kill_server
from .conftest import Cli

pytestmark = [pytest.mark.engine, pytest.mark.cluster]
WORKERS = {"worker-0", "worker-1"}
INPUTS = ("worker_cpus=2", 'packages=["openmpi-bin", "libopenmpi-dev", "gcc"]')
NEVER = ("--cpus", "64")
"""More than a worker has, so that the job waits."""


@pytest.fixture(scope="module")
def pool(cli: Cli) -> Iterator[Cluster]:
    with deployed(cli, "htcondor-pool", "pool", "manager", "condoruser", *INPUTS) as cluster:
        yield cluster


def test_a_job_runs_and_the_site_is_shown(pool: Cluster) -> None:
    assert pool.run("--name", "single", "--", "hostname").strip() in WORKERS

    shown = pool.show("single")
    assert (shown["state"], shown["site"], shown["exit_code"]) == ("succeeded", "pool", 0)
    [partition] = pool.cli.ask("sites", "show", "pool")["partitions"]
    assert (partition["name"], partition["nodes"], partition["cpus"]) == ("pool", 2, 4)
    assert "scheduler: htcondor" in pool.cli.run("sites", "show", "pool").stdout


def test_an_array_of_200_is_one_job(pool: Cluster) -> None:
    command = 'echo "task $ISTHMUS_TASK"; test "$ISTHMUS_TASK" != 150'
    pool.run("--name", "array", "--array", "1-200", "--", "sh", "-c", command, code=1)

    [row] = [job for job in pool.jobs().values() if job["name"] == "array"]
    assert row["tasks"] == {"succeeded": 199, "failed": 1}
    assert "199 succeeded" in pool.cli.run("jobs").stdout
    tasks = pool.show("array")["details"]
    assert [t["index"] for t in tasks if t["state"] == "failed"] == [150]
    assert {t["host"] for t in tasks} == WORKERS
    assert pool.cli.run("logs", "array", "--task", "77").stdout == "task 77\n"
    assert len(taken(pool, row["id"])) == 200


def test_processes_on_two_nodes(pool: Cluster) -> None:
    spread = ("--nodes", "2", "--tasks", "2")
    said = pool.run(*spread, "--each", "--", "sh", "-c", "echo $_CONDOR_PROCNO of $_CONDOR_NPROCS on $(hostname)")
    lines = [line.split(" on ") for line in said.splitlines()]
    assert sorted(rank for rank, _ in lines) == ["0 of 2", "1 of 2"]


def test_mpi_over_two_nodes(pool: Cluster, tmp_path: Path) -> None:
    """Before and after ordinary jobs, since HTCondor's dedicated scheduler has to get their workers back."""
    (tmp_path / "hello.c").write_text(HELLO_MPI)
    program = tmp_path / "hello"
    pool.run("--input", f"{tmp_path}/hello.c", "--output", f"hello:{program}", "--", "mpicc", "hello.c", "-o", "hello")

    for _ in range(2):
        spread = ("--nodes", "2", "--tasks", "4", "--input", f"{program}:hello")
        said = pool.run(*spread, "--", "mpirun", "./hello").splitlines()
        assert {line.partition(":")[0] for line in said} == WORKERS
        assert sorted(line.partition(": ")[2] for line in said) == [f"{n} of 4, sum 10" for n in (1, 2, 3, 4)]
        pool.run("--array", "1-6", "--", "true")


@pytest.mark.parametrize(
    ("words", "reason", "code"),
    [
        (("--", "sh", "-c", "exit 7"), "Error", 7),
        (("--", "sh", "-c", "kill -KILL $$"), "Error", 137),
        (("--memory", "100MiB", "--", "python3", "-c", MORE_THAN_100_MIB), "OutOfMemory", 137),
        (("--time", "2", "--", "sleep", "100"), "TimeLimit", 143),
    ],
    ids=["exit code", "signal", "memory", "time"],
)
def test_how_a_job_fails_is_told(pool: Cluster, words: tuple[str, ...], reason: str, code: int) -> None:
    pool.run("--name", "fails", *words, code=code)

    assert pool.ended("fails") == ("failed", reason, code)


def test_jobs_are_cancelled_while_they_wait_and_while_they_run(pool: Cluster) -> None:
    waiting = pool.start(*NEVER, "--", "true")
    running = pool.start("--", "sh", "-c", "trap 'echo bye; exit 3' TERM; echo up; while :; do sleep 0.1; done")
    pool.until(waiting, "queued")
    eventually(lambda: pool.cli.run("logs", running).stdout == "up\n")

    pool.cli.run("cancel", waiting)
    pool.cli.run("cancel", running)

    assert pool.ended(waiting) == ("cancelled", "Cancelled", None)
    assert pool.ended(running)[:2] == ("cancelled", "Cancelled")
    assert "bye" in pool.cli.run("logs", running).stdout.split()


def test_a_job_that_the_pool_holds_is_shown_held_until_it_is_released(pool: Cluster) -> None:
    job = pool.start("--", "sh", "-c", "echo up; sleep 3")
    eventually(lambda: pool.cli.run("logs", job).stdout == "up\n")
    constraint = f"-constraint 'IsthmusSubmission == \"{job}-1\"'"

    pool.script(f"condor_hold -reason 'ask me' {constraint}")
    held = pool.until(job, "held")
    assert held["reason"] == "Held"
    assert "ask me" in held["details"][0]["words"]
    pool.script(f"condor_release {constraint}")

    assert pool.ended(job) == ("succeeded", "", 0)


def test_files_travel_once(pool: Cluster, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "a b.txt").write_text("some words\n")
    (tmp_path / "data" / "big").write_bytes(b"\0\xff" * 500_000)
    copy = ("--", "cp", "-r", "data", "out")
    digests = {hashlib.sha256(file.read_bytes()).hexdigest() for file in (tmp_path / "data").iterdir()}

    pool.run("--name", "first", "--input", f"{tmp_path}/data", "--output", "out", *copy)
    put = pool.blobs(digests)
    pool.run("--input", f"{tmp_path}/data", "--output", f"out:{tmp_path}/second", *copy)
    pool.cli.run("fetch", "first", "--to", str(tmp_path / "first"))

    assert put.keys() == digests
    assert pool.blobs(digests) == put
    for name in ("a b.txt", "big"):
        brought = [(tmp_path / folder / name).read_bytes() for folder in ("data", "second", "first/out")]
        assert len(set(brought)) == 1


def test_a_job_follows_another(pool: Cluster) -> None:
    first = pool.start("--", "sleep", "2")
    second = pool.start("--after", first, "--", "true")
    assert "waits for job" in pool.task(second)["words"]
    pool.cli.run("wait", first, second)
    assert pool.show(first)["ended"] <= pool.show(second)["started"]

    bad = pool.start("--", "false")
    never = pool.start("--after", bad, "--", "true")
    assert pool.ended(never) == ("failed", "DependencyFailed", None)


def test_a_log_is_followed_while_the_job_runs(pool: Cluster) -> None:
    job = pool.start("--", "sh", "-c", "for i in 1 2 3 4; do echo tick $i; sleep 1; done")
    with pool.cli.running("logs", "-f", job) as following:
        assert following.stdout is not None
        assert following.stdout.readline() == "tick 1\n"
        assert pool.show(job)["state"] == "running"
        assert following.stdout.read() == "tick 2\ntick 3\ntick 4\n"
    assert pool.cli.run("logs", job, "--tail", "1").stdout == "tick 4\n"


def test_a_job_whose_node_dies_runs_again(pool: Cluster, engine: docker.DockerClient) -> None:
    """HTCondor starts it again by itself, when it has given up on the node; by default that takes 40 minutes."""
    lease = "/etc/condor/config.d/99-lease.config"
    pool.root(f"echo JOB_DEFAULT_LEASE_DURATION = 20 >{lease}")
    job = pool.start("--retry", "1", "--", "sh", "-c", "echo up; sleep 15")
    eventually(lambda: pool.cli.run("logs", job).stdout == "up\n")
    host = pool.task(job)["host"]
    pool.root(f"rm {lease}")

    deployment = pool.cli.ask("show", "pool")["id"]
    engine.containers.get(f"isthmus-{deployment}-{host}").kill()

    assert pool.until(job, seconds=180)["state"] == "succeeded"
    eventually(lambda: pool.cli.ask("sites", "show", "pool")["partitions"][0]["nodes"] == 2, seconds=90)


def test_forty_jobs_survive_a_schedd_that_dies_and_a_server_that_is_killed(pool: Cluster) -> None:
    command = ("--memory", "64MiB", "--", "sh", "-c", "echo ran; sleep 1")
    with ThreadPoolExecutor(4) as threads:
        making = [threads.submit(pool.start, "--name", f"one-{number}", *command) for number in range(40)]
        for number in range(5, 40, 10):
            making[number].result()
            if number == 15:
                pool.root("systemctl kill --signal=KILL condor; systemctl stop condor")
            if number == 25:
                pool.root("systemctl reset-failed condor; systemctl start condor")
            kill_server(pool.cli)
        made = [one.result() for one in making]

    pool.cli.run("wait", *made)

    assert {id: job["state"] for id, job in pool.jobs().items() if id in made} == dict.fromkeys(made, "succeeded")
    assert Counter(submission for _, submission in taken(pool, *made)) == Counter(f"{job}-1" for job in made)


def test_jobs_of_a_pool_that_is_deleted_end(pool: Cluster) -> None:
    inputs = ("workers=1", "worker_cpus=2")
    with deployed(pool.cli, "htcondor-pool", "gone", "manager", "condoruser", *inputs) as gone:
        running, waiting = gone.start("--", "sleep", "1000"), gone.start(*NEVER, "--", "true")
        gone.until(running, "running")
        gone.until(waiting, "queued")

        pool.cli.run("delete", "gone", "--yes")

        for job in (running, waiting):
            state, reason, _ = gone.ended(job)
            assert state == "failed"
            assert reason in ("Lost", "Refused")
        pool.delete(running, waiting)
        eventually(lambda: not {running, waiting} & pool.jobs().keys())


def test_deleted_jobs_leave_nothing_in_the_pool(pool: Cluster) -> None:
    ended, running, waiting = pool.start("--", "true"), pool.start("--", "sleep", "1000"), pool.start(*NEVER, "--", "w")
    pool.until(ended)
    pool.until(running, "running")
    pool.until(waiting, "queued")

    pool.delete(*pool.jobs())

    eventually(lambda: not pool.jobs())
    assert pool.left() == []
    assert pool.script("condor_q -allusers -autoformat ClusterId") == ""
    for worker in WORKERS:
        assert "pyz run" not in pool.root("ps -e -o args=", worker)


def taken(pool: Cluster, *jobs: str) -> set[tuple[str, str]]:
    """What HTCondor has ever had for jobs: its own id and our submission. A killed schedd writes some down twice."""
    wanted = ",".join(f"{job}-{number}" for job in jobs for number in range(1, 5))
    named = f"-constraint 'stringListMember(IsthmusSubmission, \"{wanted}\")'"
    asked = f"{named} -format %d. ClusterId -format '%d ' ProcId -format '%s\\n' IsthmusSubmission"
    lines = pool.script(f"condor_q -allusers {asked}; condor_history {asked}").splitlines()
    return {(number, submission) for number, submission in map(str.split, lines)}
