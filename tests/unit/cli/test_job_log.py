"""A log that is read through broken connections: nothing twice, nothing lost."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.cli.job_log import Reader, by_lines, prefixed

Line = tuple[int, bytes]


def log_of(lines: Sequence[Line]) -> bytes:
    return b"".join(b"2026-01-01T00:00:%02d.000000005Z %b\n" % line for line in lines)


def restarted(reader: Reader, log: bytes) -> bytes:
    """What a server would tell that is asked again: all of the second in which the reader is."""
    reader.restart()
    since = reader.since()
    if since is None:
        return log
    return log[log.rfind(b"\n", 0, log.find(since[:19].encode())) + 1 :]


@given(
    st.lists(st.tuples(st.integers(0, 3), st.binary(max_size=30).map(lambda b: b.replace(b"\n", b" "))), max_size=12),
    st.lists(st.integers(0, 300), max_size=4),
    st.integers(1, 30),
)
def test_every_byte_comes_once_however_often_the_connection_breaks(
    lines: list[Line], cuts: list[int], piece: int
) -> None:
    lines.sort(key=lambda line: line[0])
    written: list[bytes] = []
    reader = Reader(written.append)
    log = log_of(lines)
    for cut in [*cuts, len(log)]:
        rest = restarted(reader, log)[: cut if cut < len(log) else None]
        for start in range(0, len(rest), piece):
            reader.feed(rest[start : start + piece])
    assert b"".join(written) == b"".join(text + b"\n" for _, text in lines)


def test_times_stay_if_they_are_wanted() -> None:
    written: list[bytes] = []
    reader = Reader(written.append, timestamps=True)
    reader.feed(log_of([(1, b"a"), (2, b"b")]))
    assert b"".join(written) == log_of([(1, b"a"), (2, b"b")])


@pytest.mark.parametrize("text", [b"no times here\nat all\n", b"\n\n", b"2026-13 x\n", b"x" * 500, b"a\nb"])
def test_text_without_times_is_handed_on_as_it_is(text: bytes) -> None:
    written: list[bytes] = []
    reader = Reader(written.append)
    for n in range(len(text)):
        reader.feed(text[n : n + 1])
    # What may still become a time waits for its end.
    assert text.startswith(b"".join(written))
    assert len(text) - len(b"".join(written)) < 31


def test_lines_of_containers_are_told_apart() -> None:
    written: list[bytes] = []
    write = prefixed(written.append, "web")
    write(b"a\nb")
    write(b"c\nd")
    assert written == [b"web | a\n", b"web | bc\n"]


def test_lines_are_told_with_their_time() -> None:
    told: list[tuple[str, str]] = []
    write = by_lines(lambda time, text: told.append((time, text)))
    reader = Reader(write, timestamps=True)
    reader.feed(log_of([(1, b"a \xff b")]))
    assert told == [("2026-01-01T00:00:01.000000005Z", "a \ufffd b")]
