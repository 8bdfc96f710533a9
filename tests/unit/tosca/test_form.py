"""The form of a template: what a person is asked, in which tab, and what will be told."""

from isthmus.tosca import Form, form

TEXT = """
    description: A pool.
    metadata:
      template_name: pool
      display_name: A pool of machines
      template_version: 1.10
      tabs:
        Front: [ fe_cpus, password ]
        Workers: wn_.*
    topology_template:
      inputs:
        wn_num: { type: integer, default: 1, description: How many., constraints: [ in_range: [ 1, 9 ] ] }
        fe_cpus: { type: integer, constraints: [ valid_values: [ 1, 2 ] ] }
        wn_mem: { type: scalar-unit.size, default: 2 GB }
        password: { type: isthmus.datatypes.Secret, default: x }
        ports: { type: list, entry_schema: { type: PortSpec }, required: false }
      outputs:
        address: { value: 1, description: Where. }
        other: { value: 2 }
    """


def test_inputs_come_in_order_with_all_that_a_form_needs(bundle):
    made = form(bundle(TEXT))
    assert isinstance(made, Form)
    assert list(made.inputs) == ["wn_num", "fe_cpus", "wn_mem", "password", "ports"]
    number = made.inputs["wn_num"]
    assert (number.type, number.default, number.required, number.description) == ("integer", 1, False, "How many.")
    assert number.constraints == (("in_range", [1, 9]),)
    assert number.position.line == 12
    assert made.inputs["fe_cpus"].required
    assert made.inputs["wn_mem"].default == "2 GB"
    assert made.inputs["ports"].entry == "tosca.datatypes.network.PortSpec"


def test_tabs_are_lists_of_names_or_patterns(bundle):
    made = form(bundle(TEXT))
    assert {n: i.tab for n, i in made.inputs.items()} == {
        "wn_num": "Workers", "fe_cpus": "Front", "wn_mem": "Workers", "password": "Front", "ports": "",
    }  # fmt: skip
    assert made.tabs == ("Front", "Workers")


def test_a_secret_input_is_told_and_its_default_is_not(bundle):
    password = form(bundle(TEXT)).inputs["password"]
    assert password.secret
    assert password.default is None
    assert not password.required


def test_what_the_template_says_of_itself(bundle):
    made = form(bundle(TEXT))
    assert (made.name, made.title, made.version, made.description) == (
        "pool", "A pool of machines", "1.10", "A pool.",
    )  # fmt: skip
    assert made.outputs == {"address": "Where.", "other": ""}


def test_a_template_that_cannot_be_read_gives_diagnostics(bundle):
    found = form(bundle("topology_template: { inputs: { x: { type: strng } } }\n"))
    assert [d.code for d in found] == ["type-unknown"]


def test_a_form_needs_no_files_of_operations_and_no_inputs(bundle):
    text = "topology_template: { inputs: { x: { type: string } }, node_templates: { m: { type: Nope } } }\n"
    assert isinstance(form(bundle(text)), Form)
