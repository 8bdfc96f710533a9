"""``isthmus validate`` and ``isthmus plan``: before anything is made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated, Any

import typer

from isthmus.cli.context import connect
from isthmus.cli.failures import USAGE, Failure
from isthmus.cli.options import InputFile, Json, Set
from isthmus.cli.output import emit, note, say, show_diagnostic

Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Tell details too.")]


def validate(
    files: Annotated[list[str], typer.Argument(metavar="FILE...", help="Templates: files, folders or CSARs.")],
    pairs: Set = None,
    inputs: InputFile = None,
    verbose: Verbose = False,
    as_json: Json = False,
) -> None:
    """Check templates, here and without a server. The exit code is 2 if one is not valid."""
    from isthmus.cli.templates import read_inputs

    given = read_inputs(inputs, pairs)
    results = {file: _check(file, given) for file in files}
    if as_json:
        emit([{"file": f, "valid": _is_valid(found), "diagnostics": found} for f, found in results.items()])
    else:
        for file, found in results.items():
            _tell(file, found, verbose)
    if not all(map(_is_valid, results.values())):
        raise typer.Exit(USAGE)


def _check(file: str, inputs: dict[str, Any]) -> Sequence[dict[str, Any]]:
    from isthmus.cli.templates import read_bundle
    from isthmus.library import Library

    try:
        bundle = read_bundle(file)
    except Failure as failure:
        if failure.diagnostics:
            return [dict(d) for d in failure.diagnostics]
        raise
    return [asdict(found) for found in Library.check(bundle, inputs)]


def _is_valid(found: Sequence[dict[str, Any]]) -> bool:
    return not any(d["severity"] == "error" for d in found)


def _tell(file: str, found: Sequence[dict[str, Any]], verbose: bool) -> None:
    for diagnostic in found:
        show_diagnostic(diagnostic, verbose)
    errors = sum(d["severity"] == "error" for d in found)
    warnings = len(found) - errors
    if errors:
        note(f"{file}: {_count(errors, 'error')}, {_count(warnings, 'warning')}")
    else:
        say(f"{file}: valid" + (f", {_count(warnings, 'warning')}" if warnings else ""))


def _count(number: int, what: str) -> str:
    return f"{number} {what}" + ("" if number == 1 else "s")


def plan(
    ctx: typer.Context,
    template: Annotated[str | None, typer.Argument(metavar="TEMPLATE", help="As for deploy.")] = None,
    existing: Annotated[
        str | None, typer.Option("--for", metavar="NAME", help="Plan a change of this deployment.")
    ] = None,
    name: Annotated[str | None, typer.Option(metavar="NAME", help="Name that it would get.")] = None,
    pairs: Set = None,
    inputs: InputFile = None,
    site: Annotated[str | None, typer.Option(metavar="SITE", help="Site to use; chosen if missing.")] = None,
    scale: Annotated[
        list[str] | None, typer.Option("--scale", metavar="NODE=N", help="With --for: instances of a node.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Show what a deploy, an update or a scale would do. Nothing is touched."""
    from isthmus.cli.render import show_plan

    if existing is None:
        if template is None or scale:
            raise typer.BadParameter("a TEMPLATE is wanted (--scale goes with --for)")
        found = plan_new(connect(ctx), template, name, pairs, inputs, site)
    else:
        if name or site:
            raise typer.BadParameter("--name and --site are for what is new, not for --for")
        found = plan_change(connect(ctx), existing, change_body(template, pairs, inputs), scale)
    if as_json:
        emit(found)
    else:
        show_plan(found)


def deployment_body(template: str, name: str | None, pairs: Set, inputs: InputFile, site: str | None) -> dict[str, Any]:
    """The body of a create or of a plan."""
    from isthmus.cli.templates import read_inputs, template_body

    body = {"template": template_body(template), "name": name, "inputs": read_inputs(inputs, pairs)}
    return {**body, "site": site}


def plan_new(client: Any, template: str, name: str | None, pairs: Set, inputs: InputFile, site: str | None) -> Any:
    """The plan of a new deployment."""
    return client.post("/plans", deployment_body(template, name, pairs, inputs, site))


def change_body(template: str | None, pairs: Set, inputs: InputFile) -> dict[str, Any]:
    """The body of an update: what should change, and nothing else."""
    from isthmus.cli.templates import read_inputs, template_body

    body: dict[str, Any] = {"template": template_body(template)} if template else {}
    if given := read_inputs(inputs, pairs):
        body["inputs"] = given
    return body


def plan_change(client: Any, name: str, body: dict[str, Any], scale: Sequence[str] | None = None) -> Any:
    """The plan of a change."""
    counts = dict(node_count(pair) for pair in scale or ())
    return client.post(f"/deployments/{name}/plan", {**body, **({"counts": counts} if counts else {})})


def node_count(pair: str) -> tuple[str, int]:
    """``NODE=N``."""
    node, _, count = pair.partition("=")
    if not node or not count.isdecimal():
        raise Failure(f"{pair}: NODE=N is wanted, such as worker=4.", code=USAGE)
    return node, int(count)
