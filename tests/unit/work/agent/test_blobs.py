"""Blobs come in pieces and lie under their digests, whole or not at all."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from isthmus.work.runner.blobs import Blobs
from isthmus.work.runner.failures import Permanent, Temporary

DATA = b"some bytes"
DIGEST = hashlib.sha256(DATA).hexdigest()


def listed(place: Path) -> list[str]:
    return sorted(str(f.relative_to(place)) for f in place.rglob("*") if f.is_file())


def test_in_pieces(tmp_path: Path) -> None:
    """It is there with the last one, for its owner only."""
    blobs = Blobs(tmp_path / "blobs")
    blobs.put(DIGEST, 0, False, DATA[:4])
    assert blobs.missing([DIGEST]) == [DIGEST]
    blobs.put(DIGEST, 4, True, DATA[4:])
    assert blobs.missing([DIGEST]) == []
    assert blobs.path(DIGEST).read_bytes() == DATA
    assert blobs.path(DIGEST).stat().st_mode & 0o777 == 0o600
    assert listed(tmp_path / "blobs") == [f"{DIGEST[:2]}/{DIGEST}"]


def test_empty(tmp_path: Path) -> None:
    """Nothing has a digest too."""
    blobs = Blobs(tmp_path)
    blobs.put(hashlib.sha256().hexdigest(), 0, True, b"")
    assert blobs.missing([hashlib.sha256().hexdigest()]) == []


def test_other_bytes(tmp_path: Path) -> None:
    """What came is thrown away."""
    blobs = Blobs(tmp_path)
    with pytest.raises(Permanent, match="is not blob"):
        blobs.put(DIGEST, 0, True, b"other")
    assert listed(tmp_path) == []


def test_beginning_again(tmp_path: Path) -> None:
    """After a lost answer the first piece comes again; one that does not fit is refused."""
    blobs = Blobs(tmp_path)
    blobs.put(DIGEST, 0, False, DATA[:4])
    blobs.put(DIGEST, 0, False, DATA[:6])
    with pytest.raises(Temporary, match="does not go on at 4"):
        blobs.put(DIGEST, 4, True, DATA[4:])
    with pytest.raises(Temporary, match="does not go on at 3"):
        Blobs(tmp_path).put(DIGEST, 3, True, DATA)
    blobs.put(DIGEST, 0, True, DATA)
    assert blobs.missing([DIGEST]) == []


@pytest.mark.parametrize("digest", ["../x", "", "0" * 63, "0" * 65, "G" * 64, "0" * 63 + "/", None, 3])
def test_what_is_no_digest(tmp_path: Path, digest: object) -> None:
    """Nothing is opened for it."""
    blobs = Blobs(tmp_path)
    for ask in (lambda: blobs.put(digest, 0, True, b""), lambda: blobs.missing([digest])):
        with pytest.raises(Permanent, match="not a digest"):
            ask()


def test_a_link_in_the_way_of_a_copy(tmp_path: Path) -> None:
    """A copy makes a file of its own, or none."""
    blobs = Blobs(tmp_path / "blobs")
    blobs.put(DIGEST, 0, True, DATA)
    (tmp_path / "target").write_bytes(b"precious")
    (tmp_path / "link").symlink_to("target")
    folder = os.open(tmp_path, os.O_RDONLY)
    try:
        with pytest.raises(FileExistsError):
            blobs.copy(DIGEST, folder, "link", 0o644)
    finally:
        os.close(folder)
    assert (tmp_path / "target").read_bytes() == b"precious"
