"""Numbers as Slurm writes those of an array: ``1,3-5,10-20:2``, with ``%4`` for how many may run at once."""

from __future__ import annotations

from typing import Iterable, List

MOST = 4_000_000
"""More tasks than Slurm allows in an array: a text that says so is not one of its own."""


def write_ranges(numbers: Iterable[int]) -> str:
    """Each number once, in order, with runs as ``first-last``."""
    parts: List[List[int]] = []
    for number in sorted(set(numbers)):
        if parts and parts[-1][1] == number - 1:
            parts[-1][1] = number
        else:
            parts.append([number, number])
    return ",".join(str(first) if first == last else "{}-{}".format(first, last) for first, last in parts)


def read_ranges(text: str) -> List[int]:
    """The numbers of a text such as ``[1,3-5%2]``. Raises ValueError for any other text."""
    numbers: List[int] = []
    for part in text.strip().strip("[]").partition("%")[0].split(","):
        span, _, step = part.partition(":")
        first, _, last = span.partition("-")
        begin, end = int(first), int(last or first)
        if begin < 0 or end - begin > MOST:
            raise ValueError(text)
        numbers.extend(range(begin, end + 1, int(step or 1)))
    return numbers
