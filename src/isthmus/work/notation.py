"""How people write what a job needs: sizes, durations, arrays, GPUs, paths of its sandbox.

The API, the command line and job files read them here. Everything raises :class:`ValueError` with words for
the person.
"""

from __future__ import annotations

import re
from typing import Any

from isthmus.topology.quantities import quantity

MOST_TASKS = 10_000
"""The most tasks of an array."""
_TIME = re.compile(r"(?:ms|us|ns|[smhd])", re.IGNORECASE)
_SIZE = re.compile(r"(?:[kmgt]i?)?b", re.IGNORECASE)
_ARRAY = re.compile(r"([0-9:,-]+)(?:%([0-9]{1,9}))?")
_RANGE = re.compile(r"([0-9]{1,9})(?:-([0-9]{1,9})(?::([0-9]{1,9}))?)?")
_COUNT = re.compile(r"[0-9]{1,4}")
_GPU = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}")
VARIABLE = r"^[A-Za-z_.-][A-Za-z0-9_.-]{0,254}$"
"""The name of an environment variable."""
OPTION = r"^[A-Za-z][A-Za-z0-9_-]{0,62}$"
"""The name of an option of a site."""
IMAGE = r"^[^\s-]\S*$"
FOLDER = r"^/[^\x00-\x1f\x7f]*$"
"""An absolute path."""


def size(value: Any) -> int:
    """Bytes out of a whole number of them, or a number with a unit such as ``2 GiB``."""
    number = _measure(value, _SIZE, "a size such as '2 GiB' or '500 MB'")
    if number < 1 or number > 2**60:
        raise ValueError(f"{value!r} is no size that something can have")
    return round(number)


def duration(value: Any) -> float:
    """Seconds out of a number of them, or a number with a unit such as ``90m``, ``12 h`` or ``7d``."""
    number = _measure(value, _TIME, "a time such as '90m', '12h' or '7d'")
    if not 0 <= number <= 3650 * 86400:
        raise ValueError(f"{value!r} is not between 0 and ten years")
    return number


def _measure(value: Any, units: re.Pattern[str], wanted: str) -> float:
    if isinstance(value, str):
        text = value.strip()
        unit = text.lstrip("0123456789.").strip()
        # A bare number in a text is one of an option or a variable.
        if not unit and text and len(text) < 30 and text.count(".") < 2 and text != ".":
            return float(text)
        if not units.fullmatch(unit):
            raise ValueError(f"{value!r} is not {wanted}")
    try:
        return quantity(value)
    except ValueError:
        raise ValueError(f"{value!r} is not {wanted}") from None


def array(text: str) -> tuple[tuple[int, ...], int | None]:
    """The indices of an array, in order, and how many may run at once: ``1-100``, ``0-9:2%3``, ``1,5,8-10``."""
    found = _ARRAY.fullmatch(text.strip()) if len(text) <= 10_000 else None
    if found is None:
        raise ValueError(f"{text[:60]!r} is no array such as '1-100', '0-99:10', '1,4,7' or '1-100%5'")
    limit = int(found[2]) if found[2] else None
    if limit == 0:
        raise ValueError("an array of which no task may run at once never ends")
    indices: dict[int, None] = {}
    for part in found[1].split(","):
        indices.update(dict.fromkeys(_range(part)))
        if len(indices) > MOST_TASKS:
            raise ValueError(f"an array has {MOST_TASKS} tasks at most")
    return tuple(sorted(indices)), limit


def _range(part: str) -> range:
    found = _RANGE.fullmatch(part)
    if found is None:
        raise ValueError(f"{part!r} is no range of an array such as '1-100' or '0-99:10'")
    first, last, step = int(found[1]), int(found[2] or found[1]), int(found[3] or 1)
    if last < first:
        raise ValueError(f"{part!r} ends before it begins")
    if step == 0:
        raise ValueError(f"{part!r} has a step of 0")
    numbers = range(first, last + 1, step)
    if len(numbers) > MOST_TASKS:
        raise ValueError(f"an array has {MOST_TASKS} tasks at most")
    return numbers


def gpus(value: Any) -> tuple[int, str | None]:
    """How many GPUs, and of which type: ``2``, ``a100``, ``a100:2``."""
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 4096:
        return value, None
    if isinstance(value, str):
        kind, colon, count = value.strip().rpartition(":")
        if not colon and _COUNT.fullmatch(count):
            return int(count), None
        if not colon and _GPU.fullmatch(count):
            return 1, count
        if _GPU.fullmatch(kind) and _COUNT.fullmatch(count) and int(count):
            return int(count), kind
    raise ValueError(f"{value!r} is no number of GPUs such as '1', 'a100' or 'a100:2'")


def sandbox_path(text: str) -> str:
    """A path below the sandbox, as ``a/b``; one that leads out of it, or no plain path, is refused."""
    path = text.rstrip("/")
    while path.startswith("./"):
        path = path[2:].lstrip("/")
    if not path or path == ".":
        raise ValueError(f"{text!r} names nothing in the sandbox")
    if path.startswith("/"):
        raise ValueError(f"{text!r} must be relative: it is below the job's sandbox")
    if "\\" in path:
        raise ValueError(f"{text!r} has a backslash; paths of the sandbox are written with /")
    if any(ord(c) < 32 or ord(c) == 127 for c in path) or len(path.encode(errors="replace")) > 4000:
        raise ValueError(f"{text[:80]!r} is no path: it has control characters, or is too long")
    if any(part in ("", ".", "..") or len(part.encode(errors="replace")) > 255 for part in path.split("/")):
        raise ValueError(f"{text!r} must not have '.', '..', empty or overlong parts")
    return path


def placed(destination: str, name: str) -> str:
    """Where a file of that name goes: a path below the sandbox, in a folder of it (``in/``), or by its own name."""
    if not destination or destination.endswith("/") or destination == ".":
        folder = destination if destination not in ("", ".", "./") else ""
        return sandbox_path(folder + name)
    return sandbox_path(destination)


def mode(value: Any) -> int:
    """A file mode of nine bits: a number, or octal digits in a text."""
    try:
        number = int(value, 8) if isinstance(value, str) else value
    except ValueError:
        number = -1
    if not isinstance(number, int) or isinstance(number, bool) or not 0 <= number <= 0o777:
        raise ValueError("must be a file mode of nine bits, such as '0644' (octal as text) or 420")
    return number


def is_url(text: str) -> bool:
    """Whether a text is a URL rather than a path."""
    scheme, colon, rest = text.partition(":")
    return bool(colon) and rest.startswith("//") and scheme.isalnum()


def name_in_url(text: str) -> str:
    """The last part of the path of a URL; empty when it has none."""
    return text.partition("://")[2].partition("?")[0].partition("/")[2].rpartition("/")[2]


def url(text: str) -> str:
    """A URL that files are fetched from or sent to: https or s3, without a password in it."""
    scheme, _, rest = text.partition("://")
    authority = rest.partition("/")[0]
    if scheme not in ("https", "s3") or not authority:
        raise ValueError(f"{text[:80]!r} is no https:// or s3:// URL")
    if "@" in authority:
        raise ValueError("a URL must not hold a user or a password: it is shown to all who may see the job")
    if len(text) > 8000 or any(ord(c) <= 32 or ord(c) == 127 for c in text):
        raise ValueError("a URL must not hold spaces or control characters, nor be overlong")
    return text
