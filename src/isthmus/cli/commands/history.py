"""``isthmus events`` and ``isthmus logs``."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from isthmus.cli.context import connect
from isthmus.cli.failures import INTERRUPTED, NOT_FOUND, Failure
from isthmus.cli.options import Json, Name
from isthmus.cli.output import emit_line, say

if TYPE_CHECKING:
    from isthmus.cli.client import Client

Follow = Annotated[bool, typer.Option("--follow", "-f", help="Go on as more comes, until Ctrl-C.")]


def events(ctx: typer.Context, name: Name, follow: Follow = False, as_json: Json = False) -> None:
    """Show a deployment's history. With --json: one event a line."""
    from isthmus.cli.render import event_line

    _show(connect(ctx), f"/deployments/{name}/events", follow, emit_line if as_json else _says(event_line))


def logs(
    ctx: typer.Context,
    name: Name,
    follow: Follow = False,
    node: Annotated[
        str | None, typer.Option(metavar="INSTANCE", help="Only of this machine, such as 'worker[1]'.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Show what operations printed on the machines. With --json: one line of the log a line."""
    from isthmus.cli.render import log_line

    tell = emit_line if as_json else _says(log_line)
    _show(connect(ctx), f"/deployments/{name}/logs", follow, tell, instance=node)


def _says(line: Callable[[Mapping[str, Any]], str]) -> Callable[[Any], None]:
    return lambda item: say(line(item))


def _show(client: Client, path: str, follow: bool, tell: Callable[[Any], None], **params: Any) -> None:
    found = False
    try:
        for item in client.follow(path, **params) if follow else _all(client, path, **params):
            found = True
            if item is not None:
                tell(item)
    except KeyboardInterrupt:
        raise typer.Exit(INTERRUPTED) from None
    except Failure as failure:
        # One that was followed until it was forgotten is no failure.
        if not (found and failure.code == NOT_FOUND):
            raise


def _all(client: Client, path: str, **params: Any) -> Iterator[Any]:
    after = 0
    while items := client.get(path, after=after, limit=1000, **params)["items"]:
        yield from items
        after = items[-1]["id"]
