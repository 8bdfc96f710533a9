"""Folders of servers that were killed are removed; no others."""

import os
import subprocess
from pathlib import Path

import pytest

from isthmus.configure.folders import make_folder, sweep_folders


def test_only_folders_of_the_dead_are_swept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    dead = subprocess.Popen(["true"])
    dead.wait()
    mine = make_folder()
    left = tmp_path / f"isthmus-{dead.pid}-abc"
    others = [tmp_path / "isthmus-", tmp_path / "isthmus-run", tmp_path / f"isthmus-{os.getppid()}-abc"]
    for folder in [left, *others]:
        (folder / "in").mkdir(parents=True)
    link = tmp_path / f"isthmus-{dead.pid}-link"
    link.symlink_to(mine)
    sweep_folders()
    assert not left.exists()
    assert all(folder.exists() for folder in [mine, link, *others])
