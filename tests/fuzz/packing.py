"""A bundle as one piece of bytes, so that a fuzzer can change it and a finding can be replayed from one file.

Each file begins after a line ``#%% PATH``; the first one is the main document.
"""

from __future__ import annotations

import re

from isthmus.tosca import Bundle

_MARKER = re.compile(rb"^#%% ([^\r\n]+)\r?\n", re.MULTILINE)
_DOCUMENTS = (".yaml", ".yml")


def pack(bundle: Bundle) -> bytes:
    """The main document, then the others; of files that are no YAML only the names are kept."""
    paths = [bundle.main, *sorted(p for p in bundle.files if p != bundle.main)]
    return b"".join(_section(p, bundle.files[p] if p.endswith(_DOCUMENTS) else b"") for p in paths)


def _section(path: str, content: bytes) -> bytes:
    end = b"" if content.endswith(b"\n") or not content else b"\n"
    return b"#%% " + path.encode() + b"\n" + content + end


def unpack(data: bytes) -> Bundle:
    """The bundle that any bytes stand for; those without a marker are a main document alone."""
    start, *parts = _MARKER.split(data)
    names = [name.decode("utf-8", "replace") for name in parts[::2]]
    files = dict(zip(names, parts[1::2], strict=True))
    if start.strip() or not files:
        return Bundle("main.yaml", {**files, "main.yaml": start})
    return Bundle(names[0], files)
