"""The table of drivers: which class serves which kind of site; imported when a site is first used."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import cast

from isthmus.sites.contract import Commands, Driver, Images, Machines, Networks, SharedVolumes, Volumes
from isthmus.sites.errors import Permanent
from isthmus.sites.jobs import Jobs

DRIVERS: Mapping[str, str] = {
    "fake": "isthmus.sites.fake.driver:FakeDriver",
    "htcondor": "isthmus.sites.htcondor.driver:HTCondorDriver",
    "local": "isthmus.sites.local.driver:LocalDriver",
    "slurm": "isthmus.sites.slurm.driver:SlurmDriver",
    "ssh": "isthmus.sites.ssh.driver:SshDriver",
}
"""Kind of site to ``module:Class``; the class is called with a name and a mapping of options."""

CAPABILITIES: Mapping[str, type] = {
    "machines": Machines,
    "networks": Networks,
    "volumes": Volumes,
    "shared volumes": SharedVolumes,
    "images": Images,
    "commands": Commands,
    "jobs": Jobs,
}


def open_site(name: str, kind: str, options: Mapping[str, object]) -> Driver:
    """The driver of a site; nothing is asked of the site yet.

    Raises :class:`Permanent` for an unknown kind, for wrong options, and for a kind whose own
    dependencies are not installed.
    """
    try:
        module, _, driver = DRIVERS[kind].partition(":")
    except KeyError:
        raise Permanent(f"site {name}: no kind {kind!r}; the kinds are {', '.join(sorted(DRIVERS))}") from None
    try:
        found = getattr(import_module(module), driver)
    except ModuleNotFoundError as missing:
        raise Permanent(f"site {name}: kind {kind} needs the Python package {missing.name}") from missing
    return cast(Driver, found(name, options))


def capabilities(driver: object) -> tuple[str, ...]:
    """The names of what a driver lends, in a fixed order."""
    return tuple(name for name, capability in CAPABILITIES.items() if isinstance(driver, capability))
