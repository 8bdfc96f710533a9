"""The properties of a job: its files found in the bundle, and what could not be run refused with its place."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping
from typing import Any

from isthmus.topology import Secret, Value, references
from isthmus.tosca.diagnostics import Problems
from isthmus.tosca.expressions.values import BROKEN
from isthmus.tosca.reading.documents import Map, Node, Seq
from isthmus.tosca.resolving.artifacts import Artifacts
from isthmus.tosca.resolving.templates import NodeTemplate
from isthmus.tosca.typesystem.typed import is_later
from isthmus.work import notation
from isthmus.work.job_node import Fault, faults

_HIDDEN = ("env", "secrets", "s3")
"""Where secrets may be: all else is shown to whoever may see the job."""
_ELSEWHERE = {
    "after": "a requirement such as dependency: NODE says what runs before it",
    "array_limit": "array has it, such as 1-100%10",
    "containers": "a job of a template has one container",
    "grace": "a job of a template has that of its site",
    "init": "a job of a template has one container",
    "launch": "each: true has the site start every process",
    "name": "a job is called like its node",
    "restart": "retry says how often a job that failed is tried again",
    "script": "name it in inputs, and in command",
    "vo": "a job has that of its deployment",
    "volumes": "a job of a template has one container, and its sandbox",
}
"""What jobs have outside of templates, and what takes its place."""


def job_properties(template: NodeTemplate, artifacts: Artifacts, problems: Problems) -> dict[str, Value]:
    """The properties of a job, its inputs as files of the bundle with their digests; faults are reported.

    An input from the bundle has the path of its file in the bundle as ``from``, its path below the sandbox as
    ``to``, the SHA-256 of its content as ``digest`` and its ``mode``. Others stay as they are.
    """
    return _Job(template, artifacts, problems).properties()


class _Job:
    def __init__(self, template: NodeTemplate, artifacts: Artifacts, problems: Problems):
        self._template = template
        self._artifacts = artifacts
        self._problems = problems
        self._origins: list[int] = []
        """Which of the inputs written each of those found is from."""

    def properties(self) -> dict[str, Value]:
        values = dict(self._template.values.all())
        if "inputs" in values:
            values["inputs"] = list(self._inputs(values["inputs"]))
        for path, words in (*self._of_place(values), *_of_secrets(values), *faults(values)):
            if path[:1] == ("inputs",) and len(path) > 1:
                path = ("inputs", self._origins[int(path[1])])
            self._refuse(path, words)
        self._check_literals(values)
        self._check_names()
        return values

    # -- files ------------------------------------------------------------------------------

    def _inputs(self, items: Value) -> Iterator[Mapping[str, Value]]:
        if is_later(items):
            if items is not BROKEN:
                self._refuse(("inputs",), "inputs must be known before anything runs")
            return
        for index, item in enumerate(items):
            if isinstance(item, Mapping):
                for found in self._input(index, item):
                    self._origins.append(index)
                    yield found
            elif item is not BROKEN:
                self._refuse(("inputs", index), "inputs: which one it is must be known before anything runs")

    def _input(self, index: int, item: Mapping[str, Value]) -> Iterator[Mapping[str, Value]]:
        known = {key: item[key] for key in ("from", "to", "mode") if item.get(key) is not None}
        source = known.get("from")
        if not isinstance(source, str) or notation.is_url(source):
            yield known
            return
        at = self._place(("inputs", index, "from"))
        fetched = self._artifacts.fetched.get(self._template.name, {})
        if isinstance(at, Map) and source in fetched:
            found = {source: fetched[source]} if fetched[source].digest else {}
        else:
            found = self._artifacts.gather(source, at)
        try:
            for path, artifact in found.items():
                started = "0755" if self._artifacts.begins(path, b"#!") else "0644"
                to = _target(known.get("to"), path, self._root(source, path, at))
                yield {"from": path, "to": to, "mode": known.get("mode", started), "digest": artifact.digest}
        except ValueError as error:
            self._refuse(("inputs", index, "to" if "to" in item else "from"), f"inputs: {error}")

    @staticmethod
    def _root(source: str, path: str, at: Node) -> str:
        """The folder that an input names, as far as a file of it is below; the file itself if it names that."""
        folder = posixpath.normpath(posixpath.join(posixpath.dirname(at.source.file), source))
        return folder if path.startswith(f"{folder}/") else path

    # -- faults -----------------------------------------------------------------------------

    def _of_place(self, values: Mapping[str, Value]) -> Iterator[Fault]:
        """What would be passed over is refused."""
        batch = any(relation.name == "batch" for relation in self._template.relations)
        if batch and values.get("site"):
            yield ("site",), "it runs on the batch system that it requires, so that site means nothing"

    def _check_literals(self, values: Mapping[str, Value]) -> None:
        """A secret is never written down in a template, as for any property that is one."""
        for name in ("secrets", "s3"):
            given = values.get(name)
            for key, value in given.items() if isinstance(given, Mapping) else ():
                if isinstance(value, str) and key not in (("endpoint", "region") if name == "s3" else ()):
                    self._problems.error(
                        "secret-literal",
                        f"{key!r} of {name!r} of {self._template.name!r} is a secret, and stands here in plain text",
                        self._place((name, key)),
                        suggestion="name a secret with { get_secret: NAME }, or an input of type "
                        "isthmus.datatypes.Secret",
                    )

    def _check_names(self) -> None:
        assigned, known = self._template.values.assigned, self._template.values.definitions
        for name, key in assigned.keys.items() if assigned is not None else ():
            if name not in known:
                words = _ELSEWHERE.get(name, "no job of a template has it")
                self._problems.refuse("job", f"{self._template.name!r}: {name}: {words}", key)

    def _refuse(self, path: tuple[str | int, ...], words: str) -> None:
        self._problems.refuse("job", f"{self._template.name!r}: {words}", self._place(path))

    def _place(self, path: tuple[str | int, ...]) -> Node:
        """The nearest part of the template that a path leads to."""
        at: Node | None = self._template.values.written(str(path[0])) if path else None
        for step in path[1:]:
            inner: Any = None
            if isinstance(at, Map):
                inner = at.entries.get(str(step))
            elif isinstance(at, Seq) and isinstance(step, int) and step < len(at.items):
                inner = at.items[step]
            if inner is None:
                break
            at = inner
        return at or self._template.at


def _of_secrets(values: Mapping[str, Value]) -> Iterator[Fault]:
    """What is not hidden holds no secret."""
    for name, value in values.items():
        if name not in _HIDDEN and any(isinstance(r, Secret) and r != BROKEN for r in references(value)):
            yield (name,), f"{name} is shown to whoever sees the job, and holds a secret; secrets or env hides one"


def _target(to: Value, path: str, root: str) -> str:
    """Where a file of the bundle goes: ``root`` is what the input names, a folder above it or the file itself."""
    if is_later(to):
        raise ValueError("where a file goes must be known before anything runs")
    to = to or ""
    if path == root:
        return notation.placed(to, posixpath.basename(path))
    below = posixpath.relpath(path, root)
    if to in (".", "./"):
        return notation.sandbox_path(below)
    return notation.sandbox_path(f"{notation.placed(to, posixpath.basename(root))}/{below}")
