"""``isthmus run``: a command, a script or a job file on a site that takes batch work."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from isthmus.cli.commands.machines import words_after_dashes
from isthmus.cli.context import connect
from isthmus.cli.options import Json
from isthmus.cli.output import emit, emit_line, note, say

if TYPE_CHECKING:
    from isthmus.cli.client import Client
    from isthmus.cli.job_follow import Status
    from isthmus.cli.job_wish import Wish

Words = list[str] | None


def run(
    ctx: typer.Context,
    file: Annotated[
        str | None, typer.Option("--file", "-f", metavar="FILE", help="A job file in YAML; other options go over it.")
    ] = None,
    image: Annotated[str | None, typer.Option(metavar="IMAGE", help="Of a registry, or a file at the site.")] = None,
    script: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Stage this script in and run it; without --image in no container."),
    ] = None,
    no_container: Annotated[
        bool, typer.Option("--no-container", help="Run the command as a plain process of the node.")
    ] = False,
    site: Annotated[
        str | None, typer.Option(metavar="SITE", help="A site or a deployed cluster; chosen if missing.")
    ] = None,
    needs: Annotated[
        Words, typer.Option(metavar="WHAT", help="What the site must have, such as gpu,mpi; may be repeated.")
    ] = None,
    cpus: Annotated[str | None, typer.Option(metavar="N", help="Cores of each process; 1 if missing.")] = None,
    memory: Annotated[str | None, typer.Option(metavar="SIZE", help="Of each process, such as '2 GiB'.")] = None,
    gpus: Annotated[str | None, typer.Option(metavar="N|TYPE:N", help="Of each process.")] = None,
    time: Annotated[str | None, typer.Option(metavar="TIME", help="How long it may run, such as 90m.")] = None,
    nodes: Annotated[str | None, typer.Option(metavar="N", help="Nodes to spread over.")] = None,
    tasks: Annotated[
        str | None, typer.Option(metavar="N", help="Processes over all nodes; one on each if missing.")
    ] = None,
    each: Annotated[
        bool, typer.Option("--each", help="The site starts the command once for each process, with its rank.")
    ] = False,
    array: Annotated[
        str | None, typer.Option(metavar="RANGE", help="A task for each index: 1-100, 0-9:2, 1,5, 1-100%10 at once.")
    ] = None,
    env: Annotated[Words, typer.Option(metavar="K[=V]", help="Environment; without =V its value here.")] = None,
    secret: Annotated[
        Words, typer.Option(metavar="NAME[=FILE]", help="Environment that nobody is shown, from here or from a file.")
    ] = None,
    inputs: Annotated[
        Words, typer.Option("--input", metavar="SRC[:DST]", help="A file, folder or URL to put into its folder.")
    ] = None,
    outputs: Annotated[
        Words, typer.Option("--output", metavar="SRC[:DST]", help="What to keep; DST is a local path or a URL.")
    ] = None,
    workdir: Annotated[
        str | None, typer.Option(metavar="PATH", help="Where to start in the container; /work if missing.")
    ] = None,
    retry: Annotated[str | None, typer.Option(metavar="N", help="Try a task that failed so often again.")] = None,
    after: Annotated[
        Words, typer.Option(metavar="JOB", help="Only once this job has succeeded; may be repeated.")
    ] = None,
    name: Annotated[str | None, typer.Option(metavar="NAME", help="Its name; made up if missing.")] = None,
    vo: Annotated[str | None, typer.Option("--vo", metavar="VO", help="The virtual organisation to act for.")] = None,
    option: Annotated[
        Words, typer.Option(metavar="K=V", help="What the site takes: partition, account, qos; may be repeated.")
    ] = None,
    keep: Annotated[
        str | None, typer.Option(metavar="TIME", help="How long its files stay after its end; 7d if missing.")
    ] = None,
    detach: Annotated[bool, typer.Option("--detach", "-d", help="Do not wait until it has ended.")] = False,
    as_json: Json = False,
) -> None:
    """Run a job: stage files in, hand it to a site, follow it, fetch what it leaves. Its exit code is passed on.

    With --json where it stands comes as lines, and the job as the last one; the log is left to isthmus logs.
    """
    from isthmus.cli.job_file import read_job_file
    from isthmus.cli.job_follow import showing
    from isthmus.cli.job_wish import make_wish

    given = {
        "image": image, "site": site, "cpus": cpus, "memory": memory, "gpus": gpus, "time": time, "nodes": nodes,
        "tasks": tasks, "array": array, "workdir": workdir, "retry": retry, "name": name, "vo": vo, "keep": keep,
        "container": False if no_container else None, "launch": "each" if each else None,
        "needs": [word for part in needs for word in part.split(",") if word] if needs else None,
    }  # fmt: skip
    wish = make_wish(
        given, words_after_dashes(ctx), env=env, secrets=secret, inputs=inputs, outputs=outputs, after=after,
        options=option, script=script, file=read_job_file(file) if file else None,
    )  # fmt: skip
    if detach and (lost := next((output for output in wish.outputs if output.target), None)):
        raise typer.BadParameter(
            f"--output {lost.path}:{lost.target}: with --detach nobody waits to fetch it; "
            f"say --output {lost.path}, and isthmus fetch brings it"
        )
    client = connect(ctx)
    with showing() as status:
        view = _submit(client, wish, status)
        if detach:
            _tell(view, as_json)
            return
        _see_through(client, wish, view, status, as_json)


def _submit(client: Client, wish: Wish, status: Status) -> Any:
    from uuid import uuid4

    body = dict(wish.body)
    if wish.inputs:
        from isthmus.cli.staging import stage

        body["inputs"] = stage(client, wish.inputs, status.draw)
    # The key makes it safe to send the request again when its answer was lost.
    headers = {"Idempotency-Key": f'"{uuid4()}"'}
    return client.patiently(lambda: client.post("/jobs", body, **headers))


def _tell(view: Any, as_json: bool) -> None:
    if as_json:
        emit(view)
        return
    say(view["name"])
    note(f"isthmus logs -f {view['name']} follows it, isthmus wait {view['name']} waits for its end.")


def _see_through(client: Client, wish: Wish, view: Any, status: Status, as_json: bool) -> None:
    from isthmus.cli.job_follow import exit_code, wait_for_job
    from isthmus.cli.job_render import is_array, outcome

    view = wait_for_job(client, view, status, log=not is_array(view), as_json=as_json)
    if as_json:
        emit_line(view)
    else:
        note(outcome(view))
    code = exit_code(view)
    if any(output.target for output in wish.outputs):
        if code:
            note(f"Nothing was fetched; isthmus fetch {view['id']} brings what is there.")
        else:
            _fetch(client, wish, view, status, as_json)
    if code and is_array(view) and not as_json:
        note(
            f"isthmus show {view['id']} --tasks tells of each task, isthmus logs {view['id']} --task N what it printed."
        )
    raise typer.Exit(code)


def _fetch(client: Client, wish: Wish, view: Any, status: Status, as_json: bool) -> None:
    from isthmus.cli.fetching import fetch_outputs

    files = fetch_outputs(client, view["id"], wish.outputs, status.draw)
    status.clear()
    if not as_json:
        for fetched in files:
            note(f"{fetched.file}" if fetched.fresh else f"{fetched.file} (the same already)")
