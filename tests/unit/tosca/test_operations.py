"""Operations: inherited and overridden one by one, in the order in which they run."""

from isthmus.topology import Reference, Stage

TYPES = """
    node_types:
      Base:
        derived_from: tosca.nodes.SoftwareComponent
        properties: { level: { type: integer, default: 1 } }
        interfaces:
          Standard:
            inputs: { everywhere: { type: string, default: yes } }
            create: base/create.sh
            configure:
              implementation: base/configure.sh
              inputs: { level: { get_property: [ SELF, level ] }, kept: base }
            delete: base/delete.sh
      Derived:
        derived_from: Base
        interfaces:
          Standard:
            configure: { implementation: derived.yml, inputs: { added: 1 } }
            start: { implementation: { primary: derived.sh, dependencies: [ data.txt ], timeout: 90 } }
    relationship_types:
      Join:
        derived_from: tosca.relationships.ConnectsTo
        properties: { weight: { type: integer, default: 3 } }
        interfaces:
          Configure:
            pre_configure_source:
              implementation: join.sh
              inputs: { weight: { get_property: [ SELF, weight ] }, peer: { get_attribute: [ TARGET, state ] } }
            pre_configure_target: join.sh
            post_configure_target: join.sh
            add_source: join.sh
            remove_target: join.sh
    """
TOPOLOGY = """
    imports: [ types/types.yaml ]
    topology_template:
      node_templates:
        machine: { type: Compute }
        one:
          type: Derived
          requirements:
            - host: machine
            - dependency: { node: two, relationship: Join }
            - dependency: { node: three, relationship: { type: Join, properties: { weight: 7 } } }
          interfaces:
            Standard:
              configure: { inputs: { added: 2, mine: true } }
        two: { type: Base, requirements: [ host: machine ], properties: { level: 5 } }
        three: { type: SoftwareComponent, requirements: [ host: machine ] }
    """
PATHS = (
    "types/base/create.sh", "types/base/configure.sh", "types/base/delete.sh", "types/derived.yml",
    "types/derived.sh", "types/data.txt", "types/join.sh",
)  # fmt: skip
FILES: dict[str, str | bytes] = {"types/types.yaml": TYPES, **{p: p for p in PATHS}}


def test_operations_run_up_then_down_with_those_of_relationships_between(resolved):
    one = resolved(TOPOLOGY, FILES).nodes["one"]
    assert [(o.name, o.stage, o.on) for o in one.operations] == [
        ("Standard.create", Stage.CREATE, "one"),
        ("Configure.pre_configure_source/dependency", Stage.CONFIGURE, "one"),
        ("Configure.pre_configure_target/dependency", Stage.CONFIGURE, "two"),
        ("Configure.pre_configure_source/dependency.2", Stage.CONFIGURE, "one"),
        ("Configure.pre_configure_target/dependency.2", Stage.CONFIGURE, "three"),
        ("Standard.configure", Stage.CONFIGURE, "one"),
        ("Configure.post_configure_target/dependency", Stage.CONFIGURE, "two"),
        ("Configure.post_configure_target/dependency.2", Stage.CONFIGURE, "three"),
        ("Standard.start", Stage.START, "one"),
        ("Configure.add_source/dependency", Stage.START, "two"),
        ("Configure.add_source/dependency.2", Stage.START, "three"),
        ("Configure.remove_target/dependency", Stage.STOP, "one"),
        ("Configure.remove_target/dependency.2", Stage.STOP, "one"),
        ("Standard.delete", Stage.DELETE, "one"),
    ]


def test_a_derived_type_overrides_operations_one_by_one_and_merges_inputs(resolved):
    nodes = resolved(TOPOLOGY, FILES).nodes
    by_name = {o.name: o for o in nodes["one"].operations}
    assert by_name["Standard.create"].implementation.path == "types/base/create.sh"
    configure = by_name["Standard.configure"]
    assert configure.implementation.path == "types/derived.yml"
    assert configure.inputs == {"everywhere": "yes", "level": 1, "kept": "base", "added": 2, "mine": True}
    (other,) = [o for o in nodes["two"].operations if o.stage is Stage.CONFIGURE]
    assert other.inputs == {"everywhere": "yes", "level": 5, "kept": "base"}


def test_paths_are_relative_to_the_file_that_names_them_dependencies_too(resolved):
    start = next(o for o in resolved(TOPOLOGY, FILES).nodes["one"].operations if o.stage is Stage.START)
    assert start.implementation.path == "types/derived.sh"
    assert [d.path for d in start.dependencies] == ["types/data.txt"]
    assert start.timeout == 90.0


