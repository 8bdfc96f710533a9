"""``isthmus tosca``: tools for templates. All of them work here, without a server."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from isthmus.cli.failures import FAILED, NOT_FOUND, USAGE, Failure
from isthmus.cli.options import AllowImport, InputFile, Json, Root, Set
from isthmus.cli.output import clean, emit, note, say, show_diagnostic, size

if TYPE_CHECKING:
    from isthmus.topology import Topology
    from isthmus.tosca.bundle import Bundle
    from isthmus.tosca.diagnostics import Diagnostic

app = typer.Typer(help="Tools for TOSCA templates.", no_args_is_help=True)
File = Annotated[
    str, typer.Argument(metavar="FILE", help="A template: a file, a folder, a CSAR, or - for the standard input.")
]
_FORMATS = ("tree", "json", "dot", "mermaid")


@app.command()
def show(
    file: File,
    pairs: Set = None,
    inputs: InputFile = None,
    root: Root = None,
    allow_import: AllowImport = None,
    form: Annotated[str, typer.Option("--format", metavar="FORMAT", help=f"One of {', '.join(_FORMATS)}.")] = "tree",
    as_json: Json = False,
) -> None:
    """Show what a template means once its inputs are given."""
    from isthmus.cli.templates import read_inputs

    if form not in _FORMATS:
        raise typer.BadParameter(f"--format is one of {', '.join(_FORMATS)}")
    topology = _load(file, read_inputs(inputs, pairs), root, allow_import)
    if as_json or form == "json":
        from isthmus.tosca.tools.interchange import to_json

        emit(to_json(topology))
    elif form == "tree":
        from isthmus.tosca.tools.outline import outline

        for line in outline(topology):
            say(str(line))
    else:
        from isthmus.tosca.tools import drawing

        print(clean(drawing.dot(topology) if form == "dot" else drawing.mermaid(topology)), end="")


def _load(file: str, inputs: Mapping[str, Any], root: Root, allow_import: AllowImport) -> Topology:
    from isthmus.tosca.load import load

    loaded = load(_read_bundle(file, root, allow_import), inputs)
    if loaded.topology is None:
        missing = any(d.code == "input-missing" for d in loaded.diagnostics)
        raise _refusal(file, loaded.diagnostics, hint="--set KEY=VALUE gives an input." if missing else "")
    _show(d for d in loaded.diagnostics if d.severity == "refusal")
    return loaded.topology


def _read_bundle(file: str, root: Root, allow_import: AllowImport) -> Bundle:
    from isthmus.cli.templates import read_bundle

    return read_bundle(file, root=root, allow_import=allow_import or ())


def _refusal(file: str, diagnostics: Iterable[Diagnostic], hint: str = "") -> Failure:
    from isthmus.cli.templates import show_as_json

    shown = [show_as_json(d) for d in diagnostics if d.severity == "error"]
    return Failure(f"{file} is not valid.", code=USAGE, diagnostics=shown, hint=hint)


def _show(diagnostics: Iterable[Diagnostic]) -> None:
    from isthmus.cli.templates import show_as_json

    for diagnostic in diagnostics:
        show_diagnostic(show_as_json(diagnostic))


@app.command()
def types(
    name: Annotated[str | None, typer.Argument(metavar="TYPE", help="A type, by full or short name.")] = None,
    file: Annotated[str | None, typer.Option("--in", metavar="FILE", help="A template whose types count too.")] = None,
    profile: Annotated[
        str | None, typer.Option("--profile", metavar="NAME", help="Types of: simple (if not told), simple-2.0, nfv.")
    ] = None,
    root: Root = None,
    allow_import: AllowImport = None,
    as_json: Json = False,
) -> None:
    """Show the hierarchy of types, or all that one type declares and inherits."""
    from dataclasses import asdict

    from isthmus.cli.types import show_hierarchy, show_type
    from isthmus.tosca.diagnostics import nearest
    from isthmus.tosca.tools.typedoc import PROFILES, TypeDoc, TypeLine, describe_type, list_types

    if file is not None and profile is not None:
        raise typer.BadParameter("--in and --profile are two places to look in: one is wanted")
    if profile is not None and profile not in PROFILES:
        raise typer.BadParameter(f"--profile is one of {', '.join(PROFILES)}")
    bundle = _read_bundle(file, root, allow_import) if file is not None else PROFILES[profile or "simple"]
    lines = list_types(bundle)
    known = [line for line in lines if isinstance(line, TypeLine)]
    if len(known) < len(lines):
        raise _refusal(str(file), [d for d in lines if not isinstance(d, TypeLine)])
    if name is None:
        emit([asdict(line) for line in known]) if as_json else show_hierarchy(known)
        return
    docs = [doc for doc in describe_type(name, bundle) if isinstance(doc, TypeDoc)]
    if not docs:
        names = [n for line in known for n in (line.name, line.name.rsplit(".", 1)[-1])]
        near = " or ".join(dict.fromkeys(nearest(name, names)))
        raise Failure(f"There is no type {name}.", code=NOT_FOUND, hint=f"Did you mean {near}?" if near else "")
    if as_json:
        emit([asdict(doc) for doc in docs])
    else:
        for doc in docs:
            show_type(doc)


@app.command()
def inputs(file: File, root: Root = None, allow_import: AllowImport = None, as_json: Json = False) -> None:
    """Print the inputs of a template as JSON Schema (2020-12), for forms. It is JSON in any case."""
    from isthmus.tosca.tools.input_schema import inputs_schema

    schema = inputs_schema(_read_bundle(file, root, allow_import))
    if not isinstance(schema, dict):
        raise _refusal(file, schema)
    emit(schema)


@app.command()
def fmt(
    files: Annotated[list[str], typer.Argument(metavar="FILE...", help="TOSCA documents.")],
    check: Annotated[bool, typer.Option("--check", help="Write nothing; exit code 1 if one would change.")] = False,
    diff: Annotated[bool, typer.Option("--diff", help="Write nothing; print what would change.")] = False,
    as_json: Json = False,
) -> None:
    """Format TOSCA documents in place: same meaning, same comments, the usual order and indentation.

    With - the document is read from the standard input and printed.
    """
    results = [_format(file, write=not (check or diff), diff=diff, quiet=as_json) for file in files]
    if as_json:
        emit(results)
    if any(r["error"] for r in results):
        raise typer.Exit(USAGE)
    if check and any(r["changed"] for r in results):
        raise typer.Exit(FAILED)


def _format(file: str, *, write: bool, diff: bool, quiet: bool) -> dict[str, Any]:
    from isthmus.cli.files import replace_file
    from isthmus.tosca.tools.formatting import FormatError, format_document

    result: dict[str, Any] = {"file": file, "changed": False, "error": ""}
    try:
        before = _read(file)
        after = format_document(Path(file).name, before)
        if file == "-" and write and not quiet:
            sys.stdout.buffer.write(after)
            return {**result, "changed": before != after}
        if before != after and write and file != "-":
            replace_file(Path(file), after)
    except (OSError, FormatError) as error:
        why = error.strerror or str(error) if isinstance(error, OSError) else str(error)
        if not quiet:
            _show(error.diagnostics if isinstance(error, FormatError) else ())
            note(f"{file}: {why}")
        return {**result, "error": why}
    if before != after and not quiet:
        if diff:
            _print_diff(file, before, after)
        else:
            say(file if write else f"{file} would change")
    return {**result, "changed": before != after}


def _read(file: str) -> bytes:
    from isthmus.tosca.reading.compose import MAX_DOCUMENT

    if file == "-":
        return sys.stdin.buffer.read(MAX_DOCUMENT + 1)
    if Path(file).exists() and not Path(file).is_file():
        raise IsADirectoryError("a folder or a device, not a file")
    with Path(file).open("rb") as stream:
        return stream.read(MAX_DOCUMENT + 1)


def _print_diff(file: str, before: bytes, after: bytes) -> None:
    import difflib

    old, new = (text.decode("utf-8", "replace").splitlines() for text in (before, after))
    for line in difflib.unified_diff(old, new, file, f"{file} (formatted)", lineterm=""):
        say(line)


@app.command()
def package(
    file: File,
    out: Annotated[Path, typer.Option("--output", "-o", metavar="OUT", help="The archive to write: a .csar or .zip.")],
    force: Annotated[bool, typer.Option("--force", help="Replace OUT if it is there.")] = False,
    root: Root = None,
    allow_import: AllowImport = None,
    as_json: Json = False,
) -> None:
    """Pack a template and all files that it reaches into a CSAR."""
    from isthmus.cli.files import write_new_file
    from isthmus.validation import judge

    if out.suffix.lower() not in (".csar", ".zip"):
        raise typer.BadParameter("OUT must end in .csar or .zip")
    bundle = _read_bundle(file, root, allow_import)
    verdict = judge(bundle, {})
    if not verdict.valid:
        raise _refusal(file, verdict.diagnostics)
    archive = bundle.to_zip()
    write_new_file(out, archive, force=force)
    files = [{"path": path, "bytes": len(content)} for path, content in sorted(bundle.files.items())]
    if as_json:
        emit(
            {"archive": str(out), "bytes": len(archive), "entry": bundle.main, "digest": bundle.digest, "files": files}
        )
        return
    _show(d for d in verdict.diagnostics if d.severity == "refusal")
    _tell_packed(out, len(archive), files)


def _tell_packed(out: Path, weight: int, files: Sequence[dict[str, Any]]) -> None:
    for packed in files:
        say(f"  {packed['path']}  {size(packed['bytes'])}")
    say(f"{out}: {len(files)} file{'' if len(files) == 1 else 's'}, {size(weight)}")
