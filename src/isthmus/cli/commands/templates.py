"""``isthmus validate`` and ``isthmus plan``: before anything is made."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from isthmus.cli.context import connect
from isthmus.cli.failures import USAGE, Failure
from isthmus.cli.options import AllowImport, InputFile, Json, Root, Set
from isthmus.cli.output import emit, note, say, show_diagnostic

if TYPE_CHECKING:
    from isthmus.cli.checking import Checked

Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Tell details too.")]


def validate(
    files: Annotated[list[str], typer.Argument(metavar="FILE...", help="Templates: files, folders, CSARs, or -.")],
    pairs: Set = None,
    inputs: InputFile = None,
    root: Root = None,
    allow_import: AllowImport = None,
    language: Annotated[
        bool, typer.Option("--language", help="Judge the language alone: what cannot be deployed is no fault.")
    ] = False,
    verbose: Verbose = False,
    as_sarif: Annotated[bool, typer.Option("--sarif", help="Print SARIF 2.1.0, for editors and code hosts.")] = False,
    as_json: Json = False,
) -> None:
    """Check templates, here and without a server. The exit code is 2 if one is not valid or cannot be deployed."""
    from isthmus.cli.checking import check, report_sarif
    from isthmus.cli.templates import read_inputs

    if as_sarif and as_json:
        raise typer.BadParameter("--sarif and --json are two forms: one is wanted")
    given = read_inputs(inputs, pairs)
    templates = [check(file, given, root=root, allow_import=allow_import or ()) for file in files]
    if as_sarif:
        emit(report_sarif(templates))
    elif as_json:
        emit([checked.as_json() for checked in templates])
    else:
        for checked in templates:
            _tell(checked, language, verbose)
    if not all(c.verdict.valid if language else c.verdict.deployable for c in templates):
        raise typer.Exit(USAGE)


def _tell(checked: Checked, language: bool, verbose: bool) -> None:
    from isthmus.cli.checking import tell

    shown, verdict = checked.as_json(), checked.verdict
    for diagnostic in tell(checked):
        show_diagnostic(diagnostic, verbose)
    counts = [(shown["errors"], "error"), (shown["refusals"], "refusal"), (shown["warnings"], "warning"),
              (len(verdict.notes), "input to be given")]  # fmt: skip
    told = ", ".join(_count(number, what) for number, what in counts if number)
    if not verdict.valid:
        note(f"{checked.file}: {told}")
    elif not verdict.deployable and not language:
        note(f"{checked.file}: valid TOSCA, but cannot be deployed: {told}")
    else:
        say(f"{checked.file}: valid" + (f", {told}" if told else ""))
    for leniency in shown["leniencies"] if verbose else ():
        say(f"  leniency {leniency['name']}: {leniency['explanation']}")


def _count(number: int, what: str) -> str:
    head, _, rest = what.partition(" ")
    return f"{number} {head}{'' if number == 1 else 's'}" + (f" {rest}" if rest else "")


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
    root: Root = None,
    allow_import: AllowImport = None,
    as_json: Json = False,
) -> None:
    """Show what a deploy, an update or a scale would do. Nothing is touched."""
    from isthmus.cli.render import show_plan

    if existing is None:
        if template is None or scale:
            raise typer.BadParameter("a TEMPLATE is wanted (--scale goes with --for)")
        body = deployment_body(template, name, pairs, inputs, site, root, allow_import)
        found = connect(ctx).post("/plans", body)
    else:
        if name or site:
            raise typer.BadParameter("--name and --site are for what is new, not for --for")
        found = plan_change(connect(ctx), existing, change_body(template, pairs, inputs, root, allow_import), scale)
    if as_json:
        emit(found)
    else:
        show_plan(found)


def deployment_body(
    template: str,
    name: str | None,
    pairs: Set,
    inputs: InputFile,
    site: str | None,
    root: Root = None,
    allow_import: AllowImport = None,
) -> dict[str, Any]:
    """The body of a create or of a plan."""
    from isthmus.cli.templates import read_inputs, template_body

    body = {"template": template_body(template, root, allow_import), "name": name}
    return {**body, "inputs": read_inputs(inputs, pairs), "site": site}


def change_body(
    template: str | None, pairs: Set, inputs: InputFile, root: Root = None, allow_import: AllowImport = None
) -> dict[str, Any]:
    """The body of an update: what should change, and nothing else."""
    from isthmus.cli.templates import read_inputs, template_body

    if template is None and (root is not None or allow_import):
        raise typer.BadParameter("--root and --allow-import go with a TEMPLATE")
    body: dict[str, Any] = {"template": template_body(template, root, allow_import)} if template else {}
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
