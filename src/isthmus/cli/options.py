"""Options and arguments that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def complete_names(incomplete: str) -> list[str]:
    """Names of deployments and jobs, for the shell."""
    return _complete(incomplete, "/deployments", "/jobs")


def complete_deployments(incomplete: str) -> list[str]:
    """Names of deployments, for the shell."""
    return _complete(incomplete, "/deployments")


def complete_jobs(incomplete: str) -> list[str]:
    """Names of jobs, for the shell."""
    return _complete(incomplete, "/jobs")


def _complete(incomplete: str, *lists: str) -> list[str]:
    """The names in lists of the API; nothing when no server runs: completion must not start one."""
    from isthmus.api.instance import read_instance
    from isthmus.cli.client import Client, Endpoint
    from isthmus.cli.launch import local_token
    from isthmus.home import find_home

    try:
        server = read_instance(find_home())
        if server is None:
            return []
        client = Client(lambda: Endpoint(server.url, local_token(find_home()), local=True))
        names = {str(item["name"]) for path in lists for item in client.get(path, limit=200)["items"]}
    except Exception:
        # Whatever is wrong, a shell in the middle of a line is no place to tell it.
        return []
    return sorted(name for name in names if name.startswith(incomplete))


Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Name = Annotated[
    str, typer.Argument(metavar="NAME", help="Name or id of a deployment.", autocompletion=complete_deployments)
]
Either = Annotated[
    str, typer.Argument(metavar="NAME", help="Name or id of a deployment or a job.", autocompletion=complete_names)
]
Job = Annotated[str, typer.Argument(metavar="JOB", help="Name or id of a job.", autocompletion=complete_jobs)]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
Detach = Annotated[bool, typer.Option("--detach", "-d", help="Do not wait until it is done.")]
Set = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="An input; the value is read as YAML. May be repeated."),
]
Root = Annotated[
    Path | None,
    typer.Option("--root", metavar="DIR", help="Folder that imports may lead to; that of FILE if missing."),
]
AllowImport = Annotated[
    list[str] | None,
    typer.Option("--allow-import", metavar="HOST", help="Fetch imports by https from there: HOST or HOST/PATH."),
]
InputFile = Annotated[Path | None, typer.Option("--inputs", metavar="FILE", help="Inputs in a YAML or JSON file.")]
