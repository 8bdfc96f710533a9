"""From a bundle to documents: the main one and all that it imports, each once, names kept apart."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from isthmus.tosca import leniency
from isthmus.tosca.bundle import Bundle
from isthmus.tosca.compose import MAX_DOCUMENT, compose
from isthmus.tosca.diagnostics import Problems, near
from isthmus.tosca.documents import Map, Node, Scalar, text_of
from isthmus.tosca.grammar import check_keys
from isthmus.tosca.paths import beside, import_entries, import_target, is_url

MAX_DOCUMENTS = 200
MAX_TEXT = 2 * MAX_DOCUMENT
"""Bytes of all documents together."""
VERSIONS = tuple(f"tosca_simple_yaml_1_{n}" for n in range(4))


@dataclass(eq=False, slots=True)
class Document:
    """One file of the template: its tree, and the documents whose names it sees, by prefix."""

    file: str
    root: Map
    imports: list[tuple[str, Document]] = field(default_factory=list)


def read_documents(bundle: Bundle, problems: Problems) -> dict[str, Document]:
    """Every document reachable from the main one, which comes first; nothing when that is unusable."""
    found: dict[str, Document] = {}
    main = _read(bundle, bundle.main, problems)
    if main is None:
        return {}
    _check_version(main, problems, required=True)
    if problems.failed:
        return {}
    found[main.file] = main
    queue = [main]
    text = len(bundle.files[main.file])
    while queue:
        document = queue.pop(0)
        for prefix, path, at in _targets(document, bundle, problems):
            if path not in found:
                text += len(bundle.files[path])
                if len(found) >= MAX_DOCUMENTS or text > MAX_TEXT:
                    summary = f"more than {MAX_DOCUMENTS} documents or {MAX_TEXT:,} bytes are imported"
                    problems.error("too-large", summary, at)
                    return found
                imported = _read(bundle, path, problems)
                if imported is None:
                    continue
                _check_version(imported, problems, required=False)
                found[path] = imported
                queue.append(imported)
            document.imports.append((prefix, found[path]))
    return found


def _read(bundle: Bundle, file: str, problems: Problems) -> Document | None:
    data = bundle.files.get(file)
    if data is None:
        problems.error("file-missing", f"the bundle has no file {file!r}")
        return None
    if leniency.is_marked(data):
        problems.marked.add(file)
    root = compose(file, data, problems)
    if root is None:
        return None
    if not isinstance(root, Map):
        problems.error("shape", f"{file} is not a map of TOSCA keys", root)
        return None
    check_keys(root, "service_template", problems)
    return Document(file, root)


def _check_version(document: Document, problems: Problems, *, required: bool) -> None:
    version = document.root.get("tosca_definitions_version")
    if version is None:
        if required:
            problems.error(
                "version",
                "tosca_definitions_version is missing",
                document.root,
                suggestion=f"begin with 'tosca_definitions_version: {VERSIONS[-1]}'",
            )
        return
    text = text_of(version)
    if text in VERSIONS:
        return
    later = " yet" if text.startswith("tosca_") else ""
    problems.error(
        "version",
        f"version {text!r} is not supported{later}",
        version,
        detail=f"Supported are {', '.join(VERSIONS)}.",
        suggestion=near(text, VERSIONS) if not later else "",
    )


def _targets(document: Document, bundle: Bundle, problems: Problems) -> list[tuple[str, str, Node]]:
    """What a document imports: the prefix of its names, its path, and where that is said."""
    targets: list[tuple[str, str, Node]] = []
    for _, entry in import_entries(document.root):
        target = import_target(entry)
        if target is None:
            problems.error("import", "an import names no file", entry)
            continue
        path = _locate(document.file, target, bundle.files, problems)
        if path is not None:
            targets.append((_prefix(entry), path, target))
    return targets


def _prefix(entry: Node) -> str:
    if isinstance(entry, Map) and "file" not in entry.entries and len(entry.entries) == 1:
        entry = next(iter(entry.entries.values()))
    return text_of(entry.get("namespace_prefix")) if isinstance(entry, Map) else ""


def _locate(file: str, target: Scalar, files: Mapping[str, bytes], problems: Problems) -> str | None:
    if target.text in files and is_url(target.text):
        return target.text
    path = beside(file, target.text)
    if path is None:
        kind = "a URL" if is_url(target.text) else "a path out of the template's folder"
        problems.error(
            "import",
            f"{target.text!r} is {kind}, and nothing is fetched",
            target,
            suggestion="put the file beside the template and import it by its relative path",
        )
    elif path not in files:
        problems.error(
            "file-missing",
            f"the imported file {path!r} is not in the bundle",
            target,
            suggestion=near(path, files),
        )
        return None
    return path
