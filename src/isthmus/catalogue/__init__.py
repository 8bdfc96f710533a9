"""The catalogue: the curated templates that ship with Isthmus, each a folder beside this file.

The folder's name is the template's. It holds ``template.yaml``, the types, scripts and playbooks that this
one reaches, and ``icon.svg``. ``jobs/`` has work to try the clusters with.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterator, Mapping
from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Any

from isthmus.errors import NotFound
from isthmus.tosca import Bundle, Field, Form, form
from isthmus.tosca.tools import input_schema as schemas
from isthmus.views import InputView, TemplateView

MAIN = "template.yaml"
ICON = "icon.svg"

__all__ = ["bundle", "entry", "icon", "inputs_schema", "job", "names"]


@cache
def names() -> tuple[str, ...]:
    """The names of all templates, sorted."""
    return tuple(sorted(f.name for f in _root().iterdir() if f.is_dir() and f.joinpath(MAIN).is_file()))


@cache
def bundle(name: str) -> Bundle:
    """The template with all its files. Raises :class:`~isthmus.errors.NotFound`, with the name that is near."""
    files = {path: file.read_bytes() for path, file in _walk(_folder(name)) if path != ICON}
    return Bundle(MAIN, files)


@cache
def entry(name: str) -> TemplateView:
    """The template's form. Raises :class:`~isthmus.errors.NotFound`."""
    shown = form(bundle(name))
    assert isinstance(shown, Form), f"the catalogue's {name} is broken: {shown}"
    return TemplateView(
        name=name,
        title=shown.title,
        description=shown.description,
        version=shown.version,
        tabs=shown.tabs,
        inputs=tuple(_input(f) for f in shown.inputs.values()),
        outputs=shown.outputs,
    )


@cache
def inputs_schema(name: str) -> Mapping[str, Any]:
    """The template's inputs as JSON Schema. Raises :class:`~isthmus.errors.NotFound`."""
    made = schemas.inputs_schema(bundle(name))
    assert isinstance(made, dict), f"the catalogue's {name} is broken: {made}"
    return made


def icon(name: str) -> bytes:
    """The template's icon, an SVG document. Raises :class:`~isthmus.errors.NotFound`."""
    return _folder(name).joinpath(ICON).read_bytes()


def job(name: str) -> str:
    """A file of ``jobs/``, such as ``slurm-primes.sh``. Raises :class:`~isthmus.errors.NotFound`."""
    known = {f.name: f for f in _root().joinpath("jobs").iterdir()}
    if name not in known:
        raise _unknown("job", name, known)
    return known[name].read_text(encoding="utf-8")


def _root() -> Traversable:
    return resources.files(__name__)


def _folder(name: str) -> Traversable:
    """A template's folder; only what :func:`names` lists is looked for, so a path leads nowhere."""
    if name not in names():
        raise _unknown("template", name, names())
    return _root().joinpath(name)


def _walk(folder: Traversable, under: str = "") -> Iterator[tuple[str, Traversable]]:
    for item in folder.iterdir():
        if item.is_dir():
            yield from _walk(item, f"{under}{item.name}/")
        else:
            yield f"{under}{item.name}", item


def _unknown(what: str, name: str, known: Collection[str]) -> NotFound:
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"Did you mean {near[0]}?" if near else f"There are {', '.join(sorted(known))}."
    return NotFound(f"the catalogue has no {what} {name!r}", hint=hint)


def _input(field: Field) -> InputView:
    return InputView(
        name=field.name,
        type=f"{field.type} of {field.entry}" if field.entry else field.type,
        description=field.description,
        required=field.required,
        default=field.default,
        constraints=tuple({name: operand} for name, operand in field.constraints),
        tab=field.tab,
    )
