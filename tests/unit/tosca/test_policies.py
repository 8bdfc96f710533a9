"""Policies and triggers in both languages: targets, conditions and actions are checked and kept; nothing runs them."""

import pytest

from isthmus.topology import Activity, ActivityKind, Call, Reference

SIMPLE = """
tosca_definitions_version: tosca_simple_yaml_1_3
interface_types:
  Backup: { operations: { save: { inputs: { to: { type: string } } } } }
node_types:
  Server:
    derived_from: tosca.nodes.Compute
    interfaces: { backup: { type: Backup } }
    attributes: { load: { type: float } }
group_types: { Servers: { derived_from: tosca.groups.Root, members: [ Server ] } }
policy_types:
  Guard:
    derived_from: tosca.policies.Root
    targets: [ Server ]
    properties: { every: { type: integer, required: false } }
  Watch: { derived_from: tosca.policies.Root, targets: [ Server, Servers ] }
topology_template:
  node_templates:
    a: { type: Server }
    b: { type: Server }
    net: { type: tosca.nodes.network.Network }
  groups: { g: { type: Servers, members: [ a, b ] } }
  workflows: { grow: { steps: { one: { target: a, activities: [ set_state: up ] } } } }
  policies:
"""
FINAL = """
tosca_definitions_version: tosca_2_0
interface_types:
  Backup: { operations: { save: { inputs: { to: { type: string } } } } }
node_types:
  Server: { interfaces: { backup: { type: Backup } }, attributes: { load: { type: float } } }
  Net: { description: x }
group_types: { Servers: { members: [ Server ] } }
policy_types:
  Guard: { targets: [ Server ], properties: { every: { type: integer, required: false } } }
  Watch: { targets: [ Server, Servers ] }
service_template:
  node_templates:
    a: { type: Server }
    b: { type: Server }
    net: { type: Net }
  groups: { g: { type: Servers, members: [ a, b ] } }
  workflows: { grow: { steps: { one: { target: a, activities: [ set_state: up ] } } } }
  policies:
"""
BOTH = pytest.mark.parametrize("head", [SIMPLE, FINAL], ids=["1.3", "2.0"])


def codes(found):
    return [c for c, _, _ in found]


@BOTH
def test_a_policy_is_in_the_topology_and_told_to_have_no_effect(head, loaded):
    result = loaded(head + "  - p: { type: Guard, targets: [ a ], properties: { every: 5 }, description: d }")
    assert result.topology is not None, result.diagnostics
    policy = result.topology.policies["p"]
    assert (policy.type, policy.targets, policy.properties) == ("Guard", ("a",), {"every": 5})
    assert "the policy 'p' is checked, and has no effect" in [d.summary for d in result.diagnostics]


@BOTH
def test_a_trigger_tells_its_event_and_its_actions(head, resolved):
    text = """
  - p:
      type: Watch
      targets: [ g ]
      triggers:
        full:
          event: disk.full
          action: [ call_operation: { operation: backup.save, inputs: { to: s3 } }, inline: grow, delegate: x ]
"""
    trigger = resolved(head + text).policies["p"].triggers["full"]
    assert trigger.event == "disk.full"
    assert trigger.action == (
        Activity(ActivityKind.CALL_OPERATION, "backup.save", {"to": "s3"}),
        Activity(ActivityKind.INLINE, "grow"),
        Activity(ActivityKind.DELEGATE, "x"),
    )


