"""Secrets of deployments, encrypted at rest (Fernet: AES-128-CBC with HMAC) under the server's master key."""

from __future__ import annotations

import contextlib
import hmac
import os
import secrets as random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cryptography.fernet import Fernet, InvalidToken
from sqlalchemy import Connection, bindparam, delete, insert, select

from isthmus.errors import Invalid
from isthmus.store.models import secrets


class WrongKey(Invalid):
    """The key is none, or not the one with which the database's secrets were sealed."""


_OWN = (secrets.c.deployment == bindparam("of"), secrets.c.name == bindparam("called"))
_GET = select(secrets.c.ciphertext).where(*_OWN)
_INSERT = insert(secrets)
_DELETE = delete(secrets).where(*_OWN)


class Vault:
    """Seals and opens secrets with one key."""

    def __init__(self, key: bytes):
        self._fernet = Fernet(key)
        self._digest_key = hmac.new(key.strip(), b"isthmus fingerprints", "sha256").digest()

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
        c.execute(_DELETE, {"of": deployment, "called": name})
        c.execute(_INSERT, self._row(deployment, name, value))

    def add(self, c: Connection, deployment: str, values: Mapping[str, str]) -> None:
        """Keep secrets of a deployment that has none of these names yet."""
        c.execute(_INSERT, [self._row(deployment, name, value) for name, value in values.items()])

    def _row(self, deployment: str, name: str, value: str) -> dict[str, Any]:
        return {"deployment": deployment, "name": name, "ciphertext": self._fernet.encrypt(value.encode())}

    def get(self, c: Connection, deployment: str, name: str) -> str | None:
        sealed = c.scalar(_GET, {"of": deployment, "called": name})
        return self._open(sealed) if sealed is not None else None

    def fingerprint(self, text: str) -> str:
        """A keyed digest (HMAC-SHA256, hex): the same for the same text, and no help to who would guess it."""
        return hmac.new(self._digest_key, text.encode(), "sha256").hexdigest()

    def marks(self, c: Connection, deployment: str) -> dict[str, str]:
        """A short fingerprint of each secret that a deployment's owner gave, by name: it changes with the value."""
        query = select(secrets.c.name, secrets.c.ciphertext)
        given = c.execute(query.where(secrets.c.deployment == deployment, secrets.c.name.startswith("input:")))
        return {n: self.fingerprint(f"{deployment}/{n}/{self._open(sealed)}")[:16] for n, sealed in given}

    def seal(self, text: str) -> bytes:
        """A text that only this vault opens, for a column of its own."""
        return self._fernet.encrypt(text.encode("utf-8", "surrogatepass"))

    def unseal(self, sealed: bytes) -> str:
        """What :meth:`seal` was given; raises :class:`WrongKey` for what another key sealed."""
        try:
            return self._fernet.decrypt(bytes(sealed)).decode("utf-8", "surrogatepass")
        except InvalidToken:
            raise WrongKey("a row was sealed with another master key") from None

    def _open(self, sealed: bytes) -> str:
        return self._fernet.decrypt(bytes(sealed)).decode()

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
