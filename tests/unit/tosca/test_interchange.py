"""The JSON form of a topology: the same value after both ways, and nothing else is taken for one."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isthmus import catalogue
from isthmus.topology import (
    Artifact,
    ArtifactKind,
    Call,
    Node,
    NodeKind,
    Operation,
    Output,
    Reference,
    Requirement,
    Secret,
    Stage,
    Topology,
)
from isthmus.tosca import Bundle, BundleError, load
from isthmus.tosca.tools.interchange import MAX_DEPTH, InterchangeError, dumps, from_json, loads, to_json
from isthmus.tosca.tools.shapes import shape_of

from .score import CORPORA, cases

TEXTS = st.text(max_size=6) | st.sampled_from(["$", "$$", "$secret", "$call", "$reference", "$number", "is", "isthmus"])
LATER = st.builds(Reference, TEXTS, TEXTS, st.lists(TEXTS | st.integers(), max_size=2).map(tuple), st.booleans(),
                  st.none() | TEXTS) | st.builds(Secret, TEXTS)  # fmt: skip
LEAVES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXTS | LATER
VALUES = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(TEXTS, inner, max_size=3)
        | st.builds(Call, TEXTS, st.lists(inner, max_size=3).map(tuple))
    ),
    max_leaves=12,
)
TABLES = st.dictionaries(TEXTS, VALUES, max_size=3)
ARTIFACTS = st.builds(Artifact, TEXTS, TEXTS, st.sampled_from(ArtifactKind))


@st.composite
def topologies(draw: st.DrawFn) -> Topology:
    names = draw(st.lists(TEXTS, min_size=1, max_size=4, unique=True))
    edges = st.builds(Requirement, TEXTS.filter(lambda n: n != "host"), st.sampled_from(names), TEXTS, TABLES)
    operations = st.builds(Operation, TEXTS, st.sampled_from(Stage), ARTIFACTS, st.sampled_from(names),
                           st.lists(ARTIFACTS, max_size=2).map(tuple), TABLES,
                           st.none() | st.floats(0, 1e6))  # fmt: skip
    nodes = {}
    for name in names:
        made = st.builds(
            Node, st.just(name), TEXTS, st.sampled_from(NodeKind), st.lists(TEXTS, max_size=2).map(tuple), TABLES,
            TABLES, st.dictionaries(TEXTS, TABLES, max_size=2), st.lists(edges, max_size=2).map(tuple),
            st.lists(operations, max_size=2).map(tuple),
        )  # fmt: skip
        nodes[name] = draw(made)
    outputs = draw(st.dictionaries(TEXTS, st.builds(Output, VALUES, TEXTS), max_size=3))
    return Topology(nodes, outputs, draw(TEXTS), draw(TABLES))


def exact(value: Any) -> str:
    """A value so that 1, 1.0 and True differ."""
    return repr(value)


@settings(max_examples=40)
@given(topologies())
def test_a_topology_is_the_same_after_both_ways(topology: Topology) -> None:
    again = loads(dumps(topology))
    assert again == topology
    assert exact(again) == exact(topology)


@given(VALUES)
def test_every_value_is_the_same_after_both_ways(value: Any) -> None:
    topology = Topology({}, {"x": Output(value)})
    assert exact(loads(dumps(topology, indent=2))) == exact(topology)


def test_a_number_that_json_lacks_is_kept() -> None:
    text = dumps(Topology({}, {"x": Output([float("nan"), float("-inf")])}))
    assert '{"$number": "nan"}' in text
    assert repr(loads(text).outputs["x"].value) == "[nan, -inf]"


@pytest.mark.parametrize("name", catalogue.names())
def test_the_catalogue_is_the_same_after_both_ways(name: str) -> None:
    topology = load(catalogue.bundle(name)).topology
    assert topology is not None
    assert loads(dumps(topology)) == topology


@pytest.mark.skipif(not CORPORA.is_dir(), reason="the corpora are not here")
def test_public_templates_are_the_same_after_both_ways() -> None:
    seen = 0
    for case in list(cases())[::6]:
        try:
            topology = load(Bundle.from_path(CORPORA / case["path"])).topology
        except BundleError:
            continue
        if topology is not None:
            assert loads(dumps(topology)) == topology, case["path"]
            seen += 1
    assert seen


def test_fields_that_hold_their_default_are_left_out_and_later_values_are_marked() -> None:
    node = Node("a", "T", NodeKind.MACHINE, properties={"p": Reference("a", "b", ("c", 0), own=True), "s": Secret("x")})
    assert to_json(Topology({"a": node}, {"o": Output(Call("concat", ("a", {"$call": 1})))})) == {
        "isthmus": "topology/1",
        "nodes": {
            "a": {
                "name": "a", "type": "T", "kind": "machine",
                "properties": {
                    "p": {"$reference": {"node": "a", "name": "b", "path": ["c", 0], "own": True}},
                    "s": {"$secret": "x"},
                },
            }
        },
        "outputs": {"o": {"value": {"$call": {"function": "concat", "args": ["a", {"$$call": 1}]}}}},
    }  # fmt: skip


NODE = {"name": "a", "type": "T", "kind": "machine"}
EDGE = {"name": "host", "target": "a", "relationship": "R"}


def form(**nodes: Any) -> dict[str, Any]:
    return {"isthmus": "topology/1", "nodes": nodes}


@pytest.mark.parametrize(
    ("document", "pointer", "why"),
    [
        ([], "", "an object is wanted"),
        ({"nodes": {}}, "/isthmus", "'topology/1' is wanted"),
        ({"isthmus": "topology/2", "nodes": {}}, "/isthmus", "'topology/1' is wanted"),
        ({"isthmus": "topology/1"}, "", "needs 'nodes'"),
        ({"isthmus": "topology/1", "nodes": {}, "outpust": {}}, "/outpust", "did you mean 'outputs'?"),
        (form(a={**NODE, "kind": "robot"}), "/nodes/a/kind", "one of machine"),
        (form(a={**NODE, "description": 3}), "/nodes/a/description", "a text is wanted, not 3"),
        (form(a={**NODE, "scaling": {"minimum": True}}), "/nodes/a/scaling/minimum", "a whole number"),
        (form(a={**NODE, "properties": []}), "/nodes/a/properties", "an object is wanted, not an array"),
        (form(a={**NODE, "ancestors": ["x", None]}), "/nodes/a/ancestors/1", "a text is wanted, not null"),
        (form(a={**NODE, "properties": {"a/b": {"$new": 1}}}), "/nodes/a/properties/a~1b/$new", "begin with '$$'"),
        (form(a={**NODE, "properties": {"p": {"$secret": 1}}}), "/nodes/a/properties/p/$secret", "a text"),
        (form(a={**NODE, "properties": {"p": {"$number": "1"}}}), "/nodes/a/properties/p/$number", "one of inf"),
        (form(b=NODE), "/nodes/b/name", "'b' is wanted"),
        (form(a={**NODE, "requirements": [{**EDGE, "target": "z"}]}), "/nodes/a/requirements/0/target", "no node 'z'"),
        (form(a={**NODE, "kind": "software", "requirements": [EDGE]}), "/nodes/a", "its own host"),
    ],
)  # fmt: skip
def test_what_is_no_topology_is_refused_with_its_place(document: Any, pointer: str, why: str) -> None:
    with pytest.raises(InterchangeError) as caught:
        from_json(document)
    assert caught.value.pointer == pointer
    assert why in caught.value.why


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[" * 100_000,
        '{"a": 1, "a": 2}',
        '{"isthmus": "topology/1", "nodes": {}, "metadata": {"a": NaN}}',
        b"\xff",
    ],
)
def test_what_is_no_json_is_refused(text: str | bytes) -> None:
    with pytest.raises(InterchangeError):
        loads(text)


def test_depth_is_bounded_both_ways() -> None:
    value: Any = 1
    for _ in range(MAX_DEPTH):
        value = [value]
    with pytest.raises(InterchangeError, match="too deeply"):
        to_json(Topology({}, {"x": Output(value)}))
    with pytest.raises(InterchangeError, match="too deeply"):
        from_json({"isthmus": "topology/1", "nodes": {}, "metadata": {"x": value}})


def test_what_can_be_written_can_be_read() -> None:
    value: Any = 1
    for _ in range(MAX_DEPTH):
        value = [value]
        topology = Topology({}, {"x": Output(value)})
        try:
            text = dumps(topology)
        except InterchangeError:
            break
        assert loads(text) == topology
    else:
        pytest.fail("nothing was too deep")


@dataclass(frozen=True)
class _One:
    a: int = 1


@dataclass(frozen=True)
class _Two:
    b: tuple[str, int] = ("x", 1)


@dataclass(frozen=True)
class _Either:
    which: _One | _Two | None
    hints: tuple[tuple[str, Any], ...] = ()


def test_fields_that_later_versions_may_have_are_carried_too(monkeypatch: pytest.MonkeyPatch) -> None:
    from isthmus.tosca.tools import interchange, json_reader
    from isthmus.tosca.tools.shapes import Record

    for value in (_Either(_One(2)), _Either(_Two(("y", 2)), (("n", {"$x": Secret("s")}),)), _Either(None)):
        written = json.loads(json.dumps(interchange._write(Record(_Either), value, 1)))
        assert json_reader.read(Record(_Either), written, json_reader.Place("")) == value


def test_a_field_that_has_no_json_form_is_told_to_its_author() -> None:
    with pytest.raises(TypeError, match="no JSON form"):
        shape_of(set[str])
