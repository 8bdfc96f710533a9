"""What lets the users of a machine, which is a container itself, run containers of their own in it.

They need user namespaces and mounts inside them, which the engine's own system call filter refuses, and
``/dev/fuse`` for images that are files. Nobody is given a capability. Root of a machine stays kept from the
kernel's settings as long as the engine covers ``/proc``; without that cover (``full``) a container inside can
have process numbers of its own, but who is root in the machine can write ``/proc/sys`` of this host.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from isthmus.sites.local.connection import Connection

FUSE = "/dev/fuse"

_REFUSED_CALLS = (
    "acct", "add_key", "bpf", "clock_adjtime", "clock_settime", "create_module", "delete_module",
    "finit_module", "get_kernel_syms", "init_module", "io_uring_enter", "io_uring_register", "io_uring_setup",
    "ioperm", "iopl", "kcmp", "kexec_file_load", "kexec_load", "keyctl", "lookup_dcookie", "nfsservctl",
    "open_by_handle_at", "perf_event_open", "query_module", "quotactl", "quotactl_fd", "reboot", "request_key",
    "settimeofday", "swapoff", "swapon", "sysfs", "syslog", "userfaultfd", "uselib", "ustat", "vhangup", "vm86",
    "vm86old",
)  # fmt: skip
"""What no container inside needs, and where holes of kernels were found; other processors' calls end a process."""


def refusal(connection: Connection, permitted: str) -> str | None:
    """Why this site has no machine for containers inside; None when it has."""
    if permitted == "never":
        return "asks for containers inside, which the option nested_containers of this site refuses"
    if connection.is_here and not Path(FUSE).exists():
        return f"asks for containers inside, and this machine has no {FUSE} (modprobe fuse)"
    return None


def settings(connection: Connection, permitted: str) -> dict[str, Any]:
    """What to change in the host configuration of a container; ``permitted`` is ``guarded`` or ``full``."""
    options = [f"seccomp={_call_filter(connection)}"]
    if any("apparmor" in option for option in connection.info.get("SecurityOptions") or ()):
        options.append("apparmor=unconfined")  # the engine's own profile refuses every mount
    changed: dict[str, Any] = {
        "Devices": [{"PathOnHost": FUSE, "PathInContainer": FUSE, "CgroupPermissions": "rw"}],
    }
    if permitted == "full":
        if connection.is_podman:
            options.append("unmask=ALL")
        else:
            changed |= {"MaskedPaths": [], "ReadonlyPaths": []}
    return {**changed, "SecurityOpt": options}


def _call_filter(connection: Connection) -> str:
    """Docker takes a filter as JSON; Podman only as a file on its host, so there is none."""
    if connection.is_podman:
        return "unconfined"
    refused = {"names": _REFUSED_CALLS, "action": "SCMP_ACT_ERRNO", "errnoRet": 1}
    return json.dumps({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [refused]})
