"""What is wrong with a template, told as values: severity, stable code, place, excerpt, suggestion."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from enum import StrEnum
from itertools import islice
from typing import Protocol, TypeVar

from isthmus.topology import Position

MAX_DIAGNOSTICS = 200
"""Errors, and warnings, that are kept: more help nobody, and a hostile template could make millions."""

MIN_WORK, MAX_WORK, WORK_PER_NODE = 3_000_000, 5_000_000, 40
"""Steps that one load may take, the more the larger its documents are; a step takes half a microsecond or so."""

_SUMMARY = 300
_COMPARED = 400

CODES = {
    # what holds the template
    "archive": "The archive cannot be read as a CSAR, or is built to do harm.",
    "path-escape": "A path leads out of the template's own folder.",
    "file-missing": "A file that the template names is not in the bundle.",
    "file-remote": "A file is named by URL; nothing is fetched, so it cannot run as it stands.",
    "too-large": "A document, an archive or a value is larger than is accepted.",
    # YAML
    "yaml-syntax": "The document is not YAML.",
    "yaml-encoding": "The document is not UTF-8 text.",
    "yaml-key-duplicate": "A mapping has the same key twice.",
    "yaml-key-complex": "A mapping key is not a plain scalar.",
    "yaml-tag": "A YAML tag is used; TOSCA has none.",
    "yaml-alias": "An alias has no anchor, or aliases multiply the document beyond measure.",
    "yaml-depth": "The document is nested too deeply.",
    # the document
    "version": "`tosca_definitions_version` is missing or not supported.",
    "key-unknown": "A key is not part of the TOSCA grammar at this place.",
    "key-missing": "A key that the TOSCA grammar requires is missing.",
    "shape": "A list, a map or a scalar stands where TOSCA wants another of these.",
    "import": "An import cannot be followed.",
    "import-refused": "An import by URL is not allowed: not https, not on the allow list, or not at a public address.",
    "import-failed": "An import by URL is allowed, and could not be fetched.",
    "unsupported": "A part of TOSCA that is not supported; it is refused rather than ignored.",
    "ignored": "A part of TOSCA that is checked but has no effect.",
    # types
    "type-unknown": "A type is not known.",
    "type-redefined": "A type has two definitions.",
    "type-cycle": "Types derive from one another in a circle.",
    "refinement": "A derived type changes a definition in a way that its parent does not allow.",
    # values
    "value-type": "A value is not of the declared type.",
    "value-depth": "A value, or a chain of functions, is nested too deeply.",
    "constraint": "A value breaks a constraint.",
    "constraint-bad": "A constraint itself makes no sense.",
    "pattern": "A regular expression is not valid, or is not accepted.",
    "secret-literal": "A secret stands in the template in plain text.",
    # inputs, properties and their like
    "input-unknown": "An input is given or asked for that the template does not declare.",
    "input-missing": "An input has no value.",
    "input-unused": "An input is declared and never used.",
    "property-unknown": "A property is not declared.",
    "property-missing": "A required property has no value.",
    "property-cycle": "Properties are defined by one another in a circle.",
    "attribute-unknown": "An attribute is not declared.",
    "capability-unknown": "A capability is not declared.",
    "requirement-unknown": "A requirement is not declared.",
    "requirement-unmet": "A requirement has no node that can meet it.",
    "requirement-cycle": "Nodes require one another in a circle.",
    "requirement-count": "A requirement or capability has more or fewer relationships than its type allows.",
    "allocation": "An allocation makes no sense, or takes more than a capability has.",
    "node-filter": "A node filter makes no sense.",
    "substitution": "A substitution mapping makes no sense.",
    "target-unknown": "A node, relationship or group of that name does not exist.",
    "target-mismatch": "A node is not of the type that is required, or lacks the capability.",
    "interface-unknown": "An interface is not declared.",
    "operation-unknown": "An operation is not declared.",
    "artifact-unknown": "An artifact is not declared.",
    "repository-unknown": "A repository is not declared.",
    "repository-redefined": "A repository has two definitions.",
    "checksum": "A file has another checksum than is told of it.",
    "function-unknown": "A function is not known.",
    "function-arguments": "A function's arguments make no sense.",
    "function-redefined": "A function has two definitions.",
    "function-malformed": "A map key begins like a function call, and the map has other keys too.",
    "notification-unknown": "A notification is not declared.",
    "group-cycle": "A group is a member of itself.",
    "workflow-unknown": "A workflow of that name does not exist.",
    "workflow-cycle": "Workflows inline one another, or the steps of one follow one another, in a circle.",
    "step-unknown": "A workflow has no step of that name.",
    "activity-unknown": "An activity is not one of those that TOSCA knows.",
    "activity-incomplete": "An activity gives no value to an input that what it calls requires.",
    "job": "A job cannot be run as it is described.",
    "scaling": "The bounds of a scalable node contradict one another.",
}
"""Every code and what it means; `docs/tosca-diagnostics.md` shows the same table."""


T = TypeVar("T")


class Severity(StrEnum):
    """How bad it is, worst first."""

    ERROR = "error"
    """It is not TOSCA: there is no topology."""
    REFUSAL = "refusal"
    """It is TOSCA, and cannot be deployed as it stands: a file is missing, a part is not supported."""
    WARNING = "warning"
    """Its author should know."""


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One thing that is wrong or doubtful.

    ``code`` is stable; ``excerpt`` shows the line with a caret; ``suggestion`` may be empty.
    """

    severity: Severity
    code: str
    summary: str
    detail: str = ""
    position: Position | None = None
    excerpt: str = ""
    suggestion: str = ""

    def render(self) -> str:
        """The diagnostic as a person reads it, on several lines without a final newline."""
        place = f"{self.position}: " if self.position else ""
        lines = [f"{place}{self.severity}: {self.summary} [{self.code}]"]
        lines += [self.detail] if self.detail else []
        lines += [self.excerpt] if self.excerpt else []
        lines += [f"  {self.suggestion}"] if self.suggestion else []
        return "\n".join(lines)


