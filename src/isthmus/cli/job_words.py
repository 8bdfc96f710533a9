"""The words by which a person names files, secrets and settings of a job: ``SRC:DST``, ``NAME=FILE``, ``K=V``."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from isthmus.cli.failures import USAGE, Failure
from isthmus.work import notation

T = TypeVar("T")
_MOST_SECRET = 1024**2


@dataclass(frozen=True, slots=True)
class Wanted:
    """Something to be there before a job starts: ``url``, else the file or folder ``source``, at ``path``.

    An empty path is the sandbox itself, for what is in a folder.
    """

    path: str
    source: Path | None = None
    url: str | None = None
    executable: bool = False


@dataclass(frozen=True, slots=True)
class Kept:
    """What a job leaves: sent to ``url``, fetched to ``target`` (``inside`` it, as a folder), or only kept."""

    path: str
    url: str | None = None
    target: Path | None = None
    inside: bool = False


def told(where: str, read: Callable[[], T]) -> T:
    """What ``read`` answers; its ValueError as a failure that says where the words stand."""
    try:
        return read()
    except ValueError as error:
        raise Failure(f"{where}: {error}.", code=USAGE) from None


def read_input(text: str, base: Path) -> Wanted:
    """``SRC[:DST]``; the last colon separates. DST that ends in ``/`` is a folder. Raises ValueError."""
    source, destination = split_input(text)
    return make_input(source, destination, base)


def split_input(text: str) -> tuple[str, str]:
    """A source and where it goes, which is empty when nothing is said."""
    head = text.find("/", text.find("://") + 3) if notation.is_url(text) else 0
    colon = text.rfind(":", head) if head >= 0 else -1
    if colon < 0:
        return text, ""
    if not text[:colon] or not text[colon + 1 :]:
        raise ValueError(f"{text!r} is not SRC:DST")
    return text[:colon], text[colon + 1 :]


def make_input(source: str, destination: str, base: Path) -> Wanted:
    """An input out of its two sides; raises ValueError."""
    if notation.is_url(source):
        link = notation.url(source)
        return Wanted(notation.placed(destination, notation.name_in_url(link)), url=link)
    path = base / Path(source).expanduser()
    if not path.exists():
        whole = f"{source}:{destination}"
        hint = f"; {whole}:NAME names the file {whole}" if destination and (base / whole).exists() else ""
        raise ValueError(f"there is no file {source}{hint}")
    if path.is_dir() and destination in (".", "./"):
        return Wanted("", source=path)
    name = path.resolve().name
    return Wanted(notation.placed(destination, name), source=path)


def read_output(text: str, base: Path) -> Kept:
    """``SRC[:DST]``; the first colon separates, DST is a URL or a local path. Raises ValueError."""
    source, colon, target = text.partition(":")
    if colon and (not source or not target):
        raise ValueError(f"{text!r} is not SRC:DST")
    return make_output(source, target, base)


def make_output(source: str, target: str, base: Path) -> Kept:
    """An output out of its two sides; raises ValueError."""
    path = notation.sandbox_path(source)
    if not target:
        return Kept(path)
    if notation.is_url(target):
        return Kept(path, url=notation.url(target))
    local = base / Path(target).expanduser()
    return Kept(path, target=local, inside=target.endswith("/") or target == "." or local.is_dir())


def read_secrets(words: Iterable[str], base: Path, environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """``NAME`` out of the environment, ``NAME=FILE`` out of a file, less one line break at its end.

    Raises ValueError, which never tells a value.
    """
    secrets = {}
    for word in words:
        name, equals, file = word.partition("=")
        _check_name(name)
        if equals:
            secrets[name] = _read_secret(name, base / Path(file).expanduser())
        elif name in environ:
            secrets[name] = environ[name]
        else:
            raise ValueError(f"the environment has no {name}; {name}=FILE reads it from a file")
    return secrets


def _read_secret(name: str, file: Path) -> str:
    try:
        with file.open("rb") as stream:
            content = stream.read(_MOST_SECRET + 1)
        text = content.decode()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not text"
        # Whoever wrote a value where a file belongs must not see it told.
        raise ValueError(f"the file of {name} cannot be read: {why}") from None
    if len(content) > _MOST_SECRET:
        raise ValueError(f"the file of {name} is larger than 1 MiB")
    return text.removesuffix("\n").removesuffix("\r")


def read_environment(words: Iterable[str], environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """``K=V``, or ``K`` with the value that it has here. Raises ValueError."""
    values = {}
    for word in words:
        name, equals, value = word.partition("=")
        _check_name(name)
        if not equals and name not in environ:
            raise ValueError(f"the environment has no {name}; {name}=VALUE gives it one")
        values[name] = value if equals else environ[name]
    return values


def read_pairs(words: Iterable[str]) -> dict[str, str]:
    """``K=V``. Raises ValueError."""
    pairs = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not name or not equals:
            raise ValueError(f"{word!r} is not K=V")
        pairs[name] = value
    return pairs


def _check_name(name: str) -> None:
    if not name or not name.isprintable() or " " in name:
        raise ValueError(f"{name[:40]!r} is no name of a variable")
