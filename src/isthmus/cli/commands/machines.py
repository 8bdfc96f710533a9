"""``isthmus ssh`` and ``isthmus exec``: on the machines themselves."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from isthmus.cli.context import connect
from isthmus.cli.options import Name

Instance = Annotated[
    str | None,
    typer.Argument(metavar="NODE", help="Node or instance, such as worker or 'worker[1]'; the first if missing."),
]
_COMMAND = "isthmus.command"


class AfterDashes(TyperCommand):
    """Takes what stands after ``--`` aside before anything else is parsed: it is another program's."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if "--" in args:
            at = args.index("--")
            ctx.meta[_COMMAND] = args[at + 1 :]
            args = args[:at]
        return super().parse_args(ctx, args)

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        return [*super().collect_usage_pieces(ctx), "-- COMMAND..."]


def words_after_dashes(ctx: typer.Context) -> list[str]:
    """What stood after ``--``, as it was given."""
    words: list[str] = ctx.meta.get(_COMMAND, [])
    return words


def ssh(ctx: typer.Context, name: Name, node: Instance = None) -> None:
    """Log in to a machine of a deployment."""
    _run(ctx, name, node, [], terminal=sys.stdin.isatty())


def exec_(ctx: typer.Context, name: Name, node: Instance = None) -> None:
    """Run a command on a machine. Its exit code is passed on, stdin is passed in."""
    command = words_after_dashes(ctx)
    if not command:
        raise typer.BadParameter("put the command after --, such as: isthmus exec NAME -- uptime")
    _run(ctx, name, node, command, terminal=False)


def _run(ctx: typer.Context, name: str, node: str | None, command: list[str], *, terminal: bool) -> None:
    from isthmus.cli.ssh import run_ssh

    access = connect(ctx).get(f"/deployments/{name}/access", instance=node)
    raise typer.Exit(run_ssh(access, command, terminal=terminal))
