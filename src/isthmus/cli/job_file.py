"""Job files: YAML with the words of the command line and the API, checked before anything is sent.

Every scalar is taken as it was written: ``1.10`` is a version where a text is wanted, and a number where a number is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from isthmus.cli.failures import USAGE, Failure
from isthmus.cli.job_words import Kept, Wanted, make_input, make_output, read_input, read_output, read_secrets

Path_ = tuple[str | int, ...]
_LARGEST = 1024**2
_MOST_NODES = 20_000
_TAGS = frozenset({"str", "int", "float", "bool", "null", "timestamp", "seq", "map"})
_OWN = ("script", "inputs", "outputs", "secrets")
"""Keys that mean files of this machine; all others are those of the API."""


@dataclass(slots=True)
class JobFile:
    """What a file says: the API's part as data, files and secrets as they were read, and where each key stands."""

    name: str = ""
    body: dict[str, Any] = field(default_factory=dict)
    script: Path | None = None
    inputs: list[Wanted] = field(default_factory=list)
    outputs: list[Kept] = field(default_factory=list)
    secrets: dict[str, str] = field(default_factory=dict)
    places: dict[Path_, tuple[int, int]] = field(default_factory=dict)

    def fault(self, path: Path_, summary: str, suggestion: str = "") -> dict[str, Any]:
        """What is wrong, as a diagnostic at the nearest place that is known."""
        at = next((path[:n] for n in range(len(path), -1, -1) if path[:n] in self.places), ())
        line, column = self.places.get(at, (0, 0))
        where = ".".join(map(str, path))
        return {"severity": "error", "code": "job-file", "summary": f"{where}: {summary}" if where else summary,
                "file": self.name, "line": line, "column": column, "suggestion": suggestion}  # fmt: skip


def read_job_file(text: str) -> JobFile:
    """The job file at a path, ``-`` for the standard input; raises :class:`Failure` with all that is wrong."""
    found = JobFile("stdin" if text == "-" else text)
    data = _load(found, _read(text))
    base = Path() if text == "-" else Path(text).parent
    faults = list(_take_own(found, data, base))
    found.body = {key: value for key, value in data.items() if key not in _OWN}
    faults += _check(found)
    if faults:
        count = f"{len(faults)} errors" if len(faults) > 1 else "1 error"
        raise Failure(f"{text} is no job that can be run: {count}.", code=USAGE, diagnostics=faults)
    return found


def _read(text: str) -> str:
    import sys

    try:
        raw = sys.stdin.buffer.read(_LARGEST + 1) if text == "-" else Path(text).read_bytes()
        if len(raw) > _LARGEST:
            raise Failure(f"{text} is larger than a job file may be (1 MiB).", code=USAGE)
        return raw.decode()
    except (OSError, UnicodeDecodeError) as error:
        raise Failure(f"{text} cannot be read.", code=USAGE, detail=str(error)) from None


def _load(found: JobFile, text: str) -> dict[str, Any]:
    import yaml

    loader = yaml.SafeLoader(text)
    try:
        root = loader.get_single_node()
        data = _Tree(found).value(root, ()) if root is not None else {}
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        fault = {**found.fault((), error.problem or str(error)), "line": mark.line + 1 if mark else 0,
                 "column": mark.column + 1 if mark else 0}  # fmt: skip
        raise Failure(f"{found.name} is not YAML.", code=USAGE, diagnostics=[fault]) from None
    except (yaml.YAMLError, RecursionError) as error:
        raise Failure(f"{found.name} is not YAML.", code=USAGE, detail=str(error)) from None
    finally:
        loader.dispose()
    if not isinstance(data, dict):
        raise Failure(f"{found.name} must hold the words of a job by name.", code=USAGE)
    return data


