"""Jobs on a Slurm cluster of the catalogue, as a person at a terminal runs them and as clusters treat them."""

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
WORKERS = {"worker-0", "worker-1", "worker-2"}
INPUTS = ("workers=3", "worker_cpus=2", 'packages=["openmpi-bin", "libopenmpi-dev", "gcc"]')


@pytest.fixture(scope="module")
def hpc(cli: Cli) -> Iterator[Cluster]:
    with deployed(cli, "slurm-cluster", "hpc", "controller", "slurmuser", *INPUTS) as cluster:
        yield cluster


def test_a_job_runs_and_the_site_is_shown(hpc: Cluster) -> None:
    assert hpc.run("--name", "single", "--", "hostname").strip() in WORKERS

    shown = hpc.show("single")
    assert (shown["state"], shown["site"], shown["exit_code"]) == ("succeeded", "hpc", 0)
    told = hpc.cli.ask("sites", "show", "hpc")
    [partition] = told["partitions"]
    assert (partition["name"], partition["nodes"], partition["cpus"], partition["free_cpus"]) == ("main", 3, 6, 6)
    assert "scheduler: slurm" in hpc.cli.run("sites", "show", "hpc").stdout


def test_an_array_of_200_is_one_job(hpc: Cluster) -> None:
    command = 'echo "$ISTHMUS_TASK" >>~/array; echo "task $ISTHMUS_TASK"; test "$ISTHMUS_TASK" != 150'
    hpc.run("--name", "array", "--array", "1-200", "--", "sh", "-c", command, code=1)

    [row] = [job for job in hpc.jobs().values() if job["name"] == "array"]
    assert row["tasks"] == {"succeeded": 199, "failed": 1}
    assert "199 succeeded" in hpc.cli.run("jobs").stdout
    tasks = hpc.show("array")["details"]
    assert [t["index"] for t in tasks if t["state"] == "failed"] == [150]
    assert len({t["site_id"].partition("_")[0] for t in tasks}) == 1
    assert {t["host"] for t in tasks} == WORKERS
    assert hpc.cli.run("logs", "array", "--task", "77").stdout == "task 77\n"
    assert Counter(hpc.script("cat array; rm array").split()) == Counter(map(str, range(1, 201)))


def test_mpi_over_two_nodes(hpc: Cluster, tmp_path: Path) -> None:
    (tmp_path / "hello.c").write_text(HELLO_MPI)
    program = tmp_path / "hello"
    hpc.run("--input", f"{tmp_path}/hello.c", "--output", f"hello:{program}", "--", "mpicc", "hello.c", "-o", "hello")

    spread = ("--nodes", "2", "--tasks", "2", "--input", str(program))
    once = hpc.run(*spread, "--", "mpirun", "./hello").splitlines()
    each = hpc.run(*spread, "--each", "--", "./hello").splitlines()

    for said in (once, each):
        assert len({line.partition(":")[0] for line in said} & WORKERS) == 2
        assert sorted(line.partition(": ")[2] for line in said) == ["1 of 2, sum 3", "2 of 2, sum 3"]


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
def test_how_a_job_fails_is_told(hpc: Cluster, words: tuple[str, ...], reason: str, code: int) -> None:
    hpc.run("--name", "fails", *words, code=code)

    assert hpc.ended("fails") == ("failed", reason, code)


def test_jobs_are_cancelled_while_they_wait_and_while_they_run(hpc: Cluster) -> None:
    waiting = hpc.start("--option", "begin=now+1hours", "--", "true")
    running = hpc.start("--", "sh", "-c", "trap 'echo bye; exit 3' TERM; echo up; while :; do sleep 0.1; done")
    hpc.until(waiting, "queued")
    eventually(lambda: hpc.cli.run("logs", running).stdout == "up\n")

    hpc.cli.run("cancel", waiting)
    hpc.cli.run("cancel", running)

    assert hpc.ended(waiting) == ("cancelled", "Cancelled", None)
    assert hpc.ended(running)[:2] == ("cancelled", "Cancelled")
    assert "bye" in hpc.cli.run("logs", running).stdout.split()


def test_a_job_that_slurm_holds_is_shown_held_until_it_is_released(hpc: Cluster) -> None:
    job = hpc.start("--option", "begin=now+3", "--", "true")
    number = hpc.until(job, "queued")["details"][0]["site_id"]

    hpc.script(f"scontrol hold {number}")
    held = hpc.until(job, "held")
    assert (held["reason"], held["details"][0]["words"]) == ("Held", "PENDING (JobHeldUser)")
    hpc.script(f"scontrol release {number}")

    assert hpc.ended(job) == ("succeeded", "", 0)


def test_files_travel_once(hpc: Cluster, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "a b.txt").write_text("some words\n")
    (tmp_path / "data" / "big").write_bytes(b"\0\xff" * 500_000)
    copy = ("--", "cp", "-r", "data", "out")
    digests = {hashlib.sha256(file.read_bytes()).hexdigest() for file in (tmp_path / "data").iterdir()}

    hpc.run("--name", "first", "--input", f"{tmp_path}/data", "--output", "out", *copy)
    put = hpc.blobs(digests)
    hpc.run("--input", f"{tmp_path}/data", "--output", f"out:{tmp_path}/second", *copy)
    hpc.cli.run("fetch", "first", "--to", str(tmp_path / "first"))

    assert hpc.blobs(digests) == put
    assert put.keys() == digests
    for name in ("a b.txt", "big"):
        brought = [(tmp_path / folder / name).read_bytes() for folder in ("data", "second", "first/out")]
        assert len(set(brought)) == 1


