"""Deployments that are there: listed, shown, scaled, stopped, started, deleted."""

from __future__ import annotations

from typing import Annotated

import typer

from isthmus.cli.commands.templates import node_count
from isthmus.cli.context import connect
from isthmus.cli.options import Detach, Json, Name, Yes
from isthmus.cli.output import emit, emit_line, note, on_terminal, say


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


def show(ctx: typer.Context, name: Name, as_json: Json = False) -> None:
    """Show a deployment with the tree of its nodes and their states."""
    from isthmus.cli.render import show_deployment

    view = connect(ctx).get(f"/deployments/{name}")
    if as_json:
        emit(view)
    else:
        show_deployment(view)


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
    _change(ctx, name, "POST", "/scale", "running", detach, as_json, body)


def start(ctx: typer.Context, name: Name, detach: Detach = False, as_json: Json = False) -> None:
    """Start a stopped deployment."""
    _change(ctx, name, "POST", "/start", "running", detach, as_json)


def stop(ctx: typer.Context, name: Name, detach: Detach = False, as_json: Json = False) -> None:
    """Stop a deployment's machines, keeping their disks."""
    _change(ctx, name, "POST", "/stop", "stopped", detach, as_json)


def cancel(ctx: typer.Context, name: Name, detach: Detach = False, as_json: Json = False) -> None:
    """Stop working on a deployment. What is there stays until it is resumed or deleted."""
    _change(ctx, name, "POST", "/cancel", "cancelled", detach, as_json)


def delete(
    ctx: typer.Context,
    name: Name,
    yes: Yes = False,
    detach: Detach = False,
    wait: Annotated[
        bool, typer.Option("--wait", show_default=False, help="Wait until all of it is gone; this is the default.")
    ] = True,
    as_json: Json = False,
) -> None:
    """Take a deployment down and remove all that was made for it."""
    import sys

    if not yes and on_terminal() and sys.stdin.isatty():
        typer.confirm(f"Delete {name} and all that is on it?", abort=True)
    _change(ctx, name, "DELETE", "", "deleted", detach or not wait, as_json)


def _change(
    ctx: typer.Context,
    name: str,
    method: str,
    verb: str,
    wanted: str,
    detach: bool,
    as_json: bool,
    body: object = None,
) -> None:
    from isthmus.cli.progress import finish, mark

    client = connect(ctx)
    before = mark(client, name)
    options = {"json": body} if body is not None else {}
    changed = client.call(method, f"/deployments/{name}{verb}", **options)
    if detach:
        emit(changed) if as_json else note(f"Accepted; isthmus events -f {changed['name']} follows it.")
        return
    summary = finish(client, changed, before, wanted, as_json)
    if as_json:
        emit_line(summary)
