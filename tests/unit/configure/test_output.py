"""Lines and outputs that machines print are hostile until they are cleaned."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.configure.output import Lines, clean_line, parse_outputs


def collect(data: bytes, size: int, **limits: int) -> list[str]:
    lines: list[str] = []
    cutter = Lines(lines.append, **limits)
    for at in range(0, len(data), size):
        cutter.feed(data[at : at + size])
    cutter.end()
    return lines


@pytest.mark.parametrize("size", [1, 2, 3, 100])
def test_a_stream_becomes_lines_however_it_is_cut(size: int) -> None:
    assert collect(b"one\n\ntwo\r\nthree", size) == ["one", "", "two", "three"]


def test_a_line_shows_no_escapes_and_no_controls() -> None:
    assert clean_line("\x1b[31mred\x1b[0m \x1b]0;title\x07\x00\x9b2Jok\u202e") == "red 2Jok"


def test_of_a_progress_bar_the_last_state_is_kept() -> None:
    assert clean_line("10 %\r50 %\r100 %\r") == "100 %"


def test_a_tab_stays() -> None:
    assert clean_line("a\tb") == "a\tb"


def test_bytes_that_are_no_text_are_replaced() -> None:
    assert collect(b"\xff\xfea\n", 10) == ["\ufffd\ufffda"]


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_a_long_line_is_split(size: int) -> None:
    assert "".join(collect(b"x" * 100 + b"\nend\n", size, line_limit=10)) == "x" * 100 + "end"
    assert max(map(len, collect(b"x" * 100, size, line_limit=10))) == 10


def test_output_without_end_is_cut_and_said_so() -> None:
    lines = collect(b"y\n" * 10_000, 4096, total=2048)
    assert len(lines) < 1100
    assert lines[-1] == "(more than 2 KiB of output; what follows is not shown)"


@given(st.binary(max_size=300))
def test_no_bytes_make_a_line_with_controls(data: bytes) -> None:
    for line in collect(data, 16):
        assert not any((ord(c) < 32 and c != "\t") or 127 <= ord(c) < 160 for c in line)


def test_outputs_are_names_and_values() -> None:
    assert parse_outputs("a=1\n\nb = two=2\na=3\n") == {"a": "3", "b": " two=2"}


def test_outputs_may_be_one_json_object() -> None:
    assert parse_outputs(' {"a": [1, {"b": null}]}\n') == {"a": [1, {"b": None}]}


def test_no_outputs_are_none() -> None:
    assert parse_outputs("") == {}


@pytest.mark.parametrize("text", ["secret stuff", "=secret", "sec ret=1", '{"secret": '])
def test_what_is_no_output_is_refused_without_repeating_it(text: str) -> None:
    with pytest.raises(ValueError, match=r"^(?!.*secret)"):
        parse_outputs(text)
