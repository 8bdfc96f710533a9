"""Archives, zip and tar, unpacked in memory: bounded, and with everything hostile refused by name.

TOSCA 2.0 §17.1.1 names both formats; TOSCA 1.x knows zip only.
"""

from __future__ import annotations

import io
import re
import stat
import unicodedata
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from isthmus.tosca.diagnostics import Problems
from isthmus.tosca.reading.paths import inside

MAX_FILES = 2_000
MAX_UNPACKED = 64 * 2**20
"""Bytes of all files together."""

_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_ENCRYPTED = 0x1 | 0x40 | 0x2000
"""Flags of a zip member: encrypted, strongly encrypted, its header masked."""
_ENTRY, _SIGNATURE = b"PK\x01\x02", b"PK\x05\x05"
_GZIP = b"\x1f\x8b"
_SIGNED = re.compile(r"META-INF/[^/]*\.(?:SF|RSA|DSA|EC)|.*\.(?:p7s|p7m|cms)", re.IGNORECASE | re.DOTALL)
_BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError, OverflowError)


class Broken(Exception):
    """An archive goes no further; its diagnostic has been recorded."""


def unpack(data: bytes, problems: Problems) -> dict[str, bytes]:
    """The files of a zip, a tar or a gzipped tar by path; what is wrong with it goes to ``problems``."""
    try:
        if data.startswith(_GZIP):
            return _gather(_read_tar(_gunzip(data, problems), problems), problems)
        if data[257:262] == b"ustar":
            return _gather(_read_tar(data, problems), problems)
        return unzip(data, problems)
    except Broken:
        return {}


def unzip(data: bytes, problems: Problems) -> dict[str, bytes]:
    """The files of a zip by path; what is wrong with it goes to ``problems``."""
    try:
        if _SIGNATURE in data[max(0, data.rfind(_ENTRY)) :]:
            _refuse("archive", "the archive is signed as a whole, and signatures are not verified", problems)
        if data.count(_ENTRY) > 20 * MAX_FILES:
            _refuse("too-large", f"the archive has more than {MAX_FILES:,} files", problems)
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return _gather(_read_zip(archive, problems), problems)
    except Broken:
        return {}
    except _BROKEN as e:
        problems.error("archive", f"not an archive that can be read: {e}")
        return {}


def check_names(names: Iterable[str], problems: Problems) -> None:
    """Report the names that cannot all be files of one bundle, or that no bundle may have."""
    seen: dict[str, str] = {}
    for name in names:
        if inside(name) != name:
            problems.error("path-escape", f"there is a file called {name[:200]!r}")
        elif _SIGNED.fullmatch(name):
            summary = f"{name!r} is a signature, and signatures are not verified"
            problems.error("archive", summary, suggestion="verify the archive, and pack it again without its signature")
        folded = _fold(name)
        if folded in seen:
            other = seen[folded]
            what = "is there twice" if other == name else f"and {other!r} are one file where case does not count"
            problems.error("archive", f"{name!r} {what}")
        seen[folded] = name
    for name in list(seen.values()):
        parent = _fold(name).rpartition("/")[0]
        while parent:
            if parent in seen:
                problems.error("archive", f"{seen[parent]!r} is a file, and a folder too")
            parent = parent.rpartition("/")[0]


