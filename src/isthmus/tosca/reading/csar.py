"""What a CSAR says of itself: `TOSCA.meta`, or one YAML file at its root.

CSAR 1.0 and 1.1 are those of TOSCA 1.0 §16 and of the Simple Profile 1.3 §6, CSAR 2.0 is that of TOSCA 2.0 §17.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from isthmus.tosca.diagnostics import Problems, near
from isthmus.tosca.reading.compose import compose
from isthmus.tosca.reading.documents import Map, Scalar, Source, mark_at, text_of
from isthmus.tosca.reading.paths import is_remote

METAS = ("TOSCA-Metadata/TOSCA.meta", "TOSCA.meta")
"""Where `TOSCA.meta` may lie; there is only one."""

_YAML = (".yaml", ".yml")
_XML = (".tosca", ".xml", ".xsd")
_VERSIONS = ("1.0", "1.1", "2.0")
_META_VERSIONS = ("1.0", "1.1")
_REQUIRED = ("Created-By", "Entry-Definitions")
_MAX_META = 2**20
_NAME, _SOURCE = "Name", "Isthmus-Source"
_QUOTED = re.compile(r'"([^"]*)"|(\S+)')

Block = dict[str, Scalar]


@dataclass(frozen=True, slots=True)
class Contents:
    """The entry of a CSAR, its further definitions, and the files that came from a URL, with it."""

    main: str
    others: tuple[str, ...] = ()
    sources: Mapping[str, str] = field(default_factory=dict)


def read_contents(files: Mapping[str, bytes], problems: Problems) -> Contents | None:
    """Where an unpacked CSAR begins; None when it cannot be told, which goes to ``problems``."""
    metas = [m for m in METAS if m in files]
    if len(metas) > 1:
        problems.error("archive", f"the archive has both {metas[0]} and {metas[1]}, and there may be only one")
        return None
    return _from_meta(metas[0], files, problems) if metas else _from_root(files, problems)


def write_meta(contents: Contents, version: int) -> bytes:
    """`TOSCA.meta` for documents of TOSCA 1.x or 2.0."""
    lines = ["TOSCA-Meta-File-Version: 1.1", "CSAR-Version: 1.1"] if version == 1 else ["CSAR-Version: 2.0"]
    lines += ["Created-By: Isthmus", f"Entry-Definitions: {contents.main}"]
    if contents.others:
        lines.append(f"Other-Definitions: {' '.join(map(_quote, contents.others))}")
    for path, url in sorted(contents.sources.items()):
        lines += ["", f"{_NAME}: {path}", f"{_SOURCE}: {url}"]
    return "".join(f"{line}\n" for line in lines).encode()


def _quote(path: str) -> str:
    return f'"{path}"' if re.search(r"\s", path) else path


# ---------------------------------------------------------------------------------------------
# with TOSCA.meta


def _from_meta(meta: str, files: Mapping[str, bytes], problems: Problems) -> Contents | None:
    blocks = _read_blocks(meta, files[meta], problems)
    if blocks is None:
        return None
    head = blocks[0]
    start = Scalar(next(iter(head.values())).source, 0, "", True)
    version = _check_versions(head, start, problems)
    main = _entry(head, start, files) if version == "2.0" else None
    for key in () if main is not None else ("Entry-Definitions",) if version == "2.0" else _REQUIRED:
        _require(head, key, start, problems)
    main = main or head.get("Entry-Definitions")
    if main is None or not _check_definitions(main, main.text, files, problems):
        return None
    others = []
    if "Other-Definitions" in head:
        at = head["Other-Definitions"]
        named = [quoted or bare for quoted, bare in _QUOTED.findall(at.text)]
        others = [n for n in dict.fromkeys(named) if _check_definitions(at, n, files, problems)]
    return Contents(main.text, tuple(others), _read_sources(blocks[1:], files, problems))


def _entry(head: Block, start: Scalar, files: Mapping[str, bytes]) -> Scalar | None:
    """The one YAML file at the root where `TOSCA.meta` of a CSAR 2.0 does not name another (§17.1)."""
    roots = _roots(files)
    if "Entry-Definitions" in head or len(roots) != 1:
        return None
    return Scalar(start.source, start.mark, roots[0], True)


def _check_versions(head: Block, start: Scalar, problems: Problems) -> str:
    csar = _require(head, "CSAR-Version", start, problems)
    if csar is not None and csar.text not in _VERSIONS:
        summary = f"CSAR version {csar.text!r} is not known"
        problems.error("version", summary, csar, detail=f"Known are {', '.join(_VERSIONS)}.")
    version = csar.text if csar is not None else ""
    meta = head.get("TOSCA-Meta-File-Version")
    if meta is None and version in ("1.0", "1.1"):
        _require(head, "TOSCA-Meta-File-Version", start, problems)
    if meta is not None and meta.text not in _META_VERSIONS:
        summary = f"version {meta.text!r} of TOSCA.meta is not known"
        problems.error("version", summary, meta, detail=f"Known are {', '.join(_META_VERSIONS)}.")
    return version


def _require(head: Block, key: str, start: Scalar, problems: Problems) -> Scalar | None:
    found = head.get(key)
    if found is None or not found.text:
        problems.error("key-missing", f"TOSCA.meta has no {key}", found or start, suggestion=near(key, head))
        return None
    return found


def _check_definitions(at: Scalar, path: str, files: Mapping[str, bytes], problems: Problems) -> bool:
    if path in files and not path.lower().endswith(_XML):
        return True
    if path in files:
        problems.error("unsupported", f"{path!r} is TOSCA in XML; only TOSCA in YAML is supported", at)
    else:
        problems.error("file-missing", f"{path!r} is not in the archive", at, suggestion=near(path, files))
    return False


def _read_sources(blocks: list[Block], files: Mapping[str, bytes], problems: Problems) -> dict[str, str]:
    """The files that were fetched from a URL before they were packed; Isthmus writes this, others need not know."""
    sources: dict[str, str] = {}
    for block in blocks:
        name, url = block.get(_NAME), block.get(_SOURCE)
        if name is None or url is None:
            continue
        if name.text not in files or not is_remote(url.text) or url.text in sources.values():
            problems.error("archive", f"{name.text!r} is not in the archive, or {url.text!r} is no URL of its own", url)
            continue
        sources[name.text] = url.text
    return sources


def _read_blocks(meta: str, data: bytes, problems: Problems) -> list[Block] | None:
    """Key/value pairs in blocks that an empty line parts; a line that begins with a space goes on (§17.2)."""
    if len(data) > _MAX_META:
        problems.error("too-large", f"{meta} has more than {_MAX_META:,} bytes")
        return None
    try:
        source = Source(meta, data.decode("utf-8-sig"))
    except UnicodeDecodeError:
        problems.error("yaml-encoding", f"{meta} is not UTF-8 text")
        return None
    blocks: list[Block] = [{}]
    last: Scalar | None = None
    for number, line in enumerate(source.lines):
        line = line.rstrip("\r")
        if not line.strip():
            blocks += [{}] if blocks[-1] else []
            last = None
        elif line[0] in " \t" and last is not None:
            last.text = f"{last.text} {line.strip()}".strip()
        else:
            last = _read_pair(source, number, line, blocks[-1], problems)
    if not blocks[0]:
        problems.error("archive", f"{meta} is empty", Scalar(source, 0, "", True))
    return blocks if blocks[0] and not problems.failed else None


def _read_pair(source: Source, number: int, line: str, block: Block, problems: Problems) -> Scalar | None:
    key, colon, value = line.partition(":")
    at = Scalar(source, mark_at(number, len(key) + 1 + len(value) - len(value.lstrip())), value.strip(), True)
    if not colon or not key.strip() or key != key.strip():
        at.mark = mark_at(number)
        problems.error("archive", "a line of TOSCA.meta must be 'key: value'", at)
        return None
    if key in block:
        at.mark = mark_at(number)
        problems.error("archive", f"{key!r} is here twice, first in line {block[key].position.line}", at)
        return None
    block[key] = at
    return at


# ---------------------------------------------------------------------------------------------
# without TOSCA.meta


def _from_root(files: Mapping[str, bytes], problems: Problems) -> Contents | None:
    roots = _roots(files)
    if len(roots) == 1:
        return Contents(roots[0])
    packed = [p for p in files if p.lower().endswith((".csar", ".zip"))]
    suggestion = f"the package seems to lie in {packed[0]!r}: take it out" if len(packed) == 1 and not roots else ""
    problems.error(
        "archive",
        f"the archive has no TOSCA.meta and {len(roots)} YAML files at its root",
        detail="One of the two must tell which file is the template (TOSCA 1.3 §6.3, 2.0 §17.3).",
        suggestion=suggestion,
    )
    return None


def _roots(files: Mapping[str, bytes]) -> list[str]:
    return [p for p in files if "/" not in p and p.lower().endswith(_YAML)]


def check_nameless(main: str, data: bytes, problems: Problems) -> None:
    """Warn where a CSAR of TOSCA 1.x without TOSCA.meta does not give its name and version (1.3 §6.3)."""
    root = compose(main, data, Problems())
    if not isinstance(root, Map) or not text_of(root.get("tosca_definitions_version")).startswith("tosca_simple_yaml"):
        return
    metadata = root.get("metadata")
    for key in ("template_name", "template_version"):
        if not isinstance(metadata, Map) or not text_of(metadata.get(key)):
            summary = f"a CSAR without TOSCA.meta must give {key} in the metadata of its template"
            problems.warn("key-missing", summary, metadata or root, detail="TOSCA 1.3 §6.3 asks for it.")
