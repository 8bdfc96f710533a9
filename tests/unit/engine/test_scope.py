"""What references answer in the scope of one instance."""

from __future__ import annotations

from isthmus.engine.scope import Scope
from isthmus.engine.state import Desired, Key, Observed
from isthmus.topology import NODE_INDEX, Call, Node, NodeKind, Reference, Requirement, Scaling, Topology, evaluate

MACHINE = Node("worker", "Compute", NodeKind.MACHINE, scaling=Scaling(2, 2, 2))
APP = Node("app", "App", NodeKind.SOFTWARE, requirements=(Requirement("host", "worker", "HostedOn"),))
DESIRED = Desired(Topology({"worker": MACHINE, "app": APP}), {"worker": (0, 1)})
INDEX = Call("part", (["one", "two"], Reference("app", NODE_INDEX, own=True)))


def test_an_instance_knows_its_index_before_anything_runs():
    for index, name in enumerate(["one", "two"]):
        assert evaluate(INDEX, Scope(DESIRED, Observed(), here=Key("worker", index))) == name


def test_who_asks_from_elsewhere_gets_the_indices_of_all_instances():
    assert evaluate(Reference("app", NODE_INDEX), Scope(DESIRED, Observed())) == [0, 1]
