"""The names of resources: legal everywhere, and never the same for two refs."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from isthmus.sites.contract import Ref, label

DNS_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?")
names = st.text(max_size=200) | st.text("ab-_x01", max_size=40) | st.from_regex(r"[ab_-]{1,4}", fullmatch=True)


@given(names, st.integers(0, 9_999_999))
@example("n" * 200, 0)
@example("", 0)
@example("\ud800", 0)
@example("a\n", 0)
@example("xn--abc", 0)
def test_a_name_is_a_dns_label(node, index):
    ref = Ref("0123456789ab", node, index)

    assert DNS_LABEL.fullmatch(ref.name)
    assert len(ref.name) <= 63
    assert DNS_LABEL.fullmatch(ref.host)
    assert not ref.host.startswith("xn--")


@given(names, names)
@example("a_b", "a-b")
@example("a_b", "a--b")
@example("a__b", "a_-b")
@example("Web", "web")
@example("é", "ü")
@example("a" * 40, "a" * 41)
def test_different_nodes_have_different_labels(one, other):
    assert (label(one) == label(other)) == (one == other)


@given(names)
def test_no_node_can_take_the_label_of_another(node):
    taken = label(node)

    assert taken == node or label(taken) != taken


@given(names, st.integers(20, 60))
def test_a_label_keeps_its_limit(node, limit):
    assert len(label(node, limit)) <= limit


@pytest.mark.parametrize(
    ("node", "expected"), [("front", "front"), ("slurm-worker", "slurm-worker"), ("my_server", "my--server")]
)
def test_usual_names_stay_readable(node, expected):
    assert label(node) == expected
