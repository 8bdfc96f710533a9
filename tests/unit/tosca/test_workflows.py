"""Imperative workflows and notifications in both languages: what they name exists, inputs fit, steps have an order."""

import pytest

from isthmus.topology import Activity, ActivityKind, Call, Parameter, Reference

SIMPLE = """
tosca_definitions_version: tosca_simple_yaml_1_3
data_types: { Place: { properties: { city: { type: string } } } }
interface_types:
  Backup:
    inputs: { to: { type: string } }
    operations:
      save:
        inputs:
          name: { type: string }
          depth: { type: integer, default: 1 }
          at: { type: Place, required: false }
node_types:
  Server:
    derived_from: tosca.nodes.Compute
    interfaces: { backup: { type: Backup } }
    attributes: { load: { type: float } }
  App:
    derived_from: tosca.nodes.Root
    requirements: [ host: { capability: tosca.capabilities.Node, relationship: tosca.relationships.DependsOn } ]
topology_template:
  inputs: { region: { type: string, default: eu }, size: { type: integer, default: 4 } }
  node_templates:
    a: { type: Server }
    b: { type: Server }
    app: { type: App, requirements: [ host: a ] }
  groups:
    servers: { type: tosca.groups.Root, members: [ a, b ] }
    mixed: { type: tosca.groups.Root, members: [ a, app ] }
  workflows:
"""
FINAL = """
tosca_definitions_version: tosca_2_0
data_types: { Place: { properties: { city: { type: string } } } }
interface_types:
  Backup:
    inputs: { to: { type: string } }
    operations:
      save:
        inputs:
          name: { type: string }
          depth: { type: integer, default: 1 }
          at: { type: Place, required: false }
capability_types: { Host: { description: x } }
relationship_types: { On: { description: x } }
group_types: { Any: { description: x } }
node_types:
  Server:
    interfaces: { backup: { type: Backup } }
    attributes: { load: { type: float } }
    capabilities: { host: { type: Host } }
  App: { requirements: [ host: { capability: Host, relationship: On } ] }
service_template:
  inputs: { region: { type: string, default: eu }, size: { type: integer, default: 4 } }
  node_templates:
    a: { type: Server }
    b: { type: Server }
    app: { type: App, requirements: [ host: a ] }
  groups:
    servers: { type: Any, members: [ a, b ] }
    mixed: { type: Any, members: [ a, app ] }
  workflows:
"""
HEADS = {"1.3": SIMPLE, "2.0": FINAL}
BOTH = pytest.mark.parametrize("head", HEADS.values(), ids=HEADS)


def codes(found):
    return [c for c, _, _ in found]


def spelled(text, head):
    """A template's text with `@get_input` as each language writes it."""
    return text.replace("@get", "$get" if head is FINAL else "get")


def calling(inputs, declared="", target="a"):
    """A workflow with one step that calls one operation."""
    call = f"call_operation: {{ operation: backup.save, inputs: {{ {inputs} }} }}"
    step = f"{{ target: {target}, activities: [ {call} ] }}"
    return f"    w: {{ inputs: {{ {declared} }}, steps: {{ s: {step} }} }}"


@BOTH
def test_a_workflow_is_in_the_topology_and_told_not_to_run(head, loaded):
    text = """
    save:
      description: d
      inputs: { name: { type: string, description: n }, depth: { type: integer, default: 2 } }
      steps:
        first:
          target: a
          activities:
            - call_operation:
                operation: backup.save
                inputs: { to: { @get_input: region }, name: { @get_input: name } }
            - set_state: saved
          on_success: [ second ]
          on_failure: [ third ]
        second: { target: app, target_relationship: host, activities: [ delegate: { workflow: x, inputs: { y: 1 } } ] }
        third:
          target: servers
          activities: [ call_operation: { operation: Backup.save, inputs: { to: x, name: y } } ]
"""
    result = loaded(head + spelled(text, head))
    assert result.topology is not None, "\n".join(d.render() for d in result.diagnostics)
    workflow = result.topology.workflows["save"]
    assert workflow.inputs == {
        "name": Parameter("string", True, None, "n"),
        "depth": Parameter("integer", True, 2),
    }
    first, second, third = workflow.steps.values()
    save = Activity(ActivityKind.CALL_OPERATION, "backup.save", {"to": "eu", "name": Call("get_input", ("name",))})
    assert first.activities == (save, Activity(ActivityKind.SET_STATE, "saved"))
    assert (first.on_success, first.on_failure) == (("second",), ("third",))
    assert (second.target, second.relationship) == ("app", "host")
    assert second.activities == (Activity(ActivityKind.DELEGATE, "x", {"y": 1}),)
    assert third.activities[0].inputs == {"to": "x", "name": "y"}
    assert "workflows are checked, and not run" in [d.summary for d in result.diagnostics]


