"""How an agent gets to a site and starts there, and what is said when it cannot."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import asyncssh
import pytest

from isthmus.sites.batch.channel import ProcessChannel, SshChannel, SshOptions
from isthmus.sites.batch.client import Client
from isthmus.sites.errors import Permanent, Unreachable
from isthmus.work.program import program

from .conftest import STUB

PROGRAM = program(STUB)


def client_of(tmp_path: Path, channel: object, **more: object) -> Client:
    return Client(channel, PROGRAM, folder=str(tmp_path / "isthmus"), config={}, **more)  # type: ignore[arg-type]


@contextlib.asynccontextmanager
async def closing(client: Client) -> AsyncIterator[Client]:
    try:
        yield client
    finally:
        await client.close()


def shims(tmp_path: Path, **scripts: str) -> dict[str, str]:
    """An environment whose PATH has these programs, and the system's behind them."""
    bin = tmp_path / "bin"
    bin.mkdir()
    for name, script in scripts.items():
        (bin / name).write_text(f"#!/bin/sh\n{script}\n")
        (bin / name).chmod(0o755)
    return {"PATH": f"{bin}:/usr/bin:/bin"}


async def test_the_program_goes_there_once(tmp_path: Path) -> None:
    """The next agent finds it by its digest; one that was changed is put there again."""
    place = tmp_path / "isthmus" / "programs" / f"runner-{PROGRAM.digest}.pyz"
    for _ in range(2):
        async with closing(client_of(tmp_path, ProcessChannel())) as client:
            about = await client.connect()
            assert about["root"] == str(tmp_path / "isthmus")
        made = place.stat().st_mtime_ns
    assert place.stat().st_mode & 0o777 == 0o600
    async with closing(client_of(tmp_path, ProcessChannel())) as client:
        await client.connect()
    assert place.stat().st_mtime_ns == made
    place.write_bytes(b"something else")
    async with closing(client_of(tmp_path, ProcessChannel())) as client:
        await client.connect()
    assert place.read_bytes() == PROGRAM.data
    assert [p.name for p in place.parent.iterdir()] == [place.name]
    assert (tmp_path / "isthmus").stat().st_mode & 0o777 == 0o700


async def test_many_who_ask_at_once_share_one_agent(tmp_path: Path) -> None:
    """One session for all."""
    async with closing(client_of(tmp_path, ProcessChannel())) as client:
        answers = await asyncio.gather(*(client.request("list") for _ in range(200)))
        assert all(answer["ids"] == [] for answer in answers)


async def test_an_agent_ends_with_its_session(tmp_path: Path) -> None:
    """Nothing is left behind."""
    async with closing(client_of(tmp_path, ProcessChannel())) as client:
        pid = (await client.connect())["pid"]
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


async def test_a_login_shell_that_talks(tmp_path: Path) -> None:
    """What is said before the agent is passed over."""
    more = shims(tmp_path, python3=f'echo "Welcome to the cluster"; echo "[1]"; exec {sys.executable} "$@"')
    async with closing(client_of(tmp_path, ProcessChannel(more))) as client:
        assert (await client.connect())["pid"]


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("echo broken >&2; exit 3", "its agent does not start: broken"),
        ("exit 3", "the connection was lost"),
    ],
)
async def test_a_python_that_does_not_start(tmp_path: Path, script: str, words: str) -> None:
    """Its own words."""
    async with closing(client_of(tmp_path, ProcessChannel(shims(tmp_path, python3=script)))) as client:
        with pytest.raises(Unreachable, match=words):
            await client.connect()


async def test_no_python(tmp_path: Path) -> None:
    """That is for somebody there to mend."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "sh").symlink_to("/bin/sh")
    async with closing(client_of(tmp_path, ProcessChannel({"PATH": str(tmp_path / "bin")}))) as client:
        with pytest.raises(Permanent, match="there is no Python 3"):
            await client.connect()


async def test_a_python_that_is_too_old(tmp_path: Path) -> None:
    """Named, with what to do."""
    old = (
        f"exec {sys.executable} -I -S -c 'import sys; sys.version_info = (3, 6, 8); import io, json, os; "
        'os.environ["PATH"] = "/nowhere"; exec(json.loads(io.FileIO(0, closefd=False).readline()))\''
    )
    async with closing(client_of(tmp_path, ProcessChannel(shims(tmp_path, python3=old)))) as client:
        with pytest.raises(Permanent, match=r"Python 3\.6 is too old: 3\.8 or newer"):
            await client.connect()


@pytest.mark.parametrize(
    ("folder", "words"), [("relative", "not an absolute path"), ("/proc/isthmus", "No such file|not permitted|denied")]
)
async def test_a_folder_that_cannot_be(folder: str, words: str) -> None:
    """In the site's words."""
    async with closing(Client(ProcessChannel(), PROGRAM, folder=folder, config={})) as client:
        with pytest.raises(Permanent, match=words):
            await client.connect()


class Server(asyncssh.SSHServer):
    def __init__(self, key: asyncssh.SSHKey):
        self._key = key

    def begin_auth(self, username: str) -> bool:
        return True

    def public_key_auth_supported(self) -> bool:
        return True

    def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
        return username == "me" and key.public_data == self._key.public_data