def _fold(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()


def _refuse(code: str, summary: str, problems: Problems) -> None:
    problems.error(code, summary)
    raise Broken


@dataclass(frozen=True, slots=True)
class _Member:
    """One file of an archive, unpacked: what is wrong with it, or its content."""

    name: str
    content: bytes
    problem: str = ""


def _gather(members: Iterator[_Member], problems: Problems) -> dict[str, bytes]:
    names: list[str] = []
    files: dict[str, bytes] = {}
    for member in members:
        names.append(member.name)
        if len(names) > MAX_FILES:
            _refuse("too-large", f"the archive has more than {MAX_FILES:,} files", problems)
        if member.problem:
            problems.error("archive", f"{member.name[:200]!r} {member.problem}")
        files[member.name] = member.content
    check_names(names, problems)
    return files


# ---------------------------------------------------------------------------------------------
# zip


def _read_zip(archive: zipfile.ZipFile, problems: Problems) -> Iterator[_Member]:
    left = MAX_UNPACKED
    if sum(m.file_size for m in archive.infolist()) > left:
        _refuse("too-large", f"the archive unpacks to more than {MAX_UNPACKED:,} bytes", problems)
    for info in archive.infolist():
        # The name as it stands there: zipfile itself cuts it at a NUL.
        name, problem = info.orig_filename, _zip_problem(info)
        if name.endswith("/"):
            if inside(name[:-1]) != name[:-1]:
                problems.error("path-escape", f"there is a folder called {name[:200]!r}")
            continue
        content = b""
        if not problem:
            with archive.open(info) as stream:
                content = stream.read(left + 1)
        left -= len(content)
        if left < 0:
            _refuse("too-large", f"the archive unpacks to more than {MAX_UNPACKED:,} bytes", problems)
        yield _Member(name, content, problem)


def _zip_problem(info: zipfile.ZipInfo) -> str:
    if stat.S_IFMT(info.external_attr >> 16) not in (0, stat.S_IFREG, stat.S_IFDIR):
        return "is a link or a device, not a file"
    if info.flag_bits & _ENCRYPTED:
        return "is encrypted"
    if info.compress_type not in _METHODS:
        return "is packed by a method other than deflate"
    return ""


# ---------------------------------------------------------------------------------------------
# tar

_BLOCK = 512
_FILE, _FOLDER, _LONG_NAME, _EXTENDED, _GLOBAL = (b"0", b"\0", b"7"), b"5", b"L", b"x", b"g"
_MAX_HEADER = 64 * 2**10
_PAX = re.compile(rb"([0-9]{1,6}) ([^=\n]{1,100})=", re.DOTALL)


def _gunzip(data: bytes, problems: Problems) -> bytes:
    """The tar in a gzip stream, at most what its files may hold with their headers."""
    limit = MAX_UNPACKED + MAX_FILES * 4 * _BLOCK
    stream = zlib.decompressobj(wbits=31)
    try:
        unpacked = stream.decompress(data, limit)
    except zlib.error as e:
        _refuse("archive", f"not an archive that can be read: {e}", problems)
    if stream.unconsumed_tail:
        _refuse("too-large", f"the archive unpacks to more than {MAX_UNPACKED:,} bytes", problems)
    if not stream.eof or stream.unused_data.strip(b"\0"):
        _refuse("archive", "the archive is cut short, or something follows it", problems)
    return unpacked


def _read_tar(data: bytes, problems: Problems) -> Iterator[_Member]:
    """The files of a ustar archive, with the long names that GNU tar and pax add; all else is refused.

    The standard library's reader follows sizes that an archive may lie about; this one only steps forward.
    """
    at, long_name, headers = 0, "", 0
    while at + _BLOCK <= len(data) and data[at : at + _BLOCK].strip(b"\0"):
        header = data[at : at + _BLOCK]
        headers += 1
        size, kind = _tar_size(header, problems), header[156:157]
        start = at + _BLOCK
        if start + size > len(data):
            _refuse("archive", "the archive is cut short", problems)
        if headers > 3 * MAX_FILES:
            _refuse("too-large", f"the archive has more than {MAX_FILES:,} files", problems)
        content = data[start : start + size]
        at = start + -(-size // _BLOCK) * _BLOCK
        if kind in (_LONG_NAME, _EXTENDED):
            long_name = _tar_long_name(kind, content, problems) or long_name
            continue
        if kind == _GLOBAL:
            continue
        name = (long_name or _tar_name(header)).removeprefix("./")
        long_name = ""
        if kind == _FOLDER:
            if name.rstrip("/") and inside(name.rstrip("/")) is None:
                problems.error("path-escape", f"there is a folder called {name[:200]!r}")
            continue
        yield _Member(name, content, "" if kind in _FILE else "is a link or a device, not a file")


def _tar_size(header: bytes, problems: Problems) -> int:
    checksum = sum(header) - sum(header[148:156]) + 8 * ord(" ")
    try:
        told = int(header[148:156].strip(b"\0 ") or b"0", 8)
        size = int(header[124:136].strip(b"\0 ") or b"0", 8)
    except ValueError:
        told, size = -1, -1
    if told != checksum or size < 0:
        _refuse("archive", "not an archive that can be read: a header of the tar is broken", problems)
    return size


def _tar_name(header: bytes) -> str:
    name, prefix = header[:100].split(b"\0")[0], header[345:500].split(b"\0")[0]
    # GNU tar keeps other things where ustar has the prefix, and says so by its magic.
    joined = prefix + b"/" + name if prefix and header[257:263] == b"ustar\0" else name
    return joined.decode("utf-8", "surrogateescape")


def _tar_long_name(kind: bytes, content: bytes, problems: Problems) -> str:
    if len(content) > _MAX_HEADER:
        _refuse("too-large", "a header of the tar is too large", problems)
    if kind == _LONG_NAME:
        return content.split(b"\0")[0].decode("utf-8", "surrogateescape")
    found, at = "", 0
    while match := _PAX.match(content, at):
        key, end = match[2], at + int(match[1])
        if key == b"size" or key.startswith(b"GNU.sparse"):
            _refuse("archive", f"the tar says {key.decode()!r} of a file, which is not supported", problems)
        if key == b"path":
            found = content[match.end() : end - 1].decode("utf-8", "surrogateescape")
        at = max(end, match.end())
    return found
