"""Logs as the Container Runtime Interface has them: nothing of the output is lost or changed."""

from __future__ import annotations

import re
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from isthmus.work.runner.log_writing import LONGEST, STDERR, STDOUT, LogWriter, timestamp

PIECES = st.lists(
    st.tuples(
        st.sampled_from([STDOUT, STDERR]),
        st.one_of(
            st.binary(max_size=40), st.sampled_from([b"\n", b"\n\n", b"x" * LONGEST, b"y" * (LONGEST - 1) + b"\n"])
        ),
    ),
    max_size=30,
)
ENTRY = re.compile(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z (stdout|stderr) ([FP]) (.*)", re.DOTALL)


@given(pieces=PIECES)
def test_what_was_written_can_be_told_from_the_log(tmp_path_factory, pieces):
    path: Path = tmp_path_factory.mktemp("log") / "log"
    also: list[bytes] = []
    writer = LogWriter(str(path), also.append)
    for stream, data in pieces:
        writer.feed(stream, data)
    writer.close()

    got = {b"stdout": b"", b"stderr": b""}
    for line in path.read_bytes().split(b"\n")[:-1]:
        match = ENTRY.fullmatch(line)
        assert match
        stream, tag, text = match.groups()
        assert len(text) <= LONGEST
        got[stream] += text + (b"\n" if tag == b"F" else b"")
    assert got == {name: b"".join(data for stream, data in pieces if stream == name) for name in got}
    assert b"".join(text + b"\n" for text in also) == path.read_bytes()


def test_a_line_is_written_when_it_is_whole(tmp_path: Path):
    path = tmp_path / "log"
    writer = LogWriter(str(path))

    writer.feed(STDOUT, b"one\ntw")
    assert path.read_bytes().endswith(b" stdout F one\n")
    writer.feed(STDERR, b"between\n")
    writer.feed(STDOUT, b"o\n")
    writer.close()

    assert [line.split(b" ", 1)[1] for line in path.read_bytes().splitlines()] == [
        b"stdout F one",
        b"stderr F between",
        b"stdout F two",
    ]


def test_the_last_words_of_stderr_are_kept_and_they_alone(tmp_path: Path):
    writer = LogWriter(str(tmp_path / "log"))
    for n in range(10_000):
        writer.feed(STDERR, b"line %d\n" % n)
        writer.feed(STDOUT, b"other\n")
    writer.close()

    assert writer.last_words.endswith(b"line 9998\nline 9999\n")
    assert len(writer.last_words) <= 4096


def test_output_that_the_disk_does_not_take_is_counted_and_does_not_stop_the_program():
    writer = LogWriter("/dev/full")
    writer.feed(STDOUT, b"a line\n")
    writer.close()

    assert writer.lost > len(b"a line\n")


def test_times_do_not_go_back():
    times = [timestamp() for _ in range(1000)]

    assert times == sorted(times)
