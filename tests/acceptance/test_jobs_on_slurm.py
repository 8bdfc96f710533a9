"""Jobs on a Slurm cluster of the catalogue, as a person at a terminal runs them and as clusters treat them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator
from pathlib import Path

import docker
import pytest

from .batch import HELLO_MPI, Cluster, deployed, eventually
from .conftest import Cli
from .job_cases import JobCases, System, TroubleCases

pytestmark = [pytest.mark.engine, pytest.mark.cluster]
WORKERS = {"worker-0", "worker-1", "worker-2"}
INPUTS = ("workers=3", "worker_cpus=2", 'packages=["openmpi-bin", "libopenmpi-dev", "gcc"]')
PARTITION = {"name": "main", "nodes": 3, "cpus": 6, "free_cpus": 6}


@pytest.fixture(scope="module")
def cluster(cli: Cli) -> Iterator[Cluster]:
    with deployed(cli, "slurm-cluster", "hpc", "controller", "slurmuser", *INPUTS) as cluster:
        yield cluster


class Slurm(System):
    """The machines share the user's home, where jobs note that they ran."""

    scheduler, template = "slurm", "slurm-cluster"
    workers, partition = WORKERS, PARTITION
    waits = ("--option", "begin=now+1hours")
    stop, start = "systemctl stop slurmctld", "systemctl start slurmctld"
    queue = "squeue --noheader --me"
    note = 'echo "${ISTHMUS_SUBMISSION%-*} $ISTHMUS_TASK" >>~/ran'

    def check_ran_once(self, cluster: Cluster, jobs: Collection[str], tasks: Collection[int] = (0,)) -> None:
        ran = cluster.script("cat ran; rm ran").splitlines()
        assert Counter(ran) == Counter(f"{job} {task}" for job in jobs for task in tasks)


class TestJobsOnSlurm(Slurm, JobCases):
    def test_mpi_over_two_nodes(self, cluster: Cluster, tmp_path: Path) -> None:
        (tmp_path / "hello.c").write_text(HELLO_MPI)
        program = tmp_path / "hello"
        compiled = ("--input", f"{tmp_path}/hello.c", "--output", f"hello:{program}")
        cluster.run(*compiled, "--", "mpicc", "hello.c", "-o", "hello")

        spread = ("--nodes", "2", "--tasks", "2", "--input", str(program))
        once = cluster.run(*spread, "--", "mpirun", "./hello").splitlines()
        each = cluster.run(*spread, "--each", "--", "./hello").splitlines()

        for said in (once, each):
            assert len({line.partition(":")[0] for line in said} & WORKERS) == 2
            assert sorted(line.partition(": ")[2] for line in said) == ["1 of 2, sum 3", "2 of 2, sum 3"]

    def test_a_job_that_slurm_holds_is_shown_held_until_it_is_released(self, cluster: Cluster) -> None:
        job = cluster.start("--option", "begin=now+10", "--", "true")
        number = eventually(lambda: cluster.task(job)["site_id"])

        cluster.script(f"scontrol hold {number}")
        held = cluster.until(job, "held")
        assert (held["reason"], held["details"][0]["words"]) == ("Held", "PENDING (JobHeldUser)")
        cluster.script(f"scontrol release {number}")

        assert cluster.ended(job) == ("succeeded", "", 0)

    def test_a_job_whose_node_dies_runs_again(self, cluster: Cluster, engine: docker.DockerClient) -> None:
        job = cluster.start("--retry", "1", "--", "sh", "-c", "echo $(hostname) >>~/tries; sleep 15")
        host = cluster.until(job, "running")["details"][0]["host"]
        eventually(lambda: cluster.script("cat tries") == f"{host}\n")

        deployment = cluster.cli.ask("show", cluster.name)["id"]
        engine.containers.get(f"isthmus-{deployment}-{host}").kill()

        failed = eventually(lambda: (t := cluster.task(job))["attempt"] == 2 and t, seconds=120)
        assert failed["reason"] in ("NodeFail", "")
        assert cluster.ended(job) == ("succeeded", "", 0)
        assert len(cluster.script("cat tries; rm tries").split()) == 2
        eventually(lambda: cluster.cli.ask("sites", "show", "hpc")["partitions"][0]["free_cpus"] == 6, seconds=90)


class TestTroubleOnSlurm(Slurm, TroubleCases):
    """The controller is away for a while."""
