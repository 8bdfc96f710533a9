"""The library: templates from the catalogue or from a user, and what they mean with given inputs."""

from __future__ import annotations

import json
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from isthmus import catalogue, tosca
from isthmus.errors import Invalid, Unsupported
from isthmus.topology import Topology
from isthmus.tosca import Bundle, Diagnostic
from isthmus.validation import diagnostic_view, judge
from isthmus.views import DiagnosticView, ValidationView

K = TypeVar("K")
V = TypeVar("V")


@dataclass(frozen=True, slots=True)
class Source:
    """Where a template comes from: the name of one in the catalogue, or a bundle that a user gave."""

    catalogue: str | None = None
    bundle: Bundle | None = None

    def open(self) -> Bundle:
        """The bundle; raises :class:`~isthmus.errors.NotFound` for a name that the catalogue lacks."""
        if self.bundle is not None:
            return self.bundle
        if self.catalogue is None:
            raise Invalid("a template is a catalogue name or a bundle", hint="See `isthmus catalogue list`.")
        return catalogue.bundle(self.catalogue)

    @property
    def label(self) -> str:
        """What the template is called in lists."""
        return self.catalogue or (self.bundle.main if self.bundle else "")


@dataclass(frozen=True, slots=True)
class Template:
    """A template with its inputs given: the topology, the files, the names of its secret inputs."""

    bundle: Bundle
    topology: Topology
    secrets: tuple[str, ...]
    warnings: tuple[Diagnostic, ...]


class Library:
    """Loads templates, keeping the last few: most deployments of a server come from few templates."""

    def __init__(self, keep: int = 256):
        self._templates: _Recent[tuple[str, str], Template] = _Recent(keep)
        self._bundles: _Recent[str, Bundle] = _Recent(keep)

    def bundle(self, digest: str, read: Callable[[], Bundle]) -> Bundle:
        """The bundle of that digest, by ``read`` when it was not used lately."""
        return self._bundles.get(digest, read)

    def load(self, bundle: Bundle, inputs: Mapping[str, Any]) -> Template:
        """The template with these inputs; raises :class:`Invalid` with every diagnostic."""
        return self._templates.get(_key(bundle, inputs), lambda: self._load(bundle, inputs))

    def recall(self, bundle: Bundle, inputs: Mapping[str, Any]) -> Template | None:
        """What :meth:`load` would answer, when that needs no work."""
        return self._templates.find(_key(bundle, inputs))

    @staticmethod
    def _load(bundle: Bundle, inputs: Mapping[str, Any]) -> Template:
        loaded = tosca.load(bundle, inputs)
        if loaded.topology is None or not loaded.deployable:
            errors = [d for d in loaded.diagnostics if d.severity != "warning"]
            count = f"{len(errors)} errors" if len(errors) != 1 else "1 error"
            raise Invalid(f"{bundle.main}: {count}", diagnostics=views(loaded.diagnostics), code="template")
        return Template(bundle, loaded.topology, tuple(loaded.secrets), tuple(loaded.diagnostics))

    @staticmethod
    def check(bundle: Bundle, inputs: Mapping[str, Any]) -> ValidationView:
        """All that is to be said of a template, as `isthmus validate` says it."""
        return judge(bundle, inputs).view()


def refuse_missing_files(template: Template) -> None:
    """Refuse by name operations whose files are not in the bundle: nothing is fetched from elsewhere."""
    missing = {
        artifact.path
        for node in template.topology.nodes.values()
        for operation in node.operations
        for artifact in (operation.implementation, *operation.dependencies)
        if artifact.path not in template.bundle.files
    }
    if missing:
        raise Unsupported(
            f"these files are not in the template's bundle: {', '.join(sorted(missing))}",
            hint="Put them beside the template and refer to them by relative paths.",
            code="missing-file",
        )


def secret_inputs(template: Template, inputs: Mapping[str, Any]) -> dict[str, str]:
    """The secrets that a deployment's owner gives as inputs, by the names under which they are kept."""
    return {f"input:{name}": str(inputs[name]) for name in template.secrets if inputs.get(name) is not None}


def views(diagnostics: Sequence[Diagnostic]) -> tuple[DiagnosticView, ...]:
    """Diagnostics as they are shown."""
    return tuple(map(diagnostic_view, diagnostics))


def _key(bundle: Bundle, inputs: Mapping[str, Any]) -> tuple[str, str]:
    return bundle.digest, json.dumps(inputs, sort_keys=True, default=str)


class _Recent(Generic[K, V]):
    """A small cache, safe between threads; what is made twice at once is the same."""

    def __init__(self, size: int):
        self._size = size
        self._values: OrderedDict[K, V] = OrderedDict()
        self._lock = threading.Lock()

    def find(self, key: K) -> V | None:
        with self._lock:
            if key not in self._values:
                return None
            self._values.move_to_end(key)
            return self._values[key]

    def get(self, key: K, make: Callable[[], V]) -> V:
        if (found := self.find(key)) is not None:
            return found
        value = make()
        with self._lock:
            self._values[key] = value
            while len(self._values) > self._size:
                self._values.popitem(last=False)
        return value