class Near:
    """A name and those it may have been meant for, compared only when a diagnostic is really kept."""

    __slots__ = ("candidates", "name")

    def __init__(self, name: str, candidates: Iterable[str]) -> None:
        self.name = name
        self.candidates = candidates

    def __str__(self) -> str:
        found = nearest(self.name, self.candidates)
        return f"did you mean {' or '.join(repr(f) for f in found)}?" if found else ""


near = Near


def nearest(name: str, candidates: Iterable[str]) -> list[str]:
    """At most two candidates that look like a name, or end alike."""
    name = name[:_SUMMARY]
    alike = (c for c in candidates if abs(len(c) - len(name)) <= 12 and c != name)
    known = list(islice(alike, _COMPARED))
    found = get_close_matches(name, known, n=2, cutoff=0.9) or get_close_matches(name, known, n=1, cutoff=0.7)
    if not found and "." in name:
        last = name.rsplit(".", 1)[-1].lower()
        found = [c for c in known if c.rsplit(".", 1)[-1].lower() == last][:2]
    return found


class Exhausted(Exception):
    """A template asks for more work than is allowed; its diagnostic has been recorded."""


class Located(Protocol):
    """Anything that knows its place in a file: a node of a YAML document."""

    @property
    def position(self) -> Position: ...

    @property
    def excerpt(self) -> str: ...


_RANK = {severity: rank for rank, severity in enumerate(Severity)}


