"""Collects a template's files: from its folder, never from outside of it, and through an importer by URL."""

from __future__ import annotations

import posixpath
from collections import deque
from collections.abc import Iterable, Mapping
from pathlib import Path

from isthmus.tosca.diagnostics import Located, Problems
from isthmus.tosca.reading.archive import MAX_FILES, MAX_UNPACKED
from isthmus.tosca.reading.compose import MAX_DOCUMENT, compose
from isthmus.tosca.reading.documents import Map, Scalar, text_of
from isthmus.tosca.reading.import_targets import Target, import_targets, profile_path
from isthmus.tosca.reading.importers.contract import Importer, ImportRefused
from isthmus.tosca.reading.mentions import job_inputs, named_files
from isthmus.tosca.reading.paths import beside, inside, is_url

MAX_DOCUMENTS = 200
"""Documents that are followed; that a template has more is for :func:`isthmus.tosca.load` to tell."""
MAX_FETCHED = 100
MAX_FAILURES = 5
"""URLs that may fail before no more are tried."""


def collect(path: Path, importer: Importer | None, root: Path, problems: Problems) -> tuple[str, dict[str, bytes]]:
    """The path of the main document below ``root``, and the files it reaches; failures go to ``problems``."""
    folder = root.resolve()
    # The name itself stays as it is: when it is a link, it must lead to somewhere inside.
    whole = path.parent.resolve() / path.name
    main = inside(whole.relative_to(folder).as_posix()) if whole.is_relative_to(folder) else None
    if main is None:
        code = "path-escape" if path.exists() and not path.is_dir() else "file-missing"
        problems.error(code, f"{path.name or str(path)!r} is not a file inside the folder {root.name or str(root)!r}")
        return "", {}
    collection = _Collection(folder, importer, problems)
    collection.read(main, MAX_DOCUMENT, None)
    collection.walk([main] if main in collection.files else [])
    return main, collection.files


def fetch_missing(
    documents: Iterable[str], files: Mapping[str, bytes], importer: Importer, problems: Problems
) -> dict[str, bytes]:
    """The files of a bundle, and what its documents import by URL; failures go to ``problems``."""
    collection = _Collection(None, importer, problems)
    collection.files.update(files)
    collection.left -= sum(map(len, files.values()))
    collection.walk(d for d in documents if d in files)
    return collection.files


def read_file(path: Path, limit: int, problems: Problems, at: Located | None = None) -> bytes | None:
    """The content of one file; None when it is no file or too large, which goes to ``problems``."""
    try:
        if not path.is_file():
            problems.error("file-missing", f"{path.name} is not there, or is not a file", at)
            return None
        with path.open("rb") as stream:
            data = stream.read(limit + 1)
    except OSError as e:
        problems.error("file-missing", f"{path.name} cannot be read: {e.strerror}", at)
        return None
    if len(data) > limit:
        problems.error("too-large", f"{path.name} has more than {limit:,} bytes", at)
        return None
    return data


