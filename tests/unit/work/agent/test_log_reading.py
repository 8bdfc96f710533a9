"""The part of a log that is asked for, against a plain reading of the whole."""

from __future__ import annotations

import os
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isthmus.work.runner import log_reading
from isthmus.work.runner.failures import Permanent
from isthmus.work.runner.log_reading import Options, read_log, timestamp


def written(task: Path, data: bytes, run: int = 0) -> Path:
    (task / "log").mkdir(parents=True, exist_ok=True)
    place = task / "log" / f"main.{run}.log"
    place.write_bytes(data)
    return place


def read(task: Path, **options: Any) -> bytes:
    parts = list(read_log(task, "main", Options(options), lambda run: True))
    assert None not in parts
    return b"".join(part for part in parts if part)


def line(second: int, text: bytes, tag: str = "F", stream: str = "stdout") -> bytes:
    return timestamp(second) + f" {stream} {tag} ".encode() + text + b"\n"


ABC = line(1, b"a") + line(2, b"b", stream="stderr") + line(3, b"c")


@pytest.mark.parametrize(
    ("data", "options", "expected"),
    [
        (ABC, {}, b"a\nb\nc\n"),
        (ABC, {"tail": 2}, b"b\nc\n"),
        (ABC, {"tail": 0}, b""),
        (ABC, {"tail": 9}, b"a\nb\nc\n"),
        (ABC, {"since": 2}, b"b\nc\n"),
        (ABC, {"since": 1.5}, b"b\nc\n"),
        (ABC, {"since": 4}, b""),
        (ABC, {"since": 2, "tail": 1}, b"c\n"),
        (ABC, {"since": 3, "tail": 3}, b"c\n"),
        (ABC, {"limit": 3}, b"a\nb"),
        (ABC, {"limit": 0}, b""),
        (ABC, {"tail": 1, "timestamps": True}, b"1970-01-01T00:00:03.000000000Z c\n"),
        (line(1, b"a") + line(2, b"x", "P") + line(3, b"y", "P") + line(4, b"z"), {"tail": 1}, b"xyz\n"),
        (line(1, b"x", "P") + line(2, b"e", stream="stderr") + line(3, b"y"), {}, b"e\nxy\n"),
        (line(1, b"x", "P") + line(2, b"y"), {"timestamps": True}, timestamp(1) + b" xy\n"),
        (line(1, b"a") + line(2, b"$ ", "P"), {}, b"a\n$ "),
        (line(1, b"") + line(2, b" a  b "), {}, b"\n a  b \n"),
        (ABC + b"1970-01-01T00:00:09.00", {}, b"a\nb\nc\n"),
        (ABC + b"1970-01-01T00:00:09.00", {"tail": 1}, b"c\n"),
        (b"garbage\n\n" + ABC, {}, b"a\nb\nc\n"),
        (b"", {"tail": 3}, b""),
        (b"no line feed", {"tail": 3}, b""),
    ],
)
def test_parts_of_a_log(tmp_path: Path, data: bytes, options: dict[str, Any], expected: bytes) -> None:
    """One line a case."""
    written(tmp_path, data)
    assert read(tmp_path, **options) == expected


def test_runs(tmp_path: Path) -> None:
    """The last, or the one before it; no link, and no other container's."""
    assert read(tmp_path) == b""
    written(tmp_path, line(1, b"first"))
    assert read(tmp_path, previous=True) == b""
    written(tmp_path, line(1, b"second"), 9)
    written(tmp_path, line(1, b"third"), 10)
    (tmp_path / "log" / "main-b.11.log").write_bytes(line(1, b"other"))
    assert read(tmp_path) == b"third\n"
    assert read(tmp_path, previous=True) == b"second\n"