STEP = {
    "no target": ("{ activities: [] }", "key-missing"),
    "no activities": ("{ target: a }", "key-missing"),
    "an unknown key": ("{ target: a, activities: [], activity: x }", "key-unknown"),
    "an unknown target": ("{ target: c, activities: [] }", "target-unknown"),
    "an unknown requirement": ("{ target: app, target_relationship: hots, activities: [] }", "requirement-unknown"),
    "a requirement of a group": (
        "{ target: servers, target_relationship: host, activities: [] }",
        "target-mismatch",
    ),
    "an unknown next step": ("{ target: a, activities: [], on_success: [ t ] }", "step-unknown"),
    "an unknown step after a failure": ("{ target: a, activities: [], on_failure: t }", "step-unknown"),
    "activities in a map": ("{ target: a, activities: { delegate: x } }", "shape"),
    "an activity that is a name": ("{ target: a, activities: [ delegate ] }", "shape"),
    "two activities in one": ("{ target: a, activities: [ { delegate: x, inline: y } ] }", "shape"),
    "an unknown activity": ("{ target: a, activities: [ set_sate: x ] }", "activity-unknown"),
    "a state that is a map": ("{ target: a, activities: [ set_state: { x: y } ] }", "shape"),
    "a delegate without workflow": ("{ target: a, activities: [ delegate: { inputs: {} } ] }", "key-missing"),
    "an unknown key of an activity": (
        "{ target: a, activities: [ call_operation: { operation: backup.save, input: {} } ] }",
        "key-unknown",
    ),
    "an unknown operation": ("{ target: a, activities: [ call_operation: backup.svae ] }", "operation-unknown"),
    "an unknown interface": ("{ target: a, activities: [ call_operation: backp.save ] }", "operation-unknown"),
    "no interface": ("{ target: a, activities: [ call_operation: save ] }", "operation-unknown"),
    "an operation that one member lacks": (
        "{ target: mixed, activities: [ call_operation: backup.save ] }",
        "operation-unknown",
    ),
    "an operation of the node, called on its relationship": (
        "{ target: app, target_relationship: host, activities: [ call_operation: backup.save ] }",
        "operation-unknown",
    ),
    "no inputs where some are required": (
        "{ target: a, activities: [ call_operation: backup.save ] }",
        "activity-incomplete",
    ),
    "an unknown workflow": ("{ target: a, activities: [ inline: nope ] }", "workflow-unknown"),
    "a text for a step": ("x", "shape"),
}


@BOTH
@pytest.mark.parametrize("case", STEP)
def test_what_is_wrong_with_a_step_is_told(case, head, refused):
    step, code = STEP[case]
    assert codes(refused(f"{head}    w: {{ steps: {{ s: {step} }} }}"))[0] == code


CALLS = {
    "an input that the interface requires is missing": ("name: x", "", "activity-incomplete"),
    "an input that the operation requires is missing": ("to: x", "", "activity-incomplete"),
    "an input that nobody declares": ("to: x, name: y, guid: z", "", "input-unknown"),
    "a value of the wrong type": ("to: x, name: y, depth: deep", "", "value-type"),
    "an input of the template of another type": ("to: x, name: y, depth: { @get_input: region }", "", "value-type"),
    "an input of the workflow of another type": (
        "to: x, name: { @get_input: id }",
        "id: { type: integer }",
        "value-type",
    ),
    "an input of the workflow of another type, deep inside": (
        "to: x, name: y, at: { city: { @get_input: id } }",
        "id: { type: integer }",
        "value-type",
    ),
    "a part of an input of the workflow, of another type": (
        "to: x, name: y, depth: { @get_input: [ p, city ] }",
        "p: { type: Place }",
        "value-type",
    ),
    "an optional input of the workflow for a required one": (
        "to: x, name: { @get_input: n }",
        "n: { type: string, required: false }",
        "activity-incomplete",
    ),
    "an input that nothing declares": ("to: x, name: { @get_input: nope }", "", "input-unknown"),
}


@BOTH
@pytest.mark.parametrize("case", CALLS)
def test_inputs_of_a_call_must_fit_the_operation(case, head, refused):
    inputs, declared, code = CALLS[case]
    assert codes(refused(head + spelled(calling(inputs, declared), head))) == [code]


FITTING = {
    "a workflow's input of the same type": ("to: x, name: { @get_input: n }", "n: { type: string }"),
    "an optional one with a default": (
        "to: x, name: { @get_input: n }",
        "n: { type: string, required: false, default: z }",
    ),
    "an optional one for an optional one": (
        "to: x, name: y, at: { @get_input: p }",
        "p: { type: Place, required: false }",
    ),
    "a part of one": ("to: x, name: { @get_input: [ p, city ] }", "p: { type: Place }"),
    "one that hides an input of the template": (
        "to: x, name: y, depth: { @get_input: region }",
        "region: { type: integer }",
    ),
}


