"""What is found when a template is checked here, without a server."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from isthmus.cli.failures import Failure
from isthmus.cli.templates import open_bundle
from isthmus.tosca.bundle import BundleError
from isthmus.tosca.diagnostics import Diagnostic, Severity
from isthmus.validation import Verdict, judge


@dataclass(frozen=True, slots=True)
class Checked:
    """A template that was checked, by the path that a person gave."""

    file: str
    verdict: Verdict
    root: Path | None = None
    """The folder that paths are relative to, where it is not that of the file."""

    def as_json(self) -> dict[str, Any]:
        """For `--json`: what the API answers, and the file."""
        return {"file": self.file, **asdict(self.verdict.view())}


def check(
    file: str, inputs: Mapping[str, Any], *, root: Path | None = None, allow_import: Sequence[str] = ()
) -> Checked:
    """Check the template at a path; what cannot be read is told as diagnostics too."""
    try:
        bundle = open_bundle(file, root=root, allow_import=allow_import)
    except BundleError as error:
        return Checked(file, Verdict(error.diagnostics), root)
    except Failure as failure:
        detail = "\n".join(filter(None, (failure.detail, failure.hint)))
        return Checked(file, Verdict((Diagnostic(Severity.ERROR, "file-missing", failure.summary, detail),)))
    return Checked(file, judge(bundle, inputs), root)


def tell(checked: Checked) -> Iterator[dict[str, Any]]:
    """The diagnostics for a person, notes last, with paths as seen from the folder that one is in."""
    folder, archive = _where(checked)
    before = archive or folder
    for diagnostic in checked.as_json()["diagnostics"]:
        inner = diagnostic["file"]
        near = f"{before}/{inner}" if before and inner and "://" not in inner else inner
        yield {**diagnostic, "file": near}


def report_sarif(templates: Sequence[Checked]) -> dict[str, Any]:
    """The verdicts as SARIF, with paths as seen from the folder that one is in."""
    from isthmus import __version__
    from isthmus.tosca.tools import sarif

    shown = [sarif.Checked(c.verdict.diagnostics, *_where(c), c.verdict.notes) for c in templates]
    return sarif.sarif(shown, __version__)


def _where(checked: Checked) -> tuple[str, str]:
    """The folder of a template's files, and the archive that holds them, where one does."""
    if checked.file == "-":
        return "", ""
    path = Path(os.path.relpath(checked.root or checked.file or os.curdir))
    if path.is_dir():
        return _folder(path), ""
    packed = path.name.lower().endswith((".zip", ".csar", ".tar", ".tar.gz", ".tgz"))
    return ("", path.as_posix()) if packed else (_folder(path.parent), "")


def _folder(path: Path) -> str:
    return "" if path == Path() else path.as_posix()
