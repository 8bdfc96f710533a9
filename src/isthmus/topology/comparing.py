"""How plain values of TOSCA compare: equality of any, order of versions, timestamps and numbers with units.

Everything here raises :class:`ValueError` for a value that it makes no sense of.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

MAX_NUMBER = 10**60
"""No result of arithmetic is larger."""


def key_of(value: Any) -> str:
    """A text that two values share exactly when they are equal; 1 and 1.0 are, 1 and true are not."""
    return json.dumps(_normal(value), sort_keys=True)


def _normal(value: Any) -> Any:
    match value:
        case Mapping():
            return {str(k): _normal(v) for k, v in value.items()}
        case list() | tuple():
            return [_normal(v) for v in value]
        case float() if value.is_integer() and abs(value) < MAX_NUMBER:
            return int(value)
        case _:
            return value


def canonical(value: Any, form: Any) -> Any:
    """A value in a form that compares. ``form`` is plain JSON: `"version"`, `"timestamp"`, `{"units": {unit: factor}}`
    for numbers with units, `{"entries": form}` for lists and maps of these, None for a value as it is.
    """
    match form:
        case "version":
            return version_key(text_in(value))
        case "timestamp":
            return instant(text_in(value))
        case {"units": units}:
            return number_of(value, units)
        case {"entries": inner} if isinstance(value, Mapping):
            return {k: canonical(v, inner) for k, v in value.items()}
        case {"entries": inner} if isinstance(value, list):
            return [canonical(v, inner) for v in value]
        case _:
            return value


_VERSION = re.compile(r"([0-9]{1,9})(?:\.([0-9]{1,9}))?(?:\.([0-9]{1,9}))?(?:\.([A-Za-z0-9_]+)(?:-([0-9]{1,9}))?)?")


def version_key(text: str) -> list[Any]:
    """A version as a list that compares: numbers as numbers, 1.2 as 1.2.0, a qualified one below the plain one."""
    found = _VERSION.fullmatch(text)
    if found is None:
        raise ValueError(f"{shown(text)} is not a version")
    major, minor, fix, qualifier, build = found.groups()
    return [int(major), int(minor or 0), int(fix or 0), 0 if qualifier else 1, qualifier or "", int(build or 0)]


_INSTANT = re.compile(
    r"([0-9]{4})-([0-9]{1,2})-([0-9]{1,2})"
    r"(?:(?:[Tt]|[ \t]+)([0-9]{1,2}):([0-9]{2}):([0-9]{2})(?:\.([0-9]{0,9}))?[ \t]*"
    r"([Zz]|[-+][0-9]{1,2}(?::?[0-9]{2})?)?)?"
)


def instant(text: str) -> float:
    """Seconds since 1970 of a timestamp (YAML 1.1); one without a zone is in UTC."""
    found = _INSTANT.fullmatch(text)
    if found is None:
        raise ValueError(f"{shown(text)} is not a timestamp")
    year, month, day, hour, minute, second = (int(g or 0) for g in found.groups()[:6])
    moment = datetime(year, month, day, hour, minute, tzinfo=_zone(found[8]))
    return moment.timestamp() + second + float(f"0.{found[7] or 0}")


def _zone(text: str | None) -> timezone:
    if text in (None, "Z", "z"):
        return UTC
    assert text is not None
    hours, minutes = text[1:].split(":") if ":" in text else (text[1:3], text[3:])
    ahead = timedelta(hours=int(hours), minutes=int(minutes or 0))
    return timezone(-ahead if text[0] == "-" else ahead)


_QUANTITY = re.compile(
    r"\s*([-+]?(?:0[xo][0-9a-fA-F]{1,40}|[0-9]{1,40}\.?[0-9]{0,40}|\.[0-9]{1,40})(?:[eE][-+]?[0-9]{1,3})?)\s*(.*?)\s*"
)


def number_of(value: Any, units: Mapping[str, float]) -> float:
    """The number that a text such as `4 GB` comes to, in the unit whose factor is 1; a number is itself."""
    if is_number(value):
        return float(value)
    found = _QUANTITY.fullmatch(value) if isinstance(value, str) and len(value) < 128 else None
    if found is None or found[2] not in units:
        raise ValueError(f"{shown(value)} has none of the units {', '.join(list(units)[:12])}")
    number = int(found[1], 0) if found[1].lstrip("+-")[:2] in ("0x", "0o") else float(found[1])
    return number * units[found[2]]


def with_unit(number: Any, unit: str) -> str:
    """A number with its unit, as it stands in a document."""
    value = number_in(number)
    if isinstance(value, float) and value.is_integer() and abs(value) < MAX_NUMBER:
        value = int(value)
    return f"{value} {unit}".strip()


def is_number(value: Any) -> bool:
    """Whether a value is a number; true and false are none."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def shown(value: Any) -> str:
    """A value as a message shows it, cut where it is long."""
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def number_in(value: Any) -> int | float:
    """The value, which must be a finite number."""
    if isinstance(value, int | float) and is_number(value) and math.isfinite(value):
        return value
    raise ValueError(f"{shown(value)} is not a number")


def text_in(value: Any) -> str:
    """The value, which must be a text."""
    if isinstance(value, str):
        return value
    raise ValueError(f"{shown(value)} is not a text")
