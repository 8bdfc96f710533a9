"""A machine as a container: the settings it is made with, and how the engine's listing reads as a machine."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from isthmus.sites.contract import Machine, MachineSpec, Ref, State
from isthmus.sites.local import labels
from isthmus.sites.local.connection import Connection
from isthmus.sites.local.hostkey import HostKey

if TYPE_CHECKING:
    from docker import APIClient

_STATES = {
    "running": State.RUNNING,
    "paused": State.STOPPED,
    "exited": State.STOPPED,
    "stopped": State.STOPPED,
    "dead": State.ERROR,
}
_HALF_MADE = ("created", "configured", "initialized", "removing", "dead")
_TMPFS = {"/run": "", "/run/lock": ""}
_MOST = 30000
"""Processes of one user and open files of one process, under Podman; it lowers its own limit to 32768."""

_CGROUPS = "/sys/fs/cgroup"

_MORE_CAPABILITIES = ("SYS_PTRACE",)
"""Root sees what the processes of others use, as on any machine; a batch system holds jobs to their memory by
that. It reaches no process outside of its own machine."""


def is_half_made(found: Mapping[str, Any]) -> bool:
    """Whether a listed container never ran, or is on its way out, so that it is to be made anew."""
    return found["State"] in _HALF_MADE


def as_machine(found: Mapping[str, Any]) -> Machine:
    """A container of the engine's listing as a machine."""
    own = found["Labels"]
    state = _STATES.get(found["State"], State.PENDING)
    return Machine(
        ref=labels.to_ref(own),
        id=found["Id"],
        state=state,
        private_address=_address(found),
        host_key=own.get(labels.HOST_KEY) or None,
        reason="" if state is State.RUNNING else str(found.get("Status") or found["State"]),
        tags=labels.tags_of(own),
    )


def _address(found: Mapping[str, Any]) -> str | None:
    fixed = json.loads(found["Labels"].get(labels.ADDRESSES) or "{}")
    current = ((found.get("NetworkSettings") or {}).get("Networks") or {}).values()
    return next((a for a in (*fixed.values(), *(n.get("IPAddress") for n in current)) if a), None)


def machine_labels(site: str, spec: MachineSpec, key: HostKey, addresses: Mapping[str, str]) -> dict[str, str]:
    """All labels of a machine; the public host key among them, since we made it and can vouch for it."""
    own = {labels.HOST_KEY: key.public, labels.ADDRESSES: json.dumps(dict(addresses))}
    return labels.of_ref(site, spec.ref, spec.tags) | own


def networking_config(api: APIClient, ref: Ref, network: str, address: str) -> Any:
    """How a machine hangs on its first network: its fixed address, and its host name for others to resolve."""
    endpoints: Any = {network: api.create_endpoint_config(ipv4_address=address, aliases=[ref.host])}
    return api.create_networking_config(endpoints)


def host_config(connection: Connection, spec: MachineSpec, network: str | None, binds: Mapping[str, str]) -> Any:
    """Limits and mounts; the system call filter, and but for one the capabilities, are the engine's defaults."""
    from docker.types import Mount

    volumes = [Mount(path, volume, type="volume") for volume, path in binds.items()]
    return connection.api.create_host_config(
        network_mode=network or "bridge",
        nano_cpus=int(spec.cpus * 1e9),
        mem_limit=spec.memory,
        memswap_limit=spec.memory,
        tmpfs=_TMPFS,
        cap_add=list(_MORE_CAPABILITIES),
        mounts=volumes,
        restart_policy={"Name": "no"},
        **_cgroup_settings(connection),
        **_limit_settings(connection),
    )


def _cgroup_settings(connection: Connection) -> dict[str, Any]:
    """What systemd needs to see of the control groups; Podman sees to it by itself on version 2.

    On version 1 the mount is read-only at its top, while the tree of systemd below stays writable.
    """
    if str(connection.info.get("CgroupVersion")) != "2":
        return {"binds": {_CGROUPS: {"bind": _CGROUPS, "mode": "ro"}}}
    if connection.is_podman:
        return {}
    return {"binds": {_CGROUPS: {"bind": _CGROUPS, "mode": "rw"}}, "cgroupns": "host"}


def _limit_settings(connection: Connection) -> dict[str, Any]:
    """Podman raises limits on its own, above what an unprivileged host allows; these stay below."""
    if not (connection.is_podman and connection.is_here):
        return {}
    import resource

    from docker.types import Ulimit

    kinds = {"nproc": resource.RLIMIT_NPROC, "nofile": resource.RLIMIT_NOFILE}
    hard = {name: resource.getrlimit(kind)[1] for name, kind in kinds.items()}
    bounded = {name: _MOST if limit == resource.RLIM_INFINITY else min(limit, _MOST) for name, limit in hard.items()}
    return {"ulimits": [Ulimit(name=name, soft=limit, hard=limit) for name, limit in bounded.items()]}
