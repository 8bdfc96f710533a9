"""Pictures of a topology: nodes and edges, and nothing that a hostile name could add."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from isthmus.topology import Node, NodeKind, Requirement, Scaling, Topology
from isthmus.tosca.tools.drawing import dot, mermaid


def pair(machine: str = "m", software: str = "s", edge: str = "host") -> Topology:
    return Topology({
        machine: Node(machine, "Compute", NodeKind.MACHINE, scaling=Scaling(1, 4, 2)),
        software: Node(software, "App", NodeKind.SOFTWARE, requirements=(Requirement(edge, machine, "HostedOn"),)),
    })  # fmt: skip


def test_nodes_have_a_shape_of_their_kind_and_edges_the_name_of_the_requirement() -> None:
    text = dot(pair())
    assert 'n0 [shape=box3d, label="m × 2\\nCompute"];' in text
    assert 'n1 [shape=component, label="s\\nApp"];' in text
    assert 'n1 -> n0 [penwidth=2, label="host"];' in text


def test_mermaid_says_the_same() -> None:
    assert mermaid(pair(edge="link")) == (
        'flowchart BT\n  n0[["m × 2<br>Compute"]]\n  n1["s<br>App"]\n  n1 -->|"link"| n0\n'
    )


def test_quotes_and_brackets_in_names_stay_in_their_labels() -> None:
    hostile = 'x"]; evil [label="\\N\n<script>'
    assert 'label="x\\"]; evil [label=\\"\\\\N�<script>\\nApp"' in dot(pair(software=hostile))
    drawn = mermaid(pair(software=hostile))
    assert "<script>" not in drawn
    assert '"x#34;#93;#59; evil #91;label#61;#34;#92;N#65533;#60;script#62;<br>App"' in drawn


NAMES = st.text(min_size=1, max_size=20)


@given(NAMES, NAMES, NAMES)
def test_no_name_makes_a_line_of_its_own(machine: str, software: str, edge: str) -> None:
    topology = pair(f"{machine}0", f"{software}1", edge)
    quoted = r'"(?:[^"\\\n]|\\.)*"'
    assert all(
        re.fullmatch(rf"\s*n\d+ (?:-> n\d+ )?\[(?:\w+=(?:\w+|{quoted})(?:, )?)*\];", line)
        for line in dot(topology).splitlines()[4:-1]
    )
    drawn = mermaid(topology).split("\n")
    assert len(drawn) == 5
    assert all(line.count('"') == 2 for line in drawn[1:4])


def test_a_long_name_is_cut() -> None:
    assert "…" in dot(pair(software="s" * 5000))
    assert len(mermaid(pair(software="s" * 5000))) < 1000
