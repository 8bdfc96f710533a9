"""The program once more, with its modules compiled: starting a task from it takes half the time.

A module lies there twice, as source too: a Python of another version passes over what this one has compiled. What is
here has been made from the program by this user, in a folder that is only theirs, or is not used.
"""

from __future__ import annotations

import importlib.util
import io
import marshal
import os
import stat
import sys
import threading
import zipfile
from pathlib import Path

from .places import write_whole

_UNCHECKED = (1).to_bytes(4, "little") + bytes(8)
"""Flags and hash of a compiled module that is not compared with its source (PEP 552)."""


class Compiled:
    """The compiled form of ``program``, made in the background when it is first wanted."""

    def __init__(self, program: Path):
        self._program = program
        self._place = program.with_name("{}.{}.pyz".format(program.stem, sys.implementation.cache_tag))
        self._making = threading.Lock()

    def path(self) -> Path:
        """What to start: the compiled form when it is there, else the program."""
        if _is_ours(self._place):
            return self._place
        if self._making.acquire(blocking=False):
            threading.Thread(target=self._make, daemon=True).start()
        return self._program

    def _make(self) -> None:
        try:
            write_whole(self._place, compiled(self._program.read_bytes()))
        except Exception as error:  # a full disk, an archive that was swept: tasks start as they did before
            print("{}: {}".format(self._place, error), file=sys.stderr)


def compiled(program: bytes) -> bytes:
    """The archive of a program with its modules compiled for this Python beside their sources."""
    file = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(program)) as source, zipfile.ZipFile(file, "w") as target:
        for name in source.namelist():
            text = source.read(name)
            code = marshal.dumps(compile(text, name, "exec", dont_inherit=True))
            for kept, data in ((name + "c", importlib.util.MAGIC_NUMBER + _UNCHECKED + code), (name, text)):
                target.writestr(zipfile.ZipInfo(kept), data, zipfile.ZIP_DEFLATED)
    return file.getvalue()


def _is_ours(place: Path) -> bool:
    """Whether a file is there that nobody else could have put there or changed."""
    try:
        file, folder = os.lstat(str(place)), os.lstat(str(place.parent))
    except OSError:
        return False
    mine = stat.S_ISREG(file.st_mode) and stat.S_ISDIR(folder.st_mode) and file.st_uid == folder.st_uid == os.getuid()
    return mine and not (file.st_mode | folder.st_mode) & 0o022
