"""Serves the doors that a playbook's process opens: requests for machines of its run, and for no others.

What comes through a door is hostile: it may ask only for the operations of an agent, on the run's machines.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Mapping

from isthmus.configure.agents import AnyAgent
from isthmus.configure.playbook import frames
from isthmus.sites.errors import Permanent, Unreachable

DOORS = 256
"""Open at once for one run; a playbook's process has one for each task that it runs."""
_OPERATIONS: Mapping[str, Mapping[str, type]] = {
    "command": {"command": str},
    "module": {"command": str},
    "put": {"path": str, "append": bool},
    "get": {"path": str, "offset": int, "size": int},
}


class Relay:
    """Passes requests on to agents, as long as the run lives."""

    def __init__(self, passage: socket.socket, agents: Mapping[str, AnyAgent]):
        self._passage = passage
        self._agents = agents
        self._doors: set[asyncio.Task[None]] = set()

    def open(self) -> None:
        """Begin to take doors."""
        asyncio.get_running_loop().add_reader(self._passage, self._take)

    async def close(self) -> None:
        """Take no more, and shut all."""
        asyncio.get_running_loop().remove_reader(self._passage)
        self._passage.close()
        for door in self._doors:
            door.cancel()
        if self._doors:
            await asyncio.wait(self._doors)

    def _take(self) -> None:
        try:
            name, fds, _, _ = socket.recv_fds(self._passage, 256, 4)
        except BlockingIOError:
            return
        except OSError:
            name, fds = b"", []
        if not name and not fds:
            asyncio.get_running_loop().remove_reader(self._passage)
            return
        ends = [socket.socket(fileno=fd) for fd in fds]
        if len(ends) != 1 or len(self._doors) >= DOORS or ends[0].family != socket.AF_UNIX:
            for end in ends:
                end.close()
            return
        task = asyncio.create_task(self._serve(name.decode(errors="replace"), ends[0]))
        self._doors.add(task)
        task.add_done_callback(self._doors.discard)

    async def _serve(self, name: str, end: socket.socket) -> None:
        reader, writer = await asyncio.open_connection(sock=end, limit=1 << 20)
        try:
            while True:
                header, body = await frames.receive(reader)
                answer, out = await self._answer(name, header, body)
                answer.pop("id", None)
                writer.write(frames.pack(answer, out))
                await writer.drain()
        except (asyncio.IncompleteReadError, frames.BadFrame, OSError):
            pass  # the task is over, or its process does not keep to the protocol: the door is shut
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def _answer(self, name: str, header: frames.Header, body: bytes) -> tuple[frames.Header, bytes]:
        agent = self._agents.get(name)
        if agent is None:
            return {"refused": f"refused: {name} is not a machine of this run"}, b""
        asked = check_request(header)
        if asked is None:
            return {"refused": "refused: machines do not know this request"}, b""
        try:
            return await agent.ask(asked, body)
        except Unreachable as error:
            return {"unreachable": str(error)}, b""
        except Permanent as error:
            return {"refused": str(error)}, b""


def check_request(header: frames.Header) -> frames.Header | None:
    """The request with nothing but what its operation takes; None when it is none."""
    fields = _OPERATIONS.get(str(header.get("op")))
    if fields is None or any(type(header.get(name)) is not kind for name, kind in fields.items()):
        return None
    return {"op": header["op"], **{name: header[name] for name in fields}}
