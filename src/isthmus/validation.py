"""What is said of a template that is checked: the same words by `isthmus validate` and by the API."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from isthmus.tosca.bundle import Bundle
from isthmus.tosca.diagnostics import Diagnostic, Severity
from isthmus.tosca.leniency import LENIENCIES
from isthmus.tosca.load import load
from isthmus.views import DiagnosticView, LeniencyView, ValidationView


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was found in a template. ``notes`` are what only whoever deploys it can set right: inputs to be given."""

    diagnostics: tuple[Diagnostic, ...]
    notes: tuple[Diagnostic, ...] = ()
    leniencies: tuple[str, ...] = ()

    def count(self, severity: Severity) -> int:
        return sum(d.severity is severity for d in self.diagnostics)

    @property
    def valid(self) -> bool:
        """Whether it is TOSCA."""
        return not self.count(Severity.ERROR)

    @property
    def deployable(self) -> bool:
        """Whether it is TOSCA that can be made real, once its inputs are given."""
        return self.valid and not self.count(Severity.REFUSAL)

    def view(self) -> ValidationView:
        """As it is shown; notes are among the diagnostics, with a severity of their own."""
        return ValidationView(
            self.valid,
            self.deployable,
            self.count(Severity.ERROR),
            self.count(Severity.REFUSAL),
            self.count(Severity.WARNING),
            tuple(LeniencyView(name, LENIENCIES.get(name, "")) for name in self.leniencies),
            (*map(diagnostic_view, self.diagnostics), *(diagnostic_view(d, "note") for d in self.notes)),
        )


def judge(bundle: Bundle, inputs: Mapping[str, Any]) -> Verdict:
    """The verdict on a template. An input that has no value is an error only when some are given."""
    loaded = load(bundle, inputs)
    notes = () if inputs else tuple(d for d in loaded.diagnostics if d.code == "input-missing")
    return Verdict(tuple(d for d in loaded.diagnostics if d not in notes), notes, loaded.leniencies)


def diagnostic_view(diagnostic: Diagnostic, severity: str = "") -> DiagnosticView:
    """A diagnostic as it is shown; a remark may be told with a severity of its own."""
    place = diagnostic.position
    return DiagnosticView(
        severity or str(diagnostic.severity),
        diagnostic.code,
        diagnostic.summary,
        diagnostic.detail,
        place.file if place else "",
        place.line if place else 0,
        place.column if place else 0,
        diagnostic.excerpt,
        diagnostic.suggestion,
    )
