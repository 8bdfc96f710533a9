"""Files on their way to a job: found, digested, and sent where the server has not got them yet."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from isthmus.cli.failures import USAGE, Failure
from isthmus.cli.job_words import Wanted
from isthmus.cli.output import note, size
from isthmus.work import notation

if TYPE_CHECKING:
    from isthmus.cli.client import Client

MOST_FILES = 50_000
_PIECE = 1024**2
_ASKED = 5_000
Tell = Callable[[str], None]
"""Shows a line of progress over the one before."""


@dataclass(frozen=True, slots=True)
class Staged:
    """A local file and where the job will find it."""

    path: str
    file: Path
    size: int
    mode: int


def stage(client: Client, wanted: Sequence[Wanted], tell: Tell) -> list[dict[str, Any]]:
    """The inputs of a job for the API, once the server has all their bytes; raises :class:`Failure`."""
    files = find_files(wanted)
    digests: dict[str, Staged] = {}
    inputs: list[dict[str, Any]] = [{"path": w.path, "url": w.url} for w in wanted if w.url is not None]
    total = sum(f.size for f in files)
    for number, file in enumerate(files):
        tell(f"reading {number + 1} of {len(files)} files ({size(total)}): {file.path}")
        digest = _digest(file)
        digests[digest] = file
        inputs.append({"path": file.path, "digest": digest, "mode": f"{file.mode:04o}"})
    _send(client, digests, tell)
    return inputs


def find_files(wanted: Sequence[Wanted]) -> list[Staged]:
    """Every local file that inputs name; raises :class:`Failure` for what cannot be staged."""
    found: list[Staged] = []
    for item in wanted:
        if item.source is None:
            continue
        for file in _walk(item.source, item.path):
            found.append(replace(file, mode=0o755) if item.executable else file)
            if len(found) > MOST_FILES:
                raise Failure(
                    f"{item.source} brings more than {MOST_FILES} files.", code=USAGE, hint="Pack them into one."
                )
    return found


def _walk(source: Path, path: str) -> Iterator[Staged]:
    try:
        root = source.resolve(strict=True)
        if not root.is_dir():
            yield _one(root, path)
            return
        yield from _below(root, root, path, (root,))
    except OSError as error:
        raise Failure(f"{source} cannot be read.", code=USAGE, detail=str(error)) from None
    except ValueError as error:
        raise Failure(f"{source} cannot be staged.", code=USAGE, detail=f"{error}.") from None


def _below(root: Path, folder: Path, path: str, above: tuple[Path, ...]) -> Iterator[Staged]:
    """The files of a folder. Links are followed inside of ``root`` and refused where they lead out of it."""
    entries = sorted(os.scandir(folder), key=lambda e: e.name)
    if not entries:
        note(f"{folder} is empty and stays behind.")
    for entry in entries:
        inner = Path(entry.path)
        name = f"{path}/{entry.name}" if path else entry.name
        if entry.is_symlink():
            inner = inner.resolve(strict=True)
            if not inner.is_relative_to(root):
                raise ValueError(f"the link {Path(entry.path).relative_to(root)} leads out of it")
        if inner.is_dir():
            if inner in above:
                raise ValueError(f"the link {Path(entry.path).relative_to(root)} leads in a circle")
            yield from _below(root, inner, name, (*above, inner))
        else:
            yield _one(inner, name)


def _one(file: Path, path: str) -> Staged:
    status = file.stat()
    if not stat.S_ISREG(status.st_mode):
        raise ValueError(f"{file} is no regular file")
    return Staged(notation.sandbox_path(path), file, status.st_size, 0o755 if status.st_mode & 0o100 else 0o644)


def _digest(file: Staged) -> str:
    try:
        with file.file.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise Failure(f"{file.file} cannot be read.", code=USAGE, detail=str(error)) from None


def _send(client: Client, files: dict[str, Staged], tell: Tell) -> None:
    every = list(files)
    missing: list[str] = []
    for start in range(0, len(every), _ASKED):
        missing += client.post("/blobs/missing", {"digests": every[start : start + _ASKED]})["missing"]
    asked = [d for d in missing if d in files]
    total, sent = sum(files[d].size for d in asked), 0
    for number, digest in enumerate(asked):
        file = files[digest]

        def pieces(file: Staged = file, number: int = number) -> Iterator[bytes]:
            nonlocal sent
            with file.file.open("rb") as stream:
                while piece := stream.read(_PIECE):
                    yield piece
                    sent += len(piece)
                    tell(f"sending {number + 1} of {len(asked)} files: {size(sent)} of {size(total)}")

        headers = {"Content-Type": "application/octet-stream", "Content-Length": str(file.size)}
        try:
            client.call("PUT", f"/blobs/{digest}", content=pieces(), headers=headers)
        except OSError as error:
            raise Failure(f"{file.file} cannot be read.", code=USAGE, detail=str(error)) from None
