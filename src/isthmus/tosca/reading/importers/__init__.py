"""Importers: what brings the files of a template from where they are, and the only I/O of the language.

Who calls it: :meth:`isthmus.tosca.Bundle.from_path` and :meth:`isthmus.tosca.Bundle.fetched`. Without an importer
nothing remote is fetched; :class:`isthmus.tosca.reading.importers.web.WebImporter` is the one for https.
"""

from isthmus.tosca.reading.importers.contract import Importer, ImportRefused

__all__ = ["ImportRefused", "Importer"]