class Problems:
    """Collects diagnostics while a template is read; says each only once."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, str, Position | None], Diagnostic] = {}
        self._kept = dict.fromkeys(Severity, 0)
        self._dropped = 0
        self._work = 0
        self._limit = MIN_WORK
        self._whole: Located | None = None
        self.failed = False
        self.refused = False
        self.marked: set[str] = set()
        """Files that show the marks of the field's catalogues; see :mod:`isthmus.tosca.leniency`."""
        self.leniencies: dict[str, str] = {}

    def error(
        self, code: str, summary: str, at: Located | None = None, *, detail: str = "", suggestion: str | Near = ""
    ) -> None:
        """Record what makes the template unusable."""
        self.failed = True
        self._add(Severity.ERROR, code, summary, at, detail, suggestion)

    def refuse(
        self, code: str, summary: str, at: Located | None = None, *, detail: str = "", suggestion: str | Near = ""
    ) -> None:
        """Record what is right by the specification and cannot be deployed as it stands."""
        self.refused = True
        self._add(Severity.REFUSAL, code, summary, at, detail, suggestion)

    def warn(
        self, code: str, summary: str, at: Located | None = None, *, detail: str = "", suggestion: str | Near = ""
    ) -> None:
        """Record what its author should know."""
        self._add(Severity.WARNING, code, summary, at, detail, suggestion)

    def _add(
        self, severity: Severity, code: str, summary: str, at: Located | None, detail: str, suggestion: str | Near
    ) -> None:
        position = at.position if at is not None else None
        summary = summary if len(summary) <= _SUMMARY else f"{summary[:_SUMMARY]}…"
        key = (code, summary, position)
        before = self._found.get(key)
        if before is not None and _RANK[before.severity] <= _RANK[severity]:
            return  # said already, and no less
        if self._kept[severity] >= MAX_DIAGNOSTICS:
            self._dropped += 1
            return
        self._kept[severity] += 1
        excerpt = at.excerpt if at is not None else ""
        self._found[key] = Diagnostic(
            severity, code, summary, detail[: 2 * _SUMMARY], position, excerpt, str(suggestion)
        )

    def expect(self, document: Located, nodes: int) -> None:
        """Allow the work that a document of so many nodes may mean; the first one is the template."""
        self._whole = self._whole or document
        self._limit = min(MAX_WORK, self._limit + WORK_PER_NODE * nodes)

    def spend(self, steps: int = 1) -> None:
        """Count work; raises :class:`Exhausted` when a template makes more of it than any honest one."""
        self._work += steps
        if self._work > self._limit:
            self.error("too-large", "the template means more work than is accepted", self._whole)
            raise Exhausted

    def attempt(self, run: Callable[[], T]) -> tuple[T, tuple[Diagnostic, ...]]:
        """What a step gives, and what it found wrong, of which nothing is recorded: the caller judges."""
        kept = self._found, self._kept, self._dropped, self.failed, self.refused
        self._found, self._kept = {}, dict.fromkeys(Severity, 0)
        try:
            result = run()
            found = tuple(self._found.values())
        finally:
            self._found, self._kept, self._dropped, self.failed, self.refused = kept
            # says again, where it is kept, that the work is more than is accepted
            self.spend(0)
        return result, found

    def keep(self, diagnostic: Diagnostic) -> None:
        """Record what an attempt found wrong after all."""
        severity = diagnostic.severity
        self.failed = self.failed or severity is Severity.ERROR
        self.refused = self.refused or severity is Severity.REFUSAL
        if self._kept[severity] >= MAX_DIAGNOSTICS:
            self._dropped += 1
            return
        key = (diagnostic.code, diagnostic.summary, diagnostic.position)
        if key not in self._found:
            self._kept[severity] += 1
            self._found[key] = diagnostic

    def list(self) -> tuple[Diagnostic, ...]:
        """The worst first, each kind in the order in which it was found."""
        found = sorted(self._found.values(), key=lambda d: _RANK[d.severity])
        if self._dropped:
            severity = Severity.ERROR if self.failed else Severity.WARNING
            found.append(Diagnostic(severity, "too-large", f"and {self._dropped} more of these"))
        return tuple(found)
