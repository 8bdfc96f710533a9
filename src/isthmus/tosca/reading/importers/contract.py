"""What an importer is: it fetches one URL, or says why it does not."""

from __future__ import annotations

from typing import Protocol


class ImportRefused(Exception):
    """A URL is not fetched, or could not be; ``code`` is one of the language's diagnostics."""

    def __init__(self, code: str, summary: str, suggestion: str = "") -> None:
        super().__init__(summary)
        self.code = code
        self.summary = summary
        self.suggestion = suggestion


class Importer(Protocol):
    """Brings the content of URLs."""

    def fetch(self, url: str) -> bytes:
        """The content of a URL; raises :class:`ImportRefused`."""
        ...
