"""The host as a Debian system: whether it is one, and installing packages on it."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from isthmus.sites.errors import Permanent, Temporary

INSTALL_SECONDS = 900.0
LOCK_SECONDS = 300
"""How long apt waits for another apt to end."""


def os_release(etc: Path = Path("/etc")) -> dict[str, str]:
    """The fields of ``os-release(5)``; empty where there is none."""
    try:
        text = (etc / "os-release").read_text()
    except OSError:
        return {}
    pairs = (line.split("=", 1) for line in text.splitlines() if "=" in line)
    return {name.strip(): value.strip().strip('"') for name, value in pairs}


def may_install(etc: Path = Path("/etc")) -> bool:
    """Whether this is Debian and we are root, so that packages may be installed."""
    return os.geteuid() == 0 and os_release(etc).get("ID") == "debian"


def install_packages(*names: str) -> None:
    """Install Debian packages on this host; raises with apt's last words."""
    options = ["-qq", "-o", f"DPkg::Lock::Timeout={LOCK_SECONDS}"]
    _apt([*options, "update"])
    _apt([*options, "-y", "--no-install-recommends", "install", *names])


def _apt(arguments: list[str]) -> None:
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    command = ["apt-get", *arguments]
    try:
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, check=False, timeout=INSTALL_SECONDS
        )
    except subprocess.TimeoutExpired:
        raise Temporary(f"apt-get {arguments[-1]} took longer than {INSTALL_SECONDS:.0f} s", delay=30.0) from None
    if done.returncode:
        raise Permanent(f"apt-get {arguments[-1]} failed: {last_words(done.stderr)}")


def last_words(text: str) -> str:
    """The line in which a tool says why it failed: its last error, else its last line."""
    lines = [line for line in text.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith(("E:", "Err"))]
    return (errors or lines or ["it gave no reason"])[-1]
