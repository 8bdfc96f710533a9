"""From a bundle to documents: the main one and all that it imports, each once, names kept apart."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cache

from isthmus.tosca import leniency, profiles
from isthmus.tosca.bundle import Bundle
from isthmus.tosca.diagnostics import Problems, near
from isthmus.tosca.grammar import check_keys, entries_at, map_at
from isthmus.tosca.leniency import complain
from isthmus.tosca.reading.compose import MAX_DOCUMENT, MODERN, compose
from isthmus.tosca.reading.documents import Map, Node, Scalar, is_text, text_of
from isthmus.tosca.reading.import_targets import Target, import_targets, report_missing

MAX_DOCUMENTS = 200
MAX_TEXT = 2 * MAX_DOCUMENT
"""Bytes of all documents together."""
VERSIONS = (*(f"tosca_simple_yaml_1_{n}" for n in range(4)), MODERN)

_PROFILE = re.compile(rb"^(?:profile|namespace)[ \t]*:[ \t]*(\S+)", re.MULTILINE)


@dataclass(eq=False, slots=True)
class Document:
    """One file of the template: its tree, and the documents whose names it sees, by prefix."""

    file: str
    root: Map
    imports: list[tuple[str, Document]] = field(default_factory=list)
    importers: list[Document] = field(default_factory=list)
    """Those that import it without a prefix, and so share one namespace with it."""
    normative: str = profiles.SIMPLE
    """The profile whose types it sees without importing it; nothing in TOSCA 2.0."""

    @property
    def version(self) -> int:
        """1 for TOSCA 1.0 to 1.3, 2 for TOSCA 2.0."""
        return self.root.source.version


def read_documents(bundle: Bundle, problems: Problems) -> dict[str, Document]:
    """Every document reachable from the main one, which comes first; nothing when that is unusable."""
    return _Reader(bundle, problems).read()


class _Reader:
    def __init__(self, bundle: Bundle, problems: Problems) -> None:
        self.files = bundle.files
        self.main = bundle.main
        self.problems = problems
        self.text = 0
        self.found: dict[str, Document] = {}
        self.profiles: dict[str, str] = {}

    def read(self) -> dict[str, Document]:
        main = self._open(self.main)
        if main is None:
            return {}
        queue = [main]
        while queue:
            document = queue.pop(0)
            for target in import_targets(document.root, document.file, self.problems):
                path = self._find(target)
                imported = self.found.get(path) if path is not None else None
                if path is not None and imported is None:
                    imported = self._open(path, document, target.at)
                    if imported is not None:
                        queue.append(imported)
                if imported is not None:
                    self._check_mix(document, imported)
                    document.imports.append((target.namespace, imported))
                    if not target.namespace:
                        imported.importers.append(document)
        return self.found

    # one document ----------------------------------------------------------------------------

    def _open(self, file: str, importer: Document | None = None, at: Node | None = None) -> Document | None:
        data = profiles.data_of(file) or self.files.get(file)
        if data is None:
            self.problems.error("file-missing", f"the bundle has no file {file!r}", at)
            return None
        self.text += len(data)
        # The template itself alone is too large by the measure of one document, which names it.
        if self.found and (len(self.found) >= MAX_DOCUMENTS or self.text > MAX_TEXT):
            summary = f"more than {MAX_DOCUMENTS} documents or {MAX_TEXT:,} bytes are imported"
            self.problems.error("too-large", summary, at)
            return None
        if leniency.is_marked(data):
            self.problems.marked.add(file)
        root = _built_in(file) if file in profiles.BUILT_IN.values() else compose(file, data, self.problems)
        if root is None:
            return None
        if not isinstance(root, Map):
            self.problems.error("shape", f"{file} is not a map of TOSCA keys", root)
            return None
        self.problems.expect(root, root.size)
        metadata = root.get("metadata")
        if isinstance(metadata, Map) and metadata.get("tabs") is not None:  # a mark, however it is written
            self.problems.marked.add(file)
        if root.source.version == 2:
            self.problems.marked.discard(file)
        document = Document(file, root)
        if not self._set_version(document, importer):
            return None
        check_keys(root, "service_template", self.problems)
        _check_file(document, self.problems)
        self.found[file] = document
        return document

    def _set_version(self, document: Document, importer: Document | None) -> bool:
        """Find what types the document's version brings with it; false where it cannot be read on."""
        root = document.root
        written = root.get("tosca_definitions_version")
        text = text_of(written)
        if written is None and importer is not None and importer.version == 1:
            document.normative = importer.normative
            return True
        if written is None:
            self.problems.error(
                "version",
                "tosca_definitions_version is missing",
                root,
                suggestion=f"begin with 'tosca_definitions_version: {VERSIONS[-2]}', or {MODERN}",
            )
            return False
        if document.version == 2:
            document.normative = ""
        elif text in profiles.NORMATIVE:
            document.normative = profiles.NORMATIVE[text]
        elif text not in VERSIONS:
            self.problems.error(
                "version",
                f"there is no version {text!r}",
                written,
                detail=f"Supported are {', '.join((*VERSIONS, *profiles.NORMATIVE))}.",
                suggestion=near(text, VERSIONS),
            )
            return False
        return True

    def _check_mix(self, document: Document, imported: Document) -> None:
        if document.version == imported.version or imported.file in profiles.BUILT_IN.values():
            return
        said = "TOSCA 2.0" if imported.version == 2 else "TOSCA 1.x"
        at = imported.root.get("tosca_definitions_version") or imported.root
        self.problems.error("version", f"this is {said}, unlike {document.file!r}, which imports it", at)

    # what it imports -------------------------------------------------------------------------

    def _find(self, target: Target) -> str | None:
        """The file that an import leads to, as the bundle or the language has it."""
        if target.profile:
            return self._profile(target.at)
        if target.path in self.files:
            return profiles.BUILT_IN.get(self._profile_of(target.path), target.path)
        report_missing(target, self.files, self.problems)
        return None

    def _profile_of(self, file: str) -> str:
        """The profile that a file says it defines. One that comes with the language is taken from there (§6.8.2.1)."""
        self.problems.spend()
        if file not in self.profiles:
            named = _PROFILE.search(self.files[file], 0, MAX_DOCUMENT)
            self.profiles[file] = named[1].decode("utf-8", "replace").strip("'\"") if named is not None else ""
        return self.profiles[file]

    def _profile(self, name: Scalar) -> str | None:
        """The file of the bundle that defines a profile, or one that comes with the language."""
        if name.text in profiles.BUILT_IN:
            return profiles.BUILT_IN[name.text]
        for file in self.files:
            if file.endswith((".yaml", ".yml")) and self._profile_of(file) == name.text:
                return file
        self.problems.refuse(
            "import",
            f"there is no profile {name.text!r}",
            name,
            detail="A profile is a file of the template's bundle that says 'profile: NAME', or one of "
            + ", ".join(profiles.BUILT_IN),
            suggestion=near(name.text, profiles.BUILT_IN),
        )
        return None


