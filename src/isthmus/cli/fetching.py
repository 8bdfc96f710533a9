"""What a job left, brought here: only what differs, each file whole or not at all, and nowhere but below the target."""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from isthmus.cli.failures import FAILED, Failure
from isthmus.cli.files import umask
from isthmus.cli.job_words import Kept
from isthmus.cli.output import size

if TYPE_CHECKING:
    from isthmus.cli.client import Client

Tell = Callable[[str], None]
_WILD = "*?["


@dataclass(frozen=True, slots=True)
class Fetched:
    """A file that is here now; ``fresh`` when it had to be brought."""

    path: str
    file: Path
    size: int
    fresh: bool


def fetch_outputs(client: Client, job: str, outputs: Iterable[Kept], tell: Tell) -> list[Fetched]:
    """Bring what outputs with a local target name; raises :class:`Failure`, also for one that names nothing."""
    files = client.get(f"/jobs/{job}/files")["items"]
    plan: list[tuple[Mapping[str, Any], Path, str]] = []
    for output in outputs:
        if output.target is None:
            continue
        found = [f for f in files if matches(f["path"], output.path)]
        if not found:
            raise Failure(f"The job left no {output.path}.", code=FAILED, hint=f"isthmus fetch {job} brings the rest.")
        plan += [(f, *_place(output, f["path"])) for f in found]
    return _bring(client, job, plan, tell)


def fetch_all(client: Client, job: str, target: Path, wanted: Sequence[str], tell: Tell) -> list[Fetched]:
    """Bring all that a job left, or what paths and patterns name, to a folder under its own paths."""
    files = client.get(f"/jobs/{job}/files")["items"]
    for pattern in wanted:
        if not any(matches(f["path"], pattern.rstrip("/")) for f in files):
            raise Failure(f"The job left no {pattern}.", code=FAILED)
    chosen = [f for f in files if not wanted or any(matches(f["path"], p.rstrip("/")) for p in wanted)]
    return _bring(client, job, [(f, target, f["path"]) for f in chosen], tell)


def matches(path: str, pattern: str) -> bool:
    """Whether a file is what an output names: itself, what is below it, or by a pattern of names."""
    one = PurePosixPath(path)
    return path == pattern or path.startswith(f"{pattern}/") or any(p.match(pattern) for p in (one, *one.parents))


def _place(output: Kept, path: str) -> tuple[Path, str]:
    """The folder that a file must stay below, and its path from there."""
    assert output.target is not None
    wild = next((i for i, part in enumerate(output.path.split("/")) if any(c in part for c in _WILD)), None)
    depth = len(output.path.split("/"))
    parts = path.split("/")
    if wild is not None:
        return output.target, "/".join(parts[wild:])
    if len(parts) > depth:
        below = parts[depth - 1 :] if output.inside else parts[depth:]
        return output.target, "/".join(below)
    if output.inside:
        return output.target, parts[-1]
    return output.target.parent, output.target.name


def _bring(client: Client, job: str, plan: Sequence[tuple[Mapping[str, Any], Path, str]], tell: Tell) -> list[Fetched]:
    done: list[Fetched] = []
    for number, (file, root, path) in enumerate(plan):
        place = safe_path(root, path)
        fresh = not _is_same(place, file)
        if fresh:
            tell(f"fetching {number + 1} of {len(plan)} files: {file['path']} ({size(file['size'])})")
            _download(client, job, file, root, place)
        done.append(Fetched(file["path"], place, file["size"], fresh))
    return done


def safe_path(root: Path, path: str) -> Path:
    """Where a file of a job lies below a folder; a path that is none is refused: the job's machine chose it."""
    parts = path.split("/")
    if "\0" in path or any(part in ("", ".", "..") for part in parts):
        raise Failure(f"The job left a file with a path that is refused: {path!r}.", code=FAILED)
    return root.joinpath(*parts)


def _is_same(place: Path, file: Mapping[str, Any]) -> bool:
    with contextlib.suppress(OSError):
        if place.is_file() and not place.is_symlink() and place.stat().st_size == file["size"]:
            with place.open("rb") as stream:
                return hashlib.file_digest(stream, "sha256").hexdigest() == str(file["digest"])
    return False


def _download(client: Client, job: str, file: Mapping[str, Any], root: Path, place: Path) -> None:
    try:
        _make_folder(root, place.parent)
        handle, name = tempfile.mkstemp(dir=place.parent, prefix=".isthmus-")
        draft = Path(name)
        try:
            with os.fdopen(handle, "wb") as stream:
                digest = hashlib.sha256()
                for chunk in client.content(f"/jobs/{job}/files/{quote(file['path'])}"):
                    digest.update(chunk)
                    stream.write(chunk)
            if digest.hexdigest() != file["digest"]:
                raise Failure(f"{file['path']} has changed while it was fetched.", code=FAILED, hint="Fetch it again.")
            draft.chmod((0o777 if file["mode"] & 0o100 else 0o666) & ~umask())
            draft.replace(place)
        finally:
            draft.unlink(missing_ok=True)
    except OSError as error:
        raise Failure(f"{place} cannot be written.", code=FAILED, detail=str(error)) from None


def _make_folder(root: Path, folder: Path) -> None:
    """Make a folder below ``root``; a link on the way that leads out of it is refused before anything is made."""
    root.mkdir(parents=True, exist_ok=True)
    top = root.resolve()
    at = root
    for part in folder.relative_to(root).parts:
        at = at / part
        at.mkdir(exist_ok=True)
        if not at.resolve().is_relative_to(top):
            raise Failure(f"{at} leads out of {root}; nothing is written through it.", code=FAILED)
