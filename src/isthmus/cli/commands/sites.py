"""``isthmus sites`` and ``isthmus images``: where things can run, and what is baked there."""

from __future__ import annotations

from typing import Annotated

import typer

from isthmus.cli.context import connect
from isthmus.cli.options import Json
from isthmus.cli.output import emit, say, size, table, when

app = typer.Typer(help="List the sites, and what each offers to jobs.", invoke_without_command=True)
images = typer.Typer(help="Show and free baked images.", no_args_is_help=True)
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


@app.callback()
def sites(ctx: typer.Context, as_json: Json = False) -> None:
    """List the sites and whether they can be used; `isthmus sites show SITE` tells more of one."""
    if ctx.invoked_subcommand is not None:
        return
    found = connect(ctx).get("/sites")["items"]
    if as_json:
        emit(found)
        return
    table(
        ["NAME", "KIND", "STATE", "MACHINES", "CAPABILITIES", "DETAIL"],
        [
            [
                s["name"], s["kind"], "ready" if s["ready"] else "not ready", s["machines"],
                " ".join(s["capabilities"]), s["detail"],
            ]
            for s in found
        ],
        empty="No sites are configured.",
    )  # fmt: skip


@app.command("show")
def show_site(
    ctx: typer.Context,
    site: Annotated[str, typer.Argument(metavar="SITE", help="A site, or a deployment that is a batch system.")],
    as_json: Json = False,
) -> None:
    """Show what a site offers to jobs: partitions, free cores, memory, GPUs, limits, and how long one may wait."""
    from urllib.parse import quote

    from isthmus.cli.job_render import show_site

    found = connect(ctx).get(f"/sites/{quote(site, safe='')}")
    if as_json:
        emit(found)
    else:
        show_site(found)


@images.command("list")
def list_images(ctx: typer.Context, as_json: Json = False) -> None:
    """List the images that hold what was installed once."""
    _show(connect(ctx).get("/images")["items"], as_json)


@images.command("prune")
def prune(
    ctx: typer.Context,
    unused_for: Annotated[
        str, typer.Option(metavar="TIME", help="Only those not used for so long, such as 90m, 12h or 7d.")
    ] = "0s",
    keys: Annotated[list[str] | None, typer.Argument(metavar="KEY", help="Only these.")] = None,
    as_json: Json = False,
) -> None:
    """Delete images; what needs them next installs anew."""
    body = {"unused_for": _seconds(unused_for), "keys": keys or []}
    gone = connect(ctx).post("/images/prune", body)["items"]
    if as_json:
        emit(gone)
    else:
        say(f"{len(gone)} images deleted, {size(sum(i['size'] for i in gone))} freed.")


def _seconds(text: str) -> float:
    number, unit = (text[:-1], text[-1]) if text[-1:] in _UNITS else (text, "s")
    try:
        return float(number) * _UNITS[unit]
    except ValueError:
        raise typer.BadParameter(f"{text!r} is no time such as 90m, 12h or 7d") from None


def _show(found: list[dict[str, object]], as_json: bool) -> None:
    if as_json:
        emit(found)
        return
    table(
        ["KEY", "SITE", "NODE", "TEMPLATE", "SIZE", "LAST USED"],
        [
            [i["key"], i["site"], i["node"], i["template"], size(float(str(i["size"]))), when(float(str(i["used"])))]
            for i in found
        ],
        empty="No images are kept.",
    )
