"""What holds for jobs on every batch system of the catalogue; a fixture ``cluster`` gives a deployed one."""

from __future__ import annotations

import hashlib
import re
from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from .batch import MORE_THAN_100_MIB, Cluster, deployed, eventually, kill_server


class System(ABC):
    """What the cases need to know of a batch system."""

    scheduler: str
    template: str
    workers: Collection[str]
    partition: Mapping[str, Any]
    """What is shown of the only partition while nothing runs."""
    waits: tuple[str, ...]
    """Options of a job that never starts."""
    stop: str
    """A script that takes the scheduler away."""
    start: str
    """A script that brings it back."""
    queue: str
    """A script that prints the jobs that the scheduler has."""
    note = ":"
    """A command of a job by which :meth:`check_ran_once` knows of its tasks."""

    @abstractmethod
    def check_ran_once(self, cluster: Cluster, jobs: Collection[str], tasks: Collection[int] = (0,)) -> None:
        """Each task of ``jobs`` was started once."""


class JobCases(System):
    """Inherited by a test class of each batch system."""

    def test_a_job_runs_and_the_site_is_shown(self, cluster: Cluster) -> None:
        assert cluster.run("--name", "single", "--", "hostname").strip() in self.workers

        shown = cluster.show("single")
        assert (shown["state"], shown["site"], shown["exit_code"]) == ("succeeded", cluster.name, 0)
        [partition] = cluster.cli.ask("sites", "show", cluster.name)["partitions"]
        assert {name: partition[name] for name in self.partition} == self.partition
        assert f"scheduler: {self.scheduler}" in cluster.cli.run("sites", "show", cluster.name).stdout

    def test_an_array_of_200_is_one_job(self, cluster: Cluster) -> None:
        command = f'{self.note}; echo "task $ISTHMUS_TASK"; test "$ISTHMUS_TASK" != 150'
        cluster.run("--name", "array", "--array", "1-200", "--", "sh", "-c", command, code=1)

        tasks = cluster.show("array")["details"]
        assert {t["index"]: t["words"] for t in tasks if t["state"] != "succeeded"} == {150: "main: exit code 1"}
        [row] = [job for job in cluster.jobs().values() if job["name"] == "array"]
        assert row["tasks"] == {"succeeded": 199, "failed": 1}
        assert "199 succeeded" in cluster.cli.run("jobs").stdout
        assert len({re.split("[._]", t["site_id"])[0] for t in tasks}) == 1
        assert {t["host"] for t in tasks} == self.workers
        assert cluster.cli.run("logs", "array", "--task", "77").stdout == "task 77\n"
        self.check_ran_once(cluster, [row["id"]], range(1, 201))

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
    def test_how_a_job_fails_is_told(self, cluster: Cluster, words: tuple[str, ...], reason: str, code: int) -> None:
        cluster.run("--name", "fails", *words, code=code)

        assert cluster.ended("fails") == ("failed", reason, code)

    def test_jobs_are_cancelled_while_they_wait_and_while_they_run(self, cluster: Cluster) -> None:
        waiting = cluster.start(*self.waits, "--", "true")
        running = cluster.start("--", "sh", "-c", "trap 'echo bye; exit 3' TERM; echo up; while :; do sleep 0.1; done")
        cluster.until(waiting, "queued")
        eventually(lambda: cluster.cli.run("logs", running).stdout == "up\n")

        cluster.cli.run("cancel", waiting)
        cluster.cli.run("cancel", running)

        assert cluster.ended(waiting) == ("cancelled", "Cancelled", None)
        assert cluster.ended(running)[:2] == ("cancelled", "Cancelled")
        assert "bye" in cluster.cli.run("logs", running).stdout.split()

    def test_files_travel_once(self, cluster: Cluster, tmp_path: Path) -> None:
        (tmp_path / "data").mkdir()
        (tmp_path / "data" / "a b.txt").write_text("some words\n")
        (tmp_path / "data" / "big").write_bytes(b"\0\xff" * 500_000)
        copy = ("--", "cp", "-r", "data", "out")
        digests = {hashlib.sha256(file.read_bytes()).hexdigest() for file in (tmp_path / "data").iterdir()}

        cluster.run("--name", "first", "--input", f"{tmp_path}/data", "--output", "out", *copy)
        put = cluster.blobs(digests)
        cluster.run("--input", f"{tmp_path}/data", "--output", f"out:{tmp_path}/second", *copy)
        cluster.cli.run("fetch", "first", "--to", str(tmp_path / "first"))

        assert put.keys() == digests
        assert cluster.blobs(digests) == put
        for name in ("a b.txt", "big"):
            brought = [(tmp_path / folder / name).read_bytes() for folder in ("data", "second", "first/out")]
            assert len(set(brought)) == 1

    def test_a_job_follows_another(self, cluster: Cluster) -> None:
        first = cluster.start("--", "sh", "-c", "sleep 2; date +%s%N")
        second = cluster.start("--after", first, "--", "date", "+%s%N")
        assert "waits for job" in cluster.task(second)["words"]
        cluster.cli.run("wait", first, second)
        assert cluster.show(first)["ended"] <= cluster.show(second)["started"]
        said = [int(cluster.cli.run("logs", job).stdout) for job in (first, second)]
        assert said == sorted(said)

        bad = cluster.start("--", "false")
        never = cluster.start("--after", bad, "--", "true")
        assert cluster.ended(never) == ("failed", "DependencyFailed", None)

    def test_a_log_is_followed_while_the_job_runs(self, cluster: Cluster) -> None:
        job = cluster.start("--", "sh", "-c", "for i in 1 2 3 4; do echo tick $i; sleep 1; done")
        with cluster.cli.running("logs", "-f", job) as following:
            assert following.stdout is not None
            assert following.stdout.readline() == "tick 1\n"
            cluster.until(job, "running")
            assert following.stdout.read() == "tick 2\ntick 3\ntick 4\n"
        assert cluster.cli.run("logs", job, "--tail", "1").stdout == "tick 4\n"


