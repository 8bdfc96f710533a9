"""Regular expressions that agree with Python's on what they accept, in linear time."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.topology.patterns import Pattern, PatternError

PATTERNS = [
    "", "a", "ab|cd", "a*", "a+b?", "(a|b)*c", "[a-c]{2}", "[^a]+", "a{0,2}b{1,}", r"\d+", r"\w-\w", ".", ".*",
    "^a$", "(?:ab)+", "(?P<x>a)b", "a|", "(a|ab)(c|bcd)*", "[]a]+", r"[\]a-]*", "((a))", r"a\.b", "a{x", "(a*)*b",
    "^(a|b)$|c", "a??b", r"\x61b",
]  # fmt: skip


@given(st.sampled_from(PATTERNS), st.text("abcd.-1x{]\n", max_size=6))
def test_patterns_agree_with_python(pattern, text):
    assert Pattern(pattern).matches(text) == (re.fullmatch(pattern, text) is not None)


@given(st.sampled_from(PATTERNS), st.text("abcd.-1x{]", max_size=6))
def test_what_is_found_somewhere_agrees_with_python(pattern, text):
    assert Pattern(pattern).found_in(text) == (re.search(pattern, text) is not None)


@pytest.mark.parametrize("pattern", ["(", ")", "a**", "*a", "[a", r"(a)\1", "(?=a)", "(?!a)", r"\b", "a{3,1}", "[z-a]"])
def test_patterns_that_are_wrong_or_not_regular_are_refused(pattern):
    with pytest.raises(PatternError):
        Pattern(pattern)


@pytest.mark.parametrize("pattern", ["(a+)+b", "(a|a)*b", "(a*)*b", "a*a*a*a*a*a*b", "(.*)*x", "(a|aa)+b"])
def test_patterns_that_explode_elsewhere_end_soon(pattern):
    assert not Pattern(pattern).matches("a" * 3000)


@pytest.mark.parametrize("pattern", ["a" * 1001, "(a{100}){100}", "(" * 60 + ")" * 60, "((a{90}){90}){90}"])
def test_patterns_that_are_too_large_are_refused(pattern):
    with pytest.raises(PatternError):
        Pattern(pattern)


def test_a_text_that_is_too_long_is_refused():
    with pytest.raises(PatternError):
        Pattern("a{500}").matches("a" * 100_000)