CASES = {
    "no type": ("p: { targets: [ a ] }", "key-missing"),
    "an unknown type": ("p: { type: Gard }", "type-unknown"),
    "an unknown target": ("p: { type: Guard, targets: [ c ] }", "target-unknown"),
    "a target of the wrong type": ("p: { type: Guard, targets: [ net ] }", "target-mismatch"),
    "an unknown property": ("p: { type: Guard, properties: { x: 1 } }", "property-unknown"),
    "a property of the wrong type": ("p: { type: Guard, properties: { every: x } }", "value-type"),
    "an unknown key": ("p: { type: Guard, target: [ a ] }", "key-unknown"),
    "a list for a policy": ("p: []", "shape"),
    "a name alone": ("p", "shape"),
    "the same name twice": ("p: { type: Guard }\n  - p: { type: Guard }", "yaml-key-duplicate"),
    "a trigger without event": ("p: { type: Guard, triggers: { t: { action: [ delegate: x ] } } }", "key-missing"),
    "a trigger without action": ("p: { type: Guard, triggers: { t: { event: x } } }", "key-missing"),
    "a key that no trigger has": (
        "p: { type: Guard, triggers: { t: { event: x, action: [], metric: y } } }",
        "key-unknown",
    ),
    "a trigger that is no map": ("p: { type: Guard, triggers: { t: x } }", "shape"),
    "an unknown activity": (
        "p: { type: Guard, triggers: { t: { event: x, action: [ call: y ] } } }",
        "activity-unknown",
    ),
    "an unknown operation": (
        "p: { type: Guard, targets: [ a ], triggers: { t: { event: x, action: [ call_operation: backup.svae ] } } }",
        "operation-unknown",
    ),
    "an operation without its input": (
        "p: { type: Guard, targets: [ a ], triggers: { t: { event: x, action: [ call_operation: backup.save ] } } }",
        "activity-incomplete",
    ),
    "an unknown workflow": (
        "p: { type: Guard, triggers: { t: { event: x, action: [ inline: nope ] } } }",
        "workflow-unknown",
    ),
}


@BOTH
@pytest.mark.parametrize("case", CASES)
def test_what_is_wrong_with_a_policy_is_told(case, head, refused):
    text, code = CASES[case]
    assert code in codes(refused(f"{head}  - {text}"))


def test_policies_of_tosca_2_0_are_a_list(refused):
    assert "shape" in codes(refused(FINAL + "    p: { type: Guard }"))
    assert "shape" in codes(refused(FINAL))


def test_policies_of_tosca_1_x_may_be_a_map(resolved):
    assert resolved(SIMPLE + "    p: { type: Guard }").policies.keys() == {"p"}


def test_a_group_whose_type_is_not_allowed_is_governed_through_its_members_in_1_x_alone(resolved, refused):
    policy = "  - p: { type: Guard, targets: [ g ] }"
    assert resolved(SIMPLE + policy).policies["p"].targets == ("g",)
    assert codes(refused(FINAL + policy)) == ["target-mismatch"]


def test_a_condition_of_1_x_becomes_boolean_functions(resolved):
    text = """
  - p:
      type: Guard
      targets: [ a ]
      triggers:
        t:
          event: tick
          condition:
            constraint: [ or: [ load: [ in_range: [ 1, 2 ] ], not: [ load: { less_than: 9 } ] ] ]
            period: 1 m
            evaluations: 3
            method: average
          action: []
"""
    trigger = resolved(SIMPLE + text).policies["p"].triggers["t"]
    load = Reference("a", "load", own=True)
    within = Call("and", (Call("greater_or_equal", (load, 1.0)), Call("less_or_equal", (load, 2.0))))
    assert trigger.condition == Call("or", (within, Call("not", (Call("less_than", (load, 9.0)),))))
    assert (trigger.period, trigger.evaluations, trigger.method) == (60.0, 3, "average")


CONDITIONS = {
    "an unknown constraint": ("condition: [ load: { les_than: 1 } ]", "constraint-bad"),
    "an operand of the wrong type": ("condition: [ load: { less_than: x } ]", "constraint-bad"),
    "a condition that is no map": ("condition: [ x ]", "shape"),
    "a period that is no time": ("condition: { constraint: [ load: { equal: 1 } ], period: x }", "value-type"),
    "evaluations that are no number": (
        "condition: { constraint: [ load: { equal: 1 } ], evaluations: x }",
        "value-type",
    ),
    "a stray key beside a constraint": ("condition: { constraint: [], periods: 1 }", "key-unknown"),
    "a target that is neither node nor type": ("target_filter: { node: nobody }", "target-unknown"),
    "a target without a node": ("target_filter: { requirement: host }", "key-missing"),
}


