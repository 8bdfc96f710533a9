"""The primitive types of TOSCA (1.3 §3.2, §3.3): from text to value, and how values compare."""

from __future__ import annotations

import re
from datetime import date
from typing import Any

from isthmus.tosca.reading.documents import FALSE, FLOAT, INTEGER, TRUE, Scalar, scalar_value, to_integer

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

MODERN_PRIMITIVES = frozenset({
    "string", "integer", "float", "boolean", "bytes", "nil", "timestamp", "scalar", "version", "list", "map",
})  # fmt: skip
"""The built-in types of TOSCA 2.0 (§9.1)."""

_QUANTITY = re.compile(r"([0-9]{1,30}(?:\.[0-9]{1,30})?(?:[eE][+-]?[0-9]{1,2})?)\s*([A-Za-z]{1,5})")
_VERSION = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9}){0,2}(\.[A-Za-z0-9_]{1,64}(-[0-9]{1,9})?)?")
_VERSION_2 = re.compile(r"[0-9]{1,9}\.[0-9]{1,9}(\.[0-9]{1,9}(\.[A-Za-z0-9_]{1,64}(-[0-9]{1,9})?)?)?")
_TIMESTAMP = re.compile(
    r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}"
    r"((?:[Tt]|[ \t]+)[0-9]{1,2}:[0-9]{2}:[0-9]{2}(\.[0-9]{0,9})?([ \t]*(Z|[-+][0-9]{1,2}(:[0-9]{2})?))?)?"
)
_RFC3339 = re.compile(
    r"[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"
    r"([Tt]([01][0-9]|2[0-3]):[0-5][0-9]:([0-5][0-9]|60)(\.[0-9]{1,9})?([Zz]|[-+]([01][0-9]|2[0-3]):[0-5][0-9]))?"
)
_BASE64 = re.compile(r"[A-Za-z0-9+/]*={0,2}")
_EXAMPLES = {
    "bytes": "as text in base 64",
    "nil": "written null",
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


def primitives(version: int) -> frozenset[str]:
    """The names of the built-in types of TOSCA 1.x or 2.0."""
    return MODERN_PRIMITIVES if version == 2 else PRIMITIVES


def is_version(text: str) -> bool:
    """Whether a text is a version (TOSCA 2.0 §9.1.2.3)."""
    return _VERSION_2.fullmatch(text) is not None


def read(base: str, node: Scalar) -> Any:
    """The value that a scalar of a document has under a primitive type; raises ValueError."""
    if node.source.version == 2:
        return _read_strictly(base, node)
    if base in ("integer", "float", "boolean") and not node.plain:
        raise ValueError(f"quoted text is a string; {_wanted(base)}")
    return parse(base, node.text)


def _read_strictly(base: str, node: Scalar) -> Any:
    """A scalar under a type of TOSCA 2.0, which are never converted into one another (§9.1.1)."""
    value = scalar_value(node)
    if base == "nil":
        if value is None:
            return None
    elif base == "boolean":
        if node.plain and node.text in ("true", "false"):
            return value
    elif base == "integer":
        if type(value) is int and -(2**63) <= value < 2**63:
            return value
    elif base == "float":
        if isinstance(value, int | float) and not isinstance(value, bool):
            return float(value)
    elif isinstance(value, str):
        return _read_text(base, value)
    raise ValueError(f"{'null' if value is None else _shown(node.text)} is not {_article(base)}; {_wanted(base)}")


def _read_text(base: str, text: str) -> str:
    """A string under one of the types whose values are written as strings."""
    packed = "".join(text.split()) if base == "bytes" else ""
    good = (
        base == "string"
        or (base == "version" and is_version(text))
        or (base == "timestamp" and _RFC3339.fullmatch(text) is not None and _is_day(text[:10]))
        or (base == "bytes" and len(packed) % 4 == 0 and _BASE64.fullmatch(packed) is not None)
    )
    if good:
        return text
    raise ValueError(f"{_shown(text)} is not {_article(base)}; {_wanted(base)}")


def _day_of(text: str) -> str:
    """The date of a timestamp, its month and day with two digits each."""
    year, month, day = re.split(r"[Tt \t]", text, maxsplit=1)[0].split("-")
    return f"{year}-{month:0>2}-{day:0>2}"


def _is_day(text: str) -> bool:
    """Whether a month has so many days: the 30th of February is in no calendar."""
    try:
        date.fromisoformat(text)
    except ValueError:
        return text.startswith("0000")  # a year that Python does not know
    return True


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
    if base == "timestamp" and _TIMESTAMP.fullmatch(text) and _is_day(_day_of(text)):
        return text
    if base == "bytes":
        return _read_text(base, text)
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
