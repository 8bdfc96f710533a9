"""The server's side of the process that playbook runs are forked from; started at the first playbook."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import socket
import sys
from asyncio.subprocess import Process
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import structlog

from isthmus.configure.folders import make_folder, sweep_folders
from isthmus.configure.sandbox import measure
from isthmus.sites.errors import Permanent

_log = structlog.get_logger(__name__)
START_PATIENCE = 60.0


@dataclass(frozen=True, slots=True)
class Started:
    """One run's process: its id, which is its group's too, and our ends of its stream and passage."""

    pid: int
    stream: socket.socket
    passage: socket.socket


class Nursery:
    """Forks processes that run playbooks. Start-up happens once and is tried again when it died."""

    def __init__(self) -> None:
        self._lock = asyncio.Lock()
        self._process: Process | None = None
        self._control: socket.socket | None = None
        self._home = ""
        self._seed = b""

    async def seed(self) -> bytes:
        """The library that the agents on machines load once."""
        async with self._lock:
            await self._start()
        return self._seed

    async def fork(self) -> Started:
        """A new process that waits for its request on its stream."""
        async with self._lock:
            control = await self._start()
            stream, far_stream = socket.socketpair()
            passage, far_passage = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            with far_stream, far_passage:
                socket.send_fds(control, [b"r"], [far_stream.fileno(), far_passage.fileno()])
                pid = await self._receive(control, 4)
        for end in (stream, passage):
            end.setblocking(False)
        return Started(int.from_bytes(pid, "big"), stream, passage)

    async def close(self) -> None:
        """End it, and every run with it."""
        if self._control is not None:
            self._control.close()
            self._control = None
        if self._process is not None:
            try:
                async with asyncio.timeout(5):
                    await self._process.wait()
            except TimeoutError:
                self._process.kill()
                await self._process.wait()
            self._process = None
        if self._home:
            await asyncio.to_thread(shutil.rmtree, self._home, True)

    async def _start(self) -> socket.socket:
        if self._control is not None and self._process is not None and self._process.returncode is None:
            return self._control
        await self.close()
        _log.info("playbooks are confined", by=str(measure()))
        await asyncio.to_thread(sweep_folders)
        self._home = str(make_folder())
        control, far = socket.socketpair()
        with far:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, "-I", "-m", "isthmus.configure.playbook.nursery",
                stdin=far.fileno(), env=_environment(self._home), cwd=self._home, start_new_session=True,
            )  # fmt: skip
        control.setblocking(False)
        try:
            async with asyncio.timeout(START_PATIENCE):
                size = int.from_bytes(await self._receive(control, 4), "big")
                self._seed = await self._receive(control, size)
        except BaseException:
            control.close()
            self._process.kill()
            raise
        self._control = control
        return control

    async def _receive(self, control: socket.socket, size: int) -> bytes:
        loop = asyncio.get_running_loop()
        data = b""
        while len(data) < size:
            more = await loop.sock_recv(control, size - len(data))
            if not more:
                raise Permanent("the process that runs playbooks ended; the server's log says why")
            data += more
        return data


def _environment(home: str) -> dict[str, str]:
    """All of the environment that a playbook's process has: nothing of the server's but the path and zone."""
    folder = Path(str(resources.files("isthmus.configure.playbook")))
    env = {
        "PATH": os.defpath,
        "LANG": "C.UTF-8",
        "HOME": home,
        "TMPDIR": home,
        "ANSIBLE_CONFIG": str(folder / "ansible.cfg"),
        "ANSIBLE_CONNECTION_PLUGINS": str(folder / "plugins" / "connection"),
        "ANSIBLE_LOCAL_TEMP": home,
    }
    with contextlib.suppress(KeyError):
        env["TZ"] = os.environ["TZ"]
    return env
