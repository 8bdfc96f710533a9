"""Paths and URLs of a bundle's files: how one is found from another, and what leads out."""

from __future__ import annotations

import posixpath
import re
from urllib.parse import urldefrag, urljoin

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:.+", re.DOTALL)
_REMOTE = re.compile(r"https?://\S+", re.IGNORECASE)
_DRIVE = re.compile(r"[A-Za-z]:[\\/]")
_UNSAFE = re.compile(r"[\x00-\x1f\x7f\\\ud800-\udfff]")


def is_remote(text: str) -> bool:
    """Whether a path is an http(s) URL."""
    return _REMOTE.fullmatch(text) is not None


def is_url(text: str) -> bool:
    """Whether a path has a scheme, such as `file:`, `https:` or `git+https:`."""
    return _URL.fullmatch(text) is not None


def inside(path: str) -> str | None:
    """The normal form of a path of a bundle, or None when it is absolute, a URL, unprintable, or leads out."""
    if not path or path != path.strip() or path.startswith("/") or _UNSAFE.search(path):
        return None
    if _DRIVE.match(path) or is_url(path):
        return None
    normal = posixpath.normpath(path)
    return None if normal == "." or normal == ".." or normal.startswith("../") else normal


def beside(file: str, path: str) -> str | None:
    """What ``path`` means in the document ``file``: a path of the bundle, or a URL in a document that has one.

    None when it leads out, and for absolute paths: only an import may begin at the root of the bundle.
    """
    if is_url(path) or path.startswith("/"):
        return None
    if is_remote(file):
        return join_url(file, path)
    return inside(posixpath.join(posixpath.dirname(file), path))


def join_url(base: str, path: str) -> str | None:
    """The URL that a relative path means from another URL, without fragment; None when it makes none."""
    if path.startswith("//") or _UNSAFE.search(path):
        return None
    try:
        joined = urldefrag(urljoin(base, path)).url
    except ValueError:
        return None
    return joined if is_remote(joined) else None