class _Tree:
    """Turns YAML nodes into data, and keeps where each stands."""

    def __init__(self, found: JobFile):
        self._found = found
        self._left = _MOST_NODES

    def value(self, node: Any, path: Path_) -> Any:
        """A node as text, list or dict; None for what says nothing."""
        self._left -= 1
        if self._left < 0:
            raise Failure(f"{self._found.name} is larger than a job can be.", code=USAGE)
        self._found.places.setdefault(path, (node.start_mark.line + 1, node.start_mark.column + 1))
        if node.tag.removeprefix("tag:yaml.org,2002:") not in _TAGS:
            raise self._refuse(path, f"the tag {node.tag} means nothing here")
        if node.id == "sequence":
            return [self.value(item, (*path, n)) for n, item in enumerate(node.value)]
        if node.id == "mapping":
            return self._mapping(node, path)
        return None if node.tag.endswith(":null") else node.value

    def _mapping(self, node: Any, path: Path_) -> dict[str, Any]:
        data: dict[str, Any] = {}
        for key, value in node.value:
            if key.id != "scalar":
                raise self._refuse(path, "a key must be a word")
            inner = (*path, key.value)
            self._found.places[inner] = (key.start_mark.line + 1, key.start_mark.column + 1)
            if key.value in data:
                raise self._refuse(inner, "it is there twice")
            data[key.value] = self.value(value, inner)
        return data

    def _refuse(self, path: Path_, why: str) -> Failure:
        return Failure(
            f"{self._found.name} is no job that can be run: 1 error.", code=USAGE,
            diagnostics=[self._found.fault(path, why)],
        )  # fmt: skip


def _take_own(found: JobFile, data: Mapping[str, Any], base: Path) -> Iterator[dict[str, Any]]:
    """Read the keys that mean files of this machine; paths are seen from the folder of the job file."""
    if (script := data.get("script")) is not None:
        if isinstance(script, str) and (base / script).is_file():
            found.script = base / script
        else:
            yield found.fault(("script",), f"there is no file {script}")
    for index, item in enumerate(_list(data.get("inputs"))):
        try:
            one = make_input(*_sides(item), base) if isinstance(item, dict) else read_input(_word(item), base)
            found.inputs.append(one)
        except ValueError as error:
            yield found.fault(("inputs", index), str(error))
    for index, item in enumerate(_list(data.get("outputs"))):
        try:
            kept = make_output(*_sides(item), base) if isinstance(item, dict) else read_output(_word(item), base)
            found.outputs.append(kept)
        except ValueError as error:
            yield found.fault(("outputs", index), str(error))
    for index, item in enumerate(_list(data.get("secrets"))):
        try:
            found.secrets |= read_secrets([_word(item)], base)
        except ValueError as error:
            yield found.fault(("secrets", index), str(error))


def _list(value: Any) -> Sequence[Any]:
    if value is None:
        return ()
    # A single word, or values where a list of names is wanted, fails as the first item.
    return value if isinstance(value, list) else (None,)


def _word(item: Any) -> str:
    if not isinstance(item, str):
        raise ValueError("a list of words such as SRC:DST, or NAME=FILE for secrets, is wanted")
    return item


def _sides(item: Mapping[str, Any]) -> tuple[str, str]:
    unknown = [key for key in item if key not in ("from", "to")]
    if unknown or not isinstance(item.get("from"), str) or not isinstance(item.get("to", ""), str):
        raise ValueError("SRC:DST, or a map of 'from' and 'to', is wanted")
    return item["from"], item.get("to", "")


def _check(found: JobFile) -> Iterator[dict[str, Any]]:
    """Check the part that is the API's by the API's own rules."""
    from pydantic import ValidationError

    from isthmus.api.job_bodies import JobBody

    found.body = asked = {key: value for key, value in found.body.items() if value is not None}
    # What a command line may add to a file is not missing from it.
    added: dict[str, Any] = {"command": ["-"], "container": "image" in asked} if "containers" not in asked else {}
    try:
        JobBody.model_validate({**added, **asked})
    except ValidationError as error:
        for e in error.errors(include_url=False, include_input=False, include_context=False):
            path = tuple(p for p in e["loc"] if p != "[key]")
            unknown = e["type"] == "extra_forbidden"
            yield found.fault(path, "there is no such word" if unknown else e["msg"], _near(path) if unknown else "")


def _near(path: Path_) -> str:
    from isthmus.api.job_bodies import JobBody

    known = [*JobBody.model_fields, *_OWN] if len(path) == 1 else []
    close = get_close_matches(str(path[-1]), known, 1)
    return f"did you mean {close[0]}?" if close else ""