@pytest.mark.parametrize("kind", ["link", "pipe", "folder", "linked folder"])
def test_what_is_no_log(tmp_path: Path, kind: str) -> None:
    """A program may put anything there: it is not read, and nobody hangs."""
    secret = tmp_path / "secret"
    written(secret, line(1, b"secret"))
    task = tmp_path / "task"
    place = task / "log" / "main.0.log"
    if kind == "linked folder":
        task.mkdir()
        place.parent.symlink_to(secret / "log")
    else:
        place.parent.mkdir(parents=True)
        match kind:
            case "link":
                place.symlink_to(secret / "log" / "main.0.log")
            case "pipe":
                os.mkfifo(place)
            case "folder":
                place.mkdir()
    assert read(task) == b""


@pytest.mark.parametrize("given", [{"tail": -1}, {"since": "x"}, {"limit": True}, {"tail": 2**70}])
def test_wrong_options(given: dict[str, Any]) -> None:
    """By name."""
    with pytest.raises(Permanent, match=next(iter(given))):
        Options(given)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.binary(max_size=40).map(lambda b: b.replace(b"\n", b"")), st.booleans()), max_size=60),
    st.integers(0, 70) | st.none(), st.integers(0, 70) | st.none(), st.integers(64, 200),
)  # fmt: skip
def test_tail_and_since_in_blocks(
    tmp_path_factory: pytest.TempPathFactory, pieces: list[tuple[bytes, bool]], tail: int | None, since: int | None,
    block: int,
) -> None:  # fmt: skip
    """However the file falls into blocks: the last whole lines, and those from a time on."""
    lines = [line(second, text, "F") for second, (text, _) in enumerate(pieces)]
    if since is None:
        lines = [line(s, text, "P" if partial else "F") for s, (text, partial) in enumerate(pieces)]
        lines.append(line(99, b"end"))
    task = tmp_path_factory.mktemp("task")
    written(task, b"".join(lines))
    whole = read(task).split(b"\n")[:-1]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(log_reading, "BLOCK", block)
        if since is None:
            expected = whole if tail is None else whole[len(whole) - min(tail, len(whole)) :]
        else:
            expected = whole[max(since, 0 if tail is None else len(whole) - tail) :]
        assert read(task, tail=tail, since=since).split(b"\n")[:-1] == expected


def test_following(tmp_path: Path) -> None:
    """Waits for the log, gives what comes, joins what is cut, and ends when the run has ended and all is read."""
    over: list[bool] = []
    parts = read_log(tmp_path, "main", Options({"follow": True}), lambda run: bool(over))
    assert next(parts) is None
    place = written(tmp_path, line(1, b"a"))
    assert next(parts) == b"a\n"
    assert next(parts) is None
    with place.open("ab") as file:
        file.write(line(2, b"b") + line(3, b"c", "P") + timestamp(4))
        file.flush()
        assert next(parts) == b"b\n"
        assert next(parts) is None
        over.append(True)
        file.write(b" stdout F d\n")
    assert list(parts) == [b"cd\n", b""]


def test_following_what_never_began(tmp_path: Path) -> None:
    """It ended without a log."""
    over: list[bool] = []
    parts = read_log(tmp_path, "main", Options({"follow": True}), lambda run: bool(over))
    assert next(parts) is None
    over.append(True)
    assert list(parts) == []


def test_memory_is_bounded(tmp_path: Path) -> None:
    """64 MB of log with lines of any length, from the end and from the beginning."""
    short = line(1, b"x" * 100) * 100_000
    place = written(tmp_path, short)
    with place.open("ab") as file:
        for _ in range(16):
            file.write(b"z" * 1024 * 1024)
        file.write(b"\n" + line(2, b"p" * 16_000, "P") * 1000 + line(2, b"end"))
    tracemalloc.start()
    try:
        assert sum(len(part or b"") for part in read_log(tmp_path, "main", Options({}), lambda run: True)) > 26e6
        tail = read_log(tmp_path, "main", Options({"tail": 2}), lambda run: True)
        assert next(part for part in tail if part) == b"x" * 100 + b"\n"
        assert sum(len(part or b"") for part in tail) > 15e6
        assert tracemalloc.get_traced_memory()[1] < 8 * 1024 * 1024
    finally:
        tracemalloc.stop()
