"""References in commands mean what they mean to Kubernetes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.work.runner.expansion import expand

VALUES = {"A": "1", "B": "x$(A)", "a.b": "dotted", "$A": "odd", "sp ace": "s"}


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("$(A)", "1"),
        ("echo $(A) $$(A) $A", "echo 1 $(A) $A"),
        ("$$$(A)", "$1"),
        ("$$$$(A)", "$$(A)"),
        ("$(B)", "x$(A)"),
        ("$(NOT)", "$(NOT)"),
        ("$(A", "$(A"),
        ("$()", "$()"),
        ("$(a.b)", "dotted"),
        ("$(sp ace)", "s"),
        ("$($A)", "odd"),
        ("$(A)$(A)", "11"),
        ("$", "$"),
        ("$$", "$"),
        ("$(A$$", "$(A$"),
        ("a$(\n)b", "a$(\n)b"),
        ("$(id; rm -rf /)", "$(id; rm -rf /)"),
    ],
)
def test_references(text: str, meant: str) -> None:
    assert expand(text, VALUES) == meant


def by_hand(text: str, values: dict[str, str]) -> str:
    """The rules of Kubernetes, character by character."""
    out, at = "", 0
    while at < len(text):
        if text[at] != "$" or at + 1 == len(text):
            out, at = out + text[at], at + 1
        elif text[at + 1] == "$":
            out, at = out + "$", at + 2
        elif text[at + 1] == "(" and (close := text.find(")", at + 2)) >= 0:
            name = text[at + 2 : close]
            out, at = out + values.get(name, f"$({name})"), close + 1
        else:
            out, at = out + text[at : at + 2], at + 2
    return out


@given(st.text(alphabet="$()AB. \n\\'\"", max_size=40))
def test_any_text_is_expanded_by_the_rules(text: str) -> None:
    assert expand(text, VALUES) == by_hand(text, VALUES)


@given(st.text(max_size=60).filter(lambda text: "$" not in text))
def test_text_without_a_dollar_stays(text: str) -> None:
    assert expand(text, VALUES) == text
