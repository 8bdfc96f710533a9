"""The configure layer's one entrance: what the engine calls to bring machines to their state."""

from __future__ import annotations

from collections.abc import Callable

from isthmus.configure.connections import Connections
from isthmus.configure.ready import wait_ready
from isthmus.configure.scripts import run_script
from isthmus.configure.target import Target
from isthmus.sites.contract import Job, Result


class Configurator:
    """Runs operations on machines over SSH. One serves a whole server; :meth:`close` it at the end."""

    def __init__(self, idle: float = 300.0):
        self._connections = Connections(idle)

    async def wait_ready(self, target: Target, timeout: float) -> str:
        """Wait until ``target`` takes commands as root; answers its host key as one OpenSSH line.

        Raises :class:`~isthmus.sites.errors.Unreachable` after ``timeout`` seconds, and
        :class:`~isthmus.sites.errors.Permanent` when the machine proves another host key than the target's.
        """
        return await wait_ready(self._connections, target, timeout)

    async def run_script(self, target: Target, job: Job, line: Callable[[str], None]) -> Result:
        """Run ``job.entry`` as root by its shebang (``/bin/sh`` without one), in a folder of its own.

        ``line`` gets each line of stdout and stderr as it is printed. The script's inputs are its
        environment; it writes outputs, as ``NAME=VALUE`` lines or one JSON object, to the file that
        ``$ISTHMUS_OUTPUTS`` names. Code 124 means that ``job.timeout`` passed; the job's process group is
        killed then, and when the call is cancelled. Raises :class:`~isthmus.sites.errors.Unreachable` when
        the machine goes away.
        """
        return await run_script(self._connections, target, job, line)

    async def close(self) -> None:
        """Let go of all connections."""
        await self._connections.close()
