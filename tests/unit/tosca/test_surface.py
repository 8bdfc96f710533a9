"""The public names of the language, and what importing it brings in."""

import subprocess
import sys

import isthmus.tosca


def test_the_surface_is_guarded():
    assert isthmus.tosca.__all__ == [
        "CODES", "LENIENCIES", "Bundle", "BundleError", "Diagnostic", "Field", "Form", "ImportRefused", "Importer",
        "InterchangeError", "Loaded", "Severity", "WebImporter", "dumps", "form", "inputs_schema", "load", "loads",
    ]  # fmt: skip
    assert all(hasattr(isthmus.tosca, name) for name in isthmus.tosca.__all__)
    assert not hasattr(isthmus.tosca, "nothing")


def test_the_language_brings_in_nothing_else_of_ours():
    code = "import sys, isthmus.tosca; print(*sorted(m for m in sys.modules if m.startswith('isthmus')))"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    of_jobs = {"isthmus.work", "isthmus.work.job", "isthmus.work.job_node", "isthmus.work.notation"}
    others = set(out.split()) - of_jobs
    assert {m.split(".")[1] for m in others if "." in m} == {"tosca", "topology"}
