"""What a worker of the local queue leaves in its journal, wherever it was cut off."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from isthmus.sites.local.remote import machine
from isthmus.sites.local.remote.journal import Journal, clear

BORN = machine.born(os.getpid()) or 0
REPORT = {"state": "succeeded", "containers": [{"name": "main"}]}


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    writer = Journal.own(tmp_path)
    writer.keep("/a", 1, None)
    writer.keep("/a", 1, json.dumps(REPORT))
    writer.keep("/a", 2, None)
    os.close(writer._file)
    return Journal(tmp_path, os.getpid(), BORN)


def test_it_tells_what_has_begun_and_what_has_ended(journal: Journal) -> None:
    assert journal.read() == {("/a", 1): REPORT, ("/a", 2): {}}


def test_a_report_that_was_cut_off_is_of_a_task_that_has_begun(journal: Journal, tmp_path: Path) -> None:
    (file,) = (tmp_path / "journals").iterdir()
    with file.open("a") as more:
        more.write('["/a", 2, {"state": "succ')
    assert journal.read() == {("/a", 1): REPORT, ("/a", 2): {}}


def test_journals_are_cleared_but_of_workers_that_live(journal: Journal, tmp_path: Path) -> None:
    clear(tmp_path, {(os.getpid(), BORN)})
    assert len(list((tmp_path / "journals").iterdir())) == 1
    clear(tmp_path, ())
    assert not list((tmp_path / "journals").iterdir())