def test_a_job_follows_another(hpc: Cluster) -> None:
    first = hpc.start("--", "sh", "-c", "sleep 2; echo first >>~/order")
    second = hpc.start("--after", first, "--", "sh", "-c", "echo second >>~/order")
    assert "waits for job" in hpc.task(second)["words"]
    hpc.cli.run("wait", first, second)
    assert hpc.script("cat order; rm order") == "first\nsecond\n"

    bad = hpc.start("--", "false")
    never = hpc.start("--after", bad, "--", "true")
    assert hpc.ended(never) == ("failed", "DependencyFailed", None)


def test_a_log_is_followed_while_the_job_runs(hpc: Cluster) -> None:
    job = hpc.start("--", "sh", "-c", "for i in 1 2 3 4; do echo tick $i; sleep 1; done")
    with hpc.cli.running("logs", "-f", job) as following:
        assert following.stdout is not None
        assert following.stdout.readline() == "tick 1\n"
        assert hpc.show(job)["state"] == "running"
        assert following.stdout.read() == "tick 2\ntick 3\ntick 4\n"
    assert hpc.cli.run("logs", job, "--tail", "1").stdout == "tick 4\n"


def test_a_job_whose_node_dies_runs_again(hpc: Cluster, engine: docker.DockerClient) -> None:
    job = hpc.start("--retry", "1", "--", "sh", "-c", "echo $(hostname) >>~/tries; sleep 15")
    host = hpc.until(job, "running")["details"][0]["host"]
    eventually(lambda: hpc.script("cat tries") == f"{host}\n")

    deployment = hpc.cli.ask("show", "hpc")["id"]
    engine.containers.get(f"isthmus-{deployment}-{host}").kill()

    failed = eventually(lambda: (t := hpc.task(job))["attempt"] == 2 and t, seconds=120)
    assert failed["reason"] in ("NodeFail", "")
    assert hpc.ended(job) == ("succeeded", "", 0)
    assert len(hpc.script("cat tries; rm tries").split()) == 2
    eventually(lambda: hpc.cli.ask("sites", "show", "hpc")["partitions"][0]["free_cpus"] == 6, seconds=90)


def test_forty_jobs_survive_a_controller_that_goes_and_a_server_that_is_killed(hpc: Cluster) -> None:
    command = ("--memory", "64MiB", "--", "sh", "-c", 'echo "${ISTHMUS_SUBMISSION%-*}" >>~/ran; sleep 1')
    with ThreadPoolExecutor(4) as pool:
        making = [pool.submit(hpc.start, "--name", f"one-{number}", *command) for number in range(40)]
        for number in range(5, 40, 10):
            making[number].result()
            if number == 15:
                hpc.root("systemctl stop slurmctld")
            if number == 25:
                hpc.root("systemctl start slurmctld")
            kill_server(hpc.cli)
    made = [one.result() for one in making]

    hpc.cli.run("wait", *made)

    assert {id: job["state"] for id, job in hpc.jobs().items() if id in made} == dict.fromkeys(made, "succeeded")
    assert Counter(hpc.script("cat ran; rm ran").split()) == Counter(made)


def test_jobs_of_a_cluster_that_is_deleted_end(hpc: Cluster) -> None:
    with deployed(hpc.cli, "slurm-cluster", "gone", "controller", "slurmuser", "workers=1", *INPUTS[1:]) as gone:
        running = gone.start("--cpus", "2", "--", "sleep", "1000")
        waiting = gone.start("--cpus", "2", "--", "sleep", "1000")
        following = gone.start("--after", waiting, "--", "true")
        gone.until(running, "running")
        gone.until(waiting, "queued")

        hpc.cli.run("delete", "gone", "--yes")

        for job in (running, waiting, following):
            state, reason, _ = gone.ended(job)
            assert state == "failed"
            assert reason in ("Lost", "Refused", "DependencyFailed")
        refused = hpc.cli.run("run", "--site", "gone", "--no-container", "--", "true", ok=False)
        assert refused.returncode != 0
        assert "gone" in refused.stderr
        hpc.delete(running, waiting, following)
        eventually(lambda: not {running, waiting, following} & hpc.jobs().keys())


def test_deleted_jobs_leave_nothing_on_the_cluster(hpc: Cluster) -> None:
    ended, running = hpc.start("--", "true"), hpc.start("--", "sleep", "1000")
    waiting = hpc.start("--option", "begin=now+1hours", "--", "true")
    hpc.until(ended)
    hpc.until(running, "running")
    hpc.until(waiting, "queued")

    hpc.delete(*hpc.jobs())

    eventually(lambda: not hpc.jobs())
    assert hpc.left() == []
    assert hpc.script("squeue --noheader --me") == ""
    said = hpc.script("srun --nodes=$(sinfo --noheader --format=%D) ps -o args= -u slurmuser")
    assert "pyz run" not in said
