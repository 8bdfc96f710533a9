"""The functions of TOSCA on plain values."""

from __future__ import annotations

import contextlib
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.topology import Call, Reference, Unknown, evaluate
from isthmus.topology.calls import MAX_TEXT, CallError, call
from isthmus.topology.comparing import canonical, instant, key_of, version_key

SIZES = {"units": {"B": 1, "kB": 1000, "MB": 1e6}}

RESULTS = [
    ("and", (True, True), True),
    ("and", (True, False), False),
    ("or", (False, False), False),
    ("or", (False, True), True),
    ("not", (True,), False),
    ("xor", (True, False), True),
    ("xor", (True, True), False),
    ("equal", (1, 1.0), True),
    ("equal", (1, True), False),
    ("equal", ([1, {"a": 2}], [1, {"a": 2}]), True),
    ("greater_than", (2, 1), True),
    ("greater_than", (2, 2), False),
    ("greater_or_equal", (2, 2), True),
    ("less_than", ("a", "b"), True),
    ("less_or_equal", (3, 2.5), False),
    ("valid_values", ("b", ["a", "b"]), True),
    ("valid_values", (3, [1, 2]), False),
    ("matches", ("a1b", "[0-9]"), True),
    ("matches", ("a1b", "^[0-9]$"), False),
    ("has_prefix", ("abc", "ab"), True),
    ("has_prefix", ([1, 2, 3], [1, 2]), True),
    ("has_prefix", ([11, 2], [1]), False),
    ("has_suffix", ("abc", "bc"), True),
    ("has_suffix", ([1, 2, 3], [1, 2]), False),
    ("contains", ("abc", "b"), True),
    ("contains", ([1, 2, 3, 4], [2, 3]), True),
    ("contains", ([1, 2, 3, 4], [2, 4]), False),
    ("contains", ([1], []), True),
    ("has_entry", ([1, 2], 2), True),
    ("has_entry", ({"a": 1}, 1), True),
    ("has_key", ({"a": 1}, "a"), True),
    ("has_key", ({"a": 1}, "b"), False),
    ("has_all_entries", ([1, 2, 3], [3, 1]), True),
    ("has_all_entries", ({"a": 1}, [1, 2]), False),
    ("has_any_entry", ([1, 2], [2, 9]), True),
    ("has_all_keys", ({"a": 1, "b": 2}, ["a", "b"]), True),
    ("has_any_key", ({"a": 1}, ["b"]), False),
    ("length", ("añb",), 3),
    ("length", ([1, 2],), 2),
    ("length", ({"a": 1},), 1),
    ("concat", ("a", 1, True, None), "a1true"),
    ("concat", ([1], [2, 3]), [1, 2, 3]),
    ("join", (["a", "b"], "-"), "a-b"),
    ("join", (["a", "b"],), "ab"),
    ("token", ("10.0.0.1:80", ":", 1), "80"),
    ("token", ("a:b", ":", 5), None),
    ("union", ([1, 2, 1], [2, 3]), [1, 2, 3]),
    ("union", ([[1], [1]],), [[1]]),
    ("intersection", ([3, 1, 1, 2], [2, 3]), [3, 2]),
    ("sum", (1, 2, 3), 6),
    ("sum", (1, 0.5), 1.5),
    ("difference", (1, 3), -2),
    ("product", (2, 3, 4), 24),
    ("quotient", (6, 4), 1.5),
    ("remainder", (7, 3), 1),
    ("remainder", (-7, 3), -1),
    ("round", (3.5,), 3),
    ("round", (3.53,), 4),
    ("round", (-3.5,), -4),
    ("floor", (3.9,), 3),
    ("ceil", (3.1,), 4),
    ("with_unit", (3e9, "B"), "3000000000 B"),
    ("with_unit", (0.5, "m"), "0.5 m"),
    ("part", ({"a": [1, 2]}, "a", 1), 2),
    ("part", ({"a": 1}, "b"), None),
]


