"""``isthmus catalogue``: the templates that ship."""

from __future__ import annotations

from typing import Annotated

import typer

from isthmus.cli.context import connect
from isthmus.cli.options import Json
from isthmus.cli.output import emit, table

app = typer.Typer(help="Show the templates that ship with Isthmus.", no_args_is_help=True)


@app.command("list")
def list_(ctx: typer.Context, as_json: Json = False) -> None:
    """List the templates."""
    found = connect(ctx).get("/catalogue")["items"]
    if as_json:
        emit(found)
    else:
        table(["NAME", "VERSION", "TITLE"], [[t["name"], t["version"], t["title"]] for t in found])


@app.command()
def show(ctx: typer.Context, name: Annotated[str, typer.Argument(metavar="NAME")], as_json: Json = False) -> None:
    """Show a template with its inputs and outputs."""
    from urllib.parse import quote

    from isthmus.cli.render import show_template

    template = connect(ctx).get(f"/catalogue/{quote(name, safe='')}")
    if as_json:
        emit(template)
    else:
        show_template(template)
