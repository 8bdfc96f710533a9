"""Documents that mutation begins with: small ones of both versions, and the public corpora where they are at hand."""

from __future__ import annotations

import json
from pathlib import Path

from isthmus.tosca import Bundle, BundleError

from .packing import pack

FOLDER = Path(__file__).with_name("seeds")
CORPORA = Path(__file__).parents[3] / "shared/corpora/tosca"


def built_in() -> dict[str, bytes]:
    """The seeds that come with the tests, by name; each is a packed bundle in which nothing is wrong."""
    return {path.stem: path.read_bytes() for path in sorted(FOLDER.glob("*.yaml"))}


def public() -> dict[str, bytes]:
    """The templates of the corpora with what they import, by path; empty when they are not there."""
    manifest = CORPORA / "manifest.json"
    found: dict[str, bytes] = {}
    for case in json.loads(manifest.read_text()) if manifest.exists() else ():
        try:
            found[case["path"]] = pack(Bundle.from_path(CORPORA / case["path"]))
        except BundleError:
            found[case["path"]] = (CORPORA / case["path"]).read_bytes()
    return found
