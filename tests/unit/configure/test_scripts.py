"""How an errand is made ready to travel: nothing of it is in the command, and nothing can break out."""

import io
import subprocess
import tarfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.configure.scripts import _BOOTSTRAP, _interpreter, _overlap, _setup, as_root, check_files, pack
from isthmus.configure.target import Target
from isthmus.sites.contract import Errand
from isthmus.sites.errors import Permanent


def errand(entry: bytes = b"true\n", **env: str) -> Errand:
    return Errand("test", "run", {"run": entry}, env, 10)


def target(user: str) -> Target:
    return Target("front-0", "192.0.2.1", 22, user, "-----BEGIN PRIVATE-----")


def test_a_target_does_not_show_its_key() -> None:
    assert "PRIVATE" not in repr(target("root")) + str(target("root"))


def test_only_other_users_become_root() -> None:
    assert as_root(target("root"), "true") == "true"
    assert as_root(target("debian"), "true") == "sudo -n true"


def test_the_remote_command_is_a_constant_that_any_shell_reads() -> None:
    assert _BOOTSTRAP.count("'") == 2
    assert "!" not in _BOOTSTRAP


@given(st.text().filter(lambda text: "\0" not in text).map(lambda t: t.encode(errors="ignore").decode()))
def test_any_value_reaches_the_environment_as_it_is(value: str) -> None:
    setup = _setup(errand(VALUE=value))
    shown = subprocess.run(["sh", "-c", setup + 'printf %s "$VALUE"'], capture_output=True, check=True)
    assert shown.stdout.decode() == value
    assert not shown.stderr


@pytest.mark.parametrize("name", ["a b", "a-b", "1a", "", "a=b", "$(id)", "UID", "a\nb"])
def test_a_name_that_no_shell_takes_is_refused(name: str) -> None:
    with pytest.raises(Permanent, match="cannot be called"):
        _setup(errand(**{name: "x"}))


def test_a_nul_in_a_value_is_refused_without_showing_the_value() -> None:
    with pytest.raises(Permanent, match="the input KEY holds a NUL"):
        _setup(errand(KEY="secret\0"))


@pytest.mark.parametrize(
    ("first", "words"),
    [
        (b"echo hello", ["/bin/sh"]),
        (b"#!/bin/bash -eu -o pipefail", ["/bin/bash", "-eu -o pipefail"]),
        (b"#! /usr/bin/env python3", ["/usr/bin/env", "python3"]),
        (b"#!/bin/bash\r", ["/bin/bash"]),
        (b"", ["/bin/sh"]),
    ],
)
def test_the_shebang_is_honoured_as_the_kernel_does(first: bytes, words: list[str]) -> None:
    assert _interpreter(errand(first + b"\nrest\n")) == words


@pytest.mark.parametrize("first", [b"#!", b"#!bash", b"#! ;id"])
def test_a_shebang_without_an_interpreter_is_refused(first: bytes) -> None:
    with pytest.raises(Permanent, match="names no interpreter"):
        _interpreter(errand(first))


@pytest.mark.parametrize("path", ["/etc/passwd", "../up", "a/../../b", "", ".", "a//b", "a/./b", "..", "a\0b", "a/"])
def test_a_path_that_leaves_the_folder_is_refused(path: str) -> None:
    with pytest.raises(Permanent, match="not a path inside"):
        check_files(Errand("test", "run", {"run": b"", path: b""}, {}, 10))


def test_an_entry_that_is_not_there_is_refused() -> None:
    with pytest.raises(Permanent, match="other is not among the files"):
        check_files(Errand("test", "other", {"run": b""}, {}, 10))


def test_scripts_can_be_executed_and_other_files_cannot() -> None:
    with tarfile.open(fileobj=io.BytesIO(pack({"a/run": b"#!/bin/sh\n", "data": b"1"}))) as archive:
        assert {m.name: m.mode for m in archive} == {"a/run": 0o755, "data": 0o644}


@pytest.mark.parametrize("held", [b"", b"abc", b"a\0", b"a\0mar", b"a\0mark", b"\0mark\0mar", b"line\n"])
def test_what_may_begin_the_end_mark_is_held_back(held: bytes) -> None:
    mark = b"\0mark "
    keep = _overlap(held, mark)
    rest = held[len(held) - keep :]
    assert mark.startswith(rest)
    assert keep == max(n for n in range(len(mark)) if held.endswith(mark[:n]))
