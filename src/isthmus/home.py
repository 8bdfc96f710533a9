"""The home folder: where a server keeps its database, token, log and the note of how to reach it.

It imports nothing heavy: the command line reads it on every call.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path


def find_home(environ: Mapping[str, str] | None = None) -> Path:
    """``ISTHMUS_HOME``, else ``isthmus`` in the XDG state folder (``~/.local/state``)."""
    environ = os.environ if environ is None else environ
    if own := environ.get("ISTHMUS_HOME"):
        return Path(own).expanduser().absolute()
    state = environ.get("XDG_STATE_HOME", "")
    return (Path(state) if state.startswith("/") else Path.home() / ".local" / "state") / "isthmus"


def make_home(home: Path) -> Path:
    """Make the folder, readable to its owner alone, and answer it."""
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    return home


def config_file(home: Path) -> Path:
    """Settings that a person wrote; see :mod:`isthmus.settings`."""
    return home / "config.yaml"


def server_file(home: Path) -> Path:
    """How to reach the running server; see :class:`isthmus.api.instance.Instance`."""
    return home / "server.json"


def token_file(home: Path) -> Path:
    """The local bearer token, mode 0600."""
    return home / "token"


def log_file(home: Path) -> Path:
    """What a server in the background prints."""
    return home / "server.log"
