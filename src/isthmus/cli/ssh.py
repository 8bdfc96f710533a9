"""SSH to a machine of a deployment, by the ssh program, with a key and a host key of its own."""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from isthmus.cli.failures import FAILED, USAGE, Failure


def run_ssh(access: Mapping[str, Any], command: Sequence[str], *, terminal: bool) -> int:
    """Log in, or run a command; the exit code. Key and known hosts are gone afterwards."""
    with _secrets(access) as folder:
        return _call(ssh_arguments(access, folder, command, terminal=terminal))


def ssh_arguments(access: Mapping[str, Any], folder: Path, command: Sequence[str], *, terminal: bool) -> list[str]:
    """The ssh command line. The user's own settings and agent take no part: the key is the deployment's."""
    host, user = str(access["host"]), str(access["user"])
    if host.startswith("-") or user.startswith("-") or "@" in user:
        raise Failure(f"The server named a machine that cannot be: {user}@{host}.", code=FAILED)
    options = {
        "IdentitiesOnly": "yes",
        "IdentityAgent": "none",
        "PreferredAuthentications": "publickey",
        "HostKeyAlias": _alias(access),
        "UserKnownHostsFile": str(folder / "known_hosts"),
        "GlobalKnownHostsFile": "/dev/null",
        "StrictHostKeyChecking": "yes" if access.get("host_key") else "accept-new",
        "LogLevel": "ERROR",
        "ConnectTimeout": "20",
    }
    flags = [f"-o{name}={value}" for name, value in options.items()]
    login = ["-F", "/dev/null", "-i", str(folder / "key"), "-p", str(int(access["port"])), "-l", user]
    # ssh hands its words to a shell at the other end: each is quoted, so that it arrives as it was given.
    remote = [shlex.join(command)] if command else []
    return ["ssh", *flags, *login, "-t" if terminal else "-T", "--", host, *remote]


def _alias(access: Mapping[str, Any]) -> str:
    return f"isthmus-{access['instance']}".translate({ord(c): "-" for c in " ,*?![]"})


@contextlib.contextmanager
def _secrets(access: Mapping[str, Any]) -> Iterator[Path]:
    base = os.environ.get("XDG_RUNTIME_DIR")
    with tempfile.TemporaryDirectory(prefix="isthmus-", dir=base if base and Path(base).is_dir() else None) as name:
        folder = Path(name)
        key = access["private_key"]
        _write(folder / "key", key if key.endswith("\n") else key + "\n")
        known = access.get("host_key")
        _write(folder / "known_hosts", f"{_alias(access)} {known.strip()}\n" if known else "")
        yield folder


def _write(path: Path, text: str) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)


def _call(arguments: Sequence[str]) -> int:
    """Run the program in the foreground; Ctrl-C is for it, and a hang-up must not leave the key behind."""

    def leave(number: int, _: object) -> None:
        raise SystemExit(128 + number)

    before = [(n, signal.signal(n, leave)) for n in (signal.SIGTERM, signal.SIGHUP)]
    before.append((signal.SIGINT, signal.signal(signal.SIGINT, signal.SIG_IGN)))
    try:
        with subprocess.Popen(arguments, preexec_fn=_hear_interrupts) as program:
            return program.wait()
    except FileNotFoundError:
        raise Failure("There is no ssh program here.", code=USAGE, hint="Install an OpenSSH client.") from None
    finally:
        for number, handler in before:
            signal.signal(number, handler)


def _hear_interrupts() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)
