"""SSH by the ssh program: a key of its own, pinned, gone afterwards."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Any

import pytest

from isthmus.cli import ssh
from isthmus.cli.failures import Failure

ACCESS = {
    "instance": "worker[1]", "host": "10.0.0.3", "port": 2222, "user": "root", "private_key": "KEY",
    "host_key": "ssh-ed25519 AAAA",
}  # fmt: skip

FAKE_SSH = """#!/bin/sh
while [ $# -gt 0 ]; do
  case "$1" in
    -i) cp "$2" "$WITNESS/key"; stat -c %a "$2" > "$WITNESS/mode"; dirname "$2" > "$WITNESS/folder"
        cp "$(dirname "$2")/known_hosts" "$WITNESS/known_hosts"; shift;;
    --) shift; shift; break;;
  esac
  shift
done
printf '%s' "$*" > "$WITNESS/command"
cat > "$WITNESS/stdin"
exit 42
"""


@pytest.fixture
def witness(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    program = tmp_path / "bin" / "ssh"
    program.parent.mkdir()
    program.write_text(FAKE_SSH)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent), prepend=":")
    monkeypatch.setenv("WITNESS", str(tmp_path))
    return tmp_path


def test_the_exit_code_is_passed_on_and_the_key_is_gone(witness: Path, capfd: Any) -> None:
    assert ssh.run_ssh(ACCESS, ["sh", "-c", "echo 'a b'"], terminal=False) == 42
    assert (witness / "key").read_text() == "KEY\n"
    assert (witness / "mode").read_text().strip() == "600"
    assert (witness / "known_hosts").read_text() == "isthmus-worker-1- ssh-ed25519 AAAA\n"
    assert not Path((witness / "folder").read_text().strip()).exists()


def test_words_arrive_as_they_were_given(witness: Path) -> None:
    ssh.run_ssh(ACCESS, ["sh", "-c", "echo 'a b' $HOME"], terminal=False)
    assert (witness / "command").read_text() == "sh -c 'echo '\"'\"'a b'\"'\"' $HOME'"


def test_a_known_host_key_is_insisted_on(tmp_path: Path) -> None:
    words = ssh.ssh_arguments(ACCESS, tmp_path, [], terminal=True)
    assert "-oStrictHostKeyChecking=yes" in words
    assert "-oStrictHostKeyChecking=accept-new" in ssh.ssh_arguments(
        {**ACCESS, "host_key": None}, tmp_path, [], terminal=True
    )
    assert words[-2:] == ["--", "10.0.0.3"]


@pytest.mark.parametrize("wrong", [{"host": "-oProxyCommand=x"}, {"user": "-lx"}, {"user": "a@b"}])
def test_a_host_that_is_an_option_is_refused(tmp_path: Path, wrong: dict[str, str]) -> None:
    with pytest.raises(Failure, match="cannot be"):
        ssh.ssh_arguments({**ACCESS, **wrong}, tmp_path, [], terminal=False)


def test_key_files_are_never_world_readable(tmp_path: Path) -> None:
    with ssh._secrets(ACCESS) as folder:
        assert stat.S_IMODE((folder / "key").stat().st_mode) == 0o600
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_without_an_ssh_program_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Failure, match="no ssh program"):
        ssh.run_ssh(ACCESS, [], terminal=False)
