"""One host: its SSH connection, kept while it lasts, and the questions that it is asked."""

from __future__ import annotations

import asyncio
import shlex
from importlib.resources import files
from pathlib import Path

import asyncssh

from isthmus.sites.contract import Ref
from isthmus.sites.errors import Permanent, SiteError, Unreachable
from isthmus.sites.ssh.claim import Answer, Claim, read_answer
from isthmus.sites.ssh.options import HostOptions, how_to_pin

SCRIPT = files("isthmus.sites.ssh").joinpath("claim.sh").read_text("utf-8")


class Host:
    """A host that answers questions about its claim, each within ``timeout`` seconds.

    Every question may be asked again after a lost answer. Raises :class:`Unreachable` or
    :class:`Permanent` in the host's own words.
    """

    def __init__(self, options: HostOptions, known_hosts: Path | None, timeout: float):
        self.options = options
        self._known_hosts = known_hosts
        self._timeout = timeout
        self._connection: asyncssh.SSHClientConnection | None = None
        self._lock = asyncio.Lock()
        self._asking: set[asyncio.Task[Answer]] = set()

    async def show(self) -> Answer:
        """Whom the host is lent to."""
        return await self._ask("show")

    async def claim(self, ref: Ref, claim: Claim) -> Answer:
        """Lend the host to ``ref`` if it is free; the answer says who has it now."""
        return await self._ask("claim", ref.name, claim.model_dump_json())

    async def add_key(self, ref: Ref, key: str) -> Answer:
        """Let ``key`` in while the host is lent to ``ref``; then the claim is ready."""
        return await self._ask("key", ref.name, f"{key} {ref.name}")

    async def release(self, ref: Ref) -> Answer:
        """Take the key and the claim of ``ref`` away, if it is lent to that."""
        return await self._ask("release", ref.name)

    async def close(self) -> None:
        """Let go of the connection, when the last question is answered."""
        await asyncio.gather(*self._asking, return_exceptions=True)
        connection, self._connection = self._connection, None
        if connection:
            connection.close()
            await connection.wait_closed()

    async def _ask(self, verb: str, *values: str) -> Answer:
        """Ask to the end even when the caller is cancelled, so that the next question finds the effect."""
        task = asyncio.create_task(self._ask_in_turn(verb, *values))
        self._asking.add(task)
        task.add_done_callback(self._asking.discard)
        return await asyncio.shield(task)

    async def _ask_in_turn(self, verb: str, *values: str) -> Answer:
        place = self.options.place
        try:
            async with self._lock, asyncio.timeout(self._timeout):
                text, address = await self._run(verb, "".join(f"{value}\n" for value in values))
        except TimeoutError:
            self._drop()
            raise Unreachable(f"host {place}: no answer in {self._timeout:g} s") from None
        return read_answer(place, text, address)

    async def _run(self, verb: str, given: str) -> tuple[str, str]:
        kept = self._connection is not None
        try:
            return await self._run_once(verb, given)
        except Unreachable:
            self._drop()
            if not kept:
                raise
        # The kept connection had died since it was last used; the host may well answer a new one.
        return await self._run_once(verb, given)

    async def _run_once(self, verb: str, given: str) -> tuple[str, str]:
        try:
            connection = self._connection = self._connection or await self._connect()
            done = await connection.run(self._command(verb), input=given, check=False)
        except (OSError, ValueError, asyncssh.Error) as error:
            raise self._explain(error) from None
        if done.exit_status is None:
            raise Unreachable(f"host {self.options.place}: the connection ended")
        if done.exit_status != 0:
            raise Permanent(f"host {self.options.place}: {str(done.stderr).strip() or done.exit_status}")
        return str(done.stdout), str(connection.get_extra_info("peername")[0])

    def _command(self, verb: str) -> str:
        """Constant text: what varies goes through standard input."""
        root = () if self.options.user == "root" else ("sudo", "-n")
        return shlex.join([*root, "sh", "-c", SCRIPT, "isthmus", verb])

    async def _connect(self) -> asyncssh.SSHClientConnection:
        host = self.options
        pinned: tuple[list[asyncssh.SSHKey], list[asyncssh.SSHKey], list[asyncssh.SSHKey]] | None = None
        if host.host_key:
            pinned = ([asyncssh.import_public_key(host.host_key)], [], [])
        return await asyncssh.connect(
            host.host,
            host.port,
            username=host.user,
            client_keys=[str(host.key_file)],
            known_hosts=pinned or str(self._known_hosts),
            config=None,
            agent_path=None,
            preferred_auth="publickey",
            keepalive_interval=15,
        )

    def _explain(self, error: Exception) -> SiteError:
        place = self.options.place
        match error:
            case asyncssh.HostKeyNotVerifiable() if self.options.host_key:
                return Permanent(f"host {place}: its host key is not the one in host_key; {error}")
            case asyncssh.HostKeyNotVerifiable():
                return Permanent(f"{how_to_pin(self.options)} ({error})")
            case asyncssh.PermissionDenied():
                return Permanent(f"host {place}: user {self.options.user} is not let in; {error}")
            case ValueError() | FileNotFoundError() | PermissionError():
                return Permanent(f"host {place}: key_file {self.options.key_file} or known_hosts: {error}")
            case _:
                return Unreachable(f"host {place}: {error or type(error).__name__}")

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection:
            connection.abort()