@BOTH
@pytest.mark.parametrize("case", FITTING)
def test_inputs_of_the_workflow_may_be_passed_on(case, head, resolved):
    inputs, declared = FITTING[case]
    assert resolved(head + spelled(calling(inputs, declared), head)).workflows["w"].steps


@BOTH
def test_a_value_that_the_node_gives_need_not_be_given_again(head, resolved):
    own = "interfaces: { backup: { inputs: { to: x }, operations: { save: { inputs: { name: y, more: z } } } } }"
    text = head.replace("    a: { type: Server }", f"    a: {{ type: Server, {own} }}")
    assert resolved(text + calling("more: w")).workflows["w"].steps["s"].activities[0].inputs == {"more": "w"}


INLINES = {
    "a required input is missing": ("inline: v", "activity-incomplete"),
    "an input is of another type": ("inline: { workflow: v, inputs: { n: x } }", "value-type"),
    "an input is not declared": ("inline: { workflow: v, inputs: { n: 1, m: 2 } }", "input-unknown"),
    "an optional input feeds a required one": (
        "inline: { workflow: v, inputs: { n: { @get_input: o } } }",
        "activity-incomplete",
    ),
}


@BOTH
@pytest.mark.parametrize("case", INLINES)
def test_inputs_of_an_inlined_workflow_must_fit_it(case, head, refused):
    activity, code = INLINES[case]
    text = f"""
    v: {{ inputs: {{ n: {{ type: integer }} }}, steps: {{}} }}
    w:
      inputs: {{ o: {{ type: integer, required: false }} }}
      steps: {{ s: {{ target: a, activities: [ {activity} ] }} }}
"""
    assert codes(refused(head + spelled(text, head))) == [code]


def test_workflows_that_inline_one_another_are_an_error_in_1_x_and_a_warning_in_2_0(refused, loaded):
    text = """
    v: { steps: { s: { target: a, activities: [ inline: w ] } } }
    w: { steps: { s: { target: a, activities: [ inline: v ] } } }
"""
    assert codes(refused(SIMPLE + text)) == ["workflow-cycle"]
    result = loaded(FINAL + text)
    assert result.topology is not None, "\n".join(d.render() for d in result.diagnostics)
    assert "workflow-cycle" in [d.code for d in result.diagnostics]


@BOTH
def test_steps_that_follow_one_another_in_a_circle_are_told(head, loaded):
    text = """
    w:
      steps:
        one: { target: a, activities: [], on_success: [ two ] }
        two: { target: a, activities: [], on_failure: [ three ] }
        three: { target: a, activities: [], on_success: [ two ] }
"""
    result = loaded(head + text)
    assert result.topology is not None
    assert "workflow-cycle" in [d.code for d in result.diagnostics]


def test_conditions_of_1_x_are_checked_against_the_target(resolved, refused):
    text = """
    w:
      preconditions:
        - target: a
          condition: [ assert: [ state: [ { equal: started } ], load: { less_than: 0.5 } ] ]
      steps:
        s: { target: app, target_relationship: host, filter: [ state: { equal: x } ], activities: [] }
"""
    workflow = resolved(SIMPLE + text).workflows["w"]
    state, load = (Reference("a", n, own=True) for n in ("state", "load"))
    (precondition,) = workflow.preconditions
    assert precondition.condition == Call("and", (Call("equal", (state, "started")), Call("less_than", (load, 0.5))))
    assert workflow.steps["s"].filter == Call("equal", (Reference("app", "host", ("state",), own=True), "x"))
    assert codes(refused(SIMPLE + text.replace("target: a\n", "target: z\n"))) == ["target-unknown"]
    assert codes(refused(SIMPLE + text.replace("target: a\n", ""))) == ["key-missing"]
    assert codes(refused(SIMPLE + text.replace("0.5", "much"))) == ["constraint-bad"]


def test_conditions_of_2_0_are_functions(resolved, refused):
    text = """
    w:
      precondition: { $equal: [ { $get_attribute: [ a, load ] }, 1.0 ] }
      steps:
        s: { target: a, filter: [ { $less_than: [ { $get_attribute: [ SELF, load ] }, 2.0 ] } ], activities: [] }
"""
    workflow = resolved(FINAL + text).workflows["w"]
    assert workflow.preconditions[0].condition == Call("equal", (Reference("a", "load"), 1.0))
    assert workflow.steps["s"].filter == Call("less_than", (Reference("a", "load", own=True), 2.0))
    assert codes(refused(FINAL + text.replace("$equal", "equal"))) == ["shape"]


