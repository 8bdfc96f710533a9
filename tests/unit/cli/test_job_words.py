"""What people type of a job: sizes, arrays, GPUs, SRC:DST and secrets, read or refused with words."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.cli.failures import Failure
from isthmus.cli.job_wish import make_wish
from isthmus.cli.job_words import read_environment, read_input, read_output, read_pairs, read_secrets
from isthmus.work import notation


@pytest.mark.parametrize(
    ("text", "size"),
    [("2 GiB", 2 * 2**30), ("500MB", 500 * 10**6), ("1.5 kib", 1536), ("4096", 4096), (4096, 4096), (" 1 B ", 1)],
)
def test_sizes(text: Any, size: int) -> None:
    assert notation.size(text) == size


@pytest.mark.parametrize("text", ["", "2G", "90m", "GiB", "-1 GiB", "0", "1e9 TiB", "nan", None, True, "1.2.3", "."])
def test_what_is_no_size(text: Any) -> None:
    with pytest.raises(ValueError, match="size"):
        notation.size(text)


@pytest.mark.parametrize(("text", "seconds"), [("90m", 5400), ("12 h", 43200), ("7d", 604800), ("30", 30), (1.5, 1.5)])
def test_durations(text: Any, seconds: float) -> None:
    assert notation.duration(text) == seconds


@pytest.mark.parametrize("text", ["", "soon", "1:30:00", "2 GiB", "-5m", "99999d", None, "1 hour"])
def test_what_is_no_duration(text: Any) -> None:
    with pytest.raises(ValueError, match=r"time|years"):
        notation.duration(text)


@pytest.mark.parametrize(
    ("text", "indices", "limit"),
    [
        ("1-5", (1, 2, 3, 4, 5), None),
        ("0-9:4", (0, 4, 8), None),
        ("0-9:4%2", (0, 4, 8), 2),
        ("7", (7,), None),
        ("5,1,3-4", (1, 3, 4, 5), None),
        ("1-3,2-4%1", (1, 2, 3, 4), 1),
        ("3-3", (3,), None),
    ],
)
def test_arrays(text: str, indices: tuple[int, ...], limit: int | None) -> None:
    assert notation.array(text) == (indices, limit)


@pytest.mark.parametrize(
    "text",
    ["", "a", "1-", "-3", "5-1", "1-9:0", "1-9%0", "1-9%", "1-9%2%3", "1 - 9", "1,,2", "1-10001", "0-999999999",
     "1-9:-1", "१-३", "1\n", "1-9;rm"],
)  # fmt: skip
def test_what_is_no_array(text: str) -> None:
    if text == "1\n":
        assert notation.array(text) == ((1,), None)
        return
    with pytest.raises(ValueError, match=r"array|range|ends before|step"):
        notation.array(text)


@given(st.text(max_size=30))
def test_no_text_breaks_the_reader_of_arrays(text: str) -> None:
    try:
        indices, limit = notation.array(text)
    except ValueError:
        return
    assert 0 < len(indices) <= notation.MOST_TASKS
    assert indices == tuple(sorted(set(indices)))
    assert limit is None or limit > 0


@pytest.mark.parametrize(
    ("text", "found"),
    [("2", (2, None)), (2, (2, None)), ("a100:2", (2, "a100")), ("a100", (1, "a100")), ("0", (0, None)),
     ("nvidia-h100.80:4", (4, "nvidia-h100.80"))],
)  # fmt: skip
def test_gpus(text: Any, found: tuple[int, str | None]) -> None:
    assert notation.gpus(text) == found


@pytest.mark.parametrize("text", ["", "a100:", ":2", "a100:0", "a b:1", "-1", -1, "a100:2:3", "१", True, 1.5, "$(x):1"])
def test_what_is_no_number_of_gpus(text: Any) -> None:
    with pytest.raises(ValueError, match="GPUs"):
        notation.gpus(text)


@pytest.mark.parametrize(("text", "path"), [("a", "a"), ("./a/b/", "a/b"), ("a b/'c'", "a b/'c'"), ("$(x)", "$(x)")])
def test_paths_of_the_sandbox(text: str, path: str) -> None:
    assert notation.sandbox_path(text) == path


@pytest.mark.parametrize(
    "text", ["", ".", "/", "/etc", "..", "a/../b", "a//b", "a\\b", "a\nb", "a\0b", "a/./b", "x" * 300]
)
def test_paths_that_lead_elsewhere(text: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        notation.sandbox_path(text)


@given(st.text(max_size=40))
def test_no_path_leaves_the_sandbox(text: str) -> None:
    try:
        path = notation.sandbox_path(text)
    except ValueError:
        return
    assert not path.startswith("/")
    assert ".." not in path.split("/")


@pytest.fixture
def here(tmp_path: Path) -> Path:
    for name in ("data.csv", "a:b", "C"):
        (tmp_path / name).write_text(name)
    (tmp_path / "folder").mkdir()
    return tmp_path


@pytest.mark.parametrize(
    ("text", "path", "source"),
    [
        ("data.csv", "data.csv", "data.csv"),
        ("data.csv:in.csv", "in.csv", "data.csv"),
        ("data.csv:in/", "in/data.csv", "data.csv"),
        ("data.csv:.", "data.csv", "data.csv"),
        ("./data.csv:in/x.csv", "in/x.csv", "data.csv"),
        ("folder", "folder", "folder"),
        ("folder/:in", "in", "folder"),
        ("folder:in/", "in/folder", "folder"),
        ("folder:.", "", "folder"),
        ("a:b:c", "c", "a:b"),
    ],
)
def test_local_inputs(here: Path, text: str, path: str, source: str) -> None:
    found = read_input(text, here)
    assert (found.path, found.source) == (path, here / source)


@pytest.mark.parametrize(
    ("text", "path", "url"),
    [
        ("https://h/a/x.dat", "x.dat", "https://h/a/x.dat"),
        ("https://h:8443/a/x.dat", "x.dat", "https://h:8443/a/x.dat"),
        ("https://h:8443/a/x.dat:in/y", "in/y", "https://h:8443/a/x.dat"),
        ("https://h/x?sig=1&b=2:in/", "in/x", "https://h/x?sig=1&b=2"),
        ("s3://bucket/key/x:in", "in", "s3://bucket/key/x"),
    ],
)
def test_inputs_by_url(here: Path, text: str, path: str, url: str) -> None:
    found = read_input(text, here)
    assert (found.path, found.url, found.source) == (path, url, None)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("none.csv", "there is no file none.csv"),
        ("a:b", "there is no file a; a:b:NAME names the file a:b"),
        ("data.csv:", "is not SRC:DST"),
        (":x", "is not SRC:DST"),
        ("data.csv:/etc/x", "must be relative"),
        ("data.csv:../x", "must not have"),
        ("C:\\data", "backslash"),
        ("http://h/x", "no https:// or s3://"),
        ("file:///etc/passwd", "no https:// or s3://"),
        ("https://h", "names nothing"),
        ("https://u:p@h/x:y", "password"),
    ],
)
def test_inputs_that_are_none(here: Path, text: str, words: str) -> None:
    with pytest.raises(ValueError, match=re.escape(words)):
        read_input(text, here)


@pytest.mark.parametrize(
    ("text", "path", "url", "target", "inside"),
    [
        ("out.txt", "out.txt", None, None, False),
        ("out.txt:result.txt", "out.txt", None, "result.txt", False),
        ("out/*.txt:results/", "out/*.txt", None, "results", True),
        ("out:folder", "out", None, "folder", True),
        ("out:.", "out", None, ".", True),
        ("out.txt:C:\\x", "out.txt", None, "C:\\x", False),
        ("out.txt:https://h:1/y", "out.txt", "https://h:1/y", None, False),
        ("out:s3://b/k", "out", "s3://b/k", None, False),
    ],
)
def test_outputs(here: Path, text: str, path: str, url: Any, target: Any, inside: bool) -> None:
    found = read_output(text, here)
    assert (found.path, found.url, found.inside) == (path, url, inside)
    assert found.target == (here / target if target else None)


@pytest.mark.parametrize("text", ["", ":x", "a:", "../a:b", "/etc/passwd", "a:http://h/x", "a:ftp://h"])
def test_outputs_that_are_none(here: Path, text: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        read_output(text, here)


def test_secrets_come_from_the_environment_or_a_file(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("two\nlines\n")
    assert read_secrets(["A", "B=key"], tmp_path, {"A": "x"}) == {"A": "x", "B": "two\nlines"}


@pytest.mark.parametrize("word", ["TOKEN=s3cr3t", "MISSING", "=x", "", "A B=x"])
def test_a_secret_that_was_given_by_mistake_is_never_told(tmp_path: Path, word: str) -> None:
    with pytest.raises(ValueError, match=r"\w") as caught:
        read_secrets([word], tmp_path, {})
    assert "s3cr3t" not in str(caught.value)


def test_environment_is_given_or_passed_on() -> None:
    assert read_environment(["A=1=2", "B", "C="], {"B": "b"}) == {"A": "1=2", "B": "b", "C": ""}
    with pytest.raises(ValueError, match="no Z"):
        read_environment(["Z"], {})


def test_options_are_pairs() -> None:
    assert read_pairs(["partition=short", "x=a=b"]) == {"partition": "short", "x": "a=b"}
    with pytest.raises(ValueError, match="K=V"):
        read_pairs(["partition"])


def test_a_script_runs_in_no_container_unless_there_is_an_image(tmp_path: Path) -> None:
    script = tmp_path / "do it.sh"
    script.write_text("#!/bin/sh\n")
    plain = make_wish({}, ["a b"], script=script)
    assert plain.body == {"container": False, "command": ["./do it.sh", "a b"]}
    assert (plain.inputs[0].path, plain.inputs[0].executable) == ("do it.sh", True)
    inside = make_wish({"image": "alpine"}, [], script=script)
    assert inside.body == {"image": "alpine", "command": ["/work/do it.sh"]}
    script.write_text("echo hello\n")
    with pytest.raises(Failure, match="does not say what runs it"):
        make_wish({}, [], script=script)


def test_a_command_without_an_image_has_to_be_asked_for() -> None:
    with pytest.raises(Failure, match="no --image is named"):
        make_wish({}, ["ls"])
    with pytest.raises(Failure, match="nothing to run"):
        make_wish({"container": False}, [])
    assert make_wish({"container": False}, ["ls"]).body == {"container": False, "command": ["ls"]}


@pytest.mark.parametrize(
    ("given_", "words"),
    [
        ({"memory": "2G"}, "--memory: '2G' is not a size"),
        ({"array": "9-1"}, "--array: '9-1' ends before"),
        ({"gpus": "x:"}, "--gpus"),
        ({"time": "1:00"}, "--time"),
        ({"keep": "long"}, "--keep"),
        ({"cpus": "0"}, "--cpus"),
        ({"nodes": "two"}, "--nodes"),
    ],
)
def test_wrong_options_are_told_by_name(given_: dict[str, str], words: str) -> None:
    with pytest.raises(Failure) as caught:
        make_wish({"image": "a", **given_}, [])
    assert words in caught.value.summary
    assert caught.value.code == 2


def test_s3_takes_its_keys_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID", raising=False)
    with pytest.raises(Failure, match="keys of S3"):
        make_wish({"image": "a"}, [], outputs=["x:s3://b/k"])
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "id")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "key")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "https://s3.example")
    monkeypatch.setenv("AWS_REGION", "eu-1")
    body = make_wish({"image": "a"}, [], outputs=["x:s3://b/k"]).body
    assert body["s3"] == {
        "access_key": "id", "secret_key": "key", "endpoint": "https://s3.example", "region": "eu-1"}  # fmt: skip
