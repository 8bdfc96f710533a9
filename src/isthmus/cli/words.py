"""The words of a command line are taken as they are where that is all there is to do.

Typer (0.2x) imports Pydantic to turn even a word into a `str`, which costs more than most commands take. What it would
do for `str`, `bool`, `Path` and lists of words is done here; whatever else there is, Typer does itself.
The attributes used are not public: with a Typer that lacks them nothing changes but the time.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import typer


def take_words(command: Any, settings: Mapping[str, Any]) -> None:
    """Prepare the parameters of a command and of all below it, `--help` among them, under context settings."""
    for parameter in command.get_params(typer.Context(command, **settings)):
        if hasattr(parameter, "_runtime_param") and _is_word(parameter):
            parameter._runtime_param = _Word()
    for inner in getattr(command, "commands", {}).values():
        take_words(inner, settings)


def _is_word(parameter: Any) -> bool:
    descriptor = getattr(parameter, "type_descriptor", None)
    if descriptor is None or descriptor.annotation not in (str, bool, Path, list[str]):
        return False
    told = descriptor.parameter_info
    return told.parser is None and not (told.exists or told.resolve_path or told.envvar)


class _Word:
    """Stands where Typer keeps what turns a value into its type."""

    def coerce(self, value: Any, param: Any, ctx: Any) -> Any:
        """The value of a parameter; by Typer's own means where a word is not enough."""
        wanted = param.type_descriptor.annotation
        if value is None:
            return () if param.multiple or param.nargs == -1 else None
        if wanted is Path and isinstance(value, str):
            return Path(value)
        if wanted == list[str] and isinstance(value, list | tuple) and all(isinstance(v, str) for v in value):
            return list(value)
        if isinstance(wanted, type) and wanted != list[str] and isinstance(value, wanted):
            return value
        param._runtime_param = None
        return param.get_runtime_param().coerce(value, param=param, ctx=ctx)
