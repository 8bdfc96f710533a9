"""Paths inside a bundle: always relative, with forward slashes, never leading out."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator

from isthmus.tosca.documents import Map, Node, Scalar, Seq, walk

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:.+", re.DOTALL)
_REMOTE = re.compile(r"https?://\S+", re.IGNORECASE)
_DRIVE = re.compile(r"[A-Za-z]:[\\/]")


def is_remote(text: str) -> bool:
    """Whether a path is an http(s) URL."""
    return _REMOTE.fullmatch(text) is not None


def is_url(text: str) -> bool:
    """Whether a path has a scheme, such as `file:`, `https:` or `git+https:`."""
    return _URL.fullmatch(text) is not None


def inside(path: str) -> str | None:
    """The normal form of a path of a bundle, or None when it is absolute, a URL, or leads out."""
    if not path or "\0" in path or "\\" in path or path.startswith("/") or _DRIVE.match(path) or is_url(path):
        return None
    normal = posixpath.normpath(path)
    return None if normal == "." or normal == ".." or normal.startswith("../") else normal


def beside(file: str, path: str) -> str | None:
    """The bundle path that ``path`` means in the document ``file``, or None when it leads out."""
    if path.startswith("/") or is_url(path):
        return None
    return inside(posixpath.join(posixpath.dirname(file), path))


def import_target(entry: Node) -> Scalar | None:
    """Where an entry of `imports` points: its text, its `file`, or the value of its only key (1.0)."""
    if isinstance(entry, Scalar):
        return entry
    if not isinstance(entry, Map):
        return None
    found = entry.get("file") or entry.get("url")
    if found is None and len(entry.entries) == 1:
        found = next(iter(entry.entries.values()))
        if isinstance(found, Map):
            found = found.get("file") or found.get("url")
    return found if isinstance(found, Scalar) and found.text else None


def import_entries(root: Map) -> Iterator[tuple[str | None, Node]]:
    """The entries of `imports`, with their name where they have one."""
    imports = root.get("imports")
    if isinstance(imports, Seq):
        for item in imports.items:
            yield None, item
    elif isinstance(imports, Map):
        yield from imports.entries.items()
    elif imports is not None:
        yield None, imports


def named_files(root: Node) -> Iterator[Scalar]:
    """Every scalar of a document that names an artifact or an implementation."""
    for node in walk(root):
        if not isinstance(node, Map):
            continue
        artifacts, interfaces = node.get("artifacts"), node.get("interfaces")
        for artifact in _values(artifacts):
            yield from _file_of(artifact, "file")
        for interface in _values(interfaces):
            for operation in (*_values(interface), *_values(_key(interface, "operations"))):
                yield from _implementation(operation)


def _values(node: Node | None) -> list[Node]:
    """The values of a map, or of every map of a list (artifacts may be written as either)."""
    if isinstance(node, Seq):
        return [v for item in node.items for v in _values(item)]
    return list(node.entries.values()) if isinstance(node, Map) else []


def _key(node: Node, key: str) -> Node | None:
    return node.get(key) if isinstance(node, Map) else None


def _file_of(node: Node | None, key: str) -> Iterator[Scalar]:
    found = _key(node, key) if isinstance(node, Map) else node
    if isinstance(found, Scalar) and not found.null:
        yield found


def _implementation(operation: Node) -> Iterator[Scalar]:
    if isinstance(operation, Scalar):
        yield from _file_of(operation, "file")
        return
    implementation = _key(operation, "implementation")
    yield from _file_of(implementation, "file")
    yield from _file_of(_key(operation, "primary"), "file")
    if isinstance(implementation, Map):
        yield from _file_of(implementation.get("primary"), "file")
    for holder in (operation, implementation):
        dependencies = _key(holder, "dependencies") if holder is not None else None
        for item in dependencies.items if isinstance(dependencies, Seq) else []:
            yield from _file_of(item, "file")
