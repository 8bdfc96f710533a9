"""The functions of TOSCA on plain values (2.0 §10.2; of 1.x `concat`, `join` and `token`), pure and bounded.

Both who reads a template and who later finishes a :class:`~isthmus.topology.Call` use them. A function raises
:class:`CallError` for values that it makes no sense of.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from isthmus.topology.comparing import MAX_NUMBER, canonical, is_number, key_of, number_in, shown, text_in, with_unit
from isthmus.topology.patterns import Pattern

MAX_TEXT = 2**20
"""Characters, or entries, that one function may put together."""


class CallError(ValueError):
    """A function makes no sense of its arguments; the message says why."""


def call(function: str, args: Sequence[Any]) -> Any:
    """The result of a function on plain values; raises :class:`CallError`."""
    found = FUNCTIONS.get(function)
    if found is None:
        raise CallError(f"nothing here runs the function {function!r}")
    try:
        return found(*args)
    except CallError as e:
        raise CallError(f"{function}: {e}") from e
    except (TypeError, ValueError, OverflowError, RecursionError) as e:
        raise CallError(f"{function}: {_first_line(e)}") from e


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or ["not possible"])[0]


def _a_list(value: Any) -> list[Any]:
    if isinstance(value, list):
        return value
    raise CallError(f"{shown(value)} is not a list")


def _a_map(value: Any) -> Mapping[str, Any]:
    if isinstance(value, Mapping):
        return value
    raise CallError(f"{shown(value)} is not a map")


# ---------------------------------------------------------------------------------------------
# boolean functions (§10.2.2)


def _a_boolean(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    raise CallError(f"{shown(value)} is not true or false")


def _and(*args: Any) -> bool:
    return all(_a_boolean(a) for a in args)


def _or(*args: Any) -> bool:
    return any(_a_boolean(a) for a in args)


def _not(arg: Any) -> bool:
    return not _a_boolean(arg)


def _xor(one: Any, other: Any) -> bool:
    return _a_boolean(one) != _a_boolean(other)


def _equal(one: Any, other: Any) -> bool:
    return key_of(one) == key_of(other)


def _order(one: Any, other: Any) -> int:
    """-1, 0 or 1; raises for values that have no order among them."""
    for kind in (is_number, lambda v: isinstance(v, str), lambda v: isinstance(v, list)):
        if kind(one) and kind(other):
            return int(one > other) - int(one < other)
    raise CallError(f"{shown(one)} and {shown(other)} do not compare")


def _valid_values(value: Any, values: Any) -> bool:
    return _has_entry(_a_list(values), value)


def _matches(text: Any, pattern: Any) -> bool:
    return _compiled(text_in(pattern)).found_in(text_in(text))


@lru_cache(maxsize=64)
def _compiled(pattern: str) -> Pattern:
    return Pattern(pattern)


def _within(whole: Any, part: Any, how: Callable[[str, str], bool]) -> bool:
    """A relation of two texts; of two lists, that of the texts which stand for their entries."""
    if isinstance(whole, str) and isinstance(part, str):
        return how(whole, part)
    return how(_as_text(_a_list(whole)), _as_text(_a_list(part)))


def _as_text(items: list[Any]) -> str:
    """A list as a text in which a part stands exactly where the part's entries stand in the list."""
    return "\0" + "".join(f"{key_of(i)}\0" for i in items)


def _has_prefix(whole: Any, part: Any) -> bool:
    return _within(whole, part, str.startswith)


def _has_suffix(whole: Any, part: Any) -> bool:
    return _within(whole, part, str.endswith)


def _contains(whole: Any, part: Any) -> bool:
    return _within(whole, part, str.__contains__)


def _entries(value: Any) -> set[str]:
    if isinstance(value, Mapping):
        return {key_of(v) for v in value.values()}
    return {key_of(v) for v in _a_list(value)}


def _keys(value: Any) -> set[str]:
    return {key_of(k) for k in _a_map(value)}


def _has_entry(whole: Any, entry: Any) -> bool:
    return key_of(entry) in _entries(whole)


def _has_key(whole: Any, key: Any) -> bool:
    return key_of(str(key) if is_number(key) else key) in _keys(whole)


def _has_all_entries(whole: Any, entries: Any) -> bool:
    return _entries(_a_list(entries)) <= _entries(whole)


def _has_any_entry(whole: Any, entries: Any) -> bool:
    return bool(_entries(_a_list(entries)) & _entries(whole))


def _has_all_keys(whole: Any, keys: Any) -> bool:
    return all(_has_key(whole, k) for k in _a_list(keys))


def _has_any_key(whole: Any, keys: Any) -> bool:
    return any(_has_key(whole, k) for k in _a_list(keys))


# ---------------------------------------------------------------------------------------------
# texts, lists and maps (§10.2.3, §10.2.4)


def _length(value: Any) -> int:
    if isinstance(value, str | list | Mapping):
        return len(value)
    raise CallError(f"{shown(value)} has no length")


