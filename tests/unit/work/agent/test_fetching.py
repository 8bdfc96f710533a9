"""Where the agent fetches from and sends to: public addresses only, whatever name leads there."""

from __future__ import annotations

import http.client
import io
import socket
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest

from isthmus.work.runner import fetching
from isthmus.work.runner.failures import Failure, Permanent, Temporary
from isthmus.work.runner.fetching import is_public, pull, push, resolve


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("93.184.216.34", True), ("2606:2800:220:1::1", True), ("64:ff9b::5db8:d822", True),
        ("127.0.0.1", False), ("10.0.0.1", False), ("172.16.0.1", False), ("192.168.1.1", False), ("0.0.0.0", False),
        ("169.254.169.254", False), ("100.64.0.1", False), ("224.0.0.1", False), ("255.255.255.255", False),
        ("::1", False), ("::", False), ("fe80::1", False), ("fc00::1", False), ("::ffff:127.0.0.1", False),
        ("::ffff:10.0.0.1", False), ("64:ff9b::a00:1", False), ("2002:7f00:1::", False), ("ff02::1", False),
        ("fec0::1", False), ("240.0.0.1", False), ("198.18.0.1", False),
    ],
)  # fmt: skip
def test_public_addresses(address: str, public: bool) -> None:
    """RFC 6890, and what IPv6 carries of IPv4."""
    assert is_public(ip_address(address)) is public


def answers(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> None:
    def getaddrinfo(host: str, port: int, **more: Any) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (a, port)) for a in addresses]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)


def test_every_address_of_a_name_is_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that is private spoils the name."""
    answers(monkeypatch, "93.184.216.34", "93.184.216.35")
    assert resolve("example.org", 443, False) == "93.184.216.34"
    answers(monkeypatch, "93.184.216.34", "127.0.0.1")
    with pytest.raises(Permanent, match=r"127\.0\.0\.1 is not a public one"):
        resolve("example.org", 443, False)
    assert resolve("example.org", 443, True) == "93.184.216.34"


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://example.org/x", "only https"),
        ("file:///etc/passwd", "only https"),
        ("ftp://example.org/", "only https"),
        ("https://user:secret@example.org/", "no user"),
        ("https:///x", "needs a host"),
        ("https://example.org/a b", "spaces"),
        ("https://example.org/\r\nX: y", "spaces"),
        ("https://example.org:x/", "not a URL"),
        ("https://[::1/", "not a URL"),
        ("x", "only https"),
    ],
)
def test_urls_that_are_refused(tmp_path: Path, url: str, words: str) -> None:
    """By name, before anything is asked; a password is not repeated."""
    with pytest.raises(Permanent, match=words) as caught:
        pull(url, tmp_path, {})
    assert "secret" not in str(caught.value)


class Answer(io.BytesIO):
    def __init__(self, status: int, data: bytes = b"", **headers: str):
        super().__init__(data)
        self.status, self.reason, self._headers = status, "said", headers

    def getheader(self, name: str) -> str | None:
        return self._headers.get(name.replace("-", "_"))


class Server:
    """Answers in turn instead of connections; ``asked`` has address, target and what came."""

    def __init__(self, *given: Answer):
        self.given = list(given)
        self.asked: list[tuple[str, str, str, bytes]] = []

    def connection(self, host: str, port: int, address: str, context: Any = None) -> Any:
        server = self

        class Connection:
            def request(self, method: str, target: str, body: Any = (), headers: Any = None) -> None:
                server.asked.append((address, method, target, b"".join(body)))

            def getresponse(self) -> Answer:
                return server.given.pop(0)

            def close(self) -> None:
                pass

        return Connection()


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Any:
    def begin(*given: Answer) -> Server:
        server = Server(*given)
        monkeypatch.setattr(fetching, "_Https", server.connection)
        return server

    answers(monkeypatch, "93.184.216.34")
    return begin


def test_pulling(tmp_path: Path, serve: Any) -> None:
    """From the very address that was checked, by its digest."""
    server = serve(Answer(200, b"data", Content_Length="4"))
    found = pull("https://example.org/x?y=1", tmp_path, {})
    assert found["size"] == 4
    assert (tmp_path / found["digest"][:2] / found["digest"]).read_bytes() == b"data"
    assert server.asked == [("93.184.216.34", "GET", "/x?y=1", b"")]


@pytest.mark.parametrize(
    ("given", "kind", "words"),
    [
        (Answer(404), Permanent, "404 said"),
        (Answer(503), Temporary, "503 said"),
        (Answer(429), Temporary, "429"),
        (Answer(200, b"da", Content_Length="4"), Temporary, "only 2 of 4"),
        (Answer(200, b"x" * 11), Permanent, "more than 10 bytes"),
        (Answer(302, Location="http://example.org/"), Permanent, "only https"),
    ],
)
def test_pulling_what_does_not_come(tmp_path: Path, serve: Any, given: Answer, kind: type[Failure], words: str) -> None:
    """In the other side's words; nothing is left behind."""
    serve(given)
    with pytest.raises(kind, match=words):
        pull("https://example.org/x?token=secret", tmp_path, {"fetch_limit": 10})
    assert [f for f in tmp_path.rglob("*") if f.is_file()] == []


def test_a_redirection_is_checked_too(tmp_path: Path, serve: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A public name may lead to a private one."""
    server = serve(Answer(302, Location="https://inside.example/"), Answer(200, b"x"))

    def getaddrinfo(host: str, port: int, **more: Any) -> list[Any]:
        address = "10.0.0.1" if host == "inside.example" else "93.184.216.34"
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    with pytest.raises(Permanent, match=r"10\.0\.0\.1"):
        pull("https://example.org/", tmp_path, {})
    assert len(server.asked) == 1
    endless = serve(*[Answer(302, Location="https://example.org/") for _ in range(9)])
    with pytest.raises(Permanent, match="redirections"):
        pull("https://example.org/", tmp_path, {})
    assert len(endless.asked) == 5


def test_pushing(tmp_path: Path, serve: Any) -> None:
    """Each file goes to its URL, in the other side's words if not; links are no files."""
    (tmp_path / "many").mkdir()
    (tmp_path / "many" / "a").write_text("bytes")
    (tmp_path / "link").symlink_to("/etc/passwd")
    targets = {"many/a": "https://example.org/put?sig=1"}
    server = serve(Answer(200))
    push(tmp_path, targets, {})
    assert server.asked == [("93.184.216.34", "PUT", "/put?sig=1", b"bytes")]
    for path in ("none", "link", "../x"):
        with pytest.raises(Permanent, match=path):
            push(tmp_path, {path: "https://example.org/"}, {})
    serve(Answer(403))
    with pytest.raises(Permanent, match="403") as caught:
        push(tmp_path, targets, {})
    assert "sig" not in str(caught.value)
    with pytest.raises(Permanent, match="only https"):
        push(tmp_path, {"many/a": "http://example.org/"}, {})


def test_the_other_side_goes_away(tmp_path: Path, serve: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """That passes."""
    serve()

    def broken(*_: Any, **__: Any) -> Any:
        raise http.client.RemoteDisconnected("closed")

    server = serve()
    connection = server.connection("h", 1, "a")
    connection.request = broken
    monkeypatch.setattr(fetching, "_Https", lambda *_: connection)
    with pytest.raises(Temporary, match="closed"):
        pull("https://example.org/", tmp_path, {})
