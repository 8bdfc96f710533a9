"""What holds for every bundle, however hostile: nothing is raised, and every diagnostic lies inside a file of it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from isthmus.topology import Topology
from isthmus.tosca import Bundle, Diagnostic, Form, Loaded, Severity, form, load, profiles
from isthmus.tosca.tools.interchange import InterchangeError, dumps, loads

_BREAK = re.compile("\r\n|[\n\r\x85\u2028\u2029]")
"""What ends a line for libyaml, which goes by YAML 1.1 (§5.4)."""

HOSTILE: tuple[Any, ...] = (
    None, True, 0, -1, 2**70, 1.5, float("inf"), float("nan"), "", "x" * 5000, "\0", "\u2028", "$x", "{{ x }}", "../..",
    [], {}, [[[[]]]], {"": {"": ""}}, ["a", 1, None], {"$get_input": "x"}, {"get_input": ["x"]}, "4 GiB", "1.2.3",
)  # fmt: skip


class Broken(AssertionError):
    """Something does not hold; ``kind`` is the same for every document that breaks it in the same way."""

    def __init__(self, kind: str, detail: object) -> None:
        super().__init__(f"{kind}: {detail}")
        self.kind = kind


def check(bundle: Bundle) -> Loaded:
    """Load a bundle in every way there is; answers what came of it without inputs.

    Raises :class:`Broken` for what does not hold; whatever else it raises, the language has let through.
    """
    loaded = load(bundle)
    check_loaded(loaded, bundle)
    asked = form(bundle)
    if isinstance(asked, Form):
        check_loaded(load(bundle, _inputs(asked)), bundle)
    else:
        _hold(bool(asked), "no-form", "and no reason either")
        check_diagnostics(asked, bundle)
    return loaded


def _inputs(asked: Form) -> dict[str, Any]:
    """A value for each input, most of them wrong ones; the same for the same form."""
    start = sum(len(name) for name in asked.inputs)
    return {name: HOSTILE[(start + i) % len(HOSTILE)] for i, name in enumerate(asked.inputs)}


def check_loaded(loaded: Loaded, bundle: Bundle) -> None:
    check_diagnostics(loaded.diagnostics, bundle)
    failed = any(d.severity is Severity.ERROR for d in loaded.diagnostics)
    _hold((loaded.topology is None) == failed, "topology", "either there is a topology or an error, never both")
    if loaded.topology is not None:
        check_interchange(loaded.topology)


def check_interchange(topology: Topology) -> None:
    """A topology is the same after it was JSON text; one that is nested too deeply for that says so."""
    try:
        text = dumps(topology)
    except InterchangeError as e:
        _hold(e.why == "nested too deeply", "json", e)
        return
    text.encode()
    # By their texts, in which 1, 1.0 and True differ and no number that is none differs from itself.
    _hold(repr(loads(text)) == repr(topology), "json", "another topology came out")


def check_diagnostics(diagnostics: Iterable[Diagnostic], bundle: Bundle) -> None:
    lines: dict[str, list[str]] = {}
    for d in diagnostics:
        d.render().encode()
        if d.position is None:
            continue
        if d.position.file not in lines:
            lines[d.position.file] = _lines(d.position.file, bundle.files)
        within = lines[d.position.file]
        _hold(1 <= d.position.line <= len(within), f"line-{d.code}", f"{len(within)} lines: {d}")
        length = len(within[d.position.line - 1])
        _hold(1 <= d.position.column <= length + 1, f"column-{d.code}", f"the line has {length} columns: {d}")
        _hold(bool(d.excerpt), f"excerpt-{d.code}", d)


def _lines(file: str, files: Mapping[str, bytes]) -> list[str]:
    data = files[file] if file in files else profiles.data_of(file)
    if data is None:
        raise Broken("file", f"{file!r} is no file of the bundle")
    return _BREAK.split(data.decode("utf-8-sig", "replace"))


def _hold(condition: bool, kind: str, detail: object) -> None:
    if not condition:
        raise Broken(kind, detail)
