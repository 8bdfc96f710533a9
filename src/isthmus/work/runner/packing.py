"""A task's outputs as one archive, for sites without shared files: packed on the node, unpacked by the agent.

The sandbox may be hostile on both sides. Only regular files travel; names that would leave the
sandbox, and links in the way, are refused by name.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import stat
import tarfile
from pathlib import Path
from typing import List, Sequence

from .failures import Permanent
from .places import folder, open_file, parts
from .sandbox import find


def pack(work: Path, patterns: Sequence[str], target: Path) -> None:
    """Write what ``patterns`` name below ``work`` to the archive ``target``, by rename."""
    new = target.with_name("." + target.name + ".new")
    with tarfile.open(str(new), "w", format=tarfile.PAX_FORMAT) as archive:
        for names in find(work, patterns):
            with contextlib.suppress(FileNotFoundError), os.fdopen(open_file(work, names), "rb") as file:
                known = os.fstat(file.fileno())
                member = tarfile.TarInfo("/".join(names))
                member.size, member.mode, member.mtime = known.st_size, stat.S_IMODE(known.st_mode), known.st_mtime
                archive.addfile(member, file)
    os.replace(str(new), str(target))


def unpack(source: Path, work: Path) -> List[str]:
    """Put what an archive holds below ``work``, each file by rename; answers what could not be put, and why.

    No archive, or one of no bytes (its task ended before it packed), holds nothing.
    """
    try:
        if not source.stat().st_size:
            return []
        archive = tarfile.open(str(source), "r:")  # noqa: SIM115 (closed just below)
    except FileNotFoundError:
        return []
    except (OSError, tarfile.TarError) as error:
        return ["{}: {}".format(source.name, error)]
    refused = []
    with archive:
        try:
            for member in archive:
                try:
                    _put(archive, member, work)
                except (OSError, Permanent) as error:
                    refused.append("{!r}: {}".format(member.name, error)[:300])
        except (OSError, tarfile.TarError) as error:
            refused.append("{}: {}".format(source.name, error))
    return refused


def _put(archive: tarfile.TarFile, member: tarfile.TarInfo, work: Path) -> None:
    names = parts(member.name)
    if not member.isreg():
        raise Permanent("not a regular file")
    data = archive.extractfile(member)
    assert data is not None
    new = ".new-" + secrets.token_hex(8)
    with folder(work, names[:-1], make=True) as place:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            with os.fdopen(os.open(new, flags, 0o600, dir_fd=place), "wb") as target:
                shutil.copyfileobj(data, target, 1024 * 1024)
                os.fchmod(target.fileno(), member.mode & 0o777 | 0o600)
            os.replace(new, names[-1], src_dir_fd=place, dst_dir_fd=place)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(new, dir_fd=place)
            raise
