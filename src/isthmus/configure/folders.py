"""Temporary folders that are found again, and removed, after their server was killed."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from pathlib import Path

_NAME = re.compile(r"isthmus-([0-9]+)-[a-z0-9_]+")


def make_folder() -> Path:
    """A new empty folder for this process's user alone."""
    return Path(tempfile.mkdtemp(prefix=f"isthmus-{os.getpid()}-"))


def sweep_folders() -> None:
    """Remove the folders that processes of this user left which do not live any more."""
    for entry in os.scandir(tempfile.gettempdir()):
        found = _NAME.fullmatch(entry.name)
        if found is None or not entry.is_dir(follow_symlinks=False) or _lives(int(found[1])):
            continue
        if entry.stat(follow_symlinks=False).st_uid == os.geteuid():
            shutil.rmtree(entry.path, ignore_errors=True)


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True
