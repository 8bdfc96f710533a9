"""The program that runs on sites: the runner and what knows one kind of batch system, in one file for Python.

Its bytes are the same for the same sources, so that a site which has it by its digest needs no other.
"""

from __future__ import annotations

import hashlib
import io
import zipfile
from dataclasses import dataclass
from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable

PACKAGE = "isthmus.work.runner"
_LEFT_OUT = frozenset({"bootstrap.py"})
_MAIN = """\
import sys

from isthmus.work.runner.__main__ import main

sys.exit(main(sys.argv[1:]))
"""


@dataclass(frozen=True, slots=True)
class Program:
    """A zipped application, and its SHA-256 in hex."""

    data: bytes
    digest: str


@cache
def program(batch: str) -> Program:
    """The runner with ``batch`` (the dotted name of a module or of a package of them) as ``batch``.

    Its modules keep their names, so that they import each other there as they do here.
    """
    package, _, module = batch.rpartition(".")
    sources = {
        "__main__.py": _MAIN.encode(),
        "isthmus/__init__.py": b"",
        "isthmus/work/__init__.py": b"",
        "isthmus/work/runner/__init__.py": b"",
    }
    sources |= _modules(resources.files(PACKAGE), PACKAGE.replace(".", "/"))
    place = resources.files(package)
    if place.joinpath(module).is_dir():
        sources |= _modules(place.joinpath(module), "batch")
    else:
        sources["batch.py"] = place.joinpath(f"{module}.py").read_bytes()
    data = _zipped(sources)
    return Program(data, hashlib.sha256(data).hexdigest())


@cache
def bootstrap() -> str:
    """The source of what puts a program in place on a site and starts it."""
    return resources.files(PACKAGE).joinpath("bootstrap.py").read_text("utf-8")


def _modules(folder: Traversable, path: str) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    for entry in folder.iterdir():
        if entry.is_dir() and entry.name != "__pycache__":
            found |= _modules(entry, f"{path}/{entry.name}")
        elif entry.name.endswith(".py") and entry.name not in _LEFT_OUT:
            found[f"{path}/{entry.name}"] = entry.read_bytes()
    return found


def _zipped(sources: dict[str, bytes]) -> bytes:
    """A zip whose bytes depend on the sources alone: sorted, and all of one time."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, source in sorted(sources.items()):
            entry = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            entry.external_attr = 0o600 << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, source)
    return file.getvalue()
