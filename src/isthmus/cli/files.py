"""Files that a command writes: whole or not at all."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from isthmus.cli.failures import CONFLICT, FAILED, Failure


def replace_file(path: Path, data: bytes) -> None:
    """Put content in the place of a file that is there, keeping its mode; a link stays, its target is replaced."""
    path = path.resolve()
    mode = path.stat().st_mode & 0o7777
    _write(path, data, mode)


def write_new_file(path: Path, data: bytes, *, force: bool = False) -> None:
    """Write a file; one that is there is replaced only by force. Raises :class:`Failure`."""
    try:
        if force and path.exists():
            replace_file(path, data)
        elif path.exists():
            raise FileExistsError
        else:
            _write(path, data, 0o666 & ~umask(), new=True)
    except FileExistsError:
        raise Failure(f"{path} is there already.", code=CONFLICT, hint="--force replaces it.") from None
    except OSError as error:
        raise Failure(f"{path} cannot be written.", code=FAILED, detail=str(error)) from None


def _write(path: Path, data: bytes, mode: int, *, new: bool = False) -> None:
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:100]}.")
    draft = Path(name)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        draft.chmod(mode)
        if new:
            # A link, unlike a renaming, fails when somebody else was quicker.
            path.hardlink_to(draft)
        else:
            draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def umask() -> int:
    """The bits that new files of this process lack."""
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
