"""What of a pod is not honoured, collected so that all of it is told at once."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import ValidationError

from isthmus.api.dialects.interlink.fields import is_harmless, is_unset
from isthmus.errors import Unsupported

_INDEX = re.compile(r"\[[^\]]*\]")
_MOST = 20
"""Faults that are told; a hostile pod may have a million."""


class Refusals:
    """Fields by path (``spec.containers[0].volumeDevices``), each with a reason.

    ``tolerated`` names fields that the operator lets pass although they are not honoured, by the end of their
    path without indices (``securityContext.privileged``).
    """

    def __init__(self, tolerated: Iterable[str] = ()):
        self._tolerated = tuple(tolerated)
        self._found: list[str] = []
        self.passed: list[str] = []
        """What was tolerated."""

    def add(self, path: str, why: str, *, tolerable: bool = True) -> None:
        """Note that the field at ``path`` cannot be honoured. What is malformed or unsafe is not tolerable."""
        if tolerable and self._tolerates(path):
            self.passed.append(path)
        else:
            self._found.append(f"{path}: {why}")

    def _tolerates(self, path: str) -> bool:
        plain = "." + _INDEX.sub("", path)
        return path in self._tolerated or any(plain.endswith("." + name) for name in self._tolerated)

    def rest(self, extra: Mapping[str, Any] | None, place: str, path: str) -> None:
        """Note all fields that no model knows, but for the harmless and the empty ones."""
        for name, value in (extra or {}).items():
            if not is_unset(value) and not is_harmless(place, name, value):
                self.add(f"{path}.{show(name)}", f"{_brief(value)} is not honoured")

    def malformed(self, error: ValidationError) -> None:
        """Note what does not have the shape that Kubernetes gives it; values are never shown."""
        for one in error.errors(include_url=False, include_input=False, include_context=False):
            path = "".join(f"[{p}]" if isinstance(p, int) else f".{show(p)}" for p in one["loc"])
            self.add(path.removeprefix(".").removeprefix("pod.") or "body", one["msg"], tolerable=False)

    def check(self) -> None:
        """Raises :class:`~isthmus.errors.Unsupported` with all that was noted."""
        if self._found:
            more = len(self._found) - _MOST
            told = "; ".join(self._found[:_MOST]) + (f"; and {more} more" if more > 0 else "")
            raise Unsupported(f"The pod is refused. {told}")


def show(text: str) -> str:
    """A name from outside, fit for a line of text."""
    plain = text if text.isprintable() else ascii(text)[1:-1]
    return plain if len(plain) <= 100 else plain[:97] + "..."


def _brief(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | str):
        return show(str(value))[:60]
    return "it"