async def run(process: asyncssh.SSHServerProcess[bytes]) -> None:
    child = await asyncio.create_subprocess_shell(
        process.command or "false",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    assert child.stdin is not None
    assert child.stdout is not None
    given = asyncio.create_task(carry(process.stdin, child.stdin))
    await carry(child.stdout, process.stdout)
    process.exit(await child.wait())
    given.cancel()
    child.stdin.close()
    with contextlib.suppress(OSError):
        await child.stdin.wait_closed()


async def carry(source: Any, target: Any) -> None:
    with contextlib.suppress(OSError, asyncssh.Error):
        while data := await source.read(65536):
            target.write(data)
            await target.drain()
        target.write_eof()


@pytest.fixture
def keys() -> tuple[asyncssh.SSHKey, asyncssh.SSHKey]:
    return asyncssh.generate_private_key("ssh-ed25519"), asyncssh.generate_private_key("ssh-ed25519")


@pytest.fixture
async def login_node(keys: tuple[asyncssh.SSHKey, asyncssh.SSHKey]) -> AsyncIterator[asyncssh.SSHAcceptor]:
    """An SSH server that runs what it is asked to on this machine."""
    user, host = keys
    server = await asyncssh.listen(
        "127.0.0.1", 0, server_factory=lambda: Server(user), server_host_keys=[host], process_factory=run, encoding=None
    )
    yield server
    server.close()
    await server.wait_closed()


def options(server: asyncssh.SSHAcceptor, keys: tuple[asyncssh.SSHKey, asyncssh.SSHKey], **more: object) -> SshOptions:
    user, host = keys
    given = {"key": user.export_private_key().decode(), "host_key": host.export_public_key().decode(), **more}
    return SshOptions(host="127.0.0.1", port=server.get_port(), user="me", **given)  # type: ignore[arg-type]


async def test_over_ssh(
    login_node: asyncssh.SSHAcceptor, keys: tuple[asyncssh.SSHKey, asyncssh.SSHKey], tmp_path: Path
) -> None:
    """The same agent; when it or the connection dies, the next request opens another."""
    channel = SshChannel(options(login_node, keys))
    async with closing(client_of(tmp_path, channel)) as client:
        first = (await client.connect())["pid"]
        assert (await client.request("list"))["ids"] == []
        os.kill(first, signal.SIGKILL)
        assert (await client.request("list"))["ids"] == []
        second = client.about["pid"]
        assert second != first
        assert channel._connection is not None
        channel._connection.abort()
        assert (await client.request("list"))["ids"] == []
        assert client.about["pid"] != second


async def test_a_host_that_shows_another_key(
    login_node: asyncssh.SSHAcceptor, keys: tuple[asyncssh.SSHKey, asyncssh.SSHKey], tmp_path: Path
) -> None:
    """It is not talked to."""
    other = asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode()
    async with closing(client_of(tmp_path, SshChannel(options(login_node, keys, host_key=other)))) as client:
        with pytest.raises(Permanent, match="host key is not the one in host_key"):
            await client.connect()


async def test_a_login_that_is_refused(
    login_node: asyncssh.SSHAcceptor, keys: tuple[asyncssh.SSHKey, asyncssh.SSHKey], tmp_path: Path
) -> None:
    """The key is another one; it is not repeated."""
    other = asyncssh.generate_private_key("ssh-ed25519").export_private_key().decode()
    async with closing(client_of(tmp_path, SshChannel(options(login_node, keys, key=other)))) as client:
        with pytest.raises(Permanent, match="the login is refused") as caught:
            await client.connect()
        assert "PRIVATE" not in str(caught.value)
    wrong = SshChannel(options(login_node, keys, key="no key"))
    async with closing(client_of(tmp_path, wrong)) as client:
        with pytest.raises(Permanent, match="cannot be read"):
            await client.connect()


async def test_nobody_there(keys: tuple[asyncssh.SSHKey, asyncssh.SSHKey], tmp_path: Path) -> None:
    """Unreachable, and those who ask at once are told by one attempt."""
    server = await asyncssh.listen("127.0.0.1", 0, server_host_keys=[keys[1]])
    channel = SshChannel(options(server, keys))
    server.close()
    await server.wait_closed()
    async with closing(client_of(tmp_path, channel)) as client:
        answers = await asyncio.gather(*(client.request("list") for _ in range(20)), return_exceptions=True)
        assert all(isinstance(answer, Unreachable) for answer in answers)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({}, "exactly one of key_file and key"),
        ({"key": "x"}, "ssh-keyscan"),
        ({"key": "x", "host_key": "y"}, "not a line of OpenSSH public key"),
        ({"key": "x", "key_file": "y", "known_hosts": "z"}, "exactly one"),
        ({"key": "x", "known_hosts": "z", "colour": "red"}, "colour"),
    ],
)
def test_wrong_options(given: dict[str, object], words: str) -> None:
    """By name."""
    with pytest.raises(ValueError, match=words):
        SshOptions(host="h", user="u", **given)  # type: ignore[arg-type]
