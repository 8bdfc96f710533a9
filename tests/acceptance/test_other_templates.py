"""The other templates of the catalogue, each deployed and used for what it is for."""

from __future__ import annotations

from collections.abc import Callable

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


def test_a_dask_cluster_computes_for_a_client_outside(cli: Cli, name: str) -> None:
    """The client is a machine of another deployment's own: it reaches the scheduler by its address alone."""
    made = cli.ask("deploy", "dask-cluster", "--name", name, "--yes")
    job = catalogue.job("dask-sum.py")
    ran = cli.run("exec", name, "scheduler", "--", "python3", "-", made["outputs"]["scheduler"], "2", stdin=job)
    assert "from 2 workers" in ran.stdout


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
