"""Where an endpoint listens, and who is let in: TCP with mTLS or bearer tokens, or a Unix socket of one user."""

from __future__ import annotations

import os
import socket
import ssl
import stat
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

from isthmus.api.dialects.interlink.tokens import TokenFile
from isthmus.errors import Conflict, Invalid

_BACKLOG = 2048


@dataclass(frozen=True, slots=True)
class Listening:
    """A TCP address or a Unix socket. Beyond loopback, clients show a certificate or a token."""

    address: str = ""
    """``HOST:PORT``; port 0 takes a free one."""
    path: Path | None = None
    tls_cert: Path | None = None
    tls_key: Path | None = None
    client_ca: Path | None = None
    token_file: Path | None = None

    def check(self) -> None:
        """Raises :class:`~isthmus.errors.Invalid` for what does not go together, or would let anybody in."""
        if bool(self.address) == (self.path is not None):
            raise Invalid("Give an address or the path of a socket, one of them.")
        if (self.tls_cert is None) != (self.tls_key is None):
            raise Invalid("--tls-cert and --tls-key go together.")
        if self.client_ca is not None and self.tls_cert is None:
            raise Invalid("--client-ca wants --tls-cert and --tls-key.")
        if self.path is not None and self.tls_cert is not None:
            raise Invalid("A Unix socket speaks no TLS; its mode says who may connect.")
        if self.address and not _is_loopback(self.host_port()[0]) and self.client_ca is None and not self.token_file:
            raise Invalid(
                f"{self.address} is not on loopback: anybody who reaches it could run jobs.",
                hint="Give --client-ca with --tls-cert and --tls-key, or --token-file.",
            )

    def host_port(self) -> tuple[str, int]:
        """The address in its parts; ``localhost`` is 127.0.0.1."""
        host, colon, port = self.address.rpartition(":")
        host = host.removeprefix("[").removesuffix("]")
        host = "127.0.0.1" if host == "localhost" else host
        try:
            ip_address(host)
        except ValueError:
            raise Invalid(f"{self.address} is no HOST:PORT with an address as host.") from None
        if not colon or not port.isascii() or not port.isdecimal() or int(port[:6]) > 65535:
            raise Invalid(f"{self.address} is no HOST:PORT.")
        return host, int(port)

    def tokens(self) -> TokenFile | None:
        return TokenFile(self.token_file) if self.token_file is not None else None

    def tls(self) -> ssl.SSLContext | None:
        """TLS 1.2 or newer; with ``client_ca``, clients must show a certificate that it signed."""
        if self.tls_cert is None:
            return None
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        try:
            context.load_cert_chain(self.tls_cert, self.tls_key)
            if self.client_ca is not None:
                context.load_verify_locations(self.client_ca)
                context.verify_mode = ssl.CERT_REQUIRED
        except (OSError, ssl.SSLError) as error:
            raise Invalid(f"The certificates cannot be used: {error.strerror or error.reason}") from None  # type: ignore[attr-defined]
        return context

    def open(self) -> socket.socket:
        """The listening socket; raises :class:`~isthmus.errors.Invalid` if there cannot be one."""
        return _open_tcp(*self.host_port()) if self.path is None else _open_unix(self.path)

    def mark(self) -> tuple[int, int]:
        """What tells the socket at ``path`` from one that takes its place; of TCP, and where there is none, zeros."""
        try:
            found = self.path.lstat() if self.path is not None else None
        except FileNotFoundError:
            found = None
        return (found.st_ino, found.st_mtime_ns) if found is not None else (0, 0)

    def withdraw(self, mark: tuple[int, int]) -> None:
        """Remove the socket of ``mark``; that of a process which took over in the meantime stays."""
        if self.path is not None and self.mark() == mark:
            self.path.unlink(missing_ok=True)


def _is_loopback(host: str) -> bool:
    return ip_address(host).is_loopback


def _open_tcp(host: str, port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise Invalid(f"Cannot listen on {host} port {port}: {error.strerror}") from None
    return listener


def _open_unix(path: Path) -> socket.socket:
    """A socket of mode 0600 from its first moment on; one that nobody listens on any more makes room."""
    _clear(path)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    # Under a private name first: under its own, it would be open to all, and refuse them, for a moment.
    before = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        before.unlink(missing_ok=True)
        listener.bind(str(before))
        before.chmod(0o600)
        listener.listen(_BACKLOG)
        before.rename(path)
    except OSError as error:
        listener.close()
        before.unlink(missing_ok=True)
        raise Invalid(f"Cannot listen on {path}: {error.strerror or error}") from None
    return listener


def _clear(path: Path) -> None:
    try:
        kind = path.lstat().st_mode
    except FileNotFoundError:
        return
    except OSError as error:
        raise Invalid(f"Cannot listen on {path}: {error.strerror}") from None
    if not stat.S_ISSOCK(kind):
        raise Conflict(f"{path} is there, and no socket.")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as asking:
        try:
            asking.connect(str(path))
        except ConnectionRefusedError:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise Invalid(f"Cannot listen on {path}: {error.strerror}") from None
        else:
            raise Conflict(f"Somebody listens on {path}.")
