"""Every template of the public corpora comes out as its authors expect; runs where the corpora are at hand."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from .exceptions import EXCEPTIONS
from .score import CORPORA, cases, judge

HERE = (CORPORA / "manifest.json").exists()
CASES = list(cases()) if HERE else []
CHECK = Path(__file__).parents[3] / "scripts/tosca-2.0-check"
needs_corpora = pytest.mark.skipif(not HERE, reason="the corpora are not beside the repository")


@needs_corpora
@pytest.mark.parametrize("case", CASES, ids=[c["path"] for c in CASES])
def test_a_public_template_is_judged_as_expected(case: Mapping[str, str]) -> None:
    verdict = judge(case)
    assert not verdict.crash, verdict.crash
    if case["path"] in EXCEPTIONS:
        why, section = EXCEPTIONS[case["path"]]
        assert not verdict.as_expected, f"is as the manifest expects, so it is no exception: {why} ({section})"
    else:
        assert verdict.as_expected, verdict.render()


@needs_corpora
def test_every_exception_is_a_case_and_is_argued() -> None:
    assert set(EXCEPTIONS) <= {c["path"] for c in CASES}
    assert all(why and section for why, section in EXCEPTIONS.values())


VALID = """tosca_definitions_version: tosca_2_0
service_template:
  inputs: { wanted: { type: string } }
  node_templates: {}
"""
INVALID = "tosca_definitions_version: tosca_2_0\nservice_templates: {}\n"


def run_check(*files: Path) -> tuple[int, list[str]]:
    done = subprocess.run(
        [str(CHECK), *map(str, files)], capture_output=True, text=True, check=False, cwd=os.sep, timeout=300
    )
    assert done.stderr == ""
    return done.returncode, done.stdout.splitlines()


def test_the_check_of_the_oasis_suite_accepts_by_exit_code_0_and_rejects_by_1(tmp_path: Path) -> None:
    good, bad, absent = tmp_path / "good.yaml", tmp_path / "bad.yaml", tmp_path / "absent.yaml"
    good.write_text(VALID)
    bad.write_text(INVALID)
    assert run_check(good) == (0, [f"accepted {good}"])
    code, lines = run_check(good, bad, absent)
    assert code == 1
    assert lines[0] == f"accepted {good}"
    assert lines[1].startswith(f"rejected {bad}: ")
    assert lines[1].endswith("[key-unknown]")
    assert lines[2].startswith(f"rejected {absent}: ")
    assert len(lines) == 3
