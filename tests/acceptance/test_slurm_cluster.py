"""A Slurm cluster on this machine, through its whole life, as a person at a terminal would lead it."""

from __future__ import annotations

from collections.abc import Callable

import docker
import pytest

from isthmus import catalogue

from .conftest import Cli

pytestmark = pytest.mark.engine


def count_primes(cli: Cli, name: str, user: str = "slurmuser") -> list[str]:
    """Run the catalogue's job on every worker; answers its lines."""
    job = catalogue.job("slurm-primes.sh")
    ran = cli.run("exec", name, "controller", "--", "runuser", "--login", user, "--command", "bash -s", stdin=job)
    return ran.stdout.splitlines()


def in_the_home(cli: Cli, name: str, command: str) -> list[str]:
    """Run a command on every worker, in the home of its first user; answers its lines."""
    srun = f"srun --nodes=$(sinfo --noheader --format=%D) --chdir=/home/slurmuser bash -c '{command}'"
    return cli.run("exec", name, "controller", "--", "runuser", "-l", "slurmuser", "-c", srun).stdout.splitlines()


def test_a_slurm_cluster_through_its_life(
    cli: Cli, name: str, engine: docker.DockerClient, left_behind: Callable[[str], list[str]]
) -> None:
    made = cli.ask("deploy", "slurm-cluster", "--name", name, "--yes")
    assert made["phase"] == "running"
    assert made["outputs"]["workers"] == ["worker-0", "worker-1"]
    in_the_home(cli, name, "echo note from $SLURM_PROCID >note-$SLURM_PROCID")
    assert "counted on 2 machines" in count_primes(cli, name)[-1]

    mark = cli.last_event(name)
    cli.run("scale", name, "worker=4")
    assert "counted on 4 machines" in count_primes(cli, name)[-1]
    touched = cli.actions_since(name, mark)
    assert "create:machine:worker[2]" in touched
    assert not [a for a in touched if a in ("create:machine:worker[0]", "create:machine:controller[0]")]

    mark = cli.last_event(name)
    lost = engine.containers.get(f"isthmus-{made['id']}-worker-1")
    lost.remove(force=True)
    wait_for(cli, name, "create:machine:worker[1]", mark)
    assert in_the_home(cli, name, "cat note-1") == ["note from 1"] * 4
    assert "counted on 4 machines" in count_primes(cli, name)[-1]

    mark = cli.last_event(name)
    cli.run("update", name, "--set", "user=ada", "--yes")
    assert {a.split(":")[0] for a in cli.actions_since(name, mark)} == {"configure"}
    assert not [a for a in cli.actions_since(name, mark) if a.endswith(".create")]
    assert "counted on 4 machines" in count_primes(cli, name, "ada")[-1]

    cli.run("scale", name, "worker=2", "--remove", "0")
    assert cli.ask("outputs", name)["workers"][0] != "worker-0"
    assert "counted on 2 machines" in count_primes(cli, name, "ada")[-1]

    cli.run("stop", name)
    assert cli.ask("show", name)["phase"] == "stopped"
    assert {
        c.status for c in engine.containers.list(all=True, filters={"label": f"isthmus.deployment={made['id']}"})
    } == {"exited"}
    cli.run("start", name)
    assert in_the_home(cli, name, "cat note-0") == ["note from 0"] * 2
    assert "counted on 2 machines" in count_primes(cli, name, "ada")[-1]

    cli.run("delete", name, "--yes")
    assert left_behind(made["id"]) == []


def wait_for(cli: Cli, name: str, action: str, after: int) -> None:
    """Follow a deployment's events until an action has been done and it rests again."""
    import time

    end = time.monotonic() + 600
    while time.monotonic() < end:
        if action in cli.actions_since(name, after) and cli.ask("show", name)["phase"] == "running":
            return
    raise AssertionError(f"{action} was not done in ten minutes")


def test_the_second_cluster_starts_from_what_the_first_installed(cli: Cli, name: str) -> None:
    other = f"{name}-2"
    try:
        cli.run("deploy", "slurm-cluster", "--name", name, "--yes", "--set", "workers=1")
        cli.run("deploy", "slurm-cluster", "--name", other, "--yes", "--set", "workers=1")
        assert not [a for a in cli.actions_since(other, 0) if a.endswith(".create") or ":image:" in a]
        assert "counted on 1 machines" in count_primes(cli, other)[-1]
    finally:
        cli.run("delete", other, "--yes", ok=False)
