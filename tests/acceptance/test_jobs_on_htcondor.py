"""Jobs on an HTCondor pool of the catalogue, as a person at a terminal runs them and as pools treat them."""

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
WORKERS = {"worker-0", "worker-1"}
INPUTS = ("worker_cpus=2", 'packages=["openmpi-bin", "libopenmpi-dev", "gcc"]')
PARTITION = {"name": "pool", "nodes": 2, "cpus": 4}


@pytest.fixture(scope="module")
def cluster(cli: Cli) -> Iterator[Cluster]:
    with deployed(cli, "htcondor-pool", "pool", "manager", "condoruser", *INPUTS) as cluster:
        yield cluster


class HTCondor(System):
    """The machines share no folder: HTCondor itself says what it started."""

    scheduler, template = "htcondor", "htcondor-pool"
    workers, partition = WORKERS, PARTITION
    waits = ("--cpus", "64")
    stop = "systemctl kill --signal=KILL condor; systemctl stop condor"
    start = "systemctl reset-failed condor; systemctl start condor"
    queue = "condor_q -allusers -autoformat ClusterId"

    def check_ran_once(self, cluster: Cluster, jobs: Collection[str], tasks: Collection[int] = (0,)) -> None:
        """Counts what HTCondor has ever had for jobs, by its own id, since a killed schedd writes some down twice."""
        wanted = ",".join(f"{job}-{number}" for job in jobs for number in range(1, 5))
        named = f"-constraint 'stringListMember(IsthmusSubmission, \"{wanted}\")'"
        asked = f"{named} -format %d. ClusterId -format '%d ' ProcId -format '%s\\n' IsthmusSubmission"
        taken = set(cluster.script(f"condor_q -allusers {asked}; condor_history {asked}").splitlines())
        assert Counter(line.split()[1] for line in taken) == {f"{job}-1": len(tasks) for job in jobs}


class TestJobsOnHTCondor(HTCondor, JobCases):
    def test_processes_on_two_nodes(self, cluster: Cluster) -> None:
        spread = ("--nodes", "2", "--tasks", "2")
        said = cluster.run(
            *spread, "--each", "--", "sh", "-c", "echo $_CONDOR_PROCNO of $_CONDOR_NPROCS on $(hostname)"
        )
        lines = [line.split(" on ") for line in said.splitlines()]
        assert sorted(rank for rank, _ in lines) == ["0 of 2", "1 of 2"]

    def test_mpi_over_two_nodes(self, cluster: Cluster, tmp_path: Path) -> None:
        """Before and after ordinary jobs, since HTCondor's dedicated scheduler has to get their workers back."""
        (tmp_path / "hello.c").write_text(HELLO_MPI)
        program = tmp_path / "hello"
        compiled = ("--input", f"{tmp_path}/hello.c", "--output", f"hello:{program}")
        cluster.run(*compiled, "--", "mpicc", "hello.c", "-o", "hello")

        for _ in range(2):
            spread = ("--nodes", "2", "--tasks", "4", "--input", f"{program}:hello")
            said = cluster.run(*spread, "--", "mpirun", "./hello").splitlines()
            said = [line for line in said if not line.startswith("[")]  # what Open MPI says of itself
            assert {line.partition(":")[0] for line in said} == WORKERS, said
            assert sorted(line.partition(": ")[2] for line in said) == [f"{n} of 4, sum 10" for n in (1, 2, 3, 4)]
            cluster.run("--array", "1-6", "--", "true")

    def test_a_job_that_the_pool_holds_is_shown_held_until_it_is_released(self, cluster: Cluster) -> None:
        job = cluster.start("--", "sh", "-c", "echo up; sleep 3")
        eventually(lambda: cluster.cli.run("logs", job).stdout == "up\n")
        constraint = f"-constraint 'IsthmusSubmission == \"{job}-1\"'"

        cluster.script(f"condor_hold -reason 'ask me' {constraint}")
        held = cluster.until(job, "held")
        assert held["reason"] == "Held"
        assert "ask me" in held["details"][0]["words"]
        cluster.script(f"condor_release {constraint}")

        assert cluster.ended(job) == ("succeeded", "", 0)

    def test_a_job_whose_node_dies_runs_again(self, cluster: Cluster, engine: docker.DockerClient) -> None:
        """HTCondor starts it again by itself, when it has given up on the node; by default that takes 40 minutes."""
        lease = "/etc/condor/config.d/99-lease.config"
        cluster.root(f"echo JOB_DEFAULT_LEASE_DURATION = 20 >{lease}")
        job = cluster.start("--retry", "1", "--", "sh", "-c", "echo up; sleep 15")
        eventually(lambda: cluster.cli.run("logs", job).stdout == "up\n")
        host = cluster.until(job, "running")["details"][0]["host"]
        cluster.root(f"rm {lease}")

        deployment = cluster.cli.ask("show", cluster.name)["id"]
        engine.containers.get(f"isthmus-{deployment}-{host}").kill()

        assert cluster.until(job, seconds=180)["state"] == "succeeded"
        eventually(lambda: cluster.cli.ask("sites", "show", "pool")["partitions"][0]["nodes"] == 2, seconds=90)


class TestTroubleOnHTCondor(HTCondor, TroubleCases):
    """The schedd dies, and is away for a while."""