class TroubleCases(System):
    """Inherited by the last test class of each batch system: in the end all jobs are deleted."""

    def test_forty_jobs_survive_a_scheduler_that_goes_and_a_server_that_is_killed(self, cluster: Cluster) -> None:
        command = ("--memory", "64MiB", "--", "sh", "-c", f"{self.note}; echo ran; sleep 1")
        with ThreadPoolExecutor(4) as threads:
            making = [threads.submit(cluster.start, "--name", f"one-{number}", *command) for number in range(40)]
            for number in range(5, 40, 10):
                making[number].result()
                if number == 15:
                    cluster.root(self.stop)
                if number == 25:
                    cluster.root(self.start)
                kill_server(cluster.cli)
        made = [one.result() for one in making]

        cluster.cli.run("wait", *made)

        states = {id: job["state"] for id, job in cluster.jobs().items() if id in made}
        assert states == dict.fromkeys(made, "succeeded")
        self.check_ran_once(cluster, made)

    def test_jobs_of_a_cluster_that_is_deleted_end(self, cluster: Cluster) -> None:
        cli, inputs = cluster.cli, ("workers=1", "worker_cpus=2")
        with deployed(cli, self.template, "gone", cluster.head, cluster.user, *inputs) as gone:
            running = gone.start("--cpus", "2", "--", "sleep", "1000")
            gone.until(running, "running")
            waiting = gone.start("--cpus", "2", "--", "sleep", "1000")
            following = gone.start("--after", waiting, "--", "true")
            gone.until(waiting, "queued")

            cli.run("delete", "gone", "--yes")

            for job in (running, waiting, following):
                state, reason, _ = gone.ended(job)
                assert state == "failed"
                assert reason in ("Lost", "Refused", "DependencyFailed")
            refused = cli.run("run", "--site", "gone", "--no-container", "--", "true", ok=False)
            assert refused.returncode != 0
            assert "gone" in refused.stderr
            cluster.delete(running, waiting, following)
            eventually(lambda: not {running, waiting, following} & {job["id"] for job in cli.ask("jobs", "--all")})

    def test_deleted_jobs_leave_nothing_on_the_cluster(self, cluster: Cluster) -> None:
        ended, running = cluster.start("--", "true"), cluster.start("--", "sleep", "1000")
        waiting = cluster.start(*self.waits, "--", "true")
        cluster.until(ended)
        cluster.until(running, "running")
        cluster.until(waiting, "queued")

        cluster.delete(*cluster.jobs())

        eventually(lambda: not cluster.jobs())
        assert cluster.left() == []
        assert cluster.script(self.queue) == ""
        for worker in self.workers:
            assert "pyz run" not in cluster.root("ps -e -o args=", worker)
