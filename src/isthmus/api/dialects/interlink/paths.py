"""Paths that pods give: none of them leads out of where it belongs, on the node as in a container."""

from __future__ import annotations

from collections.abc import Iterable
from posixpath import normpath

_LONGEST = 4000


def fault_of_relative(path: str) -> str:
    """Why ``path`` cannot be put below a folder; empty if it can."""
    parts = path.split("/")
    if not path or path.startswith("/"):
        return "the path must be relative"
    return _fault(path, parts if parts[-1] else parts[:-1])


def fault_of_absolute(path: str) -> str:
    """Why ``path`` is no plain absolute path; empty if it is."""
    if not path.startswith("/"):
        return "the path must be absolute"
    return _fault(path, [part for part in path.split("/") if part])


def _fault(path: str, parts: Iterable[str]) -> str:
    if len(path) > _LONGEST:
        return "the path is too long"
    if not path.isprintable():
        return "the path holds what cannot be printed"
    if any(part in ("", ".", "..") for part in parts):
        return "the path may have no empty part, no . and no .."
    return ""


def is_below(path: str, folders: Iterable[str]) -> bool:
    """Whether an absolute path is one of ``folders``, or in one."""
    plain = normpath(path)
    return any(plain == f or plain.startswith(f.rstrip("/") + "/") for f in map(normpath, folders))


def fault_of_tree(paths: Iterable[str]) -> str:
    """Why these files cannot lie in one folder: one of them would have to be a folder for another."""
    known = set(paths)
    for path in known:
        parts = path.split("/")
        for n in range(1, len(parts)):
            if "/".join(parts[:n]) in known:
                return f"{'/'.join(parts[:n])} is a file and a folder"
    return ""
