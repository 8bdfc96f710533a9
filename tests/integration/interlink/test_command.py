"""`isthmus interlink` as a process: it listens, answers, and stops when told to."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from ..servers import eventually


def command(*words: str) -> list[str]:
    return [sys.executable, "-c", "from isthmus.cli.main import main; main()", "interlink", *words]


@pytest.fixture
def edge(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    words = ["api", "--plugin", f"unix://{tmp_path / 'plugin.sock'}", "--socket", str(tmp_path / "edge.sock")]
    process = subprocess.Popen(command(*words), stderr=subprocess.DEVNULL)
    yield process
    if process.poll() is None:
        process.kill()
    process.wait(10)


def test_it_serves_until_it_is_told_to_stop(edge: subprocess.Popen[bytes], tmp_path: Path) -> None:
    socket = tmp_path / "edge.sock"
    eventually(lambda: socket.exists() or edge.poll() is not None)
    with httpx.Client(transport=httpx.HTTPTransport(uds=str(socket)), base_url="http://unix", timeout=60) as kubelet:
        answer = kubelet.post("/pinglink")
    assert (answer.status_code, answer.text) == (500, "503")
    edge.send_signal(signal.SIGTERM)
    assert edge.wait(60) == 0
    assert not socket.exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["api", "--plugin", "http://127.0.0.1:1", "--listen", "0.0.0.0:0"], "not on loopback"),
        (["plugin", "--site", "s", "--listen", "127.0.0.1:0", "--token-file", "/nowhere"], "no token"),
    ],
)
def test_what_it_cannot_do_is_said_at_once(words: list[str], said: str) -> None:
    done = subprocess.run(command(*words), capture_output=True, text=True, timeout=120)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr
