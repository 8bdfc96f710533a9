"""SSH connections to machines, kept warm: one for each machine, opened at need, closed when idle.

What goes wrong leaves as :class:`~isthmus.sites.errors.Unreachable` (worth another try), save for a host
key that is not the pinned one and a private key that cannot be read: those are ``Permanent``.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace

import asyncssh

from isthmus.configure.target import Target
from isthmus.sites.errors import Permanent, Unreachable

CONNECT_TIMEOUT = 10.0
KEEPALIVE = 10.0
"""Seconds between signs of life; three missing ones mean that the machine is gone."""
SESSIONS = 8
"""Commands at once over one connection; sshd allows ten by default (MaxSessions)."""
_HOST_KEYS = {
    "ssh-ed25519": ["ssh-ed25519"],
    "ecdsa-sha2-nistp256": ["ecdsa-sha2-nistp256"],
    "ecdsa-sha2-nistp384": ["ecdsa-sha2-nistp384"],
    "ecdsa-sha2-nistp521": ["ecdsa-sha2-nistp521"],
    "ssh-rsa": ["rsa-sha2-512", "rsa-sha2-256"],
}


class LoginRefused(Unreachable):
    """The machine answers but does not let the user in; while it boots this passes."""


@dataclass(eq=False)
class _Entry:
    target: Target
    opening: asyncio.Lock = field(default_factory=asyncio.Lock)
    slots: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(SESSIONS))
    connection: asyncssh.SSHClientConnection | None = None
    users: int = 0
    closing: asyncio.TimerHandle | None = None


class Connections:
    """A pool of SSH connections; ``idle`` seconds without use close one."""

    def __init__(self, idle: float = 300.0):
        self._idle = idle
        self._entries: dict[Target, _Entry] = {}

    @contextlib.asynccontextmanager
    async def use(self, target: Target) -> AsyncIterator[asyncssh.SSHClientConnection]:
        """A live connection to ``target`` for one command.

        Raises :class:`Unreachable`, or :class:`Permanent` for a wrong host key.
        """
        key = replace(target, name="")
        entry = self._entries.setdefault(key, _Entry(target))
        entry.users += 1
        if entry.closing is not None:
            entry.closing.cancel()
            entry.closing = None
        try:
            async with entry.slots:
                yield await self._open(entry)
        except (asyncssh.DisconnectError, asyncssh.ChannelOpenError, ConnectionError) as lost:
            self._drop(entry)
            raise Unreachable(f"{target}: {lost or 'the connection was lost'}") from lost
        finally:
            entry.users -= 1
            if entry.users == 0:
                self._rest(key, entry)

    async def host_key(self, target: Target) -> str:
        """The host key that ``target`` proved, as one line; the connection then serves its pin as well."""
        async with self.use(target) as connection:
            key = connection.get_server_host_key()
            if key is None:
                raise Unreachable(f"{target}: it showed no host key")
            line = (
                key.export_public_key().decode().strip().rsplit(" ", 1)[0]
                if key.get_comment()
                else (key.export_public_key().decode().strip())
            )
        self._share(target, line)
        return line

    def drop(self, target: Target) -> None:
        """Forget the connection to ``target``; the next use opens a new one."""
        if entry := self._entries.get(replace(target, name="")):
            self._drop(entry)

    async def close(self) -> None:
        """Close all connections."""
        entries, self._entries = {id(e): e for e in self._entries.values()}, {}
        for entry in entries.values():
            if entry.closing is not None:
                entry.closing.cancel()
            if (connection := entry.connection) is not None:
                entry.connection = None
                connection.close()
                with contextlib.suppress(asyncssh.Error, OSError, asyncio.TimeoutError):
                    await asyncio.wait_for(connection.wait_closed(), 2)

    def _share(self, target: Target, line: str) -> None:
        """Let a connection of first contact serve those who know the host key by now."""
        first = self._entries.get(replace(target, name=""))
        pinned = replace(target, name="", host_key=line)
        if first is not None and pinned not in self._entries:
            self._entries[pinned] = first

    async def _open(self, entry: _Entry) -> asyncssh.SSHClientConnection:
        async with entry.opening:
            if entry.connection is None or entry.connection.is_closed():
                entry.connection = await connect(entry.target)
            return entry.connection

    def _drop(self, entry: _Entry) -> None:
        if entry.connection is not None:
            entry.connection.abort()
            entry.connection = None

    def _rest(self, key: Target, entry: _Entry) -> None:
        def shut() -> None:
            for known in [k for k, e in self._entries.items() if e is entry]:
                del self._entries[known]
            if entry.connection is not None:
                entry.connection.close()

        if self._entries.get(key) is entry:
            entry.closing = asyncio.get_running_loop().call_later(self._idle, shut)


class _Client(asyncssh.SSHClient):
    """Accepts the pinned host key, or any one at first contact."""

    def __init__(self, pinned: asyncssh.SSHKey | None):
        self.pinned = pinned

    def validate_host_public_key(self, host: str, addr: str, port: int, key: asyncssh.SSHKey) -> bool:
        return self.pinned is None or key.public_data == self.pinned.public_data


async def connect(target: Target, timeout: float = CONNECT_TIMEOUT) -> asyncssh.SSHClientConnection:
    """Open one connection. Raises :class:`Unreachable` or :class:`Permanent`."""
    client = _Client(_read(asyncssh.import_public_key, target.host_key, "host key", target))
    key = _read(asyncssh.import_private_key, target.private_key, "private key", target)
    try:
        async with asyncio.timeout(timeout):
            connection, _ = await asyncssh.create_connection(
                lambda: client, target.host, target.port, username=target.user, client_keys=[key],
                known_hosts=([], [], []), server_host_key_algs=_algorithms(client.pinned), config=None,
                agent_path=None, gss_host=None, preferred_auth="publickey", compression_algs=["none"],
                keepalive_interval=KEEPALIVE, keepalive_count_max=3, x509_trusted_certs=None,
            )  # fmt: skip
    except asyncssh.HostKeyNotVerifiable as error:
        raise Permanent(
            f"{target}: its SSH host key is not the one that is known; it is another machine now"
        ) from error
    except asyncssh.PermissionDenied as error:
        raise LoginRefused(f"{target}: the login is refused: {error.reason}") from error
    except TimeoutError as error:
        raise Unreachable(f"{target}: no answer in {timeout:g} s") from error
    except (asyncssh.Error, OSError) as error:
        raise Unreachable(f"{target}: {error}") from error
    return connection


def _read(
    reader: Callable[[str], asyncssh.SSHKey], text: str | None, what: str, target: Target
) -> asyncssh.SSHKey | None:
    if text is None:
        return None
    try:
        return reader(text)
    except (asyncssh.KeyImportError, ValueError) as error:
        raise Permanent(f"{target}: the {what} cannot be read: {error}") from None


def _algorithms(pinned: asyncssh.SSHKey | None) -> list[str]:
    """All that we take, those of the pinned key first: a server that has the key will then show it."""
    kind = pinned.algorithm.decode() if pinned else ""
    if pinned is not None and kind not in _HOST_KEYS:
        raise Permanent(f"a host key of kind {kind} is not supported")
    return [a for k in sorted(_HOST_KEYS, key=lambda k: k != kind) for a in _HOST_KEYS[k]]


class Backoff:
    """Waits that begin at 50 ms and grow to 1 s, within a deadline on the loop's clock."""

    def __init__(self, timeout: float):
        self._end = time.monotonic() + timeout
        self._pause = 0.05

    @property
    def left(self) -> float:
        """Seconds until the deadline, not below 0."""
        return max(0.0, self._end - time.monotonic())

    def slow_down(self) -> None:
        """Wait for longer: an OpenSSH server shuts out who fails to log in too often (PerSourcePenalties)."""
        self._pause = min(max(2.0, self._pause * 2), 10.0)

    async def wait(self) -> bool:
        """Wait for a while; false when the deadline has passed."""
        pause = min(self._pause, self.left)
        self._pause = max(self._pause, min(self._pause * 1.4, 1.0))
        await asyncio.sleep(pause)
        return self.left > 0
