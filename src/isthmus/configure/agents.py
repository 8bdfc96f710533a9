"""The server's side of the agents that serve playbook runs on machines: one for each machine and run."""

from __future__ import annotations

import asyncio
import contextlib
from functools import cache
from importlib import resources
from typing import Any, Protocol

import asyncssh

from isthmus.configure.connections import Connections
from isthmus.configure.output import clean_line
from isthmus.configure.playbook import frames
from isthmus.configure.scripts import KILL_PATIENCE, LOCK_PATIENCE, as_root
from isthmus.configure.target import Target
from isthmus.sites.errors import Permanent, Unreachable

_BOOTSTRAP = (
    'sh -c \'p=$(command -v python3 || command -v /usr/libexec/platform-python) || '
    '{ echo "there is no Python 3 on the machine, which playbooks need" >&2; exit 127; }; '
    'exec "$p" -c "import sys; i = sys.stdin.buffer; '
    'exec(i.read(int(i.readline())).decode()); serve(i.read(int(i.readline())))"\''
)  # fmt: skip


class AnyAgent(Protocol):
    """What serves a playbook run on one machine."""

    async def start(self) -> str: ...

    async def ask(self, header: frames.Header, body: bytes) -> tuple[frames.Header, bytes]: ...

    async def stop(self) -> None: ...


class Agent:
    """Runs what a playbook asks on one machine; starts again after a reboot that the playbook asked for."""

    def __init__(self, connections: Connections, target: Target, seed: bytes):
        self.target = target
        self._connections = connections
        self._seed = seed
        self._starting = asyncio.Lock()
        self._serving: asyncio.Task[None] | None = None
        self._process: asyncssh.SSHClientProcess[bytes] | None = None
        self._waiting: dict[int, asyncio.Future[tuple[frames.Header, bytes]]] = {}
        self._last = 0
        self._errors = b""

    async def start(self) -> str:
        """Start the agent unless it runs; answers the path of the machine's Python.

        Raises :class:`Unreachable`, or :class:`Permanent` when the machine has no Python.
        """
        async with self._starting:
            if self._serving is None or self._serving.done():
                ready: asyncio.Future[str] = asyncio.get_running_loop().create_future()
                self._serving = asyncio.create_task(self._serve(ready))
                self._python = await ready
        return self._python

    async def ask(self, header: frames.Header, body: bytes) -> tuple[frames.Header, bytes]:
        """One request; raises :class:`Unreachable` when the machine goes away before it answers."""
        await self.start()
        process = self._process
        if process is None:
            raise Unreachable(f"{self.target}: the machine went away")
        self._last += 1
        number = self._last
        answer: asyncio.Future[tuple[frames.Header, bytes]] = asyncio.get_running_loop().create_future()
        self._waiting[number] = answer
        try:
            process.stdin.write(frames.pack({**header, "id": number}, body))
            await process.stdin.drain()
            return await answer
        except (OSError, asyncssh.Error) as error:
            raise Unreachable(f"{self.target}: the machine went away: {error}") from error
        finally:
            self._waiting.pop(number, None)

    async def stop(self) -> None:
        """End stdin, at which the machine kills what still runs, and wait a little for that."""
        if self._serving is None:
            return
        if self._process is not None:
            with contextlib.suppress(OSError, asyncssh.Error):
                self._process.stdin.write_eof()
        done, _ = await asyncio.wait([self._serving], timeout=KILL_PATIENCE)
        if not done:
            self._serving.cancel()
            await asyncio.wait([self._serving])

    async def _serve(self, ready: asyncio.Future[str]) -> None:
        failure: Exception = Unreachable(f"{self.target}: the machine went away")
        try:
            async with self._connections.use(self.target) as connection:
                process = await connection.create_process(as_root(self.target, _BOOTSTRAP), encoding=None)
                try:
                    await self._talk(process, ready)
                finally:
                    self._process = None
                    process.close()
                failure = self._explain(process)
        except (Unreachable, Permanent) as error:
            failure = error
        except frames.BadFrame as error:
            failure = Permanent(f"{self.target}: {error}")
        finally:
            unanswered: list[asyncio.Future[Any]] = [ready, *self._waiting.values()]
            for waiting in unanswered:
                if not waiting.done():
                    waiting.set_exception(failure)

    async def _talk(self, process: asyncssh.SSHClientProcess[bytes], ready: asyncio.Future[str]) -> None:
        program = _program()
        process.stdin.write(b"%d\n%s%d\n%s" % (len(program), program, len(self._seed), self._seed))
        listening = asyncio.create_task(self._listen(process))
        try:
            async with asyncio.timeout(LOCK_PATIENCE):
                header, _ = await frames.receive(process.stdout)  # type: ignore[arg-type]
            self._process = process
            ready.set_result(str(header.get("ready")))
            while True:
                header, body = await frames.receive(process.stdout)  # type: ignore[arg-type]
                answer = self._waiting.get(header.get("id", 0))
                if answer is not None and not answer.done():
                    answer.set_result((header, body))
        except asyncio.IncompleteReadError:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(KILL_PATIENCE):
                    await process.wait_closed()
        finally:
            listening.cancel()

    async def _listen(self, process: asyncssh.SSHClientProcess[bytes]) -> None:
        while data := await process.stderr.read(4096):
            self._errors = (self._errors + data)[-4096:]

    def _explain(self, process: asyncssh.SSHClientProcess[bytes]) -> Exception:
        if process.exit_status is None or process.exit_signal or process.exit_status in (137, 143):
            return Unreachable(f"{self.target}: the machine went away")
        said = clean_line(self._errors.decode(errors="replace").strip().rpartition("\n")[2])
        return Permanent(f"{self.target}: the machine cannot run playbooks: {said or 'its agent was killed'}")


@cache
def _program() -> bytes:
    return resources.files("isthmus.configure.playbook").joinpath("agent.py").read_bytes()
