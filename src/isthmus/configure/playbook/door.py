"""How a task's process reaches the server: a socket pair of its own, whose other end it passes on.

The sandbox allows no socket to be opened, only pairs to be made; the end that is passed through the
run's one inherited socket (``SCM_RIGHTS``) is served by :mod:`isthmus.configure.relay`.
"""

from __future__ import annotations

import socket

from isthmus.configure.playbook import frames

_passage: socket.socket | None = None


class Refused(Exception):
    """The server does not do this for a playbook; the message says why."""


class Unreachable(Exception):
    """The machine did not answer, or went away."""


def use(passage: socket.socket) -> None:
    """Pass the ends of all doors of this process through ``passage``."""
    global _passage
    _passage = passage


class Door:
    """Requests to one machine, one after another."""

    def __init__(self, machine: str):
        if _passage is None:
            raise Refused("there is no way to a machine from here")
        own, other = socket.socketpair()
        with other:
            socket.send_fds(_passage, [machine.encode()], [other.fileno()])
        self._socket = own
        self._file = own.makefile("rb")

    def ask(self, header: frames.Header, body: bytes) -> tuple[frames.Header, bytes]:
        """One request and its answer. Raises :class:`Unreachable` or :class:`Refused`."""
        try:
            self._socket.sendall(frames.pack(header, body))
            answer, out = frames.receive_from(self._file)
        except (EOFError, OSError, frames.BadFrame) as error:
            raise Unreachable("the server closed the way to the machine") from error
        if "unreachable" in answer:
            raise Unreachable(str(answer["unreachable"]))
        if "refused" in answer:
            raise Refused(str(answer["refused"]))
        return answer, out

    def close(self) -> None:
        """Let go of it."""
        self._file.close()
        self._socket.close()
