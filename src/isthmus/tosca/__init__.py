"""TOSCA: reads a template and says what it means, or everything that is wrong with it.

A library of its own: pure functions on frozen values. Only :meth:`Bundle.from_path` reads files.

    bundle = Bundle.from_path("template.yaml")
    loaded = load(bundle, {"workers": 4})
    for diagnostic in loaded.diagnostics:
        print(diagnostic.render())
    loaded.topology  # None if there was an error
"""

from isthmus.tosca.bundle import Bundle, BundleError
from isthmus.tosca.diagnostics import CODES, Diagnostic, Severity
from isthmus.tosca.form import Field, Form, form
from isthmus.tosca.load import Loaded, load

__all__ = [
    "CODES",
    "Bundle",
    "BundleError",
    "Diagnostic",
    "Field",
    "Form",
    "Loaded",
    "Severity",
    "form",
    "load",
]
