"""The other templates of the catalogue, each deployed and used for what it is for."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from isthmus import catalogue

from .conftest import Cli

pytestmark = pytest.mark.engine


def test_a_machine_has_the_packages_that_were_asked_for(cli: Cli, name: str) -> None:
    cli.run("deploy", "machine", "--name", name, "--yes", "--set", "packages=[bc]")
    assert cli.run("exec", name, "--", "bc", stdin="6*7\n").stdout == "42\n"


def test_an_htcondor_pool_runs_twenty_jobs(cli: Cli, name: str, left_behind: Callable[[str], list[str]]) -> None:
    made = cli.ask("deploy", "htcondor-pool", "--name", name, "--yes")
    job = catalogue.job("condor-primes.sh")
    ran = cli.run("exec", name, "manager", "--", "runuser", "--login", "condoruser", "--command", "bash -s", stdin=job)
    assert "17984 primes" in ran.stdout
    cli.run("delete", name, "--yes")
    assert left_behind(made["id"]) == []


def test_a_dask_cluster_computes_for_a_client_outside(cli: Cli, name: str, tmp_path: Path) -> None:
    made = cli.ask("deploy", "dask-cluster", "--name", name, "--yes")
    version = cli.run("exec", name, "scheduler", "--", "python3", "-c", "import distributed as d; print(d.__version__)")
    client = make_dask_client(tmp_path / "client", version.stdout.strip().partition("+")[0])
    job = catalogue.job("dask-sum.py")
    command = [str(client), "-W", "ignore", "-", made["outputs"]["scheduler"], "2"]
    ran = subprocess.run(command, input=job, capture_output=True, text=True, timeout=600, check=False)
    assert ran.returncode == 0, ran.stderr
    assert "from 2 workers" in ran.stdout


def make_dask_client(folder: Path, version: str) -> Path:
    """A Python of its own on this machine, with the Dask that the cluster has."""
    uv = Path(sys.executable).with_name("uv")
    subprocess.run([str(uv), "venv", "--quiet", str(folder)], check=True)
    python = folder / "bin" / "python"
    subprocess.run(
        [str(uv), "pip", "install", "--quiet", "--python", str(python), f"distributed=={version}"], check=True
    )
    return python


def test_two_deployments_at_once_do_not_see_each_other(cli: Cli, name: str) -> None:
    other = f"{name}-2"
    try:
        for one in (name, other):
            cli.run("deploy", "machine", "--name", one, "--yes", "--detach")
        for one in (name, other):
            cli.run("deploy", "--resume", one)
        address = cli.ask("outputs", other)["address"]
        assert cli.run("exec", name, "--", "ping", "-c1", "-W2", "127.0.0.1", ok=False).returncode == 0
        assert cli.run("exec", name, "--", "ping", "-c1", "-W2", address, ok=False).returncode != 0
        assert cli.run("exec", name, "--", "getent", "hosts", f"isthmus-{other}", ok=False).returncode != 0
    finally:
        cli.run("delete", other, "--yes", ok=False)


def test_ssh_reaches_a_machine_by_name(cli: Cli, name: str) -> None:
    cli.run("deploy", "machine", "--name", name, "--yes")
    assert cli.run("ssh", name, stdin="hostname\n").stdout.strip().endswith("machine-0")
