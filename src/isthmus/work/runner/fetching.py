"""Inputs from URLs and outputs to URLs, from the site itself, and only to and from public addresses.

A name is resolved once and every address that it has must be public; the connection goes to the very address that
was checked. Redirections are followed a few times, and each is checked like the first.
"""

from __future__ import annotations

import http.client
import ipaddress
import os
import socket
import ssl
import urllib.parse
from pathlib import Path
from typing import Any, Dict, Iterator, Mapping, Tuple, Union

from .blobs import Receiving
from .failures import Permanent, Temporary
from .frames import CHUNK
from .places import open_file, parts

LIMIT = 64 * 1024**3
PATIENCE = 60.0
"""Seconds that the other side may say nothing."""
_REDIRECTED = (301, 302, 303, 307, 308)
_REDIRECTIONS = 5
_SPECIAL = [ipaddress.ip_network(n) for n in ("192.0.0.0/24", "192.88.99.0/24", "100.64.0.0/10", "::/96",
            "64:ff9b:1::/48", "100::/64", "2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20", "5f00::/16",
            "fec0::/10")]  # fmt: skip
"""Special-purpose addresses (RFC 6890) that older Pythons take for global ones."""
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_Address = Union[ipaddress.IPv4Address, ipaddress.IPv6Address]


def is_public(address: _Address) -> bool:
    """Whether an address is one of the public network; what an IPv6 address carries of IPv4 counts too."""
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return is_public(address.ipv4_mapped)
        if address in _NAT64:
            return is_public(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
    if any(address.version == n.version and address in n for n in _SPECIAL):
        return False
    return address.is_global and not (address.is_multicast or address.is_reserved or address.is_unspecified)


def resolve(host: str, port: int, private: bool) -> str:
    """An address of ``host`` to connect to; :class:`Permanent` when any that it has is not public."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise Temporary("{}: {}".format(host, error)) from None
    addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
    for address in addresses if not private else ():
        if "%" in address or not is_public(ipaddress.ip_address(address)):
            raise Permanent("{}: its address {} is not a public one".format(host, address))
    return addresses[0]


class _Https(http.client.HTTPSConnection):
    """Connects to an address, and asks the host at it for its own certificate."""

    def __init__(self, host: str, port: int, address: str, context: ssl.SSLContext):
        super().__init__(host, port, timeout=PATIENCE, context=context)
        self._address = address
        self._tls = context

    def connect(self) -> None:
        plain = socket.create_connection((self._address, self.port), PATIENCE)
        self.sock = self._tls.wrap_socket(plain, server_hostname=self.host)


class _Http(http.client.HTTPConnection):
    def __init__(self, host: str, port: int, address: str):
        super().__init__(host, port, timeout=PATIENCE)
        self._address = address

    def connect(self) -> None:
        self.sock = socket.create_connection((self._address, self.port), PATIENCE)


def _open(url: str, config: Mapping[str, Any]) -> Tuple[http.client.HTTPConnection, str, str]:
    """A connection for ``url``, the target to ask for, and the URL as people may see it (without its query)."""
    private = config.get("fetch_private") is True
    try:
        split = urllib.parse.urlsplit(url)
        host, port = split.hostname, split.port
    except ValueError as error:
        raise Permanent("not a URL: {}".format(error)) from None
    shown = "{}://{}{}".format(split.scheme, host, split.path)
    if split.scheme != "https" and not (private and split.scheme == "http"):
        raise Permanent("{}: only https is taken here".format(shown))
    if not host or split.username is not None or split.password is not None:
        raise Permanent("{}: a URL needs a host and no user".format(shown))
    port = port or (443 if split.scheme == "https" else 80)
    if any(ord(c) < 33 or ord(c) > 126 for c in url):
        raise Permanent("{!r}: a URL has no spaces and no other than ASCII characters".format(shown))
    address = resolve(host, port, private)
    target = urllib.parse.urlunsplit(("", "", split.path or "/", split.query, ""))
    if split.scheme == "https":
        return _Https(host, port, address, ssl.create_default_context()), target, shown
    return _Http(host, port, address), target, shown


def pull(url: str, blobs: Path, config: Mapping[str, Any]) -> Dict[str, Any]:
    """Fetch ``url`` into the blobs; its ``digest`` and ``size``."""
    limit = int(config.get("fetch_limit") or LIMIT)
    for _ in range(_REDIRECTIONS):
        connection, target, shown = _open(url, config)
        try:
            connection.request("GET", target, headers={"Accept-Encoding": "identity"})
            answer = connection.getresponse()
            if answer.status in _REDIRECTED:
                url = urllib.parse.urljoin(url, answer.getheader("Location") or "")
                continue
            _check(answer.status, answer.reason, shown)
            return _take(answer, shown, blobs, limit)
        except (OSError, http.client.HTTPException) as error:
            raise Temporary("{}: {}".format(shown, error or type(error).__name__)) from None
        finally:
            connection.close()
    raise Permanent("{}: more than {} redirections".format(shown, _REDIRECTIONS))


def _check(status: int, reason: str, shown: str) -> None:
    if 200 <= status < 300:
        return
    said = "{}: {} {}".format(shown, status, reason)[:500]
    raise (Temporary if status in (408, 425, 429) or status >= 500 else Permanent)(said)


def _take(answer: http.client.HTTPResponse, shown: str, blobs: Path, limit: int) -> Dict[str, Any]:
    told = answer.getheader("Content-Length")
    coming = Receiving(blobs)
    try:
        while True:
            data = answer.read(CHUNK)
            if not data:
                break
            coming.add(data)
            if coming.size > limit:
                raise Permanent("{}: more than {} bytes".format(shown, limit))
        if told is not None and told.isdigit() and int(told) != coming.size:
            raise Temporary("{}: only {} of {} bytes came".format(shown, coming.size, told))
        return {"digest": coming.end(), "size": coming.size}
    except BaseException:
        coming.drop()
        raise


def push(work: Path, targets: Mapping[str, str], config: Mapping[str, Any]) -> None:
    """Put files of a sandbox to URLs, by their paths; doing it again puts the same bytes there."""
    for path, url in targets.items():
        _send(url, work, parts(path), config)


def _send(url: str, work: Path, names: Tuple[str, ...], config: Mapping[str, Any]) -> None:
    try:
        descriptor = open_file(work, names)
    except OSError as error:
        raise Permanent("no file {}: {}".format("/".join(names), error.strerror or error)) from None
    try:
        connection, target, shown = _open(url, config)
    except BaseException:
        os.close(descriptor)
        raise
    try:
        size = os.fstat(descriptor).st_size
        connection.request("PUT", target, body=_pieces(descriptor, size), headers={"Content-Length": str(size)})
        answer = connection.getresponse()
        answer.read(CHUNK)
        _check(answer.status, answer.reason, shown)
    except (OSError, http.client.HTTPException) as error:
        raise Temporary("{}: {}".format(shown, error or type(error).__name__)) from None
    finally:
        os.close(descriptor)
        connection.close()


def _pieces(descriptor: int, size: int) -> Iterator[bytes]:
    """The file's bytes, just as many as were announced."""
    position = 0
    while position < size:
        data = os.pread(descriptor, min(CHUNK, size - position), position)
        if not data:
            raise OSError("the file became shorter while it was sent")
        position += len(data)
        yield data
