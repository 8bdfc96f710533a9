"""What a person names on the command line, as the API wants it: templates and inputs."""

from __future__ import annotations

import base64
import io
import json
import os
import sys
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from isthmus.cli.failures import USAGE, Failure

if TYPE_CHECKING:
    from isthmus.tosca.bundle import Bundle
    from isthmus.tosca.diagnostics import Diagnostic
    from isthmus.tosca.reading.importers.web import WebImporter

_MAIN = "template.yaml"
_STDIN = "stdin.yaml"
_ARCHIVES = (".zip", ".csar", ".tar", ".tar.gz", ".tgz")
_MOST_FILES = 2_000
_MOST_BYTES = 64 * 1024**2


def is_path(text: str) -> bool:
    """Whether a template argument is a path; a plain word is a name of the catalogue."""
    return "/" in text or text.lower().endswith((".yaml", ".yml", *_ARCHIVES))


def template_body(text: str, root: Path | None = None, allow_import: Sequence[str] | None = None) -> dict[str, Any]:
    """The ``template`` member of a request: a catalogue name, or the files of a path as a CSAR."""
    if is_path(text):
        bundle = read_bundle(text, root=root, allow_import=allow_import or ())
        return {"archive": base64.b64encode(bundle.to_zip()).decode()}
    if root is not None or allow_import:
        raise Failure("--root and --allow-import are for the path of a template.", code=USAGE)
    return {"catalogue": text}


def read_bundle(text: str, *, root: Path | None = None, allow_import: Sequence[str] = ()) -> Bundle:
    """The template at a path: a file with what it imports and runs, a folder, a CSAR; `-` is the standard input.

    ``root`` is the folder that imports of a file may lead to, its own unless told; ``allow_import`` are the
    hosts, or `HOST/PATH`, that imports may be fetched from.
    """
    from isthmus.tosca.bundle import BundleError

    try:
        return open_bundle(text, root=root, allow_import=allow_import)
    except BundleError as error:
        shown = [show_as_json(d) for d in error.diagnostics]
        raise Failure(f"{text} cannot be read as a template.", code=USAGE, diagnostics=shown) from None


def open_bundle(text: str, *, root: Path | None = None, allow_import: Sequence[str] = ()) -> Bundle:
    """As :func:`read_bundle`, and raises the language's own BundleError for what is no template."""
    from isthmus.tosca.bundle import Bundle

    if text == "-":
        return _read_stdin(root, allow_import)
    path = Path(text)
    if not text or not path.exists():
        raise Failure(f"There is no file {text or repr(text)}.", code=USAGE)
    if root is not None and (path.is_dir() or text.lower().endswith(_ARCHIVES)):
        raise Failure(f"{text} has a root of its own.", code=USAGE, hint="--root goes with a single template file.")
    importer = _importer(allow_import)
    try:
        if not path.is_dir():
            return Bundle.from_path(path, importer=importer, root=root)
        files = _read_folder(path)
    except OSError as error:
        raise Failure(f"{text} cannot be read.", code=USAGE, detail=str(error)) from None
    bundle = _of_folder(text, files)
    return bundle.fetched(importer) if importer is not None else bundle


def show_as_json(diagnostic: Diagnostic) -> dict[str, Any]:
    """A diagnostic with the members that the API gives it."""
    from isthmus.validation import diagnostic_view

    return asdict(diagnostic_view(diagnostic))


def _read_stdin(root: Path | None, allow: Sequence[str]) -> Bundle:
    """A single document, which may import what is allowed to be fetched, and no file: nobody knows beside which."""
    from isthmus.tosca.bundle import Bundle
    from isthmus.tosca.reading.compose import MAX_DOCUMENT

    if root is not None:
        raise Failure("--root goes with a template file, not with the standard input.", code=USAGE)
    bundle = Bundle(_STDIN, {_STDIN: sys.stdin.buffer.read(MAX_DOCUMENT + 1)})
    importer = _importer(allow)
    return bundle.fetched(importer) if importer is not None else bundle