def _text(value: Any) -> str:
    """A value as it stands inside a longer text."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return json.dumps(value) if isinstance(value, dict | list) else str(value)


def _bounded(texts: list[str], between: str = "") -> str:
    if sum(map(len, texts)) + len(between) * len(texts) > MAX_TEXT:
        raise CallError(f"a text of more than {MAX_TEXT:,} characters is put together")
    return between.join(texts)


def _concat(*parts: Any) -> Any:
    if parts and all(isinstance(p, list) for p in parts):
        if sum(map(len, parts)) > MAX_TEXT:
            raise CallError(f"a list of more than {MAX_TEXT:,} entries is put together")
        return [item for part in parts for item in part]
    return _bounded([_text(p) for p in parts])


def _join(parts: Any, delimiter: Any = "") -> str:
    return _bounded([_text(p) for p in (parts if isinstance(parts, list) else [parts])], text_in(delimiter))


def _token(text: Any, separators: Any, index: Any) -> str | None:
    fields = [_text(text)]
    if not isinstance(index, int) or index < 0:
        raise CallError(f"{shown(index)} is no index")
    for separator in text_in(separators):
        fields = [piece for text in fields for piece in text.split(separator)]
    return fields[index] if index < len(fields) else None


def _union(*lists: Any) -> list[Any]:
    found: dict[str, Any] = {}
    for value in (v for some in lists for v in _a_list(some)):
        found.setdefault(key_of(value), value)
    return list(found.values())


def _intersection(first: Any, *others: Any) -> list[Any]:
    shared = [_entries(_a_list(o)) for o in others]
    return [v for v in _union(first) if all(key_of(v) in s for s in shared)]


def _part(value: Any, *path: Any) -> Any:
    """The part of a value under a path; None for a key that a map has not."""
    for step in path:
        if isinstance(value, list) and str(step).isdecimal():
            if int(step) >= len(value):
                raise CallError(f"there is no index {step} in a list of {len(value)}")
            value = value[int(step)]
        elif isinstance(value, Mapping):
            value = value.get(str(step))
        elif value is not None:
            raise CallError(f"{step!r} leads into {shown(value)}, which has no such part")
    return value


# ---------------------------------------------------------------------------------------------
# arithmetic (§10.2.5)


def _checked(number: int | float) -> int | float:
    if not math.isfinite(number) or abs(number) > MAX_NUMBER:
        raise CallError("the number is too large")
    return number


def _sum(*args: Any) -> int | float:
    total: int | float = 0
    for arg in args:
        total = _checked(total + number_in(arg))
    return total


def _difference(one: Any, other: Any) -> int | float:
    return _checked(number_in(one) - number_in(other))


def _product(*args: Any) -> int | float:
    total: int | float = 1
    for arg in args:
        total = _checked(total * number_in(arg))
    return total


def _quotient(one: Any, other: Any) -> float:
    if number_in(other) == 0:
        raise CallError("a division by 0")
    return float(_checked(number_in(one) / other))


def _remainder(one: Any, other: Any) -> int | float:
    """What is left of a division that rounds towards 0: it has the sign of the first number."""
    if number_in(other) == 0:
        raise CallError("a division by 0")
    left: int | float = abs(number_in(one)) % abs(other)
    return left if one >= 0 else -left


def _round(number: Any) -> int:
    """The nearest integer, the lower one of two equally near."""
    return math.ceil(number_in(number) - 0.5) if isinstance(number, float) else int(number_in(number))


def _floor(number: Any) -> int:
    return math.floor(number_in(number))


def _ceil(number: Any) -> int:
    return math.ceil(number_in(number))


FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "and": _and,
    "or": _or,
    "not": _not,
    "xor": _xor,
    "equal": _equal,
    "greater_than": lambda one, other: _order(one, other) > 0,
    "greater_or_equal": lambda one, other: _order(one, other) >= 0,
    "less_than": lambda one, other: _order(one, other) < 0,
    "less_or_equal": lambda one, other: _order(one, other) <= 0,
    "valid_values": _valid_values,
    "matches": _matches,
    "has_suffix": _has_suffix,
    "has_prefix": _has_prefix,
    "contains": _contains,
    "has_entry": _has_entry,
    "has_key": _has_key,
    "has_all_entries": _has_all_entries,
    "has_all_keys": _has_all_keys,
    "has_any_entry": _has_any_entry,
    "has_any_key": _has_any_key,
    "length": _length,
    "concat": _concat,
    "join": _join,
    "token": _token,
    "union": _union,
    "intersection": _intersection,
    "sum": _sum,
    "difference": _difference,
    "product": _product,
    "quotient": _quotient,
    "remainder": _remainder,
    "round": _round,
    "floor": _floor,
    "ceil": _ceil,
    "canonical": canonical,
    "with_unit": with_unit,
    "part": _part,
}
"""Every function by its name in TOSCA, without the `$`; the last three are our own."""
