"""Which server a command speaks to: the local one, which starts by itself, or a remote one."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from isthmus.cli.failures import USAGE, Failure
from isthmus.home import find_home

if TYPE_CHECKING:
    from isthmus.cli.client import Client, Endpoint


@dataclass(frozen=True, slots=True)
class Context:
    """What the options before the command said."""

    url: str | None = None
    token_file: Path | None = None


def connect(ctx: typer.Context) -> Client:
    """A client of the server that is meant."""
    from isthmus.cli.client import Client

    chosen = ctx.find_object(Context) or Context()
    return Client(lambda: find_endpoint(chosen, os.environ))


def find_endpoint(chosen: Context, environ: Mapping[str, str]) -> Endpoint:
    """The remote server that was named, else the local one; raises :class:`Failure` without a token."""
    from isthmus.api.instance import read_instance
    from isthmus.cli.client import Endpoint
    from isthmus.cli.launch import ensure_server, local_token

    if url := chosen.url or environ.get("ISTHMUS_URL"):
        return Endpoint(url.rstrip("/"), _remote_token(chosen, environ), local=False)
    home = find_home(environ)
    server = read_instance(home) or ensure_server(home)
    return Endpoint(server.url, local_token(home), local=True)


def _remote_token(chosen: Context, environ: Mapping[str, str]) -> str:
    if chosen.token_file is not None:
        try:
            return chosen.token_file.read_text().strip()
        except (OSError, UnicodeDecodeError) as error:
            raise Failure("The token file cannot be read.", code=USAGE, detail=str(error)) from None
    if token := environ.get("ISTHMUS_TOKEN", "").strip():
        return token
    raise Failure("A remote server wants a token.", code=USAGE, hint="Set ISTHMUS_TOKEN, or give --token-file.")
