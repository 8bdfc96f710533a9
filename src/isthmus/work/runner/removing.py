"""Removing what jobs have left, however they left it."""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
from pathlib import Path
from typing import Any


def remove_tree(place: Path) -> None:
    """Remove a tree, also one whose folders somebody made read-only; links in it are not followed."""

    def retry(function: Any, path: Any, _: Any) -> None:
        parent = os.path.dirname(path)
        for name in (parent, path):
            with contextlib.suppress(OSError):
                if stat.S_ISDIR(os.lstat(name).st_mode):
                    os.chmod(name, 0o700)
        if os.path.isdir(path) and not os.path.islink(path):
            shutil.rmtree(path, onerror=_fail)
        elif os.path.lexists(path):
            os.unlink(path)

    if os.path.lexists(str(place)):
        shutil.rmtree(str(place), onerror=retry)


def _fail(function: Any, path: Any, caught: Any) -> None:
    raise caught[1]