@pytest.mark.parametrize(("function", "args", "result"), RESULTS)
def test_a_function_gives_what_the_specification_says(function, args, result):
    found = call(function, args)
    assert (found, type(found)) == (result, type(result))


SENSELESS = [
    ("and", (1, True)),
    ("not", ("true",)),
    ("greater_than", (1, "2")),
    ("greater_than", (True, False)),
    ("valid_values", (1, 2)),
    ("matches", ("a", "(")),
    ("matches", (1, "a")),
    ("has_prefix", ("a", ["a"])),
    ("has_entry", ("abc", "a")),
    ("has_key", (["a"], "a")),
    ("length", (3,)),
    ("union", ("a",)),
    ("sum", ("1", 2)),
    ("sum", (10**60, 10**60)),
    ("product", (10**40, 10**40)),
    ("product", (1e300, 1e300)),
    ("quotient", (1, 0)),
    ("remainder", (1, 0)),
    ("round", (float("inf"),)),
    ("floor", (float("nan"),)),
    ("join", (["a"], 1)),
    ("token", ("a:b", ":", -1)),
    ("part", ([1], 1)),
    ("part", ("abc", 0)),
    ("join", (["x" * 1000] * 2000, "-")),
    ("concat", ("x" * MAX_TEXT, "y")),
    ("no_such_function", ()),
    ("not", (True, True)),
]


@pytest.mark.parametrize(("function", "args"), SENSELESS)
def test_a_function_refuses_what_makes_no_sense(function, args):
    with pytest.raises(CallError):
        call(function, args)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)


@given(st.sampled_from([name for name, _, _ in RESULTS]), st.lists(VALUES, max_size=3))
def test_no_values_bring_anything_but_a_result_or_a_call_error(function, args):
    with contextlib.suppress(CallError):
        call(function, args)


def test_versions_compare_by_number_and_a_qualified_one_is_below_the_plain_one():
    ordered = ["1.2", "1.2.1", "1.10.0.alpha", "1.10.0.beta-2", "1.10.0.beta-10", "1.10"]
    assert sorted(ordered, key=version_key) == ordered
    assert version_key("1.2") == version_key("1.2.0")


def test_timestamps_compare_as_instants():
    assert instant("2025-01-31T12:00:00Z") == instant("2025-01-31T13:00:00+01:00") == instant("2025-01-31t12:00:00.0z")
    assert instant("2025-01-31") < instant("2025-01-31 00:00:00.5")


def test_numbers_with_units_compare_by_what_they_come_to():
    assert canonical("2 kB", SIZES) == canonical("2000 B", SIZES) == 2000
    assert canonical(["1 MB"], {"entries": SIZES}) == [1e6]
    with pytest.raises(ValueError, match="none of the units B, kB, MB"):
        canonical("2 GB", SIZES)


@pytest.mark.parametrize(("form", "text"), [("version", "x"), ("timestamp", "today"), ("timestamp", "2025-02-31")])
def test_a_text_that_is_none_of_its_type_does_not_compare(form, text):
    with pytest.raises(ValueError, match=re.escape("day is out of range") if "02-31" in text else "is not a"):
        canonical(text, form)


def test_equal_values_share_a_key():
    assert key_of({"a": 1, "b": [2.0]}) == key_of({"b": [2], "a": 1.0})
    assert key_of(True) != key_of(1)


ADDRESS = Reference("server", "port")


def test_a_deferred_call_is_finished_when_its_references_are_known():
    made = Call("greater_than", (Call("sum", (ADDRESS, 1)), 80))
    assert evaluate(made, lambda what: 80) is True


def test_a_deferred_call_that_makes_no_sense_of_an_answer_says_which():
    with pytest.raises(Unknown, match=r"server\.port: sum: 'x' is not a number") as caught:
        evaluate(Call("sum", (ADDRESS, 1)), lambda what: "x")
    assert caught.value.what == ADDRESS
