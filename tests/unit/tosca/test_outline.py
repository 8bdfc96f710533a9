"""A topology in lines."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import pytest

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
    Scaling,
    Secret,
    Stage,
    Topology,
)
from isthmus.tosca.tools.outline import outline


def test_nodes_are_told_with_all_that_they_are_made_of() -> None:
    run = Operation(
        "Standard.start", Stage.START, Artifact("run.sh", "", ArtifactKind.SCRIPT), "s", inputs={"a": [1]}, timeout=30.0
    )
    software = Node(
        "s", "App", NodeKind.SOFTWARE, properties={"key": Secret("k"), "none": None},
        requirements=(Requirement("host", "m", "HostedOn"),), operations=(run,),
    )  # fmt: skip
    machine = Node("m", "Compute", NodeKind.MACHINE, scaling=Scaling(1, 4, 2))
    where = Call("concat", ("http://", Reference("m", "public_address")))
    topology = Topology({"m": machine, "s": software}, {"url": Output(where)}, "A\nthing.")
    assert [str(line) for line in outline(topology)] == [
        "description: A thing.",
        "nodes",
        "  m: Compute (machine), 2 of them, 1 to 4",
        "  s: App (software)",
        "    properties",
        "      key: <secret k>",
        "    requirements",
        "      host: m  (HostedOn)",
        "    operations",
        "      Standard.start: run.sh, 30 s at most",
        "        a: [1]",
        "outputs",
        '  url: concat("http://", <m.public_address>)',
    ]


def test_text_of_several_lines_cannot_pass_for_more_than_one() -> None:
    node = Node("a\nb", "T", NodeKind.ABSTRACT, properties={"p": "x\n  outputs"})
    told = [str(line) for line in outline(Topology({"a\nb": node}))]
    assert told == ["nodes", '  "a\\nb": T (abstract)', "    properties", '      p: "x\\n  outputs"']


def test_parts_that_this_page_does_not_know_by_name_are_told_too(monkeypatch: pytest.MonkeyPatch) -> None:
    @dataclass(frozen=True)
    class Team:
        name: str
        members: tuple[str, ...] = ()
        goal: Secret | None = None

    @dataclass(frozen=True)
    class Wider:
        nodes: dict[str, Node]
        outputs: dict[str, Output]
        description: str = ""
        teams: tuple[Team, ...] = ()
        plain: int = 1

    monkeypatch.setitem(globals(), "Team", Team)
    wider = Wider({}, {}, teams=(Team("red", ("a", "b"), Secret("g")),))
    told = [str(line) for line in outline(cast(Topology, wider))]
    assert told == ["teams", "  red", '    members: ["a", "b"]', "    goal: <secret g>"]
