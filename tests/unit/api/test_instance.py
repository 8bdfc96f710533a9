"""One server for a home folder, found again, and never confused with another process."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from isthmus.api.instance import (
    Instance,
    claim,
    ensure_token,
    forget_instance,
    process_start,
    read_instance,
    replace_file,
)
from isthmus.errors import Conflict


@pytest.fixture
def ours(tmp_path: Path) -> Instance:
    return Instance("http://127.0.0.1:1", os.getpid(), process_start(os.getpid()) or "", "0.1")


def test_the_note_of_a_running_server_is_read(tmp_path: Path, ours: Instance) -> None:
    ours.write(tmp_path)
    assert read_instance(tmp_path) == ours
    forget_instance(tmp_path)
    assert read_instance(tmp_path) is None


def test_a_pid_that_was_given_to_another_process_is_stale(tmp_path: Path, ours: Instance) -> None:
    replace(ours, started="another-boot/17").write(tmp_path)
    assert read_instance(tmp_path) is None


def test_a_process_that_ended_is_stale_even_while_a_zombie(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        noted = Instance("http://x", child.pid, process_start(child.pid) or "", "0.1")
        assert noted.alive()
        assert child.stdin is not None
        child.stdin.close()
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        assert not noted.alive()


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"url": 1}', b"\xff"])
def test_a_broken_note_is_no_note(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "server.json").write_bytes(content)
    assert read_instance(tmp_path) is None


def test_a_second_server_is_refused_until_the_first_has_ended(tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from isthmus.api.instance import claim\n"
        "with claim(Path(sys.argv[1])): print('mine', flush=True); input()"
    )
    arguments = [sys.executable, "-c", program, str(tmp_path)]
    with subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "mine\n"
        with pytest.raises(Conflict, match="already runs"), claim(tmp_path):
            pass
        other.kill()
    with claim(tmp_path):
        pass


def test_the_token_is_made_once_and_only_its_owner_reads_it(tmp_path: Path) -> None:
    token = ensure_token(tmp_path)
    assert len(token) >= 32
    assert ensure_token(tmp_path) == token
    assert stat.S_IMODE((tmp_path / "token").stat().st_mode) == 0o600


def test_a_file_is_replaced_whole_and_only_its_owner_reads_it(tmp_path: Path) -> None:
    file = tmp_path / "f"
    replace_file(file, b"one")
    replace_file(file, b"two")
    assert file.read_bytes() == b"two"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [p.name for p in tmp_path.iterdir()] == ["f"]
