"""Scores the engine on public templates; `python -m tests.unit.tosca.score [--json] [CORPUS…]` prints the table.

`right` counts the cases that come out as they should: as the manifest expects, or against it where
``EXCEPTIONS`` says so. The exit code is 1 while any case is wrong.
"""

from __future__ import annotations

import argparse
import json
import sys
import traceback
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from isthmus.tosca import Bundle, BundleError, Diagnostic, Severity, load
from tests.unit.tosca.exceptions import EXCEPTIONS

CORPORA = Path(__file__).parents[4] / "shared/corpora/tosca"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of one case; ``crash`` is the trace of an exception, which a load must never raise."""

    path: str
    corpus: str
    expect: str
    found: tuple[Diagnostic, ...]
    crash: str = ""

    @property
    def as_expected(self) -> bool:
        return not self.crash and (not self.found) == (self.expect == "valid")

    @property
    def right(self) -> bool:
        return not self.crash and self.as_expected != (self.path in EXCEPTIONS)

    def render(self, most: int = 3) -> str:
        """The case with what was found, on several lines."""
        head = f"{self.path} ({self.expect}{', against the manifest' if self.path in EXCEPTIONS else ''})"
        more = [f"and {len(self.found) - most} more"] if len(self.found) > most else []
        found = [self.crash] if self.crash else [*(d.render() for d in self.found[:most]), *more]
        return "\n".join([head, *("  " + line for text in found or ["accepted"] for line in text.splitlines())])

    def as_json(self) -> dict[str, object]:
        shown = [
            {"code": d.code, "at": str(d.position) if d.position else None, "summary": d.summary} for d in self.found
        ]
        return {"path": self.path, "corpus": self.corpus, "expect": self.expect, "found": shown, "crash": self.crash}


def cases(*corpora: str) -> Iterator[dict[str, str]]:
    """The cases of the corpora whose names begin so; all of them when none is named."""
    for case in json.loads((CORPORA / "manifest.json").read_text()):
        if not corpora or case["corpus"].startswith(corpora):
            yield case


def errors(path: str) -> list[Diagnostic]:
    """What is wrong with a template. An input without a value is not: whoever deploys it gives one.

    A refusal is not either: the template is right, and it is the engine that cannot make it.
    """
    try:
        found = load(Bundle.from_path(CORPORA / path, root=CORPORA / Path(path).parts[0])).diagnostics
    except BundleError as e:
        found = e.diagnostics
    return [d for d in found if d.severity is Severity.ERROR and d.code != "input-missing"]


def judge(case: Mapping[str, str]) -> Verdict:
    """Load one case and tell what came of it, whatever happens."""
    path, corpus, expect = case["path"], case["corpus"], case["expect"]
    try:
        return Verdict(path, corpus, expect, tuple(errors(path)))
    except Exception:  # a crash is a wrong verdict, and the other cases still count
        return Verdict(path, corpus, expect, (), traceback.format_exc())


def show(verdicts: Sequence[Verdict]) -> None:
    """Print the wrong cases and the table."""
    right, total, argued = Counter[str](), Counter[str](), Counter[str]()
    for v in verdicts:
        total[v.corpus] += 1
        right[v.corpus] += v.right
        argued[v.corpus] += v.path in EXCEPTIONS
        if not v.right:
            print(v.render(), end="\n\n")
    for corpus, count in [*total.items(), ("all", total.total())]:
        exceptions = argued.total() if corpus == "all" else argued[corpus]
        known = right.total() if corpus == "all" else right[corpus]
        note = f"  ({exceptions} against the manifest)" if exceptions else ""
        print(f"{corpus:24} {known:4} of {count}{note}")


def as_json(verdicts: Sequence[Verdict]) -> dict[str, object]:
    """The table and the wrong cases for a program to read."""
    corpora = dict.fromkeys(v.corpus for v in verdicts)
    table = {
        c: {"right": sum(v.right for v in verdicts if v.corpus == c), "of": sum(v.corpus == c for v in verdicts)}
        for c in corpora
    }
    return {
        "corpora": table,
        "right": sum(v.right for v in verdicts),
        "of": len(verdicts),
        "wrong": [v.as_json() for v in verdicts if not v.right],
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus", nargs="*", help="how the names of the corpora begin; all when none is named")
    parser.add_argument("--json", action="store_true", help="JSON instead of a table")
    args = parser.parse_args()
    if not (CORPORA / "manifest.json").exists():
        raise SystemExit("the corpora are not beside the repository")
    verdicts = [judge(case) for case in cases(*args.corpus)]
    if args.json:
        print(json.dumps(as_json(verdicts), indent=1))
    else:
        show(verdicts)
    return 0 if all(v.right for v in verdicts) else 1


if __name__ == "__main__":
    sys.exit(main())
