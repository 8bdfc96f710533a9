"""What a person wants to run, from the command line and a job file, as the API wants it."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from isthmus.cli.failures import USAGE, Failure
from isthmus.cli.job_words import (
    Kept,
    Wanted,
    read_environment,
    read_input,
    read_output,
    read_pairs,
    read_secrets,
    told,
)  # fmt: skip
from isthmus.work import notation

if TYPE_CHECKING:
    from isthmus.cli.job_file import JobFile

Words = Sequence[str] | None


@dataclass(frozen=True, slots=True)
class Wish:
    """A job for the API, less its inputs; the files that go with it, and those that come back."""

    body: dict[str, Any]
    inputs: list[Wanted] = field(default_factory=list)
    outputs: list[Kept] = field(default_factory=list)


def make_wish(
    given: Mapping[str, Any],
    command: Sequence[str],
    *,
    env: Words = None,
    secrets: Words = None,
    inputs: Words = None,
    outputs: Words = None,
    after: Words = None,
    options: Words = None,
    script: Path | None = None,
    file: JobFile | None = None,
) -> Wish:
    """Put together what was said; the command line goes over the file. Raises :class:`Failure` for wrong words.

    ``given`` are the options of a single value, as texts by the API's names.
    """
    here = Path()
    body: dict[str, Any] = {**(file.body if file else {}), **_read_options(given)}
    _add(body, "env", told("--env", partial(read_environment, env or ())))
    _add(body, "options", told("--option", partial(read_pairs, options or ())))
    hidden = told("--secret", partial(read_secrets, secrets or (), here))
    _add(body, "secrets", {**(file.secrets if file else {}), **hidden})
    if after:
        body["after"] = [*body.get("after", ()), *after]
    wanted = told("--input", lambda: [read_input(text, here) for text in inputs or ()])
    kept = told("--output", lambda: [read_output(text, here) for text in outputs or ()])
    if file:
        wanted, kept = [*file.inputs, *wanted], [*file.outputs, *kept]
    if command:
        body["command"] = list(command)
    if chosen := script or (file.script if file else None):
        wanted.append(_take_script(body, chosen, command))
    if kept:
        body["outputs"] = [{"path": k.path, "url": k.url} if k.url else {"path": k.path} for k in kept]
    urls = [*(w.url for w in wanted), *(k.url for k in kept)]
    if any(url and url.startswith("s3://") for url in urls):
        body.setdefault("s3", _read_s3(os.environ))
    _refuse_nothing(body)
    return Wish(body, wanted, kept)


def _add(body: dict[str, Any], key: str, values: Mapping[str, str]) -> None:
    if values:
        body[key] = {**body.get(key, {}), **values}


def _read_options(given: Mapping[str, Any]) -> dict[str, Any]:
    """Check what has a notation before any file is read, and send it as it was written."""
    checks: dict[str, Callable[[Any], Any]] = {
        "memory": notation.size, "gpus": notation.gpus, "time": notation.duration, "keep": notation.duration,
        "array": notation.array, "cpus": _number, "nodes": _count, "tasks": _count, "retry": _count,
    }  # fmt: skip
    body = {}
    for key, value in given.items():
        if value is None:
            continue
        if key in checks:
            told(f"--{key}", partial(checks[key], value))
        body[key] = value
    return body


def _number(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = 0
    if not 0 < number < 1e6:
        raise ValueError(f"{text!r} is no number of cores such as 4 or 0.5")
    return number


def _count(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) < 8):
        raise ValueError(f"{text!r} is no whole number")
    return int(text)


def _take_script(body: dict[str, Any], script: Path, args: Sequence[str]) -> Wanted:
    """Have a script staged in and run: in the image if there is one, else, being asked for by name, without any."""
    try:
        with script.open("rb") as stream:
            begins = stream.read(2)
    except OSError as error:
        raise Failure(f"The script {script} cannot be read.", code=USAGE, detail=error.strerror or "") from None
    if begins != b"#!":
        raise Failure(
            f"{script} does not say what runs it.", code=USAGE, hint="Begin it with a line such as #!/bin/sh."
        )
    name = told("--script", lambda: notation.sandbox_path(script.name))
    if "image" not in body:
        body["container"] = False
    body["command"] = [f"/work/{name}" if "image" in body else f"./{name}", *args]
    return Wanted(name, source=script, executable=True)


def _read_s3(environ: Mapping[str, str]) -> dict[str, str]:
    """The keys of S3, by the variables that everybody uses for them."""
    access = {
        "access_key": environ.get("AWS_ACCESS_KEY_ID"),
        "secret_key": environ.get("AWS_SECRET_ACCESS_KEY"),
        "session_token": environ.get("AWS_SESSION_TOKEN"),
        "endpoint": environ.get("AWS_ENDPOINT_URL_S3") or environ.get("AWS_ENDPOINT_URL"),
        "region": environ.get("AWS_REGION") or environ.get("AWS_DEFAULT_REGION"),
    }
    if not (access["access_key"] and access["secret_key"]):
        raise Failure(
            "An s3:// URL needs the keys of S3.", code=USAGE, hint="Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY."
        )
    return {key: value for key, value in access.items() if value}


def _refuse_nothing(body: Mapping[str, Any]) -> None:
    if body.get("containers") or body.get("image"):
        return
    if not body.get("command"):
        raise Failure(
            "There is nothing to run.", code=USAGE,
            hint="Name an --image, a --script, a job file with -f, or a command after --.",
        )  # fmt: skip
    if str(body.get("container", True)).lower() in ("true", "1", "yes", "on"):
        raise Failure(
            "A command runs in a container, and no --image is named.", code=USAGE,
            hint="--no-container runs it as a plain process of the node.",
        )  # fmt: skip
