"""What the engine's host has: CPUs, memory and disk, total and free."""

from __future__ import annotations

import shutil
from pathlib import Path

from isthmus.sites.contract import Status
from isthmus.sites.local.connection import Connection


def cpus(connection: Connection) -> int:
    """CPUs of the engine's host."""
    return int(connection.info["NCPU"])


def memory(connection: Connection) -> int:
    """Bytes of memory of the engine's host."""
    return int(connection.info["MemTotal"])


def free_memory(connection: Connection) -> int | None:
    """Bytes of memory that programs could still take; None when the engine's host is another or does not say."""
    return available_memory() if connection.is_here else None


def available_memory(meminfo: Path = Path("/proc/meminfo")) -> int | None:
    """Bytes of memory that programs could still take on this machine; None where the kernel does not say."""
    if not meminfo.is_file():
        return None
    lines = (line.split() for line in meminfo.read_text().splitlines())
    return next((int(fields[1]) * 1024 for fields in lines if fields[0] == "MemAvailable:"), None)


def free_disk(connection: Connection) -> int | None:
    """Bytes left where the engine keeps its files; None when that place is not ours to see."""
    root = str(connection.info.get("DockerRootDir") or "")
    if not connection.is_here or not root:
        return None
    try:
        return shutil.disk_usage(root).free
    except OSError:
        return None


def status(connection: Connection) -> Status:
    """Whether machines can be made, and their addresses reached from here."""
    connection.api.ping()
    version = connection.api.version()
    name = "Podman" if connection.is_podman else "Docker"
    if _is_apart(connection):
        return Status(False, f"{name} runs apart from this machine's network, so that its machines cannot be reached")
    return Status(True, f"{name} {version['Version']} at {connection.socket}")


def _is_apart(connection: Connection) -> bool:
    """Rootless engines and desktop products keep container networks to themselves."""
    rootless = any("rootless" in option for option in connection.info.get("SecurityOptions") or ())
    return bool(rootless or connection.info.get("Rootless") or "Desktop" in connection.info.get("OperatingSystem", ""))
