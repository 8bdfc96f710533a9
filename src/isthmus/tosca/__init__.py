"""TOSCA: reads a template and says what it means, or everything that is wrong with it.

A library of its own: pure functions on frozen values. Only :meth:`Bundle.from_path` reads files, and only
an importer fetches any.

    bundle = Bundle.from_path("template.yaml")
    loaded = load(bundle, {"workers": 4})
    for diagnostic in loaded.diagnostics:
        print(diagnostic.render())
    loaded.topology  # None if there was an error
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from isthmus.tosca.bundle import Bundle, BundleError
from isthmus.tosca.diagnostics import CODES, Diagnostic, Severity
from isthmus.tosca.form import Field, Form, form
from isthmus.tosca.leniency import LENIENCIES
from isthmus.tosca.load import Loaded, load

if TYPE_CHECKING:
    from isthmus.tosca.reading.importers import Importer, ImportRefused
    from isthmus.tosca.reading.importers.web import WebImporter
    from isthmus.tosca.tools.input_schema import inputs_schema
    from isthmus.tosca.tools.interchange import InterchangeError, dumps, loads

_LATER = {
    "ImportRefused": "reading.importers",
    "Importer": "reading.importers",
    "InterchangeError": "tools.interchange",
    "WebImporter": "reading.importers.web",
    "dumps": "tools.interchange",
    "inputs_schema": "tools.input_schema",
    "loads": "tools.interchange",
}
"""What is imported when it is first used."""

__all__ = [
    "CODES",
    "LENIENCIES",
    "Bundle",
    "BundleError",
    "Diagnostic",
    "Field",
    "Form",
    "ImportRefused",
    "Importer",
    "InterchangeError",
    "Loaded",
    "Severity",
    "WebImporter",
    "dumps",
    "form",
    "inputs_schema",
    "load",
    "loads",
]


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_LATER[name]}"), name)
