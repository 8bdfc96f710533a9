"""A container engine (Docker, or Podman's Docker interface) over its Unix socket, with the standard library alone."""

from __future__ import annotations

import json
import socket
import struct
from http.client import HTTPConnection, HTTPException
from urllib.parse import quote, urlencode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

PATIENCE = 120.0
"""Seconds that an engine may take to answer what is not waited for on purpose."""
_FRAME = struct.Struct("!BxxxI")


class EngineError(Exception):
    """The engine refused, or did not answer (``status`` 0); the message is its own."""

    def __init__(self, status: int, message: str):
        super().__init__(message)
        self.status = status


class EngineSocket:
    """Asks one thing at a time, each on a connection of its own, from any thread."""

    def __init__(self, path: str):
        self._path = path

    def ask(
        self,
        method: str,
        path: str,
        query: dict[str, Any] | None = None,
        body: Any = None,
        wait: float | None = PATIENCE,
    ) -> Any:
        """What the engine answers, read from JSON where it is that; raises :class:`EngineError`."""
        connection = _UnixConnection(self._path, wait)
        try:
            data = None if body is None else json.dumps(body).encode()
            headers = {"Content-Type": "application/json"} if data is not None else {}
            connection.request(method, _address(path, query), data, headers)
            response = connection.getresponse()
            text = response.read()
            if response.status >= 400:
                raise EngineError(response.status, _message(text))
            return json.loads(text) if response.getheader("Content-Type", "").startswith("application/json") else text
        except ValueError:
            return text
        except (OSError, HTTPException) as error:
            raise EngineError(0, "the container engine: %s" % (error or type(error).__name__)) from error
        finally:
            connection.close()

    def lines(self, method: str, path: str, query: dict[str, Any], each: Callable[[dict[str, Any]], None]) -> None:
        """Call ``each`` with the objects of an answer that comes bit by bit."""
        connection = _UnixConnection(self._path, None)
        try:
            connection.request(method, _address(path, query))
            response = connection.getresponse()
            if response.status >= 400:
                raise EngineError(response.status, _message(response.read()))
            for line in response:
                if line.strip():
                    each(json.loads(line))
        except (OSError, HTTPException, ValueError) as error:
            raise EngineError(0, "the container engine: %s" % error) from error
        finally:
            connection.close()

    def attach(self, path: str, query: dict[str, Any], body: Any = None) -> tuple[socket.socket, bytes]:
        """A stream, and what of it came with the answer. The caller closes it."""
        stream = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            stream.settimeout(PATIENCE)
            stream.connect(self._path)
            data = b"" if body is None else json.dumps(body).encode()
            head = "POST %s HTTP/1.1\r\nHost: engine\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n" % _address(path, query)
            head += "Content-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(data)
            stream.sendall(head.encode() + data)
            answer = b""
            while b"\r\n\r\n" not in answer:
                part = stream.recv(65536)
                if not part:
                    raise EngineError(0, "the container engine closed the stream")
                answer += part
            head_text, _, rest = answer.partition(b"\r\n\r\n")
            status = int(head_text.split(None, 2)[1])
            if status not in (101, 200):
                raise EngineError(status, _message(rest))
        except OSError as error:
            stream.close()
            raise EngineError(0, "the container engine: %s" % error) from error
        except BaseException:
            stream.close()
            raise
        return stream, rest


class Frames:
    """Takes a stream of both outputs apart: eight bytes of head, then as many as they say."""

    def __init__(self) -> None:
        self._data = bytearray()
        self._left = 0
        self._kind = 0

    def take(self, data: bytes) -> list[tuple[int, bytes]]:
        """The pieces in ``data``, each with 1 for stdout or 2 for stderr."""
        pieces: list[tuple[int, bytes]] = []
        self._data += data
        start = 0
        while True:
            if not self._left:
                if len(self._data) - start < _FRAME.size:
                    break
                self._kind, self._left = _FRAME.unpack_from(self._data, start)
                start += _FRAME.size
            size = min(self._left, len(self._data) - start)
            if size:
                pieces.append((self._kind, bytes(self._data[start : start + size])))
                start += size
                self._left -= size
            if self._left:
                break
        del self._data[:start]
        return pieces


class _UnixConnection(HTTPConnection):
    def __init__(self, path: str, timeout: float | None):
        super().__init__("engine", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self.sock.settimeout(self.timeout)
            self.sock.connect(self._path)
        except OSError as error:
            self.sock.close()
            raise OSError("%s: %s" % (self._path, error.strerror)) from error


def _address(path: str, query: dict[str, Any] | None) -> str:
    return quote(path) + ("?" + urlencode(query) if query else "")


def _message(text: bytes) -> str:
    try:
        return str(json.loads(text)["message"])
    except (ValueError, KeyError, TypeError):
        return text.decode(errors="replace").strip()[:1000]
