"""One https request over a connection to an address that was checked before, all of it before a deadline."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpcore

from isthmus.tosca.reading.importers.allowing import Place
from isthmus.tosca.reading.importers.contract import ImportRefused

_CONNECT = 5.0
_CHUNK = 64 * 2**10


@dataclass(frozen=True, slots=True)
class Response:
    """What a server answered; header names in lower case, each once."""

    status: int
    headers: dict[str, str]
    content: bytes


@dataclass(frozen=True, slots=True)
class Deadline:
    """A point in time, and the clock that tells how far it is."""

    end: float
    clock: Callable[[], float]

    def left(self) -> float:
        """Seconds left; raises :class:`httpcore.ReadTimeout` when there are none."""
        left = self.end - self.clock()
        if left <= 0:
            raise httpcore.ReadTimeout("the time is over")
        return left


def get(
    place: Place,
    addresses: Iterable[str],
    deadline: Deadline,
    *,
    headers: dict[str, str],
    max_bytes: int,
    context: ssl.SSLContext,
) -> Response:
    """GET a place at one of its addresses; the certificate must be of its host. Raises :class:`ImportRefused`.

    No proxy, no cookie, no redirect, no packed content: only what is asked for here goes over the wire.
    """
    backend = _Pinned(tuple(addresses), deadline)
    url = httpcore.URL(scheme=b"https", host=place.host.strip("[]"), port=place.port, target=place.target)
    sent = {"host": place.authority, "accept-encoding": "identity", "user-agent": "isthmus", **headers}
    with (
        _explained(place),
        httpcore.ConnectionPool(ssl_context=context, network_backend=backend) as pool,
        pool.stream("GET", url, headers=list(sent.items())) as response,
    ):
        found = {k.decode("latin-1").lower(): v.decode("latin-1") for k, v in response.headers}
        wanted = response.status == 200
        content = _read(place, response.iter_stream(), found, max_bytes) if wanted else b""
        return Response(response.status, found, content)


def _read(place: Place, chunks: Iterable[bytes], headers: dict[str, str], max_bytes: int) -> bytes:
    if headers.get("content-encoding", "identity").lower() != "identity":
        raise ImportRefused("import-failed", f"{place.host!r} sends packed content that was not asked for")
    content = bytearray()
    told = headers.get("content-length", "0")
    too_much = len(told) > 12 or (told.isdecimal() and int(told) > max_bytes)
    for chunk in chunks if not too_much else ():
        content += chunk
        if len(content) > max_bytes:
            too_much = True
            break
    if too_much:
        raise ImportRefused("too-large", f"what {place.host!r} sends has more than {max_bytes:,} bytes")
    return bytes(content)


@contextmanager
def _explained(place: Place) -> Iterator[None]:
    """Say in words of the language what went wrong on the wire."""
    try:
        yield
    except httpcore.TimeoutException:
        raise ImportRefused("import-failed", f"{place.authority!r} did not answer in time") from None
    except (httpcore.NetworkError, httpcore.ProtocolError, OSError) as e:
        reason = str(e)[:200] or type(e).__name__
        raise ImportRefused("import-failed", f"{place.authority!r} cannot be asked: {reason}") from None


class _Pinned(httpcore.NetworkBackend):
    """Connects to the addresses that were checked, whatever the name means by now, and keeps the deadline."""

    def __init__(self, addresses: tuple[str, ...], deadline: Deadline) -> None:
        self._addresses = addresses
        self._deadline = deadline
        self._backend = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        last: Exception = httpcore.ConnectError("no address")
        for address in self._addresses:
            within = min(_CONNECT, self._deadline.left())
            try:
                return _Timed(self._backend.connect_tcp(address, port, within), self._deadline)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as e:
                last = e
        raise last


class _Timed(httpcore.NetworkStream):
    """A stream each of whose steps takes at most what is left of the time."""

    def __init__(self, stream: httpcore.NetworkStream, deadline: Deadline) -> None:
        self._stream = stream
        self._deadline = deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(min(max_bytes, _CHUNK), self._deadline.left())

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, self._deadline.left())

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        secured = self._stream.start_tls(ssl_context, server_hostname, self._deadline.left())
        return _Timed(secured, self._deadline)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)
