"""A template with the files that belong to it: read from a folder, from a CSAR, or made in memory.

:meth:`Bundle.from_path` is the only code of the language that reads files of the machine it runs on,
and with an importer the only one that fetches any.
"""

from __future__ import annotations

import hashlib
import io
import re
import stat
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from isthmus.tosca.diagnostics import Diagnostic, Problems
from isthmus.tosca.reading.archive import MAX_FILES, MAX_UNPACKED, check_names, unpack, unzip
from isthmus.tosca.reading.csar import METAS, Contents, check_nameless, read_contents, write_meta
from isthmus.tosca.reading.paths import is_remote

if TYPE_CHECKING:
    from isthmus.tosca.reading.importers import Importer

ARCHIVES = (".zip", ".csar", ".tar", ".tar.gz", ".tgz")
"""How the names of archives end (TOSCA 2.0 §17.1.1)."""

_EPOCH = (1980, 1, 1, 0, 0, 0)
_MODERN = re.compile(rb"^tosca_definitions_version[ \t]*:[ \t]*['\"]?tosca_2_", re.MULTILINE)


class BundleError(Exception):
    """A bundle cannot be had; ``diagnostics`` say why."""

    def __init__(self, diagnostics: tuple[Diagnostic, ...]) -> None:
        super().__init__("\n".join(d.render() for d in diagnostics))
        self.diagnostics = diagnostics


@dataclass(frozen=True)
class Bundle:
    """The main document's path and every file by path, relative, with forward slashes.

    A file that was fetched has its URL for a path. ``others`` are the further documents of a CSAR, which may
    substitute nodes of the main one; ``remarks`` are warnings about what the bundle was read from.
    """

    main: str
    files: Mapping[str, bytes]
    others: tuple[str, ...] = ()
    remarks: tuple[Diagnostic, ...] = field(default=(), compare=False, repr=False)

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the entry point and of all files, in hex; the same for the same content."""
        total = hashlib.sha256(f"{len(self.main)}:{self.main}\n".encode())
        for other in self.others:
            total.update(f"other:{len(other)}:{other}\n".encode())
        for path in sorted(self.files):
            content = self.files[path]
            total.update(f"{len(path)}:{path}:{len(content)}\n".encode())
            total.update(content)
        return total.hexdigest()

    @classmethod
    def from_zip(cls, data: bytes) -> Bundle:
        """Unpack a CSAR that is a zip (1.0, 1.1, 2.0): with `TOSCA.meta`, or with one YAML file at its root.

        Raises :class:`BundleError` for an archive that is broken, hostile or without an entry.
        """
        return cls._from_csar(data, unzip)

    @classmethod
    def from_archive(cls, data: bytes) -> Bundle:
        """As :meth:`from_zip`, for a tar or a gzipped tar too (TOSCA 2.0 §17.1.1)."""
        return cls._from_csar(data, unpack)

    @classmethod
    def _from_csar(cls, data: bytes, opener: Callable[[bytes, Problems], dict[str, bytes]]) -> Bundle:
        problems = Problems()
        files = opener(data, problems)
        _raise(problems)
        contents = read_contents(files, problems)
        _raise(problems)
        assert contents is not None  # what else it may be is an error
        if not any(meta in files for meta in METAS):
            check_nameless(contents.main, files[contents.main], problems)
        named = {contents.sources.get(p, p): c for p, c in files.items() if p not in METAS}
        return cls(contents.main, named, contents.others, problems.list())

    @classmethod
    def from_files(cls, main: str, files: Mapping[str, bytes]) -> Bundle:
        """A bundle of files that somebody sent one by one; raises :class:`BundleError` as :meth:`from_zip` would."""
        problems = Problems()
        if len(files) > MAX_FILES:
            problems.error("too-large", f"there are {len(files):,} files, and there may be {MAX_FILES:,}")
        if sum(map(len, files.values())) > MAX_UNPACKED:
            problems.error("too-large", f"the files have more than {MAX_UNPACKED:,} bytes together")
        check_names(files, problems)
        _raise(problems)
        return cls(main, {p: c for p, c in files.items() if p not in METAS})

    def to_zip(self) -> bytes:
        """A CSAR with `TOSCA.meta`, of version 2.0 for a template of TOSCA 2.0, else 1.1; equal for equal bundles."""
        packed = {_packed(p): c for p, c in self.files.items()}
        sources = {_packed(p): p for p in self.files if is_remote(p)}
        modern = _MODERN.search(self.files.get(self.main, b"")) is not None
        meta = write_meta(Contents(self.main, self.others, sources), 2 if modern else 1)
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
            for path, content in [(METAS[0], meta), *sorted(packed.items())]:
                info = zipfile.ZipInfo(path, _EPOCH)
                info.compress_type = zipfile.ZIP_DEFLATED
                info.external_attr = (stat.S_IFREG | 0o644) << 16
                archive.writestr(info, content)
        return buffer.getvalue()

    @classmethod
    def from_path(cls, path: str | Path, *, importer: Importer | None = None, root: str | Path | None = None) -> Bundle:
        """Read a template and the files it reaches by import or as artifact, or an archive.

        Nothing outside ``root`` is read, which is the template's folder unless told otherwise; paths of the
        bundle are relative to it. Imports by URL are fetched by ``importer``; without one nothing is. What is
        missing is left to :func:`load` to tell, with its place. Raises :class:`BundleError`.
        """
        from isthmus.tosca.reading.importers.collect import collect, read_file

        path = Path(path)
        problems = Problems()
        if path.name.lower().endswith(ARCHIVES):
            data = read_file(path, MAX_UNPACKED, problems)
            _raise(problems)
            archive = cls.from_archive(data or b"")
            return archive.fetched(importer) if importer is not None else archive
        main, files = collect(path, importer, Path(root) if root is not None else path.parent, problems)
        _raise(problems)
        return cls(main, files)

    def fetched(self, importer: Importer) -> Bundle:
        """The bundle with what it imports by URL; raises :class:`BundleError` for what cannot be had."""
        from isthmus.tosca.reading.importers.collect import fetch_missing

        problems = Problems()
        files = fetch_missing((self.main, *self.others), self.files, importer, problems)
        _raise(problems)
        return replace(self, files=files)


def _packed(path: str) -> str:
    """Where a file lies in an archive: one that was fetched under a name made of its URL."""
    return f"TOSCA-Imports/{hashlib.sha256(path.encode()).hexdigest()[:32]}.yaml" if is_remote(path) else path


def _raise(problems: Problems) -> None:
    if problems.failed:
        raise BundleError(problems.list())
