"""Secrets of deployments, encrypted at rest (Fernet: AES-128-CBC with HMAC) under the server's master key."""

from __future__ import annotations

import contextlib
import os
import secrets as random
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken
from sqlalchemy import Connection, delete, insert, select

from isthmus.errors import Invalid
from isthmus.store.models import secrets


class WrongKey(Invalid):
    """The key is none, or not the one with which the database's secrets were sealed."""


class Vault:
    """Seals and opens secrets with one key."""

    def __init__(self, key: bytes):
        self._fernet = Fernet(key)

    @classmethod
    def in_file(cls, path: Path) -> Vault:
        """The vault whose key is in a file of mode 0600, made whole or not at all when it is not there."""
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not path.exists():
            fresh = path.with_name(f"{path.name}.{random.token_hex(4)}")
            with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write(Fernet.generate_key())
                file.flush()
                os.fsync(file.fileno())
            with contextlib.suppress(FileExistsError):  # the first of two that start at once wins
                path.hardlink_to(fresh)
            fresh.unlink()
        try:
            return cls(path.read_bytes())
        except ValueError:
            raise WrongKey(f"{path} holds no key", hint="Put back the one that was there.") from None

    def check(self, c: Connection) -> None:
        """Raise :class:`WrongKey` when what the database keeps was sealed with another key."""
        sealed = c.scalar(select(secrets.c.ciphertext).limit(1))
        try:
            if sealed is not None:
                self._fernet.decrypt(bytes(sealed))
        except InvalidToken:
            raise WrongKey(
                "the master key is not the one with which this database's secrets were sealed",
                hint="Put back the master.key that belongs to the database.",
            ) from None

    def put(self, c: Connection, deployment: str, name: str, value: str) -> None:
        """Keep a secret, in place of any of that name."""
        own = (secrets.c.deployment == deployment, secrets.c.name == name)
        c.execute(delete(secrets).where(*own))
        sealed = self._fernet.encrypt(value.encode())
        c.execute(insert(secrets).values(deployment=deployment, name=name, ciphertext=sealed))

    def get(self, c: Connection, deployment: str, name: str) -> str | None:
        query = select(secrets.c.ciphertext).where(secrets.c.deployment == deployment, secrets.c.name == name)
        sealed = c.scalar(query)
        return self._fernet.decrypt(bytes(sealed)).decode() if sealed is not None else None

    def get_or_make(self, c: Connection, deployment: str, name: str) -> str:
        """The secret of that name; one that nobody gave is made at random (256 bits, URL-safe)."""
        value = self.get(c, deployment, name)
        if value is None:
            value = random.token_urlsafe(32)
            self.put(c, deployment, name, value)
        return value


def forget(c: Connection, deployment: str) -> None:
    """Remove every secret of a deployment."""
    c.execute(delete(secrets).where(secrets.c.deployment == deployment))
