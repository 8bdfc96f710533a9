"""What is found when a template is checked here, without a server."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from isthmus.cli.failures import Failure
from isthmus.cli.templates import open_bundle, show_as_json
from isthmus.tosca.bundle import Bundle, BundleError
from isthmus.tosca.diagnostics import Diagnostic, Severity
from isthmus.tosca.leniency import LENIENCIES
from isthmus.tosca.load import load


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was found in one template. ``notes`` are what only whoever deploys it can set right: inputs to be given."""

    file: str
    diagnostics: tuple[Diagnostic, ...]
    notes: tuple[Diagnostic, ...] = ()
    leniencies: tuple[str, ...] = ()
    root: Path | None = None
    """The folder that paths are relative to, where it is not that of the file."""

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

    def as_json(self) -> dict[str, Any]:
        """For `--json`; notes are among the diagnostics, with a severity of their own."""
        return {
            "file": self.file,
            "valid": self.valid,
            "deployable": self.deployable,
            "errors": self.count(Severity.ERROR),
            "refusals": self.count(Severity.REFUSAL),
            "warnings": self.count(Severity.WARNING),
            "leniencies": [{"name": n, "explanation": LENIENCIES.get(n, "")} for n in self.leniencies],
            "diagnostics": [*map(show_as_json, self.diagnostics), *(show_as_json(d, "note") for d in self.notes)],
        }


def check(
    file: str, inputs: Mapping[str, Any], *, root: Path | None = None, allow_import: Sequence[str] = ()
) -> Verdict:
    """The verdict on the template at a path. An input that has no value is an error only when some are given."""
    try:
        bundle = open_bundle(file, root=root, allow_import=allow_import)
    except BundleError as error:
        return Verdict(file, error.diagnostics, root=root)
    except Failure as failure:
        return Verdict(file, (Diagnostic(Severity.ERROR, "file-missing", failure.summary, failure.detail),))
    return replace(judge(file, bundle, inputs), root=root)


def judge(file: str, bundle: Bundle, inputs: Mapping[str, Any]) -> Verdict:
    """The verdict on a bundle that was read from a path."""
    loaded = load(bundle, inputs)
    notes = () if inputs else tuple(d for d in loaded.diagnostics if d.code == "input-missing")
    return Verdict(file, tuple(d for d in loaded.diagnostics if d not in notes), notes, loaded.leniencies)


def tell(verdict: Verdict) -> Iterator[dict[str, Any]]:
    """The diagnostics for a person, notes last, with paths as seen from the folder that one is in."""
    folder, archive = _where(verdict)
    before = archive or folder
    for diagnostic in verdict.as_json()["diagnostics"]:
        inner = diagnostic["file"]
        near = f"{before}/{inner}" if before and inner and "://" not in inner else inner
        yield {**diagnostic, "file": near}


def report_sarif(verdicts: Sequence[Verdict]) -> dict[str, Any]:
    """The verdicts as SARIF, with paths as seen from the folder that one is in."""
    from isthmus import __version__
    from isthmus.tosca.tools.sarif import Checked, sarif

    return sarif([Checked(v.diagnostics, *_where(v), v.notes) for v in verdicts], __version__)


def _where(verdict: Verdict) -> tuple[str, str]:
    """The folder of a template's files, and the archive that holds them, where one does."""
    path = Path(os.path.relpath(verdict.root or verdict.file))
    if path.is_dir():
        return _folder(path), ""
    packed = path.name.lower().endswith((".zip", ".csar", ".tar", ".tar.gz", ".tgz"))
    return ("", path.as_posix()) if packed else (_folder(path.parent), "")


def _folder(path: Path) -> str:
    return "" if path == Path() else path.as_posix()
