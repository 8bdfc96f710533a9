"""``isthmus deploy`` and ``isthmus update``: plan, ask, do, and watch it become real."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from isthmus.cli.commands.templates import change_body, deployment_body, plan_change
from isthmus.cli.context import connect
from isthmus.cli.failures import CONFLICT, Failure
from isthmus.cli.options import AllowImport, Detach, InputFile, Json, Name, Root, Set, Yes
from isthmus.cli.output import emit, emit_line, note, on_terminal, say, span

if TYPE_CHECKING:
    from isthmus.cli.client import Client
    from isthmus.cli.progress import Mark


def deploy(
    ctx: typer.Context,
    template: Annotated[
        str | None,
        typer.Argument(
            metavar="TEMPLATE", help="A name of the catalogue, or the path of a file, folder or CSAR (./NAME)."
        ),
    ] = None,
    name: Annotated[str | None, typer.Option(metavar="NAME", help="Its name; made up if missing.")] = None,
    pairs: Set = None,
    inputs: InputFile = None,
    site: Annotated[str | None, typer.Option(metavar="SITE", help="Site to use; chosen if missing.")] = None,
    root: Root = None,
    allow_import: AllowImport = None,
    yes: Yes = False,
    detach: Detach = False,
    resume: Annotated[
        str | None, typer.Option("--resume", metavar="NAME", help="Go on with one that failed or was cancelled.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Deploy a template: show the plan, ask, do it, wait until it runs.

    With --json nothing is asked: events come as lines, and the deployment as the last one.
    """
    if (template is None) == (resume is None):
        raise typer.BadParameter("give a TEMPLATE, or --resume NAME")
    from isthmus.cli.progress import Mark, mark

    client = connect(ctx)
    if resume is not None:
        if name or pairs or inputs or site or root or allow_import:
            raise typer.BadParameter("--resume changes nothing; `isthmus update` does")
        before = mark(client, resume)
        made = client.post(f"/deployments/{resume}/resume")
    else:
        before = Mark()
        body = deployment_body(template or "", name, pairs, inputs, site, root, allow_import)
        made = _create(client, body, yes, as_json)
    _watch(client, made, before, detach, as_json)


def _create(client: Client, body: dict[str, Any], yes: bool, as_json: bool) -> Any:
    from uuid import uuid4

    if not as_json:
        confirm(client.post("/plans", body), yes)
    # The key makes it safe to send the request again when its answer was lost.
    return client.post("/deployments", body, **{"Idempotency-Key": f'"{uuid4()}"'})


def update(
    ctx: typer.Context,
    name: Name,
    template: Annotated[str | None, typer.Argument(metavar="TEMPLATE", help="As for deploy; kept if missing.")] = None,
    pairs: Set = None,
    inputs: InputFile = None,
    root: Root = None,
    allow_import: AllowImport = None,
    yes: Yes = False,
    detach: Detach = False,
    as_json: Json = False,
) -> None:
    """Change inputs or template: show the plan, ask, do it. Only what differs is touched."""
    from isthmus.cli.progress import mark

    client = connect(ctx)
    body = change_body(template, pairs, inputs, root, allow_import)
    before = mark(client, name)
    if not as_json:
        confirm(plan_change(client, name, body), yes)
    # What was shown is what will be done: not on top of somebody else's change.
    headers = {"If-Match": f'"{before.version}"'}
    changed = client.call("PATCH", f"/deployments/{name}", json=body, headers=headers)
    _watch(client, changed, before, detach, as_json)


def confirm(plan: Mapping[str, Any], yes: bool) -> None:
    """Show a plan, and on a terminal ask whether to go on."""
    from isthmus.cli.render import show_plan

    show_plan(plan)
    if plan["site"] is None and not plan["converged"]:
        raise Failure(
            "Nothing was done: no site fits.", hint="`isthmus sites` lists them; the plan says why each falls out."
        )
    if yes or not (on_terminal() and sys.stdin.isatty()):
        return
    if not typer.confirm("Go on?", default=True):
        raise Failure("Nothing was done.", code=CONFLICT)


def _watch(client: Client, deployment: Mapping[str, Any], before: Mark, detach: bool, as_json: bool) -> None:
    from isthmus.cli.progress import finish
    from isthmus.cli.render import show_values

    if detach:
        if as_json:
            emit(deployment)
        else:
            say(deployment["name"])
            note(f"isthmus events -f {deployment['name']} follows it.")
        return
    if not as_json:
        note(f"{deployment['name']}: Ctrl-C leaves it to the server.")
    wanted = "stopped" if deployment["phase"] in ("stopping", "stopped") else "running"
    finish(client, deployment, before, wanted, as_json)
    view = client.get(f"/deployments/{deployment['id']}")
    if as_json:
        emit_line(view)
        return
    _show_times(client, deployment["id"], before.event)
    show_values(view["outputs"])


def _show_times(client: Client, number: str, after: int) -> None:
    """What took longest, so that one sees where the time went."""
    events = client.get(f"/deployments/{number}/events", after=after, limit=1000)["items"]
    done = [e for e in events if e["kind"] == "action.done" and e["seconds"] is not None]
    longest = sorted(sorted(done, key=lambda e: -e["seconds"])[:8], key=lambda e: e["id"])
    for event in longest:
        note(f"  {span(event['seconds']):>10}  {event['action'].partition(':')[0]} {event['message']}")