def _of_folder(text: str, files: Mapping[str, bytes]) -> Bundle:
    """As in the catalogue: of several documents in a folder, template.yaml is the one that is meant."""
    from isthmus.tosca.bundle import Bundle

    if _MAIN in files:
        return Bundle(_MAIN, files)
    documents = sorted(f for f in files if "/" not in f and f.endswith((".yaml", ".yml")))
    if len(documents) != 1 and not any(f.endswith("TOSCA.meta") for f in files):
        raise Failure(
            f"{text} has {len(documents)} YAML files at its root, and none is called {_MAIN}.",
            code=USAGE,
            hint="Name the file." if documents else "A template is a YAML file, a folder with one, or a CSAR.",
        )
    return Bundle.from_zip(_zip(files))


def _importer(allow: Sequence[str]) -> WebImporter | None:
    """What fetches imports by URL; nothing is fetched unless a host is allowed."""
    if not allow:
        return None
    from isthmus.tosca.reading.importers.web import WebImporter

    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "isthmus" / "imports"
    try:
        return WebImporter(allow, cache=cache)
    except ValueError as error:
        raise Failure(f"--allow-import: {error}.", code=USAGE) from None


def _read_folder(folder: Path) -> dict[str, bytes]:
    """The files of a folder; hidden ones and links stay behind."""
    files: dict[str, bytes] = {}
    total = 0
    for file in _files(folder):
        total += file.stat().st_size
        if len(files) == _MOST_FILES or total > _MOST_BYTES:
            raise Failure(f"{folder} holds too much for a template.", code=USAGE)
        files[file.relative_to(folder).as_posix()] = file.read_bytes()
    return files


def _zip(files: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, content in files.items():
            archive.writestr(path, content)
    return buffer.getvalue()


def _files(folder: Path) -> Iterator[Path]:
    for entry in sorted(folder.iterdir()):
        if entry.name.startswith(".") or entry.is_symlink():
            continue
        if entry.is_dir():
            yield from _files(entry)
        elif entry.is_file():
            yield entry


def read_inputs(file: Path | None, pairs: Sequence[str] | None) -> dict[str, Any]:
    """Inputs out of ``--inputs`` and, over them, ``--set``."""
    return {**(_read_file(file) if file else {}), **parse_pairs(pairs or ())}


def parse_pairs(pairs: Iterable[str]) -> dict[str, Any]:
    """``KEY=VALUE``, the value read as YAML."""
    inputs = {}
    for pair in pairs:
        key, equals, text = pair.partition("=")
        if not key or not equals:
            raise Failure(f"--set {pair}: KEY=VALUE is wanted.", code=USAGE)
        inputs[key] = _parse(text, f"--set {key}")
    return inputs


def _read_file(file: Path) -> Mapping[str, Any]:
    try:
        value = _parse(file.read_text(), str(file))
    except (OSError, UnicodeDecodeError) as error:
        raise Failure(f"{file} cannot be read.", code=USAGE, detail=str(error)) from None
    if not isinstance(value, dict):
        raise Failure(f"{file} must hold inputs by name.", code=USAGE)
    return value


def _parse(text: str, where: str) -> Any:
    import yaml

    loader = yaml.SafeLoader(text)
    # YAML as JSON knows it: a date stays the text that it is.
    loader.yaml_implicit_resolvers = {
        first: [(tag, pattern) for tag, pattern in rules if tag != "tag:yaml.org,2002:timestamp"]
        for first, rules in loader.yaml_implicit_resolvers.items()
    }
    try:
        return _plain(loader.get_single_data(), where)
    except (yaml.YAMLError, RecursionError) as error:
        raise Failure(f"{where} is not YAML.", code=USAGE, detail=str(error)) from None
    finally:
        loader.dispose()


def _plain(value: Any, where: str) -> Any:
    try:
        return json.loads(json.dumps(value, allow_nan=False))
    except (TypeError, ValueError):
        raise Failure(f"{where} holds what JSON cannot say.", code=USAGE) from None
