"""The primitive types of TOSCA (1.3 §3.2, §3.3): from text to value, and how values compare."""

from __future__ import annotations

import re
from typing import Any

from isthmus.tosca.documents import FALSE, FLOAT, INTEGER, TRUE, Scalar, to_integer

UNITS: dict[str, dict[str, float]] = {
    "scalar-unit.size": {
        "b": 1, "kb": 10**3, "kib": 2**10, "mb": 10**6, "mib": 2**20, "gb": 10**9, "gib": 2**30,
        "tb": 10**12, "tib": 2**40,
    },
    "scalar-unit.time": {"d": 86400, "h": 3600, "m": 60, "s": 1, "ms": 1e-3, "us": 1e-6, "ns": 1e-9},
    "scalar-unit.frequency": {"hz": 1, "khz": 1e3, "mhz": 1e6, "ghz": 1e9},
    "scalar-unit.bitrate": {
        "bps": 1, "kbps": 10**3, "kibps": 2**10, "mbps": 10**6, "mibps": 2**20, "gbps": 10**9, "gibps": 2**30,
        "tbps": 10**12, "tibps": 2**40,
    },
}  # fmt: skip
"""What a unit multiplies by; units do not care for case (bits and bytes per second read alike)."""

PRIMITIVES = frozenset({
    "string", "integer", "float", "boolean", "timestamp", "null", "version", "range", "list", "map", *UNITS,
})  # fmt: skip

_QUANTITY = re.compile(r"([0-9]{1,30}(?:\.[0-9]{1,30})?(?:[eE][+-]?[0-9]{1,2})?)\s*([A-Za-z]{1,5})")
_VERSION = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9}){0,2}(\.[A-Za-z0-9_]{1,64}(-[0-9]{1,9})?)?")
_TIMESTAMP = re.compile(
    r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}"
    r"((?:[Tt]|[ \t]+)[0-9]{1,2}:[0-9]{2}:[0-9]{2}(\.[0-9]{0,9})?([ \t]*(Z|[-+][0-9]{1,2}(:[0-9]{2})?))?)?"
)
_EXAMPLES = {
    "integer": "such as 4",
    "float": "such as 0.5",
    "boolean": "true or false",
    "version": "such as 1.2 or 1.2.3.beta-4",
    "timestamp": "such as 2025-01-31T12:00:00Z",
    "scalar-unit.size": "such as '4 GiB'",
    "scalar-unit.time": "such as '30 s'",
    "scalar-unit.frequency": "such as '2.4 GHz'",
    "scalar-unit.bitrate": "such as '10 Mbps'",
    "null": "empty",
}


def read(base: str, node: Scalar) -> Any:
    """The value that a scalar of a document has under a primitive type; raises ValueError."""
    if base in ("integer", "float", "boolean") and not node.plain:
        raise ValueError(f"quoted text is a string; {_wanted(base)}")
    return parse(base, node.text)


def parse(base: str, text: str) -> Any:
    """The value that a text has under a primitive type; raises ValueError that says what is wanted."""
    if base == "string":
        return text
    if base == "integer" and INTEGER.fullmatch(text):
        return to_integer(text)
    if base == "float" and FLOAT.fullmatch(text):
        return float(text)
    if base == "boolean" and text in TRUE | FALSE:
        return text in TRUE
    if base == "version" and _VERSION.fullmatch(text):
        return text
    if base == "timestamp" and _TIMESTAMP.fullmatch(text):
        return text
    if base in UNITS and _unit(base, text) is not None:
        return text.strip()
    raise ValueError(f"{_shown(text)} is not {_article(base)}; {_wanted(base)}")


def adopt(base: str, value: Any) -> Any:
    """A plain JSON value under a primitive type, texts being read as :func:`parse` does."""
    if isinstance(value, bool):
        if base == "boolean":
            return value
        if base == "string":
            return "true" if value else "false"
    elif isinstance(value, int | float):
        if base == "integer" and value == int(value):
            return int(value)
        if base == "float":
            return float(value)
        if base in ("string", "version"):
            return str(value)
    elif isinstance(value, str):
        return parse(base, value)
    raise ValueError(f"{_shown(value)} is not {_article(base)}; {_wanted(base)}")


def comparable(base: str, value: Any) -> Any:
    """What stands for a value when constraints compare it."""
    if base in UNITS and isinstance(value, str):
        found = _unit(base, value)
        return value if found is None else found
    if base == "version" and isinstance(value, str):
        return _version_key(value)
    return value


def _unit(base: str, text: str) -> float | None:
    found = _QUANTITY.fullmatch(text.strip())
    factor = UNITS[base].get(found[2].lower()) if found else None
    return None if found is None or factor is None else float(found[1]) * factor


def _version_key(text: str) -> tuple[Any, ...]:
    """Numbers compare as numbers; 1.2 equals 1.2.0; what comes after them compares as text."""
    fields = text.split(".")
    numbers = [int(f) for f in fields if f.isdigit()]
    rest = ".".join(f for f in fields if not f.isdigit())
    return (*[*numbers, 0, 0, 0][:3], rest)


def _wanted(base: str) -> str:
    return f"{_article(base)} is wanted, {_EXAMPLES[base]}" if base in _EXAMPLES else f"{_article(base)} is wanted"


def _article(base: str) -> str:
    return f"an {base}" if base[0] in "aeiou" else f"a {base}"


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
