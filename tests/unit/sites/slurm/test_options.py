"""What a person may write for a Slurm site, and that no secret is ever shown."""

from __future__ import annotations

from typing import Any

import pytest

from isthmus.sites.errors import Permanent, Unsupported
from isthmus.sites.registry import capabilities, open_site
from isthmus.sites.slurm.driver import SlurmDriver
from isthmus.sites.slurm.options import parse_options
from isthmus.work.job import Container, JobSpec, Launch, Resources

HOST_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILqdaWXZbQPo9yXVYnsDOnlet6fzM3S9mku4eaqP2GJP"
LEAST: dict[str, Any] = {"host": "login", "user": "me", "key_file": "/k", "host_key": HOST_KEY}


async def test_a_site_takes_jobs():
    driver = open_site("hpc", "slurm", LEAST)

    assert capabilities(driver) == ("jobs",)
    await driver.close()


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"partition": "--uid=0"}, "partition: .*cannot be a partition"),
        ({"python": "python3"}, "python: "),
        ({"folder": "a\nb"}, "folder: .*control characters"),
        ({"rest": {"url": "https://x"}}, "rest: Extra inputs are not permitted"),
        ({"runtime": "docker"}, "runtime: "),
        ({"host_paths": ["data"]}, "host_paths"),
        ({"private_key": "SECRET"}, "exactly one of key_file and key"),
    ],
)
def test_what_is_wrong_is_named(more: dict[str, Any], words: str):
    with pytest.raises(Permanent, match=f"site hpc: .*{words}") as caught:
        parse_options("hpc", {**LEAST, **more})
    assert "SECRET" not in str(caught.value)


def test_a_key_given_as_text_is_never_shown():
    options = parse_options("hpc", {"host": "h", "user": "me", "private_key": "SECRET", "host_key": HOST_KEY})

    assert options.key is not None
    assert options.key.get_secret_value() == "SECRET"
    assert "SECRET" not in repr(options) + str(options.model_dump()) + str(options.config)


async def test_several_processes_have_a_launcher():
    driver = SlurmDriver("hpc", {**LEAST, "bin": "/opt/slurm/bin"})
    spec = JobSpec((Container("main"),), resources=Resources(tasks=4, nodes=2), launch=Launch.EACH)

    assert driver.runtime_for(spec)["launcher"][:2] == ["/opt/slurm/bin/srun", "--ntasks=4"]  # type: ignore[index]
    assert "launcher" not in driver.runtime_for(JobSpec((Container("main"),)))
    with pytest.raises(Unsupported, match="no option uid"):
        driver.check(JobSpec((Container("main"),), options={"uid": "0"}))
