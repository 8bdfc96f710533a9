"""Files that a template names as artifacts or implementations, found in its bundle."""

from __future__ import annotations

import hashlib

from isthmus.topology import Artifact, ArtifactKind
from isthmus.tosca.bundle import Bundle
from isthmus.tosca.diagnostics import Problems, near
from isthmus.tosca.reading.documents import Map, Node, Scalar
from isthmus.tosca.reading.paths import beside, is_remote, is_url

_FILE = 100
"""Steps of work that a file of a folder means, since a job may name a folder as often as it likes."""


class Artifacts:
    """Turns paths, relative to the document that names them, into files of the bundle."""

    def __init__(self, bundle: Bundle, problems: Problems) -> None:
        self._bundle = bundle
        self._problems = problems
        self._known: dict[str, Artifact] = {}
        self.fetched: dict[str, dict[str, Artifact]] = {}
        """What get_artifact named, by the node in whose scope it was called."""
        self.used: set[int] = set()
        """Identities of the artifact definitions that an operation or get_artifact names."""

    def find(self, node: Scalar) -> Artifact | None:
        """The file that a scalar names; None when it leads out, which is reported, as is a missing one.

        A missing file has no digest: the template is right and is not deployable without it.
        """
        text = node.text
        if text in self._bundle.files:
            path: str | None = text if is_url(text) else beside(node.source.file, text)
        elif is_remote(text):
            return self._remote(node)
        else:
            path = beside(node.source.file, text)
        if path is None:
            self._problems.error(
                "path-escape",
                f"{text!r} is not a path inside the template's folder",
                node,
                suggestion="put the file beside the template and name it by its relative path",
            )
            return None
        if path in self._bundle.files:
            return self._make(path)
        self._problems.refuse(
            "file-missing",
            f"the file {path!r} is not in the bundle",
            node,
            suggestion=near(path, self._bundle.files),
        )
        return Artifact(path, "", _kind(path))

    def gather(self, text: str, at: Node) -> dict[str, Artifact]:
        """The file that a text names in the document of ``at``, or all files of a folder, by path; none is told."""
        path = beside(at.source.file, text)
        if path is None:
            summary = f"{text!r} is not a path inside the template's folder"
            self._problems.error("path-escape", summary, at, suggestion="put the file beside the template")
            return {}
        if path in self._bundle.files:
            return {path: self._make(path)}
        self._problems.spend(1 + len(self._bundle.files) // 4)
        found = {file: self._make(file) for file in sorted(self._bundle.files) if file.startswith(f"{path}/")}
        self._problems.spend(_FILE * len(found))
        if not found:
            summary = f"there is no file or folder {path!r} in the bundle"
            self._problems.refuse("file-missing", summary, at, suggestion=near(path, self._bundle.files))
        return found

    def begins(self, path: str, start: bytes) -> bool:
        """Whether a file of the bundle begins with these bytes."""
        return self._bundle.files[path].startswith(start)

    def content(self, node: Scalar) -> bytes | None:
        """The content of the file that a scalar names; None when it is not in the bundle."""
        path = node.text if is_url(node.text) else beside(node.source.file, node.text)
        return self._bundle.files.get(path) if path is not None else None

    def _make(self, path: str) -> Artifact:
        if path not in self._known:
            content = hashlib.sha256(self._bundle.files[path]).hexdigest()
            self._known[path] = Artifact(path, content, _kind(path))
        return self._known[path]

    def _remote(self, node: Scalar) -> Artifact:
        """A file named by URL: nothing is fetched, so the digest is that of the URL."""
        self._problems.warn(
            "file-remote",
            f"{node.text!r} is named by URL, and is not fetched",
            node,
            suggestion="put the file beside the template and name it by its relative path",
        )
        return Artifact(node.text, hashlib.sha256(node.text.encode()).hexdigest(), _kind(node.text))

    def fetch(self, node: Node, user: str) -> Artifact | None:
        """The file of an artifact definition that get_artifact names for a node."""
        self.used.add(id(node))
        file = node.get("file") if isinstance(node, Map) else node
        if not isinstance(file, Scalar):
            self._problems.error("key-missing", "the artifact names no file", node)
            return None
        found = self.find(file)
        if found is not None:
            self.fetched.setdefault(user, {})[found.path] = found
        return found


def _kind(path: str) -> ArtifactKind:
    yaml = path.lower().rsplit("?", 1)[0].endswith((".yml", ".yaml"))
    return ArtifactKind.ANSIBLE if yaml else ArtifactKind.SCRIPT
