"""Diagnostics as SARIF 2.1.0 (OASIS), which editors and code hosts show beside the line."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from isthmus.topology import Position
from isthmus.tosca.diagnostics import CODES, Diagnostic, Severity

VERSION = "2.1.0"
SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_LEVELS = {Severity.ERROR: "error", Severity.REFUSAL: "error", Severity.WARNING: "warning"}

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Checked:
    """A template that was checked: what was found, and where its files lie for whoever reads the report.

    ``folder`` goes before the files' own paths, with forward slashes; for a template in an archive ``archive`` is
    the path of that. ``notes`` are diagnostics that are remarks only, whatever their severity says.
    """

    diagnostics: Sequence[Diagnostic]
    folder: str = ""
    archive: str = ""
    notes: Sequence[Diagnostic] = ()


def sarif(checked: Iterable[Checked], version: str) -> Json:
    """The log of one run over some templates; ``version`` is that of the tool. Each code is a rule."""
    artifacts = _Artifacts()
    results = [_result(d, level, found, artifacts) for found in checked for d, level in _levels(found)]
    run = {
        "tool": {"driver": {"name": "isthmus", "semanticVersion": version, "rules": [_rule(c) for c in CODES]}},
        "columnKind": "unicodeCodePoints",
        "artifacts": artifacts.listed,
        "results": results,
    }
    return {"$schema": SCHEMA, "version": VERSION, "runs": [run]}


def _levels(found: Checked) -> Iterable[tuple[Diagnostic, str]]:
    yield from ((d, _LEVELS[d.severity]) for d in found.diagnostics)
    yield from ((d, "note") for d in found.notes)


def _rule(code: str) -> Json:
    name = "".join(word.capitalize() for word in code.split("-"))
    return {"id": code, "name": name, "shortDescription": {"text": CODES[code]}, "help": {"text": CODES[code]}}


def _result(diagnostic: Diagnostic, level: str, found: Checked, artifacts: _Artifacts) -> Json:
    words = [diagnostic.summary, diagnostic.detail, str(diagnostic.suggestion)]
    result: Json = {"ruleId": diagnostic.code, "level": level, "message": {"text": "\n".join(filter(None, words))}}
    if diagnostic.code in _INDEX:
        result["ruleIndex"] = _INDEX[diagnostic.code]
    if diagnostic.position is not None:
        result["locations"] = [_location(diagnostic.position, found, artifacts)]
    elif found.archive:
        result["locations"] = [{"physicalLocation": {"artifactLocation": artifacts.at(found.archive)}}]
    result["properties"] = {"severity": str(diagnostic.severity)}
    return result


_INDEX: Mapping[str, int] = {code: i for i, code in enumerate(CODES)}


def _location(position: Position, found: Checked, artifacts: _Artifacts) -> Json:
    if "://" in position.file:
        place = artifacts.at(position.file)
    elif found.archive:
        place = artifacts.at(f"/{position.file}", parent=artifacts.at(found.archive)["index"])
    else:
        place = artifacts.at(f"{found.folder}/{position.file}" if found.folder else position.file)
    region = {"startLine": position.line, "startColumn": position.column}
    return {"physicalLocation": {"artifactLocation": place, "region": region}}


class _Artifacts:
    """The files that results point at, each once; a file in an archive names its parent (SARIF §3.24.3)."""

    def __init__(self) -> None:
        self.listed: list[Json] = []
        self._known: dict[tuple[str, int | None], int] = {}

    def at(self, path: str, parent: int | None = None) -> Json:
        uri = quote(path, safe="/:" if "://" in path else "/")
        if (path, parent) not in self._known:
            self._known[path, parent] = len(self.listed)
            nested = {} if parent is None else {"parentIndex": parent}
            self.listed.append({"location": {"uri": uri}, **nested})
        return {"uri": uri, "index": self._known[path, parent]}
