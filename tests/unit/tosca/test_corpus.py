"""The catalogues of the Infrastructure Manager and of INDIGO load; runs where the corpora are at hand."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

spec = importlib.util.spec_from_file_location("tosca_score", Path(__file__).with_name("score.py"))
assert spec is not None
assert spec.loader is not None
score = importlib.util.module_from_spec(spec)
spec.loader.exec_module(score)

HERE = (score.CORPORA / "manifest.json").exists()
CASES = [c["path"] for c in score.cases("grycap", "indigo")] if HERE else []


@pytest.mark.skipif(not HERE, reason="the corpora are not beside the repository")
@pytest.mark.parametrize("path", CASES)
def test_templates_of_the_field_load(path):
    assert [d.render() for d in score.errors(path)] == []
