"""The way to a site's login node: SSH, or a child process when that is this very machine.

A channel opens sessions. A session is the stdin and stdout of one command whose text never varies.
Errors leave as :class:`~isthmus.sites.errors.Unreachable` or :class:`~isthmus.sites.errors.Permanent`.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from pathlib import Path
from typing import Protocol

import asyncssh
from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

from isthmus.sites.errors import Permanent, SiteError, Unreachable

COMMAND = (
    "sh -c 'p=$(command -v python3 || command -v /usr/libexec/platform-python) || "
    '{ echo "there is no Python 3 on the machine" >&2; exit 127; }; '
    'exec "$p" -I -S -c "import io, json; exec(json.loads(io.FileIO(0, closefd=False).readline()))"\''
)
"""Runs the line of JSON that comes first as a program, which then has the rest of stdin."""
CONNECT_TIMEOUT = 20.0
CLOSE_PATIENCE = 3.0
_LAST_WORDS = 0.5
"""Seconds for what a command that ended said to stderr; what it started may hold that open for longer."""
_ERRORS = 4096


class Session(Protocol):
    """A running command. ``errors`` is the end of what it wrote to stderr."""

    errors: bytes

    async def read(self, size: int) -> bytes:
        """Exactly ``size`` bytes; raises :class:`asyncio.IncompleteReadError` at the end."""

    async def read_line(self, limit: int) -> bytes:
        """One line with its line feed, or what there is when it ends or is longer than ``limit``."""

    async def write(self, data: bytes) -> None:
        """Send bytes; waits while the other side does not read."""

    async def close(self) -> int | None:
        """End stdin, give the command a little time, and end it; its exit status, None when that is not known."""


class Channel(Protocol):
    """Opens sessions on one machine; ``place`` names it for people."""

    place: str

    async def open(self) -> Session:
        """Start :data:`COMMAND` there."""

    async def close(self) -> None:
        """Let go of the machine."""


class SshOptions(BaseModel):
    """How to reach a login node. The key is ``key_file`` or ``key`` (its text); the host's key is pinned or known.

    ``host_key`` is one line of OpenSSH public key; else the file ``known_hosts`` has to know the host.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    host: str = Field(min_length=1)
    port: int = Field(22, ge=1, le=65535)
    user: str = Field(min_length=1)
    key_file: Path | None = None
    key: SecretStr | None = None
    host_key: str | None = None
    known_hosts: Path | None = None

    @field_validator("host_key")
    @classmethod
    def _one_key(cls, key: str | None) -> str | None:
        if key is not None:
            try:
                asyncssh.import_public_key(key)
            except asyncssh.KeyImportError as wrong:
                raise ValueError(f"not a line of OpenSSH public key: {wrong}") from None
        return key

    @model_validator(mode="after")
    def _complete(self) -> SshOptions:
        if (self.key_file is None) == (self.key is None):
            raise ValueError("exactly one of key_file and key is needed")
        if self.host_key is None and self.known_hosts is None:
            raise ValueError(
                f"the host key of {self.host} is not known. Run `ssh-keyscan -t ed25519 -p {self.port} {self.host}`, "
                "compare the key with the one that the site publishes, and write it as host_key, or into the file "
                "that known_hosts names"
            )
        return self


