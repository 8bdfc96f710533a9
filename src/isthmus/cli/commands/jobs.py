"""``isthmus jobs``, ``wait`` and ``fetch``: jobs that are there, and what they leave."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from isthmus.cli.context import connect
from isthmus.cli.options import Job, Json
from isthmus.cli.output import emit, emit_line, note, say, size

if TYPE_CHECKING:
    from isthmus.cli.client import Client

FEW = 50
"""How many jobs are listed unless more are asked for."""


def jobs(
    ctx: typer.Context,
    state: Annotated[
        str | None,
        typer.Option(metavar="STATE", help="pending, queued, held, running, succeeded, failed or cancelled."),
    ] = None,
    site: Annotated[str | None, typer.Option(metavar="SITE", help="Only those at this site.")] = None,
    every: Annotated[bool, typer.Option("--all", help=f"All of them, not the newest {FEW}.")] = False,
    as_json: Json = False,
) -> None:
    """List jobs, the newest first. An array is one row."""
    from itertools import islice

    from isthmus.cli.job_render import show_jobs

    pages = connect(ctx).pages("/jobs", state=state, site=site, limit=500 if every else FEW + 1)
    found = list(pages if every else islice(pages, FEW + 1))
    more, found = len(found) > FEW and not every, found if every else found[:FEW]
    if as_json:
        emit(found)
        return
    show_jobs(found)
    if more:
        note(f"There are more than {FEW}; --all lists them.")


def wait(
    ctx: typer.Context,
    names: Annotated[list[str], typer.Argument(metavar="NAME...", help="Names or ids of jobs or deployments.")],
    as_json: Json = False,
) -> None:
    """Wait until jobs have ended; the exit code is that of the first that failed. A deployment must run in the end."""
    from isthmus.cli.references import find

    client = connect(ctx)
    found = [find(client, name) for name in names]
    codes = [_wait_job(client, one.view, as_json) if one.is_job else _wait_deployment(client, one.ref, as_json)
             for one in found]  # fmt: skip
    raise typer.Exit(next((code for code in codes if code), 0))


def _wait_job(client: Client, view: Any, as_json: bool) -> int:
    from isthmus.cli.job_follow import exit_code, showing, wait_for_job
    from isthmus.cli.job_render import outcome

    with showing() as status:
        view = wait_for_job(client, view, status, log=False)
    if as_json:
        emit_line(view)
    else:
        say(outcome(view))
    return exit_code(view)


def _wait_deployment(client: Client, ref: str, as_json: bool) -> int:
    from isthmus.cli.failures import FAILED
    from isthmus.cli.progress import mark, wait_for

    view = client.get(f"/deployments/{ref}/state")
    before = mark(client, ref)
    if before.phase not in ("running", "stopped", "failed", "cancelled", "deleted"):
        view = wait_for(client, view, before, as_json=as_json)
    if as_json:
        emit_line(view)
    else:
        say(f"{view['name']} is {view['phase']}." + (f" {view['reason']}" if view["reason"] else ""))
    return 0 if view["phase"] == "running" else FAILED


def fetch(
    ctx: typer.Context,
    name: Job,
    wanted: Annotated[
        list[str] | None, typer.Argument(metavar="PATH", help="Only these files, folders or patterns of its outputs.")
    ] = None,
    to: Annotated[
        Path | None, typer.Option("--to", metavar="DIR", help="Where to; a folder of its name if missing.")
    ] = None,
    names_only: Annotated[bool, typer.Option("--list", help="Only list what there is.")] = False,
    as_json: Json = False,
) -> None:
    """Fetch what a job left, as often as you like: only what differs is brought."""
    from isthmus.cli.references import job_ref

    client = connect(ctx)
    view = client.get(f"/jobs/{job_ref(name)}", tasks="false")
    if names_only:
        _list(client, view["id"], as_json)
        return
    from isthmus.cli.fetching import fetch_all
    from isthmus.cli.job_follow import showing

    folder = to or Path(view["name"] if _is_plain(view["name"]) else view["id"])
    with showing() as status:
        files = fetch_all(client, view["id"], folder, wanted or (), status.draw)
    if as_json:
        emit([{"path": f.path, "file": str(f.file), "size": f.size, "fetched": f.fresh} for f in files])
        return
    for f in files:
        say(f"{f.file}" if f.fresh else f"{f.file} (the same already)")
    if not files:
        note(f"{view['name']} left nothing; `isthmus run --output PATH` says what to keep.")


def _is_plain(name: str) -> bool:
    return name not in ("", ".", "..") and "/" not in name and "\0" not in name


def _list(client: Client, job: str, as_json: bool) -> None:
    from isthmus.cli.output import table

    files = client.get(f"/jobs/{job}/files")["items"]
    if as_json:
        emit(files)
    else:
        rows = [[f["path"], size(f["size"]), f["digest"]] for f in files]
        table(["PATH", "SIZE", "SHA-256"], rows, empty="It left nothing.")
