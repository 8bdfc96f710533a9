"""A task's outputs as an archive: what comes out is what went in, and nothing lands outside."""

from __future__ import annotations

import io
import os
import tarfile
from pathlib import Path

import pytest

from isthmus.work.runner.packing import pack, unpack


@pytest.fixture
def work(tmp_path: Path) -> Path:
    (tmp_path / "work").mkdir()
    return tmp_path / "work"


def archive(place: Path, *members: tuple[tarfile.TarInfo, bytes]) -> Path:
    with tarfile.open(place, "w") as file:
        for member, data in members:
            member.size = len(data)
            file.addfile(member, io.BytesIO(data))
    return place


def test_outputs_travel_whatever_they_are_called(tmp_path: Path, work: Path) -> None:
    names = ["plain", "out/a b;c\nd", "out/$(x)", "out/deep/er/-rf", "out/\udcff", "left"]
    for name in names:
        (work / name).parent.mkdir(parents=True, exist_ok=True)
        (work / name).write_text(name, errors="surrogateescape")
    (work / "plain").chmod(0o755)
    (work / "out/link").symlink_to("/etc/passwd")
    os.mkfifo(work / "out/pipe")
    pack(work, ["out", "pl*", "absent"], tmp_path / "outputs.tar")
    target = tmp_path / "target"
    target.mkdir()
    assert unpack(tmp_path / "outputs.tar", target) == []
    found = sorted(str(path.relative_to(target)) for path in target.rglob("*") if not path.is_dir())
    assert found == sorted(names[:-1])
    assert (target / "out/$(x)").read_text() == "out/$(x)"
    assert os.access(target / "plain", os.X_OK)


def link(name: str, target: str, kind: bytes = tarfile.SYMTYPE) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, target
    return member


@pytest.mark.parametrize(
    "member",
    [tarfile.TarInfo("../out"), tarfile.TarInfo("/tmp/out"), tarfile.TarInfo("a/../../out"), link("l", "/etc/passwd"),
     link("h", "../secret", tarfile.LNKTYPE), link("f", "", tarfile.FIFOTYPE), link("d", "", tarfile.CHRTYPE)],
    ids=["parent", "absolute", "inner parent", "symlink", "hard link", "pipe", "device"],
)  # fmt: skip
def test_what_would_leave_the_sandbox_is_refused(tmp_path: Path, work: Path, member: tarfile.TarInfo) -> None:
    (tmp_path / "secret").write_text("s")
    place = archive(tmp_path / "a.tar", (member, b""), (tarfile.TarInfo("good"), b"x"))
    [refused] = unpack(place, work)
    assert member.name.split("/")[-1] in refused
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["a.tar", "good", "secret", "work"]


def test_a_link_in_the_way_is_not_followed(tmp_path: Path, work: Path) -> None:
    (tmp_path / "outside").mkdir()
    (work / "out").symlink_to(tmp_path / "outside")
    (work / "file").symlink_to(tmp_path / "outside/file")
    place = archive(tmp_path / "a.tar", (tarfile.TarInfo("out/x"), b"x"), (tarfile.TarInfo("file"), b"y"))
    assert len(unpack(place, work)) == 1
    assert list((tmp_path / "outside").iterdir()) == []
    assert (work / "file").read_text() == "y"


@pytest.mark.parametrize("data", [None, b"", b"no archive at all" * 100])
def test_no_archive_holds_nothing(tmp_path: Path, work: Path, data: bytes | None) -> None:
    if data is not None:
        (tmp_path / "a.tar").write_bytes(data)
    assert bool(unpack(tmp_path / "a.tar", work)) == bool(data)
    assert list(work.iterdir()) == []


def test_an_archive_that_was_cut_short_is_named(tmp_path: Path, work: Path) -> None:
    place = archive(tmp_path / "a.tar", (tarfile.TarInfo("one"), b"1"), (tarfile.TarInfo("two"), b"2" * 100_000))
    place.write_bytes(place.read_bytes()[:50_000])
    assert unpack(place, work)
    assert not (work / "two").exists()
