"""Groups in both languages: members that exist, of types that are allowed; what is right is in the topology."""

import pytest

SIMPLE = """
tosca_definitions_version: tosca_simple_yaml_1_3
group_types:
  Servers:
    derived_from: tosca.groups.Root
    members: [ tosca.nodes.Compute ]
    properties: { level: { type: integer } }
topology_template:
  node_templates:
    a: { type: tosca.nodes.Compute }
    b: { type: tosca.nodes.Compute }
    net: { type: tosca.nodes.network.Network }
  groups:
"""
FINAL = """
tosca_definitions_version: tosca_2_0
node_types: { Server: { description: x }, Big: { derived_from: Server }, Net: { description: x } }
group_types:
  Servers: { members: [ Server ], properties: { level: { type: integer } } }
service_template:
  node_templates:
    a: { type: Server }
    b: { type: Big }
    net: { type: Net }
  groups:
"""
BOTH = pytest.mark.parametrize("head", [SIMPLE, FINAL], ids=["1.3", "2.0"])


@BOTH
def test_a_group_is_in_the_topology_with_members_and_properties(head, resolved):
    group = resolved(head + "    g: { type: Servers, members: [ a, b ], properties: { level: 2 } }").groups["g"]
    assert (group.type, group.members, group.properties) == ("Servers", ("a", "b"), {"level": 2})


@BOTH
def test_a_group_may_hold_groups(head, resolved):
    groups = "    g: { type: Servers, members: [ a ], properties: { level: 1 } }\n"
    groups += "    h: { type: Servers, members: [ g, b ], properties: { level: 1 } }"
    assert resolved(head + groups).groups["h"].members == ("g", "b")


CASES = {
    "no type": ("g: { members: [ a ] }", "key-missing"),
    "an unknown type": ("g: { type: Srvers }", "type-unknown"),
    "an unknown member": ("g: { type: Servers, members: [ c ], properties: { level: 1 } }", "target-unknown"),
    "a member of the wrong type": (
        "g: { type: Servers, members: [ net ], properties: { level: 1 } }",
        "target-mismatch",
    ),
    "a group in a group, of the wrong type": (
        "g: { type: Servers, members: [ h ], properties: { level: 1 } }\n"
        "    h: { type: Servers, members: [ net ], properties: { level: 1 } }",
        "target-mismatch",
    ),
    "a missing property": ("g: { type: Servers, members: [ a ] }", "property-missing"),
    "an unknown property": (
        "g: { type: Servers, members: [ a ], properties: { level: 1, x: 1 } }",
        "property-unknown",
    ),
    "a value of the wrong type": ("g: { type: Servers, members: [ a ], properties: { level: x } }", "value-type"),
    "an unknown attribute": (
        "g: { type: Servers, members: [ a ], properties: { level: 1 }, attributes: { x: 1 } }",
        "property-unknown",
    ),
    "a key that does not belong there": ("g: { type: Servers, properties: { level: 1 }, targets_: [] }", "key-unknown"),
    "a text for a group": ('g: ""', "shape"),
    "a list for a group": ("g: []", "shape"),
    "members in a map": ("g: { type: Servers, members: { a: b }, properties: { level: 1 } }", "shape"),
    "a group in itself": ("g: { type: Servers, members: [ g ], properties: { level: 1 } }", "group-cycle"),
}


@BOTH
@pytest.mark.parametrize("case", CASES)
def test_what_is_wrong_with_a_group_is_told(case, head, refused):
    text, code = CASES[case]
    assert code in [c for c, _, _ in refused(f"{head}    {text}")]


@pytest.mark.parametrize("groups", ["", " [ g: { type: Servers } ]", ' ""'])
def test_the_groups_of_tosca_2_0_are_a_map(groups, refused):
    assert "shape" in [c for c, _, _ in refused(FINAL.rstrip() + groups)]


def test_a_group_of_tosca_2_0_has_one_member_or_more(refused):
    text = FINAL + "    g: { type: Servers, members: [], properties: { level: 1 } }"
    assert [c for c, _, _ in refused(text)] == ["shape"]


def test_a_group_type_allows_no_more_than_its_parent(refused):
    text = FINAL.replace("service_template", "  Nets: { derived_from: Servers, members: [ Net ] }\nservice_template")
    assert "refinement" in [c for c, _, _ in refused(text.replace("  groups:\n", ""))]


def test_a_group_type_may_narrow_what_its_parent_allows(resolved):
    text = FINAL.replace("service_template", "  Bigs: { derived_from: Servers, members: [ Big ] }\nservice_template")
    assert resolved(text.replace("  groups:\n", "")).groups == {}


def test_one_broken_group_is_told_once(refused):
    text = SIMPLE + "    g: { type: Nope }\n    h: { type: tosca.groups.Root, members: [ g ] }"
    text += "\n  policies: [ p: { type: tosca.policies.Scaling, targets: [ g, h ] } ]"
    assert [c for c, _, _ in refused(text)] == ["type-unknown"]