class SshChannel:
    """Sessions over one SSH connection, which is opened at need and again when it was lost."""

    def __init__(self, options: SshOptions):
        self._options = options
        self._connection: asyncssh.SSHClientConnection | None = None
        host = f"[{options.host}]" if ":" in options.host else options.host
        self.place = f"{options.user}@{host}:{options.port}"

    async def open(self) -> Session:
        """Start the command, over a new connection when the kept one has died."""
        kept = self._connection
        if kept is not None and not kept.is_closed():
            with contextlib.suppress(asyncssh.Error, OSError, TimeoutError):
                async with asyncio.timeout(CONNECT_TIMEOUT):
                    return await self._start(kept)
            kept.abort()
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT):
                self._connection = connection = await self._connect()
                return await self._start(connection)
        except TimeoutError:
            self._drop()
            raise Unreachable(f"{self.place}: no answer in {CONNECT_TIMEOUT:g} s") from None
        except (asyncssh.Error, OSError, ValueError) as error:
            self._drop()
            raise self._explain(error) from None

    async def close(self) -> None:
        """Close the connection."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()
            with contextlib.suppress(asyncssh.Error, OSError, TimeoutError):
                await asyncio.wait_for(connection.wait_closed(), CLOSE_PATIENCE)

    async def _start(self, connection: asyncssh.SSHClientConnection) -> Session:
        return _SshSession(await connection.create_process(COMMAND, encoding=None))

    async def _connect(self) -> asyncssh.SSHClientConnection:
        o = self._options
        key = o.key.get_secret_value() if o.key is not None else await asyncio.to_thread(_read_key, o.key_file)
        pinned: object = str(o.known_hosts)
        if o.host_key:
            pinned = ([asyncssh.import_public_key(o.host_key)], [], [])
        return await asyncssh.connect(
            o.host, o.port, username=o.user, client_keys=[asyncssh.import_private_key(key)], known_hosts=pinned,
            config=None, agent_path=None, gss_host=None, preferred_auth="publickey", compression_algs=["none"],
            keepalive_interval=10, keepalive_count_max=3, x509_trusted_certs=None,
        )  # fmt: skip

    def _explain(self, error: Exception) -> SiteError:
        match error:
            case asyncssh.HostKeyNotVerifiable():
                told = "host_key" if self._options.host_key else "known_hosts"
                return Permanent(f"{self.place}: its host key is not the one in {told}; {error}")
            case asyncssh.PermissionDenied():
                return Permanent(f"{self.place}: the login is refused; {error}")
            case asyncssh.KeyImportError() | FileNotFoundError() | PermissionError() | ValueError():
                return Permanent(f"{self.place}: the key or known_hosts cannot be read: {error}")
            case _:
                return Unreachable(f"{self.place}: {error or type(error).__name__}")

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.abort()


def _read_key(file: Path | None) -> str:
    return "" if file is None else file.expanduser().read_text()


class _SshSession:
    def __init__(self, process: asyncssh.SSHClientProcess[bytes]):
        self._process = process
        self.errors = b""
        self._listening = asyncio.create_task(self._listen())

    async def read(self, size: int) -> bytes:
        try:
            return await self._process.stdout.readexactly(size)
        except (asyncssh.Error, OSError) as error:
            raise asyncio.IncompleteReadError(b"", size) from error

    async def read_line(self, limit: int) -> bytes:
        line = b""
        with contextlib.suppress(asyncio.IncompleteReadError):
            while len(line) < limit and not line.endswith(b"\n"):
                line += await self.read(1)
        return line

    async def write(self, data: bytes) -> None:
        self._process.stdin.write(data)
        await self._process.stdin.drain()

    async def close(self) -> int | None:
        with contextlib.suppress(asyncssh.Error, OSError):
            self._process.stdin.write_eof()
        with contextlib.suppress(asyncssh.Error, OSError, TimeoutError):
            await asyncio.wait_for(self._process.wait_closed(), CLOSE_PATIENCE)
        await asyncio.wait([self._listening], timeout=_LAST_WORDS)
        self._process.close()
        self._listening.cancel()
        await asyncio.wait([self._listening])
        return self._process.exit_status

    async def _listen(self) -> None:
        with contextlib.suppress(asyncssh.Error, OSError):
            while data := await self._process.stderr.read(_ERRORS):
                self.errors = (self.errors + data)[-_ERRORS:]


class ProcessChannel:
    """Sessions as child processes of ours, with our environment and ``more``."""

    place = "this machine"

    def __init__(self, more: dict[str, str] | None = None):
        self._environment = {**os.environ, **(more or {})}

    async def open(self) -> Session:
        """Start the command; it is no part of our process group, so that Ctrl-C is not meant for it."""
        try:
            process = await asyncio.create_subprocess_shell(
                COMMAND, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
                env=self._environment, start_new_session=True, limit=1024 * 1024,
            )  # fmt: skip
        except OSError as error:
            raise Unreachable(f"{self.place}: {error}") from None
        return _ProcessSession(process)

    async def close(self) -> None:
        """Nothing is kept."""


class _ProcessSession:
    def __init__(self, process: asyncio.subprocess.Process):
        self._process = process
        self.errors = b""
        self._listening = asyncio.create_task(self._listen())

    @property
    def pid(self) -> int:
        """The process, which is the agent itself once it serves."""
        return self._process.pid

    async def read(self, size: int) -> bytes:
        assert self._process.stdout is not None
        return await self._process.stdout.readexactly(size)

    async def read_line(self, limit: int) -> bytes:
        line = b""
        with contextlib.suppress(asyncio.IncompleteReadError):
            while len(line) < limit and not line.endswith(b"\n"):
                line += await self.read(1)
        return line

    async def write(self, data: bytes) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(data)
        await self._process.stdin.drain()

    async def close(self) -> int | None:
        process = self._process
        if process.stdin is not None:
            process.stdin.close()
            with contextlib.suppress(OSError):
                await process.stdin.wait_closed()
        try:
            await asyncio.wait_for(process.wait(), CLOSE_PATIENCE)
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGKILL)
            await process.wait()
        await asyncio.wait([self._listening], timeout=_LAST_WORDS)
        self._listening.cancel()
        await asyncio.wait([self._listening])
        # What the command started may hold its pipes open for longer than we care.
        process._transport.close()  # type: ignore[attr-defined]
        return process.returncode

    async def _listen(self) -> None:
        assert self._process.stderr is not None
        while data := await self._process.stderr.read(_ERRORS):
            self.errors = (self.errors + data)[-_ERRORS:]