@cache
def _built_in(file: str) -> Node | None:
    """The tree of a profile that comes with the language, read once in a process."""
    return compose(file, profiles.data_of(file) or b"", Problems())


def _check_file(document: Document, problems: Problems) -> None:
    """What is asked of a file as a whole (TOSCA 1.0 §3.1.2, TOSCA 2.0 §6.1, §6.3, §6.7.1)."""
    root = document.root
    written = root.keys.get("tosca_definitions_version")
    strict = text_of(root.get("tosca_definitions_version")) in (VERSIONS[0], MODERN)  # the others do not say so
    if strict and written is not None and next(iter(root.entries)) != "tosca_definitions_version":
        complain("late-version", "version", "tosca_definitions_version must come first", written, problems)
    for name, node in entries_at(root, "repositories", problems).items():
        if isinstance(node, Map):
            check_keys(node, "repository", problems)
            if document.version != 2 and not text_of(node.get("url")):
                problems.error("key-missing", f"the repository {name!r} has no 'url'", node)
            if document.version != 2:
                map_at(node, "credential", problems)
        elif not text_of(node) or not is_text(node):
            problems.error("shape", f"the repository {name!r} must be a URL or a map with one", node)
    if document.version != 2:
        return
    if root.get("profile") is not None and root.get("service_template") is not None:
        problems.error("shape", "a file that defines a profile has no service_template", root.keys["service_template"])
    for name, node in entries_at(root, "dsl_definitions", problems).items():
        if isinstance(node, Scalar) and node.null:
            problems.error("shape", f"the definition {name!r} is empty", node)
