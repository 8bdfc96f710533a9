"""What jobs find on the clusters of the catalogue: shared files, MPI, containers, and limits that hold."""

from __future__ import annotations

import time

import pytest

from .batch import HELLO_MPI, MORE_THAN_100_MIB
from .conftest import Cli

pytestmark = [pytest.mark.engine, pytest.mark.cluster]

IMAGE = """
set -e
root=$(mktemp -d)
mkdir -p "$root"/{bin,etc,proc,sys,dev,tmp,home}
cp /usr/bin/dash "$root/bin/sh"
cp /usr/bin/{id,cat} "$root/bin/"
for library in $(ldd "$root"/bin/* | grep -o '/[^ :]*\\.so[^ ]*' | sort -u); do
    mkdir -p "$root${library%/*}"
    cp -L "$library" "$root$library"
done
echo 'inside the image' >"$root/etc/motd"
apptainer --silent build --force image.sif "$root"
"""


def user(cli: Cli, name: str, head: str, who: str, script: str) -> str:
    """What a script of the login user prints; it must end well."""
    return cli.run("exec", name, head, "--", "runuser", "--login", who, "--command", "bash -s", stdin=script).stdout


def test_slurm_jobs_share_files_speak_mpi_run_containers_and_keep_to_their_limits(cli: Cli, name: str) -> None:
    cli.run("deploy", "slurm-cluster", "--name", name, "--yes", "--set", "containers=true",
            "--set", 'packages=["openmpi-bin", "libopenmpi-dev", "gcc"]')  # fmt: skip

    def run(script: str) -> str:
        return user(cli, name, "controller", "slurmuser", script)

    run("echo once for all >note")
    assert run("srun --nodes=2 cat note").splitlines() == ["once for all"] * 2

    run(f"cat >hello.c <<'C'\n{HELLO_MPI}\nC\nmpicc hello.c -o hello")
    said = ["worker-0: 1 of 2, sum 3", "worker-1: 2 of 2, sum 3"]
    assert sorted(run("srun --nodes=2 ./hello").splitlines()) == said
    batch = "sbatch --wait --nodes=2 --output=mpi.out --wrap 'mpirun ./hello' >&2 </dev/null; cat mpi.out"
    assert sorted(run(batch).splitlines()) == said

    run(f"cat >image.sh <<'S'\n#!/bin/bash\n{IMAGE}\nS\nsbatch --wait --output=image.out image.sh </dev/null")
    ran = run("srun --nodes=2 apptainer --silent exec -c --ipc image.sif sh -c 'id -u; cat /etc/motd'")
    assert sorted(ran.splitlines()) == [*run("id -u; id -u").split(), *["inside the image"] * 2]

    run(f"""cat >greedy.sh <<'S'\n#!/bin/bash\nexec python3 -c "{MORE_THAN_100_MIB}"\nS""")
    run("sbatch --wait --mem=100 --output=greedy.out greedy.sh </dev/null || true")
    assert "exceeded memory limit" in run("cat greedy.out")

    timed = run("sbatch --parsable --time=1 --output=timed.out --wrap 'sleep 300'").strip()
    state = "RUNNING"
    end = time.monotonic() + 120
    while state in ("RUNNING", "PENDING", "COMPLETING"):
        assert time.monotonic() < end, "a job of one minute runs for two"
        time.sleep(1)
        state = run(f"scontrol --oneliner show job {timed} | grep -o 'JobState=[A-Z]*'").strip().partition("=")[2]
    assert state == "TIMEOUT"


def test_condor_jobs_of_several_machines_run_and_limits_hold(cli: Cli, name: str) -> None:
    cli.run("deploy", "htcondor-pool", "--name", name, "--yes")

    def run(script: str) -> str:
        return user(cli, name, "manager", "condoruser", script)

    run("""cat >two.sub <<'S'
universe = parallel
executable = /bin/bash
arguments = "-c 'hostname; sleep 1'"
transfer_executable = false
machine_count = 2
+ParallelShutdownPolicy = "WAIT_FOR_ALL"
should_transfer_files = yes
when_to_transfer_output = on_exit
output = two.$(NODE)
log = two.log
queue
S
condor_submit two.sub && condor_wait -wait 60 two.log""")
    assert sorted(run("cat two.0 two.1").split()) == ["worker-0", "worker-1"]

    run(f"""cat >held.sub <<'S'
executable = /usr/bin/python3
transfer_executable = false
request_memory = 100
arguments = "-c '{MORE_THAN_100_MIB.replace("'", "''")}'"
queue
arguments = "-c 'import time; time.sleep(200)'"
allowed_job_duration = 10
queue
S
condor_submit held.sub""")
    end = time.monotonic() + 90
    reasons = ""
    while not ("over memory limit of 100" in reasons and "exceeded allowed job duration" in reasons):
        assert time.monotonic() < end, reasons
        time.sleep(1)
        reasons = run("condor_q -constraint 'JobStatus == 5' -autoformat ProcId HoldReason")
    assert len(reasons.splitlines()) == 2