@pytest.mark.parametrize("case", CONDITIONS)
def test_what_is_wrong_with_a_condition_of_1_3_is_told(case, refused):
    text, code = CONDITIONS[case]
    trigger = f"{{ event: x, action: [], {text} }}"
    policy = f"  - p: {{ type: Guard, targets: [ a ], triggers: {{ t: {trigger} }} }}"
    assert codes(refused(SIMPLE + policy)) == [code]


def test_a_condition_of_2_0_is_a_boolean_function(resolved, refused):
    policy = "  - p: { type: Guard, targets: [ a ], triggers: { t: { event: x, action: [], condition: %s } } }"
    condition = "{ $greater_than: [ { $get_attribute: [ a, load ] }, 0.5 ] }"
    found = resolved(FINAL + policy % condition).policies["p"].triggers["t"].condition
    assert found == Call("greater_than", (Reference("a", "load"), 0.5))
    assert codes(refused(FINAL + policy % "{ load: { less_than: 1 } }")) == ["shape"]


def test_triggers_before_1_3_were_experimental_and_what_is_odd_is_a_warning(loaded):
    text = (
        SIMPLE.replace("yaml_1_3", "yaml_1_0")
        + """
  - p:
      type: Guard
      targets: [ a ]
      triggers:
        t:
          event_type: tosca.events.resource.utilization
          schedule: { start_time: "2015-05-07T07:00:00Z" }
          target_filter: { node: nobody, requirement: host }
          condition: { constraint: utilization greater_than 50%, period: 60, granularity: 60 }
          action: { resize: { inputs: { strategy: LEAST_USED }, implementation: hook.sh } }
        u: { metric: cpu, action: [ SP1 ] }
"""
    )
    result = loaded(text)
    assert result.topology is not None, [d.render() for d in result.diagnostics]
    trigger = result.topology.policies["p"].triggers["t"]
    assert trigger.condition == "utilization greater_than 50%"
    assert trigger.target == {"node": "nobody", "requirement": "host"}
    resize = Activity(ActivityKind.CALL_OPERATION, "resize", {"strategy": "LEAST_USED"}, "hook.sh")
    assert trigger.action == (resize,)
    warned = {d.code for d in result.diagnostics}
    assert {"target-unknown", "key-unknown", "key-missing", "activity-unknown"} <= warned


@BOTH
def test_triggers_of_the_type_are_those_of_its_policies_too(head, resolved, refused):
    alarm = "triggers: { t: { event: x, action: [ delegate: y ] } }"
    text = head.replace("  Watch: {", f"  Alarm: {{ {alarm} }}\n  Watch: {{")
    assert "t" in resolved(text + "  - p: { type: Alarm }").policies["p"].triggers
    broken = text.replace("delegate: y", "dlegate: y")
    assert "activity-unknown" in codes(refused(broken + "  - p: { type: Guard }"))


def test_an_inherited_trigger_of_2_0_cannot_be_changed(refused):
    alarm = "triggers: { t: { event: x, action: [] } }"
    text = FINAL.replace("  Watch: {", f"  Alarm: {{ {alarm} }}\n  Watch: {{")
    assert codes(refused(text + f"  - p: {{ type: Alarm, {alarm} }}")) == ["refinement"]


@BOTH
def test_a_policy_type_targets_no_more_than_its_parent(head, refused):
    text = head.replace("  Watch: {", "  Wide: { derived_from: Guard, targets: [ Servers ] }\n  Watch: {")
    assert "refinement" in codes(refused(text + "  - p: { type: Guard }"))
