"""``isthmus server``: the local server's life."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from isthmus.cli.failures import UNREACHABLE
from isthmus.cli.options import Json
from isthmus.cli.output import emit, say, when
from isthmus.home import find_home, log_file, make_home, server_file

app = typer.Typer(help="Start, look at and stop the local server.", no_args_is_help=True)


@app.command()
def start(
    foreground: Annotated[bool, typer.Option("--foreground", help="Stay, and log to the terminal.")] = False,
    listen: Annotated[
        str | None, typer.Option(metavar="HOST:PORT", help="Where to listen; a free loopback port if missing.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Start the local server, unless it runs; other commands do so by themselves."""
    from isthmus.cli.launch import ensure_server

    home = make_home(find_home())
    environ = {"ISTHMUS_LISTEN": listen} if listen else {}
    if foreground:
        _run(environ)
    found = ensure_server(home, environ)
    if as_json:
        emit({"running": True, "url": found.url, "pid": found.pid, "version": found.version})
    else:
        say(f"The server runs at {found.url} (process {found.pid}); the API is described at {found.url}/docs.")


def _run(environ: dict[str, str]) -> None:
    os.environ.update(environ)
    from isthmus.api.server import main

    raise typer.Exit(main())


@app.command()
def work() -> None:
    """Work beside a server, in the foreground: one more process on the same database.

    It reads the same settings; SIGTERM and Ctrl-C stop it, and what it did goes on elsewhere.
    """
    from isthmus.worker import main

    raise typer.Exit(main())


@app.command()
def status(as_json: Json = False) -> None:
    """Tell whether the local server runs; exit code 5 if it does not."""
    from isthmus.api.instance import read_instance

    home = find_home()
    found = read_instance(home)
    if as_json:
        known = {"url": found.url, "pid": found.pid, "version": found.version} if found else {}
        emit({"running": found is not None, "home": str(home), "log": str(log_file(home)), **known})
    elif found:
        since = when(server_file(home).stat().st_mtime)
        say(f"The server runs at {found.url} (process {found.pid}, version {found.version}, since {since}).")
        say(f"Its home is {home}, its log {log_file(home)}.")
    else:
        say(f"No server runs for {home}.")
    if found is None:
        raise typer.Exit(UNREACHABLE)


@app.command()
def stop(as_json: Json = False) -> None:
    """Stop the local server. Deployments stay as they are; work under way goes on at the next start."""
    from isthmus.cli.launch import stop_server

    stopped = stop_server(find_home())
    if as_json:
        emit({"stopped": stopped})
    else:
        say("The server has stopped." if stopped else "No server ran.")
