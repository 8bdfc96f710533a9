"""Numbers with a unit, in the base unit."""

from __future__ import annotations

import re
from typing import Any

_UNITS = {
    "b": 1, "kb": 10**3, "kib": 2**10, "mb": 10**6, "mib": 2**20, "gb": 10**9, "gib": 2**30, "tb": 10**12,
    "tib": 2**40, "d": 86400, "h": 3600, "m": 60, "s": 1, "ms": 1e-3, "us": 1e-6, "ns": 1e-9,
    "hz": 1, "khz": 1e3, "mhz": 1e6, "ghz": 1e9,
}  # fmt: skip
_QUANTITY = re.compile(r"\s*([0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)\s*([A-Za-z]+)\s*")


def quantity(value: Any) -> float:
    """A scalar-unit (TOSCA 1.3 §3.3.6) in bytes, seconds or hertz; a bare number is itself.

    Raises :class:`ValueError` for anything else. Units do not care for case.
    """
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value
    found = _QUANTITY.fullmatch(value) if isinstance(value, str) and len(value) < 64 else None
    if found is None or found[2].lower() not in _UNITS:
        raise ValueError(f"{value!r} is not a number with a unit such as '4 GiB' or '30 s'")
    return float(found[1]) * _UNITS[found[2].lower()]
