"""A template with the files that belong to it: read from a folder, from a CSAR, or made in memory.

:meth:`Bundle.from_path` is the only code of the language that reads files of the machine it runs on.
"""

from __future__ import annotations

import hashlib
import io
import stat
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from isthmus.tosca.compose import MAX_DOCUMENT, compose
from isthmus.tosca.diagnostics import Diagnostic, Problems
from isthmus.tosca.documents import Map, Node
from isthmus.tosca.paths import beside, import_entries, import_target, inside, is_url, named_files

MAX_FILES = 2_000
MAX_UNPACKED = 64 * 2**20
"""Bytes of all files together."""

META = "TOSCA-Metadata/TOSCA.meta"
_EPOCH = (1980, 1, 1, 0, 0, 0)
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_YAML = (".yaml", ".yml")


class BundleError(Exception):
    """A bundle cannot be had; ``diagnostics`` say why."""

    def __init__(self, diagnostics: tuple[Diagnostic, ...]) -> None:
        super().__init__("\n".join(d.render() for d in diagnostics))
        self.diagnostics = diagnostics


@dataclass(frozen=True)
class Bundle:
    """The main document's path and every file by path, relative, with forward slashes."""

    main: str
    files: Mapping[str, bytes]

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the entry point and of all files, in hex; the same for the same content."""
        total = hashlib.sha256(f"{len(self.main)}:{self.main}\n".encode())
        for path in sorted(self.files):
            content = self.files[path]
            total.update(f"{len(path)}:{path}:{len(content)}\n".encode())
            total.update(content)
        return total.hexdigest()

    @classmethod
    def from_zip(cls, data: bytes) -> Bundle:
        """Unpack a CSAR (TOSCA 1.3 §6): with `TOSCA.meta`, or with one YAML file at its root.

        Raises :class:`BundleError` for an archive that is broken, hostile or without an entry.
        """
        problems = Problems()
        try:
            files = _unpack(data, problems)
        except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError) as e:
            raise _refusal("archive", f"not an archive that can be read: {e}") from e
        _raise(problems)
        main = _entry(files, problems)
        _raise(problems)
        return cls(main, {p: c for p, c in files.items() if p != META})

    @classmethod
    def from_files(cls, main: str, files: Mapping[str, bytes]) -> Bundle:
        """A bundle of files that somebody sent one by one; raises :class:`BundleError` as :meth:`from_zip` would."""
        problems = Problems()
        if len(files) > MAX_FILES:
            problems.error("too-large", f"there are {len(files):,} files, and there may be {MAX_FILES:,}")
        if sum(map(len, files.values())) > MAX_UNPACKED:
            problems.error("too-large", f"the files have more than {MAX_UNPACKED:,} bytes together")
        for path in files:
            if inside(path) != path:
                problems.error("path-escape", f"there is a file called {path[:200]!r}")
        _raise(problems)
        return cls(main, {p: c for p, c in files.items() if p != META})

    def to_zip(self) -> bytes:
        """A CSAR with `TOSCA.meta`; equal bundles give equal bytes."""
        meta = f"TOSCA-Meta-File-Version: 1.1\nCSAR-Version: 1.1\nCreated-By: Isthmus\nEntry-Definitions: {self.main}\n"
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
            for path, content in [(META, meta.encode()), *sorted(self.files.items())]:
                info = zipfile.ZipInfo(path, _EPOCH)
                info.compress_type = zipfile.ZIP_DEFLATED
                info.external_attr = (stat.S_IFREG | 0o644) << 16
                archive.writestr(info, content)
        return buffer.getvalue()

    @classmethod
    def from_path(cls, path: str | Path) -> Bundle:
        """Read a template and the files it reaches by import or as artifact, or a `.zip`/`.csar`.

        Nothing outside the template's folder is read. What is missing is left to :func:`load` to
        tell, with its place. Raises :class:`BundleError`.
        """
        path = Path(path)
        if path.suffix.lower() in (".zip", ".csar"):
            return cls.from_zip(_read(path, MAX_UNPACKED))
        folder = _Folder(path.parent)
        folder.take(path.name, MAX_DOCUMENT)
        documents, seen = [path.name], {path.name}
        while documents:
            for imported in folder.follow(documents.pop()):
                if imported not in seen:
                    seen.add(imported)
                    documents.append(imported)
        return cls(path.name, folder.files)


def _refusal(code: str, summary: str) -> BundleError:
    problems = Problems()
    problems.error(code, summary)
    return BundleError(problems.list())


def _raise(problems: Problems) -> None:
    if problems.failed:
        raise BundleError(problems.list())


# ---------------------------------------------------------------------------------------------
# archives


def _unpack(data: bytes, problems: Problems) -> dict[str, bytes]:
    files: dict[str, bytes] = {}
    left = MAX_UNPACKED
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = [m for m in archive.infolist() if not m.is_dir()]
        if len(members) > MAX_FILES:
            problems.error("too-large", f"the archive has {len(members):,} files, and may have {MAX_FILES:,}")
            return {}
        if sum(m.file_size for m in members) > MAX_UNPACKED:
            problems.error("too-large", f"the archive unpacks to more than {MAX_UNPACKED:,} bytes")
            return {}
        for member in members:
            path = _member_path(member, files, problems)
            if path is None:
                continue
            with archive.open(member) as stream:
                content = stream.read(left + 1)
            left -= len(content)
            if left < 0:
                problems.error("too-large", f"the archive unpacks to more than {MAX_UNPACKED:,} bytes")
                return {}
            files[path] = content
    return files


def _member_path(member: zipfile.ZipInfo, files: Mapping[str, bytes], problems: Problems) -> str | None:
    name = member.filename
    path = inside(name)
    mode = member.external_attr >> 16
    if path is None or path != name:
        problems.error("path-escape", f"the archive has a file called {name[:200]!r}")
    elif stat.S_IFMT(mode) not in (0, stat.S_IFREG):
        problems.error("archive", f"{name!r} is a link or a device, not a file")
    elif member.flag_bits & 1:
        problems.error("archive", f"{name!r} is encrypted")
    elif member.compress_type not in _METHODS:
        problems.error("archive", f"{name!r} is packed by a method other than deflate")
    elif path in files:
        problems.error("archive", f"{name!r} is there twice")
    else:
        return path
    return None


def _entry(files: Mapping[str, bytes], problems: Problems) -> str:
    if META in files:
        for line in files[META].decode("utf-8", "replace").splitlines():
            key, _, value = line.partition(":")
            if key.strip() == "Entry-Definitions":
                if value.strip() not in files:
                    problems.error("archive", f"Entry-Definitions names {value.strip()!r}, which is not there")
                return value.strip()
        problems.error("archive", f"{META} has no Entry-Definitions")
        return ""
    roots = [p for p in files if "/" not in p and p.lower().endswith(_YAML)]
    if len(roots) != 1:
        problems.error(
            "archive",
            f"the archive has no {META} and {len(roots)} YAML files at its root",
            detail="One of the two must tell which file is the template (TOSCA 1.3 §6.1).",
        )
    return roots[0] if roots else ""


# ---------------------------------------------------------------------------------------------
# folders


def _read(path: Path, limit: int) -> bytes:
    try:
        if not path.is_file():
            raise _refusal("file-missing", f"{path.name} is not there, or is not a file")
        with path.open("rb") as stream:
            data = stream.read(limit + 1)
    except OSError as e:
        raise _refusal("file-missing", f"{path.name} cannot be read: {e.strerror}") from e
    if len(data) > limit:
        raise _refusal("too-large", f"{path.name} has more than {limit:,} bytes")
    return data


class _Folder:
    """The folder of a template, and what has been taken from it."""

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()
        self.files: dict[str, bytes] = {}
        self.left = MAX_UNPACKED

    def take(self, name: str, limit: int) -> None:
        """Read one file; raises for a link that leads out and for what is too large."""
        path = (self.root / name).resolve()
        if not path.is_relative_to(self.root):
            raise _refusal("path-escape", f"{name!r} is a link that leads out of the template's folder")
        if len(self.files) >= MAX_FILES:
            raise _refusal("too-large", f"the template reaches more than {MAX_FILES:,} files")
        data = _read(path, min(limit, self.left))
        self.left -= len(data)
        self.files[name] = data

    def follow(self, file: str) -> Iterator[str]:
        """Take what a document names; yields the documents among it."""
        root = compose(file, self.files[file], Problems())
        if not isinstance(root, Map):
            return
        for _, entry in import_entries(root):
            imported = self._reach(import_target(entry), file, MAX_DOCUMENT)
            if imported is not None:
                yield imported
        for named in named_files(root):
            self._reach(named, file, MAX_UNPACKED)

    def _reach(self, named: Node | None, file: str, limit: int) -> str | None:
        text = getattr(named, "text", "")
        path = None if not text or is_url(text) else beside(file, text)
        if path is None:
            return None
        if path not in self.files and (self.root / path).is_file():
            self.take(path, limit)
        return path if path in self.files else None
