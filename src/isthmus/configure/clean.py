"""Prepares machines for being kept as images, and gives them their identity back afterwards.

While a machine is without its identity, a process on it waits for the end of its stdin and then restores it: that
end comes when we say so, and when the server or the connection dies.
"""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import replace
from importlib import resources

import asyncssh

from isthmus.configure.connections import Connections
from isthmus.configure.scripts import as_root, run_script
from isthmus.configure.target import Target
from isthmus.sites.contract import Errand
from isthmus.sites.errors import Permanent

_RESTORE = "if [ -s /run/isthmus.machine-id ]; then cat /run/isthmus.machine-id >/etc/machine-id; fi"
_WATCH = f"sh -c 'cat >/dev/null; {_RESTORE}'"
TIMEOUT = 120.0


class Cleaning:
    """The machines that are clean just now, each watched."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections
        self._watches: dict[Target, tuple[contextlib.AsyncExitStack, asyncssh.SSHClientProcess[bytes]]] = {}

    async def clean(self, target: Target) -> None:
        """Empty caches, logs and the machine's identity; raises :class:`Permanent` with what went wrong."""
        await self._watch(target)
        try:
            script = resources.files(__package__).joinpath("clean.sh").read_bytes()
            await _run(self._connections, target, script, "clean")
        except BaseException:
            await self._end_watch(target)
            raise

    async def restore(self, target: Target) -> None:
        """Give the machine, which lives on, the machine-id back that :meth:`clean` emptied."""
        if not await self._end_watch(target):
            await _run(self._connections, target, f"{_RESTORE}\n".encode(), "restore")

    async def _watch(self, target: Target) -> None:
        async with contextlib.AsyncExitStack() as stack:
            connection = await stack.enter_async_context(self._connections.use(target))
            process = await connection.create_process(as_root(target, _WATCH), encoding=None)
            stack.callback(process.close)
            self._watches[_place(target)] = stack.pop_all(), process

    async def _end_watch(self, target: Target) -> bool:
        """Let the watch restore; whether it is known to have done so."""
        stack, process = self._watches.pop(_place(target), (None, None))
        if stack is None or process is None:
            return False
        async with stack:
            with contextlib.suppress(OSError, asyncssh.Error, TimeoutError):
                process.stdin.write_eof()
                async with asyncio.timeout(TIMEOUT):
                    await process.wait_closed()
        return process.exit_status == 0


def _place(target: Target) -> Target:
    """The machine itself, by whatever name it is called."""
    return replace(target, name="")


async def _run(connections: Connections, target: Target, script: bytes, label: str) -> None:
    said: list[str] = []
    result = await run_script(
        connections, target, Errand(label, "run.sh", {"run.sh": script}, {}, TIMEOUT), said.append
    )
    if result.code != 0:
        raise Permanent(f"{target}: cleaning for an image failed: {result.message}")
