"""What outputs name in a sandbox that hostile programs have filled, and paths that stay below it."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from isthmus.work.runner import sandbox
from isthmus.work.runner.failures import Permanent
from isthmus.work.runner.places import parts
from isthmus.work.runner.sandbox import Sandbox, read


@pytest.fixture
def work(tmp_path: Path) -> Path:
    work = tmp_path / "work"
    for path in ("out.txt", "a/1.csv", "a/2.csv", "a/deep/3.csv", "b/4.csv", "b/.hidden", "we*ird"):
        (work / path).parent.mkdir(parents=True, exist_ok=True)
        (work / path).write_text(path)
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "key").write_text("secret")
    (work / "link").symlink_to(tmp_path / "secret" / "key")
    (work / "a" / "away").symlink_to(tmp_path / "secret")
    (work / "a" / "up").symlink_to("..")
    os.mkfifo(work / "a" / "pipe")
    return work


@pytest.mark.parametrize(
    ("patterns", "expected"),
    [
        (["out.txt"], ["out.txt"]),
        (["./out.txt", "out*"], ["out.txt"]),
        (["a"], ["a/1.csv", "a/2.csv", "a/deep/3.csv"]),
        (["a/"], ["a/1.csv", "a/2.csv", "a/deep/3.csv"]),
        (["a/*.csv"], ["a/1.csv", "a/2.csv"]),
        (["*/*.csv"], ["a/1.csv", "a/2.csv", "b/4.csv"]),
        (["**/*.csv"], ["a/1.csv", "a/2.csv", "a/deep/3.csv", "b/4.csv"]),
        (["a/**"], ["a/1.csv", "a/2.csv", "a/deep/3.csv"]),
        (["b/*"], ["b/.hidden", "b/4.csv"]),
        (["[ab]/[0-2].csv"], ["a/1.csv", "a/2.csv"]),
        (["we*ird"], ["we*ird"]),
        (["none", "none/*", "out.txt/x"], []),
        (["link", "a/away", "a/away/key", "a/up/out.txt", "a/pipe"], []),
    ],
)
def test_what_outputs_name(work: Path, patterns: list[str], expected: list[str]) -> None:
    """Files, folders and patterns; links and pipes are none of them."""
    found = Sandbox().files(work, patterns)
    assert [file["path"] for file in found] == expected
    for file in found:
        assert file["digest"] == hashlib.sha256((work / file["path"]).read_bytes()).hexdigest()
        assert file["size"] == len((work / file["path"]).read_bytes())


def test_digests_are_remembered_until_the_file_changes(work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By its inode, size and times."""
    box = Sandbox()
    before = box.files(work, ["out.txt"])
    with monkeypatch.context() as patch:
        patch.setattr(sandbox, "_blocks", lambda descriptor, size: pytest.fail("it was read again"))
        assert box.files(work, ["out.txt"]) == before
    (work / "out.txt").write_text("OUT.TXT")
    assert box.files(work, ["out.txt"])[0]["digest"] == hashlib.sha256(b"OUT.TXT").hexdigest()


@pytest.mark.parametrize("path", ["link", "a/away/key", "a/up/out.txt", "a/pipe", "a", "none", "out.txt/x"])
def test_reading_what_is_no_file_of_the_sandbox(work: Path, path: str) -> None:
    """Refused by name; no link leads out, none is followed inside."""
    with pytest.raises(Permanent, match=path):
        list(read(work, path))


@pytest.mark.parametrize(
    "path", ["", "/etc/passwd", "..", "../x", "a/../../x", "a/..", ".", "a\0b", None, 7, "x" * 5000]
)
def test_paths_that_leave(path: object) -> None:
    """They are not even looked at."""
    with pytest.raises(Permanent):
        parts(path)


def test_reading(work: Path) -> None:
    """All of the bytes."""
    data = os.urandom(600_000)
    (work / "big").write_bytes(data)
    assert b"".join(read(work, "./big")) == data


def test_too_many(work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A limit, by name."""
    monkeypatch.setattr(sandbox, "FILES", 2)
    with pytest.raises(Permanent, match="more than 2 files"):
        Sandbox().files(work, ["a"])


def test_too_deep(tmp_path: Path) -> None:
    """Folders in folders end somewhere."""
    (tmp_path / "/".join("d" * 150)).mkdir(parents=True)
    with pytest.raises(Permanent, match="deeper"):
        Sandbox().files(tmp_path, ["d"])
