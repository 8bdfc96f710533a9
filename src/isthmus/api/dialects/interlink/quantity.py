"""Kubernetes quantities (``250m``, ``1.5Gi``, ``1e3``): apimachinery's resource.Quantity."""

from __future__ import annotations

import re
from decimal import Decimal

_FORM = re.compile(
    r"(?a)\A\+?(?P<number>\d{1,30}(?:\.\d{0,30})?|\.\d{1,30})(?P<suffix>[a-zA-Z]{0,2}|[eE][+-]?\d{1,2})\Z"
)
_SCALE = {
    "n": Decimal(10) ** -9, "u": Decimal(10) ** -6, "m": Decimal(10) ** -3, "": Decimal(1),
    **{name: Decimal(1000) ** n for n, name in enumerate(("k", "M", "G", "T", "P", "E"), 1)},
    **{name: Decimal(1024) ** n for n, name in enumerate(("Ki", "Mi", "Gi", "Ti", "Pi", "Ei"), 1)},
}  # fmt: skip


def parse_quantity(text: str) -> Decimal:
    """The number that a quantity stands for; ValueError for what is none."""
    found = _FORM.match(text)
    if found is None:
        raise ValueError(f"{text[:40]!r} is no quantity")
    number, suffix = found["number"], found["suffix"]
    if suffix in _SCALE:
        return Decimal(number) * _SCALE[suffix]
    if suffix[:1] not in ("e", "E") or suffix[1:].isalpha():
        raise ValueError(f"{text[:40]!r} is no quantity: there is no suffix {suffix}")
    return Decimal(number + suffix)


def write_bytes(size: int) -> str:
    """Bytes as a quantity, in the largest binary unit that holds them exactly."""
    for unit in ("Ti", "Gi", "Mi", "Ki"):
        if size and size % _SCALE[unit] == 0:
            return f"{int(size / _SCALE[unit])}{unit}"
    return str(size)
