"""Deployments that are there: listed, shown, scaled, stopped, started, deleted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from isthmus.cli.commands.templates import node_count
from isthmus.cli.context import connect
from isthmus.cli.options import Detach, Either, Json, Name, Yes
from isthmus.cli.output import emit, emit_line, note, on_terminal, say

if TYPE_CHECKING:
    from isthmus.cli.client import Client


def list_(
    ctx: typer.Context,
    phase: Annotated[str | None, typer.Option(metavar="PHASE", help="Only those in this phase.")] = None,
    limit: Annotated[int, typer.Option(metavar="N", min=1, help="At most so many.")] = 1000,
    as_json: Json = False,
) -> None:
    """List deployments, the newest first."""
    from itertools import islice

    from isthmus.cli.render import show_deployments

    found = list(islice(connect(ctx).pages("/deployments", phase=phase, limit=min(limit, 500)), limit))
    if as_json:
        emit(found)
    else:
        show_deployments(found)


def show(
    ctx: typer.Context,
    name: Either,
    tasks: Annotated[bool, typer.Option("--tasks", help="Of a job: every task of its array.")] = False,
    as_json: Json = False,
) -> None:
    """Show a deployment with the tree of its nodes, or a job with its tasks and what they used."""
    from isthmus.cli.job_render import show_job
    from isthmus.cli.references import find
    from isthmus.cli.render import show_deployment

    found = find(connect(ctx), name, whole=True)
    if as_json:
        emit(found.view)
    elif found.is_job:
        show_job(found.view, tasks=tasks)
    elif tasks:
        raise typer.BadParameter(f"{name} is a deployment, which has no tasks")
    else:
        show_deployment(found.view)


def outputs(
    ctx: typer.Context,
    name: Name,
    output: Annotated[str | None, typer.Argument(metavar="OUTPUT", help="Only this one, bare.")] = None,
    as_json: Json = False,
) -> None:
    """Show a deployment's outputs."""
    from isthmus.cli.failures import NOT_FOUND, Failure
    from isthmus.cli.output import scalar
    from isthmus.cli.render import show_values

    values = connect(ctx).get(f"/deployments/{name}")["outputs"]
    if output is not None and output not in values:
        raise Failure(f"{name} has no output {output}.", code=NOT_FOUND, hint=f"It has {', '.join(values) or 'none'}.")
    chosen = values if output is None else values[output]
    if as_json:
        emit(chosen)
    elif output is not None:
        say(scalar(chosen).rstrip("\n"))
    else:
        show_values(values)


def scale(
    ctx: typer.Context,
    name: Name,
    target: Annotated[str, typer.Argument(metavar="NODE=N", help="Such as worker=4.")],
    remove: Annotated[
        list[int] | None, typer.Option("--remove", metavar="INDEX", help="An instance that should go first.")
    ] = None,
    detach: Detach = False,
    as_json: Json = False,
) -> None:
    """Give a node another number of instances."""
    node, count = node_count(target)
    body = {"node": node, "count": count, "remove": remove or []}
    _change(connect(ctx), name, "POST", "/scale", "running", detach, as_json, body)


def start(ctx: typer.Context, name: Name, detach: Detach = False, as_json: Json = False) -> None:
    """Start a stopped deployment."""
    _change(connect(ctx), name, "POST", "/start", "running", detach, as_json)


def stop(ctx: typer.Context, name: Name, detach: Detach = False, as_json: Json = False) -> None:
    """Stop a deployment's machines, keeping their disks."""
    _change(connect(ctx), name, "POST", "/stop", "stopped", detach, as_json)


def cancel(
    ctx: typer.Context,
    name: Either,
    tasks: Annotated[
        str | None, typer.Option("--tasks", metavar="RANGE", help="Of a job: only these tasks, such as 3 or 1-10.")
    ] = None,
    detach: Detach = False,
    as_json: Json = False,
) -> None:
    """End a job, or stop working on a deployment: what is there stays until it is resumed or deleted."""
    from isthmus.cli.references import find

    client = connect(ctx)
    found = find(client, name)
    if found.is_job:
        _cancel_job(client, found.view, tasks, detach, as_json)
    elif tasks:
        raise typer.BadParameter(f"{name} is a deployment, which has no tasks")
    else:
        _change(client, found.ref, "POST", "/cancel", "cancelled", detach, as_json)


def _cancel_job(client: Client, view: Any, tasks: str | None, detach: bool, as_json: bool) -> None:
    from isthmus.cli.job_follow import showing, wait_for_job
    from isthmus.cli.job_render import outcome

    view = client.post(f"/jobs/{view['id']}/cancel", {"tasks": tasks} if tasks else {})
    if not detach and tasks is None:
        with showing() as status:
            view = wait_for_job(client, view, status, log=False)
    if as_json:
        emit(view)
    else:
        note("Accepted." if detach or tasks else outcome(view))


def delete(
    ctx: typer.Context,
    name: Either,
    yes: Yes = False,
    detach: Detach = False,
    wait: Annotated[
        bool,
        typer.Option(
            "--wait",
            show_default=False,
            help="Wait until all of a deployment is gone; this is the default. A job is removed in the background.",
        ),
    ] = True,
    as_json: Json = False,
) -> None:
    """Take a deployment down and remove all that was made for it, or end a job and remove all that it left."""
    import sys

    from isthmus.cli.references import find

    client = connect(ctx)
    found = find(client, name)
    if not yes and on_terminal() and sys.stdin.isatty():
        typer.confirm(f"Delete the {found.kind} {name} and all that is on it?", abort=True)
    if not found.is_job:
        _change(client, found.ref, "DELETE", "", "deleted", detach or not wait, as_json)
        return
    client.call("DELETE", f"/jobs/{found.view['id']}")
    emit({"id": found.view["id"], "deleted": True}) if as_json else note(
        f"{found.view['name']} is deleted; what it left on its site is removed in the background."
    )


def _change(
    client: Client,
    name: str,
    method: str,
    verb: str,
    wanted: str,
    detach: bool,
    as_json: bool,
    body: object = None,
) -> None:
    from isthmus.cli.progress import finish, mark

    before = mark(client, name)
    options = {"json": body} if body is not None else {}
    changed = client.call(method, f"/deployments/{name}{verb}", **options)
    if detach:
        emit(changed) if as_json else note(f"Accepted; isthmus events -f {changed['name']} follows it.")
        return
    summary = finish(client, changed, before, wanted, as_json)
    if as_json:
        emit_line(summary)
