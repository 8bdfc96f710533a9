"""What of a node a task may see: nothing that its site did not allow, whatever is in a path."""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.work.job import Container, File, JobSpec, Volume
from isthmus.work.runner.order import Order
from isthmus.work.runner.outcomes import CannotStart
from isthmus.work.runner.volumes import Volumes, inside


def volumes(folder: Path, *wanted: Volume, **runtime: Any) -> Volumes:
    spec = JobSpec((Container("main"),), volumes=wanted)
    order = {"id": "0123456789ab-1", "spec": asdict(spec), "runtime": runtime}
    (folder / "order.json").write_text(json.dumps(order))
    return Volumes(Order(str(folder), 0))


def mount(**more: Any) -> dict[str, Any]:
    return {"volume": "v", "path": "/v", **more}


@pytest.mark.parametrize("path", ["", "..", "a/../b", "/a", "../a", "a/..", "//", ".", "a\0b", "/"])
def test_a_path_that_may_lead_elsewhere_is_refused_by_its_field(path: str):
    with pytest.raises(CannotStart, match=r"^sub_path: "):
        inside(path, "sub_path")


@given(st.text())
def test_whatever_is_allowed_stays_inside(path: str):
    try:
        parts = inside(path, "x")
    except CannotStart:
        return
    assert os.path.normpath("/".join(["/root/of/it", *parts])).startswith("/root/of/it")


def test_files_come_from_the_order_or_from_the_blobs(tmp_path: Path):
    blob = tmp_path / "blobs" / "ab" / ("ab" + "0" * 62)
    blob.parent.mkdir(parents=True)
    blob.write_bytes(b"of a blob")
    made = volumes(
        tmp_path, Volume("v", files=(File("a/b", content="aGFsbG8="), File("c", digest=blob.name, mode=0o755)))
    )
    made.make()

    root = Path(made.source(mount()))
    assert (root / "a" / "b").read_bytes() == b"hallo"
    assert (root / "c").read_bytes() == b"of a blob"
    assert (root / "c").stat().st_mode & 0o777 == 0o755
    assert Path(made.source(mount(sub_path="a/b"))) == root / "a" / "b"
    made.remove()
    assert not root.exists()
    assert blob.exists()


@pytest.mark.parametrize(
    ("volume", "words"),
    [
        (Volume("../v"), "'../v' is no name"),
        (Volume(".."), "no name"),
        (Volume("v", files=(File("../x", content=""),)), "'../x' leads elsewhere"),
        (Volume("v", files=(File("/x", content=""),)), "'/x' leads elsewhere"),
        (Volume("v", files=(File("x", digest="0" * 64),)), "is not on this site"),
        (Volume("v", files=(File("x", digest="../../etc/passwd"),)), "is no digest"),
        (Volume("v", host_path="/"), "does not allow '/'"),
        (Volume("v", host_path="/etc"), "does not allow '/etc'"),
        (Volume("v", host_path="etc"), "not absolute"),
    ],
)
def test_volumes_that_cannot_be_made_are_refused(tmp_path: Path, volume: Volume, words: str):
    with pytest.raises(CannotStart, match=words):
        volumes(tmp_path, volume).make()


def test_folders_of_the_node_are_mounted_where_the_site_allows_links_followed_first(tmp_path: Path):
    allowed = tmp_path / "allowed"
    (allowed / "data").mkdir(parents=True)
    (allowed / "out").symlink_to("/etc")
    (tmp_path / "in").symlink_to(allowed)

    def source(path: Path, kind: str = "") -> str:
        made = volumes(tmp_path, Volume("v", host_path=str(path), host_path_type=kind), host_paths=[str(allowed)])
        made.make()
        return made.source(mount())

    assert source(allowed / "data", "Directory") == str(allowed / "data")
    assert source(tmp_path / "in" / "data") == str(allowed / "data")
    assert source(allowed / "new", "DirectoryOrCreate") == str(allowed / "new")
    assert source(allowed / "file", "FileOrCreate") == str(allowed / "file")
    for path, kind, words in [
        (allowed / "out", "", "does not allow"),
        (tmp_path / "allowed-not", "DirectoryOrCreate", "does not allow"),
        (allowed / "missing", "", "there is no"),
        (allowed / "data", "File", "is not of type File"),
        (allowed / "data", "Sock", "there is no type 'Sock'"),
    ]:
        with pytest.raises(CannotStart, match=words):
            source(path, kind)


def test_a_sub_path_is_followed_only_inside_its_volume(tmp_path: Path):
    made = volumes(tmp_path, Volume("v"))
    made.make()
    root = Path(made.source(mount()))
    (root / "out").symlink_to("/etc")
    (root / "real").mkdir()
    (root / "link").symlink_to("real")

    assert made.source(mount(sub_path="link")) == str(root / "real")
    assert made.source(mount(sub_path="new/er")) == str(root / "new" / "er")
    for path in ("out", "out/passwd", "out/new"):
        with pytest.raises(CannotStart, match="leads out of volume v"):
            made.source(mount(sub_path=path))
    made.remove()


def test_a_volume_in_memory_is_there_and_goes(tmp_path: Path):
    made = volumes(tmp_path, Volume("v", in_memory=True))
    made.make()
    root = Path(made.source(mount()))

    assert str(root).startswith("/dev/shm/")
    made.remove()
    assert not root.exists()
