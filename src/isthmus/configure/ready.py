"""Waits until a machine takes commands as root, and says which host key it has."""

from __future__ import annotations

import asyncio

import asyncssh

from isthmus.configure.connections import Backoff, Connections, LoginRefused
from isthmus.configure.scripts import as_root
from isthmus.configure.target import Target
from isthmus.sites.errors import Unreachable


async def wait_ready(connections: Connections, target: Target, timeout: float) -> str:
    """Poll ``target``; see :meth:`isthmus.configure.Configurator.wait_ready`."""
    backoff = Backoff(timeout)
    patience, last = 1.0, ""
    while True:
        try:
            async with asyncio.timeout(min(patience, backoff.left)):
                key = await connections.host_key(target)
                await _become_root(connections, target)
            return key
        except TimeoutError:
            if not last or backoff.left > 0:  # one that was cut short by the deadline says nothing of the machine
                last = "no answer"
        except LoginRefused as error:
            last = str(error)
            backoff.slow_down()
        except Unreachable as error:
            last = str(error)
        patience = min(patience * 1.5, 10.0)
        if not await backoff.wait():
            raise Unreachable(f"{target} is not ready after {timeout:g} s: {last}")


async def _become_root(connections: Connections, target: Target) -> None:
    async with connections.use(target) as connection:
        done = await connection.run(as_root(target, "true"), stdin=asyncssh.DEVNULL)
    if done.exit_status != 0:
        said = str(done.stderr or "").strip()
        raise Unreachable(f"{target}: {target.user} cannot become root: {said}")
