"""Sizes as people read them. Pure."""

from __future__ import annotations

from typing import Tuple


def sizes(asked: int, there: int) -> Tuple[str, str]:
    """Two numbers of bytes in GiB, with as many digits as it takes to tell them apart."""
    for digits in (1, 3, 6, 9):
        told = "%.*f GiB" % (digits, asked / 2**30), "%.*f GiB" % (digits, there / 2**30)
        if told[0] != told[1]:
            break
    return told
