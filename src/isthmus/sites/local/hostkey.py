"""The SSH identity of a machine: a host key made here, and the archive that puts it on the disk."""

from __future__ import annotations

import io
import tarfile
from dataclasses import dataclass, field

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey


@dataclass(frozen=True, slots=True)
class HostKey:
    """An ed25519 host key: the public half in OpenSSH form, the private half never shown."""

    public: str
    private: bytes = field(repr=False)


def make_host_key() -> HostKey:
    """A new key; a machine made anew gets a new one."""
    key = Ed25519PrivateKey.generate()
    formats = serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()
    private = key.private_bytes(serialization.Encoding.PEM, *formats)
    public = key.public_key().public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    return HostKey(public.decode(), private)


def identity_archive(key: HostKey, authorized_key: str) -> bytes:
    """A tar to unpack at ``/``: the host key, and who may log in as root."""
    files = {
        "etc/ssh/ssh_host_ed25519_key": (key.private, 0o600),
        "etc/ssh/ssh_host_ed25519_key.pub": (f"{key.public}\n".encode(), 0o644),
        "root/.ssh/authorized_keys": (f"{authorized_key.strip()}\n".encode(), 0o600),
    }
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        _add_folder(tar, "root/.ssh", 0o700)
        for name, (content, mode) in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), mode
            tar.addfile(entry, io.BytesIO(content))
    return out.getvalue()


def _add_folder(tar: tarfile.TarFile, name: str, mode: int) -> None:
    entry = tarfile.TarInfo(name)
    entry.type, entry.mode = tarfile.DIRTYPE, mode
    tar.addfile(entry)
