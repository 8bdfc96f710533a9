"""Quantities of Kubernetes."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.api.dialects.interlink.quantity import parse_quantity, write_bytes


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("1", "1"), ("250m", "0.25"), ("100u", "0.0001"), ("1.5Gi", str(1536 * 1024**2)), ("64Mi", str(64 * 1024**2)),
        ("3k", "3000"), ("2G", "2000000000"), ("1e3", "1000"), ("1E3", "1000"), ("1E", str(10**18)), (".5", "0.5"),
        ("2.", "2"), ("+1", "1"), ("0", "0"), ("1Ei", str(1024**6)), ("5e-1", "0.5"),
    ],
)  # fmt: skip
def test_what_quantities_stand_for(text: str, number: str) -> None:
    assert parse_quantity(text) == Decimal(number)


@pytest.mark.parametrize(
    "text", ["", "-1", "1 Gi", "Gi", "1gi", "1K", "0x10", "nan", "inf", "1\n", "१", "1" * 50, "1e999"]
)
def test_what_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="quantity"):
        parse_quantity(text)


@given(st.integers(0, 2**62))
def test_bytes_survive_being_written(size: int) -> None:
    assert parse_quantity(write_bytes(size)) == size
