"""Documents that mutation begins with: small ones of both versions, and the public corpora where they are at hand."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

from isthmus.tosca import Bundle, BundleError

from .packing import pack

FOLDER = Path(__file__).with_name("seeds")
CORPORA = Path(__file__).parents[3] / "shared/corpora/tosca"


def built_in() -> dict[str, bytes]:
    """The seeds that come with the tests, by name; each is a packed bundle in which nothing is wrong."""
    return {path.stem: path.read_bytes() for path in sorted(FOLDER.glob("*.yaml"))}


def public_names() -> list[str]:
    """The templates of the corpora by path; none when they are not there."""
    manifest = CORPORA / "manifest.json"
    return [case["path"] for case in json.loads(manifest.read_text())] if manifest.exists() else []


@cache
def public(name: str) -> bytes:
    """A template of the corpora, packed with what it imports."""
    try:
        return pack(Bundle.from_path(CORPORA / name))
    except BundleError:
        return (CORPORA / name).read_bytes()
