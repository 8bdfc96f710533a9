"""Job files: the words of the API, with a line for everything that is wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from isthmus.cli.failures import Failure
from isthmus.cli.job_file import read_job_file
from isthmus.cli.job_wish import make_wish

GOOD = """\
name: count
image: python:3.12
command: [python, count.py, 010, yes, 1.10]
cpus: 2
memory: 2 GiB
time: 30m
array: 1-4%2
env: {LEVEL: 010, EMPTY: ""}
options: {partition: short}
inputs:
  - count.py
  - {from: "a:b", to: in/}
  - https://h/x:in/x
outputs:
  - result.txt:./results/
  - {from: log, to: "s3://b/log"}
secrets: [TOKEN=token.txt]
retry: 1
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("count.py", "a:b", "token.txt"):
        (tmp_path / name).write_text("hidden\n" if name == "token.txt" else name)
    return tmp_path


def write(folder: Path, text: str) -> str:
    (folder / "job.yaml").write_text(text)
    return str(folder / "job.yaml")


def faults(folder: Path, text: str) -> list[tuple[int, str]]:
    with pytest.raises(Failure) as caught:
        read_job_file(write(folder, text))
    assert caught.value.code == 2
    return [(d["line"], d["summary"]) for d in caught.value.diagnostics]


def test_scalars_are_taken_as_they_were_written(folder: Path) -> None:
    found = read_job_file(write(folder, GOOD))
    assert found.body["command"] == ["python", "count.py", "010", "yes", "1.10"]
    assert found.body["env"] == {"LEVEL": "010", "EMPTY": ""}
    assert (found.body["cpus"], found.body["retry"], found.body["array"]) == ("2", "1", "1-4%2")


def test_files_are_seen_from_the_folder_of_the_job_file(folder: Path) -> None:
    found = read_job_file(write(folder, GOOD))
    assert [(i.path, i.source, i.url) for i in found.inputs] == [
        ("count.py", folder / "count.py", None),
        ("in/a:b", folder / "a:b", None),
        ("in/x", None, "https://h/x"),
    ]
    assert [(o.path, o.target, o.url) for o in found.outputs] == [
        ("result.txt", folder / "results", None),
        ("log", None, "s3://b/log"),
    ]
    assert found.secrets == {"TOKEN": "hidden"}


def test_the_command_line_goes_over_the_file(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "a")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "b")
    file = read_job_file(write(folder, GOOD))
    wish = make_wish({"cpus": "8", "site": "hpc"}, ["other"], env=["MORE=1"], options=["qos=high"], file=file)
    assert (wish.body["cpus"], wish.body["site"], wish.body["command"]) == ("8", "hpc", ["other"])
    assert wish.body["env"] == {"LEVEL": "010", "EMPTY": "", "MORE": "1"}
    assert wish.body["options"] == {"partition": "short", "qos": "high"}
    assert wish.body["secrets"] == {"TOKEN": "hidden"}
    assert wish.body["outputs"] == [{"path": "result.txt"}, {"path": "log", "url": "s3://b/log"}]


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("image: a\nmemroy: 2 GiB\n", 2, "memroy: there is no such word"),
        ("image: a\n\nmemory: 2 apples\n", 3, "memory: '2 apples' is not a size"),
        ("image: a\nenv:\n  A: 1\n  B=C: 2\n", 4, "env.B=C: "),
        ("image: a\ninputs:\n  - count.py\n  - none.txt\n", 4, "inputs.1: there is no file none.txt"),
        ("image: a\ninputs:\n  - {source: x}\n", 3, "inputs.0: SRC:DST, or a map"),
        ("image: a\ninputs: count.py\n", 2, "inputs.0: a list of words"),
        ("image: a\noutputs: [/etc/passwd]\n", 2, "outputs.0: '/etc/passwd' must be relative"),
        ("image: a\nsecrets: {A: hidden}\n", 2, "secrets.0: a list of words"),
        ("image: a\nscript: none.sh\n", 2, "script: there is no file"),
        ("containers:\n  - name: a\n    image: b\n    cpu: 1\n", 4, "containers.0.cpu: there is no such word"),
        ("image: a\nimage: b\n", 2, "image: it is there twice"),
        ("image: !!python/object:os.system a\n", 1, "image: the tag"),
        ("image: a\n? [x]\n: y\n", 1, "a key must be a word"),
        ("image: [\n", 2, ""),
        ("image: a\ngpus: 1\n  x: y\n", 3, ""),
    ],
)
def test_what_is_wrong_is_told_with_its_line(folder: Path, text: str, line: int, words: str) -> None:
    [(at, summary)] = faults(folder, text)
    assert at == line
    assert words in summary


def test_all_that_is_wrong_is_told_at_once(folder: Path) -> None:
    found = faults(folder, "imge: a\ncpus: many\ninputs: [none]\n")
    assert sorted(line for line, _ in found) == [1, 2, 3]


def test_a_word_that_is_near_is_suggested(folder: Path) -> None:
    with pytest.raises(Failure) as caught:
        read_job_file(write(folder, "image: a\nmemroy: 2 GiB\n"))
    assert caught.value.diagnostics[0]["suggestion"] == "did you mean memory?"


@pytest.mark.parametrize("text", ["- a\n", "just words\n", "42\n"])
def test_what_is_no_map_is_no_job(folder: Path, text: str) -> None:
    with pytest.raises(Failure, match="words of a job"):
        read_job_file(write(folder, text))


def test_aliases_cannot_multiply_a_file(folder: Path) -> None:
    bomb = "a: &a [x,x,x,x,x,x,x,x,x,x]\n" + "".join(
        f"{chr(98 + n)}: &{chr(98 + n)} [{','.join(['*' + chr(97 + n)] * 10)}]\n" for n in range(8)
    )
    with pytest.raises(Failure, match="larger than a job can be"):
        read_job_file(write(folder, bomb))


def test_a_value_that_is_missing_is_as_if_it_were_not_there(folder: Path) -> None:
    found: Any = read_job_file(write(folder, "image: a\nmemory:\nsite: ~\n"))
    assert found.body == {"image": "a"}