class _Collection:
    """What has been taken of a template, and what it still asks for."""

    def __init__(self, root: Path | None, importer: Importer | None, problems: Problems) -> None:
        self.root = root
        """The folder that files are read from, if any are."""
        self.importer = importer
        self.problems = problems
        self.files: dict[str, bytes] = {}
        self.left = MAX_UNPACKED
        self.tried: set[str] = set()
        self.failures = 0

    def walk(self, documents: Iterable[str]) -> None:
        """Follow documents that are here to all that they import, level by level."""
        queue = deque(documents)
        seen = set(queue)
        while queue and len(seen) <= MAX_DOCUMENTS:
            for imported in self._follow(queue.popleft()):
                if imported not in seen:
                    seen.add(imported)
                    queue.append(imported)

    def _follow(self, file: str) -> list[str]:
        """Take what a document names; the documents among it."""
        root = compose(file, self.files[file], Problems())
        if not isinstance(root, Map):
            return []
        if text_of(root.get("tosca_definitions_version")).startswith("tosca_2_"):
            root.source.version = 2
        # What is wrong with an import is told when the bundle is loaded, with all the rest.
        targets = list(import_targets(root, file, Problems()))
        imported = [t.path for t in targets if t.path and self._take(t)]
        profiles = [self._take_profile(t, file) for t in targets if t.profile]
        for mention in named_files(root):
            self._take_file(mention, file)
        for mention in job_inputs(root):
            self._take_input(mention, file)
        return imported + [p for p in profiles if p]

    def _take_profile(self, target: Target, file: str) -> str:
        """A profile that lies where profiles lie by custom, in the nearest folder above the document."""
        wanted = inside(profile_path(target.profile))
        folder = None if wanted is None or is_url(file) else posixpath.dirname(file)
        while folder is not None:
            path = posixpath.join(folder, wanted or "")
            if path not in self.files:
                self._take_local(path, MAX_DOCUMENT, target.at)
            if path in self.files:
                return path
            folder = posixpath.dirname(folder) if folder else None
        return ""

    def _take(self, target: Target) -> bool:
        if target.path not in self.files:
            if not is_url(target.path):
                self._take_local(target.path, MAX_DOCUMENT, target.at)
            elif self.importer is not None:
                self._fetch(target)
        return target.path in self.files

    def _take_file(self, mention: Scalar, file: str) -> None:
        """An artifact that lies beside the document; from a URL only what a fetched document names."""
        path = beside(file, mention.text)
        if path is None or path in self.files:
            return
        if not is_url(path):
            self._take_local(path, MAX_UNPACKED, mention)
        elif self.importer is not None and "." in mention.text.rpartition("/")[2]:
            self._fetch(Target(mention, mention, path), quiet=True)

    def _take_input(self, mention: Scalar, file: str) -> None:
        """A file that lies beside the document, or all that is in a folder there."""
        path = beside(file, mention.text)
        if path is None or is_url(path) or self.root is None:
            return
        if not (self.root / path).is_dir():
            self._take_file(mention, file)
            return
        self._take_folder(path, mention)

    def _take_folder(self, path: str, at: Located) -> None:
        """All files of a folder and of those in it; a link to a folder is not followed, which is told."""
        assert self.root is not None
        if not (self.root / path).resolve().is_relative_to(self.root):
            self.problems.error("path-escape", f"{path!r} is a link that leads out of the template's folder", at)
            return
        for entry in sorted((self.root / path).iterdir()):
            name = f"{path}/{entry.name}"
            if entry.is_dir() and entry.is_symlink():
                self.problems.error("unsupported", f"{name!r} is a link to a folder, which is not followed", at)
            elif entry.is_dir():
                self._take_folder(name, at)
            elif name not in self.files:
                self.read(name, MAX_UNPACKED, at)
            if self.problems.failed:
                return

    def _take_local(self, path: str, limit: int, at: Located) -> None:
        if self.root is not None and (self.root / path).is_file():
            self.read(path, limit, at)

    def read(self, name: str, limit: int, at: Located | None) -> None:
        """Take a file of the folder, unless it leads out of it or is too large."""
        assert self.root is not None
        path = (self.root / name).resolve()
        if not path.is_relative_to(self.root):
            self.problems.error("path-escape", f"{name!r} is a link that leads out of the template's folder", at)
        elif len(self.files) >= MAX_FILES:
            self.problems.error("too-large", f"the template reaches more than {MAX_FILES:,} files", at)
        else:
            data = read_file(path, min(limit, self.left), self.problems, at)
            if data is not None:
                self._keep(name, data)

    def _keep(self, name: str, data: bytes) -> None:
        self.left -= len(data)
        self.files[name] = data

    def _fetch(self, target: Target, quiet: bool = False) -> None:
        """Fetch a file once; with ``quiet`` that it cannot be had is left to tell to who needs it."""
        url, at = target.path, target.at
        if url in self.tried:
            return
        self.tried.add(url)
        if target.private:
            summary = f"{url!r} is in a repository with credentials, and none are sent"
            self.problems.error("import-refused", summary, at)
        elif len(self.tried) > MAX_FETCHED or len(self.files) >= MAX_FILES:
            self.problems.error("too-large", f"the template reaches more than {MAX_FETCHED} files by URL", at)
        elif self.failures >= MAX_FAILURES:
            self.problems.error("import-failed", f"{url!r} is not tried, since {MAX_FAILURES} others failed", at)
        else:
            self._fetch_one(url, at, quiet)

    def _fetch_one(self, url: str, at: Scalar, quiet: bool) -> None:
        assert self.importer is not None
        try:
            data = self.importer.fetch(url)
        except ImportRefused as refused:
            self.failures += 1
            if not quiet:
                self.problems.error(refused.code, refused.summary, at, suggestion=refused.suggestion)
            return
        if len(data) > min(MAX_DOCUMENT, self.left):
            self.problems.error("too-large", f"{url!r} has {len(data):,} bytes, which is too much", at)
        else:
            self._keep(url, data)
