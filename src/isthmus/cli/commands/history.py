"""``isthmus events`` and ``isthmus logs``."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from isthmus.cli.context import connect
from isthmus.cli.failures import INTERRUPTED, NOT_FOUND, Failure
from isthmus.cli.options import Either, Json, Name
from isthmus.cli.output import emit_line, note, say

if TYPE_CHECKING:
    from isthmus.cli.client import Client
    from isthmus.cli.job_log import Wish

Follow = Annotated[bool, typer.Option("--follow", "-f", help="Go on as more comes, until Ctrl-C.")]


def events(ctx: typer.Context, name: Name, follow: Follow = False, as_json: Json = False) -> None:
    """Show a deployment's history. With --json: one event a line."""
    from isthmus.cli.render import event_line

    _show(connect(ctx), f"/deployments/{name}/events", follow, emit_line if as_json else _says(event_line))


def logs(
    ctx: typer.Context,
    name: Either,
    follow: Follow = False,
    node: Annotated[
        str | None,
        typer.Option(metavar="INSTANCE", help="Of a deployment: only this machine, such as 'worker[1]'."),
    ] = None,
    task: Annotated[str | None, typer.Option(metavar="N", help="Of a job: this task of its array.")] = None,
    container: Annotated[str | None, typer.Option(metavar="NAME", help="Of a job: this container.")] = None,
    tail: Annotated[str | None, typer.Option(metavar="N", help="Of a job: the last lines only.")] = None,
    since: Annotated[str | None, typer.Option(metavar="TIME", help="Of a job: only the last 10m, 2h or so.")] = None,
    timestamps: Annotated[bool, typer.Option("--timestamps", help="Of a job: with the time of each line.")] = False,
    previous: Annotated[bool, typer.Option("--previous", help="Of a job: the run before the last restart.")] = False,
    as_json: Json = False,
) -> None:
    """Show what a job printed, or what operations of a deployment did on its machines. With --json: a line each."""
    from isthmus.cli.references import find
    from isthmus.cli.render import log_line

    client = connect(ctx)
    found = find(client, name)
    of_jobs = {"--task": task, "--container": container, "--tail": tail, "--since": since, "--timestamps": timestamps,
               "--previous": previous}  # fmt: skip
    if not found.is_job:
        if wrong := next((option for option, value in of_jobs.items() if value), None):
            raise typer.BadParameter(f"{name} is a deployment, and {wrong} is for jobs")
        tell = emit_line if as_json else _says(log_line)
        _show(client, f"/deployments/{found.ref}/logs", follow, tell, instance=node)
        return
    if node:
        raise typer.BadParameter(f"{name} is a job, and --node is for deployments")
    wish = _wish(task, container, tail, since, previous, timestamps)
    _tell_of_others(found.view, wish)
    _show_job(client, found.view, wish, follow, as_json)


def _tell_of_others(view: Any, wish: Wish) -> None:
    """Say so when a job has more logs than the one that is shown."""
    tasks, containers = sum(view["tasks"].values()), view["spec"].get("containers") or []
    if tasks > 1 and wish.task is None:
        note(f"This is the first of {tasks} tasks; --task N shows another.")
    if len(containers) > 1 and wish.container is None:
        others = ", ".join(c["name"] for c in containers[1:])
        note(f"This is container {containers[0]['name']}; --container shows another ({others}).")


def _wish(
    task: str | None, container: str | None, tail: str | None, since: str | None, previous: bool, timestamps: bool
) -> Wish:
    from isthmus.cli.job_log import Wish
    from isthmus.cli.job_words import told
    from isthmus.work import notation

    for option, text in (("--task", task), ("--tail", tail)):
        if text is not None and not (text.isascii() and text.isdecimal() and len(text) < 10):
            raise typer.BadParameter(f"{option} {text!r} is no whole number")
    seconds = told("--since", lambda: notation.duration(since)) if since is not None else None
    return Wish(
        int(task) if task else None, container, int(tail) if tail else None, seconds, previous, timestamps
    )  # fmt: skip


def _show_job(client: Client, view: Any, wish: Wish, follow: bool, as_json: bool) -> None:
    from isthmus.cli.job_log import Reader, json_lines, read_log, to_stdout

    write = json_lines(wish.task, wish.container) if as_json else to_stdout()
    reader = Reader(write, timestamps=wish.timestamps or as_json)
    try:
        read_log(client, view["id"], wish, reader, follow=follow)
    except KeyboardInterrupt:
        raise typer.Exit(INTERRUPTED) from None


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
