"""The public names of the language, and what importing it brings in."""

import subprocess
import sys

import isthmus.tosca


def test_the_surface_is_guarded():
    assert isthmus.tosca.__all__ == [
        "CODES", "Bundle", "BundleError", "Diagnostic", "Field", "Form", "Loaded", "Severity", "form", "load",
    ]  # fmt: skip


def test_the_language_brings_in_nothing_else_of_ours():
    code = "import sys, isthmus.tosca; print(*sorted(m for m in sys.modules if m.startswith('isthmus')))"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert {m.split(".")[1] for m in out.split() if "." in m} == {"tosca", "topology"}
