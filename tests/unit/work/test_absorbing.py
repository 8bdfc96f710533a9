"""What comes back from nodes without shared files: every line once, whatever is cut short."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isthmus.work.runner import absorbing, places
from isthmus.work.runner.absorbing import absorb, absorb_task, words_of_crash

ENDED = {"state": "succeeded", "reason": "", "words": ""}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return make(tmp_path)


def make(folder: Path) -> Path:
    (folder / "tasks" / "0").mkdir(parents=True)
    (folder / "work").mkdir()
    return folder


def line(**report: object) -> bytes:
    return json.dumps(report).encode() + b"\n"


def write(folder: Path, *lines: bytes) -> None:
    with (folder / "tasks/0/stream.out").open("ab") as stream:
        stream.write(b"".join(lines))


def log(folder: Path, name: str = "main.0.log") -> str:
    file = folder / "tasks/0/log" / name
    return file.read_text() if file.exists() else ""


def status(folder: Path) -> dict[str, object] | None:
    file = folder / "tasks/0/status.json"
    return json.loads(file.read_text()) if file.exists() else None


def test_logs_and_reports_are_told_apart(folder: Path) -> None:
    write(folder, line(status={"state": "running"}), line(log=["main", 0, "t stdout F a\nt stdout F b"]))
    write(folder, line(log=["other", 1, "t stdout F c"]), b"no report\n", b"[1]\n", b"\n", line(log=["../x", 0, "y"]))
    absorb(folder)
    assert log(folder) == "t stdout F a\nt stdout F b\n"
    assert log(folder, "other.1.log") == "t stdout F c\n"
    assert status(folder) == {"state": "running"}
    assert sorted(path.name for path in folder.rglob("*.log")) == ["main.0.log", "other.1.log"]


def test_bytes_that_are_no_text_are_kept(folder: Path) -> None:
    write(folder, line(log=["main", 0, b"t stdout F \xff\xfe".decode(errors="surrogateescape")]))
    absorb(folder)
    assert (folder / "tasks/0/log/main.0.log").read_bytes() == b"t stdout F \xff\xfe\n"


def test_the_end_is_kept_back_until_the_scheduler_says_so(folder: Path) -> None:
    write(folder, line(status={"state": "running"}), line(status={"state": "succeeded"}))
    absorb(folder)
    assert status(folder) == {"state": "running"}
    absorb_task(folder, 0, ENDED)
    assert status(folder) == {"state": "succeeded"}


def test_a_task_that_is_started_again_begins_anew(folder: Path) -> None:
    write(folder, line(log=["main", 0, "first"]), line(status={"state": "cancelled"}))
    absorb(folder)
    (folder / "tasks/0/stream.out").unlink()
    write(folder, line(log=["main", 0, "second"]))
    absorb(folder)
    write(folder, line(status={"state": "succeeded"}))
    absorb_task(folder, 0, ENDED)
    assert (log(folder), log(folder, "main.1.log")) == ("first\n", "second\n")
    assert status(folder) == {"state": "succeeded"}


@pytest.mark.parametrize(
    ("own", "end", "shown"),
    [
        (("cancelled", "Cancelled"), ("failed", "OutOfMemory"), ("failed", "OutOfMemory")),
        (("cancelled", "Cancelled"), ("cancelled", "Cancelled"), ("cancelled", "Cancelled")),
        (("failed", "TimeLimit"), ("failed", "Error"), ("failed", "TimeLimit")),
        (("failed", "Error"), ("failed", "Error"), ("failed", "Error")),
    ],
)
def test_who_was_asked_to_end_does_not_know_why(
    folder: Path, own: tuple[str, str], end: tuple[str, str], shown: tuple[str, str]
) -> None:
    containers = [{"name": "main", "reason": own[1]}]
    write(folder, line(status={"state": own[0], "reason": own[1], "containers": containers}))
    absorb_task(folder, 0, {"state": end[0], "reason": end[1], "words": "its words"})
    told = status(folder)
    assert told is not None
    assert (told["state"], told["reason"]) == shown
    assert told["containers"] == [{"name": "main", "reason": shown[1]}]


def test_processes_that_the_site_starts_together(folder: Path) -> None:
    for node in (0, 1):
        stream = folder / f"tasks/0/stream.{node}.out"
        state = "succeeded" if node == 0 else "failed"
        stream.write_bytes(line(log=["main", 0, f"of {node}"]) + line(status={"state": state, "host": f"n{node}"}))
    absorb(folder)
    assert status(folder) is None
    absorb_task(folder, 0, ENDED)
    assert log(folder) == "of 0\nof 1\n"
    assert status(folder) == {"state": "failed", "host": "n1"}


class Crash(Exception):
    pass


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.binary(max_size=30), st.booleans()), max_size=12), st.integers(1, 200), st.data())
def test_each_line_comes_once_whatever_crashes(
    tmp_path_factory: pytest.TempPathFactory, entries: list[tuple[bytes, bool]], size: int, data: st.DataObject
) -> None:
    """The stream grows by ``size`` bytes at a time; some passes die just before they write their notes down."""
    folder = make(tmp_path_factory.mktemp("stream"))
    texts = [text.hex() for text, _ in entries]
    whole = b"".join(line(log=["main", 0, text]) for text in texts)
    crashes = [crash for _, crash in entries] or [False]
    real = places.write_json

    def die(place: Path, value: object) -> None:
        if place.name == absorbing.NOTES:
            raise Crash
        real(place, value)

    with pytest.MonkeyPatch.context() as patch:
        for number, start in enumerate(range(0, len(whole), size)):
            write(folder, whole[start : start + size])
            patch.setattr(absorbing, "write_json", die if crashes[number % len(crashes)] else real)
            with contextlib.suppress(Crash):
                absorb(folder)
        patch.setattr(absorbing, "write_json", real)
        absorb(folder)
    assert log(folder) == "".join(f"{text}\n" for text in texts)


def test_the_last_words_of_a_supervisor_that_left_no_report(folder: Path) -> None:
    assert words_of_crash(folder / "tasks/0") == ""
    (folder / "tasks/0/stream.err").write_text("Traceback\n  at\nSyntaxError: invalid syntax\n\n")
    assert words_of_crash(folder / "tasks/0") == "SyntaxError: invalid syntax"