WORKFLOW = {
    "an unknown key": ("{ step: {} }", "key-unknown"),
    "a text": ("x", "shape"),
    "a list of steps": ("{ steps: [] }", "shape"),
    "an input of an unknown type": ("{ inputs: { x: { type: Nope } } }", "type-unknown"),
    "an implementation that is a list": ("{ implementation: [ x ] }", "shape"),
    "an output of an unknown node": ("{ outputs: { x: [ nobody, load ] } }", "target-unknown"),
    "an output to an unknown attribute": ("{ outputs: { x: [ a, laod ] } }", "attribute-unknown"),
    "an output to nothing": ("{ outputs: { x: [ a ] } }", "shape"),
}


@BOTH
@pytest.mark.parametrize("case", WORKFLOW)
def test_what_is_wrong_with_a_workflow_is_told(case, head, refused):
    workflow, code = WORKFLOW[case]
    assert code in codes(refused(f"{head}    w: {workflow}"))


@BOTH
def test_a_workflow_in_another_language_has_outputs_too(head, resolved):
    text = "    w: { implementation: { primary: flow.bpmn }, outputs: { x: [ a, load ] } }"
    workflow = resolved(head + text).workflows["w"]
    assert (workflow.implementation, workflow.outputs) == ("flow.bpmn", {"x": ("a", "load")})


def test_a_workflow_of_2_0_has_steps_or_an_implementation(refused):
    assert codes(refused(FINAL + "    w: { implementation: flow.bpmn, steps: {} }")) == ["shape"]


@pytest.mark.parametrize("workflows", ["", " [ w: { steps: {} } ]"])
def test_the_workflows_of_tosca_2_0_are_a_map(workflows, refused):
    assert codes(refused(FINAL.rstrip() + workflows)) == ["shape"]


# notifications ---------------------------------------------------------------------------------

NOTIFYING = {
    "1.3": """
interface_types: { Watch: { operations: { check: {} }, notifications: { full: { outputs: {} } } } }
node_types:
  Disk:
    derived_from: tosca.nodes.Compute
    attributes: { used: { type: integer } }
    interfaces: { watch: { type: Watch, notifications: { full: { outputs: { use: [ SELF, used ] } } } } }
topology_template:
  node_templates: { d: { type: Disk, interfaces: { watch: { notifications: { full: watch.sh } } } } }
""",
    "2.0": """
tosca_definitions_version: tosca_2_0
interface_types: { Watch: { operations: { check: {} }, notifications: { full: { outputs: {} } } } }
node_types:
  Disk:
    attributes: { used: { type: integer } }
    interfaces: { watch: { type: Watch, notifications: { full: { outputs: { use: [ SELF, used ] } } } } }
service_template:
  node_templates: { d: { type: Disk, interfaces: { watch: { notifications: { full: watch.sh } } } } }
""",
}
EACH = pytest.mark.parametrize("text", NOTIFYING.values(), ids=NOTIFYING)


@EACH
def test_notifications_that_are_declared_are_accepted(text, resolved):
    assert resolved(text).nodes.keys() == {"d"}


@EACH
@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ("full: watch.sh", "ful: watch.sh", "notification-unknown"),
        ("full: watch.sh", "full: { implement: x }", "key-unknown"),
        ("full: watch.sh", "full: { outputs: { use: [ SELF, usd ] } }", "attribute-unknown"),
        ("full: watch.sh", "full: []", "shape"),
        ("[ SELF, used ]", "[ SELF, usd ]", "attribute-unknown"),
        ("[ SELF, used ]", "[ SELF ]", "shape"),
    ],
)
def test_what_is_wrong_with_a_notification_is_told(old, new, code, text, refused):
    assert code in codes(refused(text.replace(old, new)))


# hostile input ---------------------------------------------------------------------------------


@BOTH
def test_thousands_of_steps_are_read(head, resolved):
    steps = "\n".join(
        f"        s{i}: {{ target: servers, activities: [ set_state: x ], on_success: [ s{i + 1} ] }}"
        for i in range(3000)
    )
    text = f"{head}    w:\n      steps:\n{steps}\n        s3000: {{ target: a, activities: [] }}"
    assert len(resolved(text).workflows["w"].steps) == 3001


def test_conditions_nested_as_deep_as_documents_may_be_are_read(resolved):
    clause = "{ state: [ { equal: x } ] }"
    for _ in range(20):
        clause = f"{{ and: [ {clause} ] }}"
    resolved(f"{SIMPLE}    w: {{ steps: {{ s: {{ target: a, filter: [ {clause} ], activities: [] }} }} }}")


@BOTH
def test_a_long_chain_of_inlined_workflows_is_read(head, resolved):
    chain = "\n".join(
        f"    w{i}: {{ steps: {{ s: {{ target: a, activities: [ inline: w{i + 1} ] }} }} }}" for i in range(2000)
    )
    assert len(resolved(f"{head}{chain}\n    w2000: {{ steps: {{}} }}").workflows) == 2001