def test_self_of_a_relationship_is_the_relationship(resolved):
    joins = [o for o in resolved(TOPOLOGY, FILES).nodes["one"].operations if "pre_configure_source" in o.name]
    assert [o.inputs for o in joins] == [
        {"weight": 3, "peer": Reference("two", "state", (), own=True)},
        {"weight": 7, "peer": Reference("three", "state", (), own=True)},
    ]


def test_relationship_templates_bring_their_properties_and_operations(resolved):
    topology = resolved(
        """
        topology_template:
          node_templates:
            machine: { type: Compute }
            a: { type: SoftwareComponent, requirements: [ host: machine, dependency: { node: b, relationship: link } ] }
            b: { type: SoftwareComponent, requirements: [ host: machine ] }
          relationship_templates:
            link:
              type: ConnectsTo
              properties: { credential: { token: x } }
              interfaces: { Configure: { post_configure_source: link.sh } }
          outputs:
            token: { value: { get_property: [ link, credential, token ] } }
        """,
        {"link.sh": "x"},
    )
    assert [o.name for o in topology.nodes["a"].operations] == ["Configure.post_configure_source/dependency"]
    assert topology.nodes["a"].requirements[1].properties["credential"]["token"] == "x"
    assert topology.outputs["token"].value == "x"


def test_the_long_and_the_full_name_of_an_interface_mean_the_same(resolved):
    text = """
        topology_template:
          node_templates:
            m:
              type: Compute
              interfaces:
                {name}:
                  {extra}
        """
    direct = resolved(text.format(name="Standard", extra="create: x.sh"), {"x.sh": "x"})
    full = "tosca.interfaces.node.lifecycle.Standard"
    assert resolved(text.format(name=full, extra="create: x.sh"), {"x.sh": "x"}) == direct
    assert resolved(text.format(name="Standard", extra="operations: { create: x.sh }"), {"x.sh": "x"}) == direct


def test_an_implementation_may_be_named_by_an_artifact(resolved):
    machine = resolved(
        """
        topology_template:
          node_templates:
            m:
              type: Compute
              artifacts: { script: { file: run/x.sh, type: tosca.artifacts.Implementation.Bash } }
              interfaces: { Standard: { create: script } }
        """,
        {"run/x.sh": "x"},
    ).nodes["m"]
    assert machine.operations[0].implementation.path == "run/x.sh"


def test_an_implementation_that_is_a_url_resolves_with_a_warning(loaded):
    result = loaded(
        """
        topology_template:
          node_templates:
            m: { type: Compute, interfaces: { Standard: { create: https://example.org/x.yml } } }
        """
    )
    (operation,) = result.topology.nodes["m"].operations
    assert operation.implementation.path == "https://example.org/x.yml"
    assert operation.implementation.kind == "ansible"
    assert [(d.code, d.severity) for d in result.diagnostics] == [("file-remote", "warning")]


def test_what_is_not_run_is_told(loaded):
    result = loaded(
        """
        interface_types:
          Custom: { derived_from: tosca.interfaces.Root, operations: { dance: {} } }
        node_types:
          Dancer:
            derived_from: tosca.nodes.Compute
            interfaces: { Custom: { type: Custom } }
        topology_template:
          node_templates:
            m:
              type: Dancer
              interfaces: { Custom: { dance: x.sh } }
              artifacts: { unused: x.sh }
          policies:
            - near: { type: tosca.policies.Placement, targets: [ m ] }
          workflows: { w: {} }
          substitution_mappings: { node_type: Dancer }
        """,
        {"x.sh": "x"},
    )
    assert [d.code for d in result.diagnostics] == ["ignored"] * 5
    assert result.topology is not None


def test_a_required_input_of_an_operation_must_have_a_value(refused):
    text = """
        node_types:
          Asking:
            derived_from: tosca.nodes.Compute
            interfaces:
              Standard: { create: { implementation: x.sh, inputs: { word: { type: string } } } }
        topology_template:
          node_templates: { m: { type: Asking } }
        """
    assert [c for c, _, _ in refused(text, {"x.sh": "x"})] == ["input-missing"]


def test_operation_host_and_outputs_are_refused_by_name(refused):
    text = """
        topology_template:
          node_templates:
            m:
              type: Compute
              interfaces:
                Standard:
                  create: { implementation: { primary: x.sh, operation_host: HOST }, outputs: { a: [ SELF, state ] } }
        """
    assert [c for c, _, _ in refused(text, {"x.sh": "x"})] == ["unsupported", "unsupported"]
