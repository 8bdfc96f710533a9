"""Scalar types of TOSCA 2.0 (§9.1.2.2): a number with a unit out of those that a data type defines."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from isthmus.tosca.diagnostics import near
from isthmus.tosca.reading.documents import Map, Node, Scalar, scalar_value, text_of
from isthmus.tosca.typesystem.scalars import MODERN_PRIMITIVES

if TYPE_CHECKING:
    from isthmus.tosca.typesystem.typedefs import TypeDef

KEYS = ("data_type", "units", "canonical_unit", "prefixes")
"""The keys of a data type that only a scalar type may have."""
MAX_UNITS = 1_000
_WHOLE = "of a type of whole numbers multiply by whole numbers"

_VALUE = re.compile(r"([-+]?[0-9.][0-9A-Za-z.]{0,40}(?:[eE][-+]?[0-9]{1,3})?)[ \t]+(\S{1,64})")
_NUMBER = re.compile(
    r"[-+]?0x[0-9a-fA-F]{1,16}|[-+]?0o[0-7]{1,22}|[-+]?(?:[0-9]{1,30}(?:\.[0-9]{0,30})?|\.[0-9]{1,30})(?:[eE][-+]?[0-9]{1,3})?"
)


@dataclass(frozen=True, slots=True)
class ScalarType:
    """The units of a scalar type with what each multiplies by; ``integer`` when its numbers are whole."""

    name: str
    units: Mapping[str, float]
    canonical: str
    integer: bool

    def number(self, text: str) -> float | int:
        """The number before the unit, as written; raises ValueError for a text that is no scalar of this type."""
        found = _VALUE.fullmatch(text.strip())
        if found is None or not _NUMBER.fullmatch(found[1]):
            raise ValueError(f"{text[:60]!r} is not a number, a space and a unit, such as '10 {self.canonical}'")
        if found[2] not in self.units:
            suggestion = str(near(found[2], self.units))
            known = ", ".join(list(self.units)[:20])
            hint = f" ({suggestion})" if suggestion else ""
            raise ValueError(f"{self.name} has no unit {found[2]!r}{hint}; its units are {known}")
        number = _to_number(found[1])
        if self.integer and not isinstance(number, int):
            raise ValueError(f"{found[1]} {found[2]} is not a whole number of {found[2]}, which {self.name} wants")
        return number

    def read(self, text: str) -> float:
        """The value in the canonical unit; raises ValueError for a text that is no scalar of this type."""
        number = self.number(text)
        return number * self.units[text.split()[-1]] / self.units[self.canonical]


def _to_number(text: str) -> float | int:
    sign, digits = (-1, text[1:]) if text[0] == "-" else (1, text.lstrip("+"))
    if digits[:2] in ("0x", "0o"):
        return sign * int(digits, 0)
    return sign * (int(digits) if digits.isdecimal() else float(digits))


def scalar_type(found: TypeDef) -> ScalarType | None:
    """The scalar type that a data type defines; what is wrong with it is reported, None when it is unusable."""
    return _Reader(found).read()


class _Reader:
    def __init__(self, found: TypeDef) -> None:
        self.found = found
        self.problems = found.types.problems

    def read(self) -> ScalarType | None:
        """Merge what the type and its ancestors say, the root first."""
        units: dict[str, float] = {}
        prefixes: dict[str, float] = {}
        for ancestor in reversed(self.found.ancestors):
            self._add(units, ancestor, "units")
            self._add(prefixes, ancestor, "prefixes")
        if not units:
            self._error("key-missing", f"the scalar type {self.found.name!r} has no 'units'", self.found.at)
            return None
        integer = self._integer()
        canonical = self._canonical(units, prefixes)
        if integer is None or canonical is None:
            return None
        if integer and not all(isinstance(v, int) for v in units.values()):
            self._error("value-type", f"the units {_WHOLE}", self._at("units"))
            return None
        if integer and not all(float(v).is_integer() for v in prefixes.values()):
            self._error("value-type", f"the prefixes {_WHOLE}", self._at("prefixes"))
            return None
        if prefixes:
            (unit,) = units
            units = {f"{prefix}{unit}": factor for prefix, factor in prefixes.items()}
        return ScalarType(self.found.name, units, canonical, integer)

    def _add(self, known: dict[str, float], ancestor: TypeDef, key: str) -> None:
        """Take what a type adds to those of its parents; it changes none of them."""
        for name, factor in self._numbers(ancestor, key).items():
            if known.setdefault(name, factor) != factor:
                section = ancestor.node.entries[key]
                assert isinstance(section, Map)
                summary = f"a derived scalar type adds to the {key}, and cannot change {name!r}"
                self._error("refinement", summary, section.keys[name])

    def _canonical(self, units: Mapping[str, float], prefixes: Mapping[str, float]) -> str | None:
        ones = [u for u, factor in units.items() if factor == 1]
        written = text_of(self._last("canonical_unit"))
        if prefixes and len(units) > 1:
            self._error("shape", "a type with 'prefixes' has one unit only", self._at("prefixes"))
            return None
        if not ones:
            self._error("value-type", "one of the units must multiply by 1", self._at("units"))
            return None
        if prefixes and 1 not in prefixes.values():
            self._error("value-type", "one of the prefixes must multiply by 1", self._at("prefixes"))
            return None
        if not written and len(ones) > 1:
            self._error(
                "key-missing", "'canonical_unit' must tell which of several units of 1 is meant", self._at("units")
            )
            return None
        known = {f"{p}{u}": f for p, f in prefixes.items() for u in units} if prefixes else units
        if written and (written not in known or known[written] != 1):
            summary = f"{written!r} is no unit that multiplies by 1"
            at = self._at("canonical_unit")
            self.problems.error("value-type", summary, at, suggestion=near(written, known))
            return None
        return written or next(u for u, factor in known.items() if factor == 1)

    def _integer(self) -> bool | None:
        """Whether the numbers are whole; None where `data_type` is neither integer nor float."""
        node = self._last("data_type")
        if node is None:
            return False
        name = text_of(node)
        if name in ("integer", "float"):
            return name == "integer"
        built_in = name in MODERN_PRIMITIVES
        data = self.found.types.resolve("data", node, self.found.document) if not built_in else None
        if data is None and not built_in:
            return None
        if data is None or data.primitive not in ("integer", "float"):
            self._error("value-type", f"{name!r} is neither an integer nor a float", node)
            return None
        return data.primitive == "integer"

    def _numbers(self, ancestor: TypeDef, key: str) -> dict[str, float]:
        section = ancestor.node.get(key)
        found: dict[str, float] = {}
        if not isinstance(section, Map):
            return found
        self.problems.spend(len(section.entries))
        if len(section.entries) > MAX_UNITS:
            self._error("too-large", f"a type may have {MAX_UNITS} {key} at most", section)
            return found
        for name, node in section.entries.items():
            value = scalar_value(node) if isinstance(node, Scalar) else None
            good = isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < 1e300
            if not good or any(c.isspace() for c in name):
                self._error("value-type", f"{name!r} must be a name without spaces with a number above 0", node)
            else:
                assert isinstance(value, int | float)
                found[name] = value
        return found

    def _last(self, key: str) -> Node | None:
        return next((n for a in self.found.ancestors if (n := a.node.get(key)) is not None), None)

    def _at(self, key: str) -> Node:
        return self.found.node.get(key) or self._last(key) or self.found.at

    def _error(self, code: str, summary: str, at: Node) -> None:
        self.problems.error(code, summary, at)


def check_scalar_refinement(found: TypeDef) -> None:
    """A type derived from a scalar type keeps its `data_type` and its `canonical_unit` (§9.1.2.2)."""
    problems = found.types.problems
    for key in ("data_type", "canonical_unit"):
        node = found.node.get(key)
        inherited = next((n for a in found.ancestors[1:] if (n := a.node.get(key)) is not None), None)
        if node is None or len(found.ancestors) < 2:
            continue
        if text_of(node) != (text_of(inherited) or ("float" if key == "data_type" else "")):
            problems.error("refinement", f"a derived scalar type cannot change {key!r}", node)
