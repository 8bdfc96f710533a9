"""Scores the engine on public templates; `python tests/unit/tosca/score.py [CORPUS…]` prints the table."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from isthmus.tosca import Bundle, BundleError, Diagnostic, load

CORPORA = Path(__file__).parents[4] / "shared/corpora/tosca"


def cases(*corpora: str) -> Iterator[dict[str, str]]:
    """The cases of version 1.x of the corpora whose names begin so; all of them when none is named."""
    for case in json.loads((CORPORA / "manifest.json").read_text()):
        simple = case["version"].startswith("tosca_simple_yaml_1_")
        if simple and (not corpora or case["corpus"].startswith(corpora)):
            yield case


def errors(path: str) -> list[Diagnostic]:
    """What is wrong with a template. An input without a value is not: whoever deploys it gives one."""
    try:
        found = load(Bundle.from_path(CORPORA / path)).diagnostics
    except BundleError as e:
        found = e.diagnostics
    return [d for d in found if d.severity == "error" and d.code != "input-missing"]


def main(*corpora: str) -> None:
    right: Counter[str] = Counter()
    total: Counter[str] = Counter()
    for case in cases(*corpora):
        found = errors(case["path"])
        total[case["corpus"]] += 1
        if (not found) == (case["expect"] == "valid"):
            right[case["corpus"]] += 1
        else:
            print(f"{case['path']} ({case['expect']})", *(d.render() for d in found[:3]), sep="\n  ")
    for corpus, count in total.items():
        print(f"{corpus:24} {right[corpus]:4} of {count}")


if __name__ == "__main__":
    main(*sys.argv[1:])
