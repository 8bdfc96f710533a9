"""Who may be let in from where, and what opens the door."""

from __future__ import annotations

import socket
import stat
from pathlib import Path

import pytest

from isthmus.api.dialects.interlink.listening import Listening
from isthmus.api.dialects.interlink.tokens import TokenFile
from isthmus.errors import Conflict, Invalid

ONE, TWO = "a-token-of-the-cluster-1", "a-token-of-the-cluster-2"
FILE = Path("x")


@pytest.mark.parametrize(
    "listening",
    [
        Listening("127.0.0.1:4000"),
        Listening("localhost:4000"),
        Listening("[::1]:4000"),
        Listening(path=FILE),
        Listening("0.0.0.0:4000", token_file=FILE),
        Listening("10.0.0.1:4000", tls_cert=FILE, tls_key=FILE, client_ca=FILE),
        Listening("[::]:4000", tls_cert=FILE, tls_key=FILE, token_file=FILE),
    ],
)
def test_what_may_listen(listening: Listening) -> None:
    listening.check()


@pytest.mark.parametrize(
    ("listening", "named"),
    [
        (Listening("0.0.0.0:4000"), "not on loopback"),
        (Listening("[::]:4000"), "not on loopback"),
        (Listening("10.1.2.3:4000", tls_cert=FILE, tls_key=FILE), "not on loopback"),
        (Listening("127.0.0.1:4000", tls_cert=FILE), "--tls-key"),
        (Listening("127.0.0.1:4000", client_ca=FILE), "--client-ca"),
        (Listening("127.0.0.1:4000", FILE), "one of them"),
        (Listening(), "one of them"),
        (Listening(path=FILE, tls_cert=FILE, tls_key=FILE), "no TLS"),
        (Listening("127.0.0.1"), "HOST:PORT"),
        (Listening("127.0.0.1:x"), "HOST:PORT"),
        (Listening("127.0.0.1:70000"), "HOST:PORT"),
        (Listening("example.org:80"), "HOST:PORT"),
    ],
)
def test_what_may_not(listening: Listening, named: str) -> None:
    with pytest.raises(Invalid, match=named):
        listening.check()


def test_certificates_that_are_none(tmp_path: Path) -> None:
    (tmp_path / "junk").write_text("junk")
    with pytest.raises(Invalid, match="certificates"):
        Listening("127.0.0.1:0", tls_cert=tmp_path / "junk", tls_key=tmp_path / "junk").tls()
    with pytest.raises(Invalid, match="certificates"):
        Listening("127.0.0.1:0", tls_cert=tmp_path / "no", tls_key=tmp_path / "no").tls()


def test_a_socket_is_its_owners_alone(tmp_path: Path) -> None:
    path = tmp_path / "plugin.sock"
    with Listening(path=path).open() as listener:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert list(tmp_path.iterdir()) == [path]
        listener.listen()
        with pytest.raises(Conflict, match="Somebody listens"):
            Listening(path=path).open()
    with Listening(path=path).open():
        assert path.is_socket()


def test_the_socket_of_a_process_that_took_over_stays(tmp_path: Path) -> None:
    where = Listening(path=tmp_path / "plugin.sock")
    with where.open():
        before = where.mark()
    with where.open() as successor:
        where.withdraw(before)
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(where.path))
        successor.close()
        where.withdraw(where.mark())
    assert list(tmp_path.iterdir()) == []


def test_what_is_no_socket_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(Conflict, match="no socket"):
        Listening(path=tmp_path / "file").open()
    assert (tmp_path / "file").read_text() == "mine"
    with pytest.raises(Invalid, match="Cannot listen"):
        Listening(path=tmp_path / "nowhere" / "s").open()


def test_a_port_that_is_taken() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(Invalid, match="Cannot listen"):
            Listening(f"127.0.0.1:{taken.getsockname()[1]}").open()


def test_tokens_are_read_anew_when_their_file_changes(tmp_path: Path) -> None:
    file = tmp_path / "tokens"
    file.write_text(f"\n  {ONE}  \nshort\n")
    tokens = TokenFile(file)
    assert (tokens.admits(ONE), tokens.admits(TWO), tokens.admits("short"), tokens.admits("")) == (
        True,
        False,
        False,
        False,
    )
    file.write_text(f"{TWO}\n{ONE}\n")
    assert tokens.admits(TWO)
    assert tokens.admits(ONE)
    file.unlink()
    assert not tokens.admits(ONE)
    file.write_text(TWO)
    assert (tokens.admits(ONE), tokens.admits(TWO)) == (False, True)


@pytest.mark.parametrize("content", [b"", b"short\n", b"\xff\xfe" * 20])
def test_a_file_without_tokens_opens_nothing(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "tokens").write_bytes(content)
    with pytest.raises(Invalid, match="no token"):
        TokenFile(tmp_path / "tokens")
