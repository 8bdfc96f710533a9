"""Functions: folded when the answer is known at load time, symbolic when only the deployment knows."""

import pytest

from isthmus.topology import Call, Reference, Secret

TEMPLATE = """
    topology_template:
      inputs:
        port: {{ type: integer, default: 80 }}
        tags: {{ type: map, entry_schema: {{ type: string }}, default: {{ a: x, b: '2' }} }}
        names: {{ type: list, entry_schema: {{ type: string }}, default: [ one, two ] }}
        none: {{ type: string, required: false }}
      node_templates:
        machine:
          type: Compute
          capabilities:
            host: {{ properties: {{ mem_size: 2 GB }} }}
            endpoint: {{ properties: {{ port: 22 }} }}
        engine:
          type: DBMS
          properties: {{ port: {{ get_input: port }}, root_password: {{ get_attribute: [ machine, tosca_id ] }} }}
          requirements: [ host: machine ]
          artifacts: {{ note: files/note.txt }}
          interfaces:
            Standard: {{ create: run.sh, configure: run.sh }}
        base:
          type: Database
          properties: {{ name: main }}
          requirements: [ host: engine, dependency: engine ]
          interfaces:
            Standard:
              configure:
                implementation: run.sh
                inputs: {{ value: {value} }}
    """
FILES: dict[str, str | bytes] = {"run.sh": "x", "files/note.txt": "hello"}

FOLDED = {
    "{ get_input: port }": 80,
    "{ get_input: [ tags, b ] }": "2",
    "{ get_input: [ names, 1 ] }": "two",
    "{ get_input: none }": None,
    "{ get_property: [ SELF, name ] }": "main",
    "{ get_property: [ engine, port ] }": 80,
    "{ get_property: [ HOST, port ] }": 80,
    "{ get_property: [ machine, host, mem_size ] }": "2 GB",
    "{ get_property: [ machine, endpoint, port ] }": 22,
    "{ get_property: [ SELF, dependency, port ] }": 80,
    "{ get_property: [ SELF, user ] }": None,
    "{ get_nodes_of_type: tosca.nodes.Compute }": ["machine"],
    "{ concat: [ a, 16.04, { get_input: port } ] }": "a16.0480",
    "{ concat: [ x, { concat: [ y, z ] } ] }": "xyz",
    "{ join: [ [ a, b, { get_input: port } ], '-' ] }": "a-b-80",
    "{ join: [ { get_input: names }, ',' ] }": "one,two",
    "{ join: [ [ a, b ], { token: [ 'x-y', '-', 1 ] } ] }": "ayb",
    "{ token: [ '10.0.0.1:80', ':', 1 ] }": "80",
    "{ token: [ { concat: [ a, ':', { join: [ [ b, c ] ] } ] }, ':', 1 ] }": "bc",
    "{ get_artifact: [ engine, note ] }": "files/note.txt",
    "{ nested: [ { get_input: port }, yes, 1.5 ] }": {"nested": [80, True, 1.5]},
}


@pytest.mark.parametrize("call", FOLDED)
def test_what_is_known_is_folded(call, resolved):
    base = resolved(TEMPLATE.format(value=call), FILES).nodes["base"]
    assert base.operations[0].inputs["value"] == FOLDED[call]


ADDRESS = Reference("machine", "private_address", (), own=True)
SYMBOLIC = {
    "{ get_attribute: [ machine, private_address ] }": Reference("machine", "private_address"),
    "{ get_attribute: [ machine, networks, net, addresses, 0 ] }": Reference(
        "machine", "networks", ("net", "addresses", 0)
    ),
    "{ get_attribute: [ HOST, state ] }": Reference("engine", "state", (), own=True),
    "{ get_attribute: [ HOST, private_address ] }": ADDRESS,
    "{ get_attribute: [ SELF, state ] }": Reference("base", "state", (), own=True),
    "{ get_attribute: [ SELF, host, state ] }": Reference("engine", "state", (), own=True),
    "{ get_attribute: [ machine, endpoint, ip_address ] }": Reference("machine", "endpoint", ("ip_address",)),
    "{ get_attribute: [ HOST, endpoint, ip_address ] }": Reference("machine", "endpoint", ("ip_address",), own=True),
    "{ get_property: [ engine, root_password ] }": Reference("machine", "tosca_id"),
    "{ get_operation_output: [ engine, Standard, create, key ] }": Reference(
        "engine", "key", (), False, "Standard.create"
    ),
    "{ get_operation_output: [ HOST, Standard, create, key ] }": Reference(
        "engine", "key", (), True, "Standard.create"
    ),
    "{ get_secret: admin }": Secret("admin"),
    "{ concat: [ 'http://', { get_attribute: [ HOST, private_address ] } ] }": Call("concat", ("http://", ADDRESS)),
    "{ token: [ { get_attribute: [ HOST, private_address ] }, '.', 0 ] }": Call("token", (ADDRESS, ".", 0)),
    "{ join: [ { get_attribute: [ machine, tosca_id ] }, ',' ] }": Call(
        "join", (Reference("machine", "tosca_id"), ",")
    ),
}


@pytest.mark.parametrize("call", SYMBOLIC)
def test_what_is_known_later_is_symbolic(call, resolved):
    base = resolved(TEMPLATE.format(value=call), FILES).nodes["base"]
    assert base.operations[0].inputs["value"] == SYMBOLIC[call]


WRONG = {
    "{ get_input: prot }": ("input-unknown", "did you mean 'port'?"),
    "{ get_property: [ engine, prot ] }": ("property-unknown", "did you mean 'port'?"),
    "{ get_property: [ engin, port ] }": ("target-unknown", "did you mean 'engine'?"),
    "{ get_property: [ engine ] }": ("function-arguments", ""),
    "{ get_attribute: [ machine, private_adress ] }": ("attribute-unknown", "did you mean 'private_address'?"),
    "{ get_attribute: [ HOST, nothing_like_it ] }": ("attribute-unknown", ""),
    "{ get_attribute: [ SOURCE, state ] }": ("function-arguments", ""),
    "{ get_operation_output: [ engine, Standard, creat, k ] }": ("operation-unknown", "did you mean 'create'?"),
    "{ get_artifact: [ engine, nope ] }": ("artifact-unknown", "did you mean 'note'?"),
    "{ token: [ a, b ] }": ("function-arguments", ""),
    "{ join: [ a ] }": ("function-arguments", ""),
    "{ get_secret: [ a ] }": ("function-arguments", ""),
    "{ concat: [ { get_input: nope } ] }": ("input-unknown", ""),
}


@pytest.mark.parametrize("call", WRONG)
def test_calls_that_make_no_sense_are_told(call, loaded):
    result = loaded(TEMPLATE.format(value=call), FILES)
    (found,) = [d for d in result.diagnostics if d.severity == "error"]
    code, suggestion = WRONG[call]
    assert found.code == code
    assert suggestion in found.suggestion
    assert found.position.line > 20


def test_an_artifact_that_is_asked_for_goes_along_with_the_operation(resolved):
    base = resolved(TEMPLATE.format(value="{ get_artifact: [ engine, note ] }"), FILES).nodes["base"]
    assert [d.path for d in base.operations[0].dependencies] == ["files/note.txt"]


def test_an_unknown_function_is_told_with_the_nearest(loaded):
    result = loaded(
        """
        topology_template:
          node_templates:
            m: { type: Compute, capabilities: { host: { properties: { num_cpus: { get_imput: x } } } } }
        """
    )
    (found,) = result.diagnostics
    assert (found.code, found.suggestion) == ("function-unknown", "did you mean 'get_input'?")


def test_a_token_of_a_credential_is_data(resolved):
    nodes = resolved(
        """
        topology_template:
          node_templates:
            s:
              type: SoftwareComponent
              properties: { admin_credential: { token: abc } }
              requirements: [ host: m ]
            m: { type: Compute }
        """
    ).nodes
    assert nodes["s"].properties["admin_credential"] == {"token": "abc", "token_type": "password"}


def test_properties_that_define_one_another_are_refused(refused):
    text = """
        topology_template:
          node_templates:
            a: { type: Database, properties: { name: { get_property: [ b, name ] } } }
            b: { type: Database, properties: { name: { get_property: [ a, name ] } } }
        """
    assert refused(text)[0][0] == "property-cycle"


def test_a_machine_is_its_own_host(resolved):
    machine = resolved(
        """
        topology_template:
          node_templates:
            m:
              type: Compute
              interfaces:
                Standard:
                  configure: { implementation: x.sh, inputs: { a: { get_attribute: [ HOST, private_address ] } } }
        """,
        {"x.sh": "x"},
    ).nodes["m"]
    assert machine.operations[0].inputs["a"] == Reference("m", "private_address", (), own=True)


SECRETS = """
    topology_template:
      inputs:
        password: {{ type: isthmus.datatypes.Secret, constraints: [ min_length: 8 ] }}
      node_templates:
        m: {{ type: Compute }}
        db:
          type: DBMS
          properties: {{ root_password: {value} }}
          requirements: [ host: m ]
    """


def test_a_secret_input_is_passed_by_name_and_its_value_goes_nowhere(loaded):
    result = loaded(SECRETS.format(value="{ get_input: password }"), password="open sesame")
    assert result.topology.nodes["db"].properties["root_password"] == Secret("input:password")
    assert result.secrets == ("password",)
    assert "sesame" not in repr(result)


def test_a_secret_input_may_be_left_to_chance(loaded):
    assert loaded(SECRETS.format(value="{ get_input: password }")).topology is not None


def test_a_secret_that_breaks_a_constraint_is_not_shown(loaded):
    result = loaded(SECRETS.format(value="{ get_input: password }"), password="short")
    assert [d.code for d in result.diagnostics] == ["constraint"]
    assert "short" not in "".join(d.render() for d in result.diagnostics)


def test_a_secret_in_plain_text_is_refused(refused):
    text = """
        node_types:
          Vault:
            derived_from: tosca.nodes.Root
            properties: { key: { type: isthmus.datatypes.Secret } }
        topology_template:
          node_templates:
            v: { type: Vault, properties: { key: abc } }
        """
    assert refused(text) == [("secret-literal", 8, 42)]


RELATED = """
    relationship_types:
      Link:
        derived_from: tosca.relationships.DependsOn
        properties: {{ port: {{ type: integer, default: 7 }} }}
        attributes: {{ load: {{ type: float }} }}
        interfaces:
          Configure:
            type: tosca.interfaces.relationship.Configure
            operations:
              post_configure_source: {{ implementation: run.sh, inputs: {{ value: {value} }} }}
    topology_template:
      node_templates:
        machine: {{ type: Compute }}
        engine: {{ type: DBMS, properties: {{ port: 80 }}, requirements: [ host: machine ] }}
        app:
          type: SoftwareComponent
          properties: {{ component_version: '1.2' }}
          requirements: [ host: machine, dependency: {{ node: engine, relationship: Link }} ]
    """
OF_A_RELATIONSHIP = {
    "{ get_property: [ SELF, port ] }": 7,
    "{ get_property: [ SOURCE, component_version ] }": "1.2",
    "{ get_property: [ TARGET, port ] }": 80,
    "{ get_property: [ TARGET, host, port ] }": None,
    "{ get_attribute: [ TARGET, state ] }": Reference("engine", "state", (), own=True),
    "{ concat: [ { get_property: [ TARGET, port ] }, { token: [ 'a:b', ':', 0 ] } ] }": "80a",
}


@pytest.mark.parametrize("call", OF_A_RELATIONSHIP)
def test_an_operation_of_a_relationship_asks_itself_and_both_ends(call, loaded):
    result = loaded(RELATED.format(value=call), {"run.sh": "x"})
    if OF_A_RELATIONSHIP[call] is None:
        assert [d.code for d in result.diagnostics if d.severity == "error"] == ["property-unknown"]
        return
    (operation,) = result.topology.nodes["app"].operations
    assert operation.inputs["value"] == OF_A_RELATIONSHIP[call]


def test_attributes_of_a_relationship_are_right_and_cannot_be_deployed(loaded):
    result = loaded(RELATED.format(value="{ get_attribute: [ SELF, load ] }"), {"run.sh": "x"})
    assert result.topology is not None
    assert [d.code for d in result.diagnostics if d.severity == "refusal"] == ["unsupported"]
    result = loaded(RELATED.format(value="{ get_attribute: [ SELF, laod ] }"), {"run.sh": "x"})
    assert [(d.code, d.suggestion) for d in result.diagnostics if d.severity == "error"] == [
        ("attribute-unknown", "did you mean 'load'?")
    ]


@pytest.mark.parametrize(
    ("arguments", "refusals"),
    [("note", 0), ("note, LOCAL_FILE", 0), ("note, LOCAL_FILE, false", 0), ("note, /opt/note.txt, true", 1)],
)
def test_an_artifact_is_put_where_the_engine_puts_it_and_nowhere_else(arguments, refusals, loaded):
    result = loaded(TEMPLATE.format(value=f"{{ get_artifact: [ engine, {arguments} ] }}"), FILES)
    assert result.topology.nodes["base"].operations[0].inputs["value"] == "files/note.txt"
    assert sum(d.severity == "refusal" for d in result.diagnostics) == refusals


def test_functions_of_2_0_are_plain_data_in_1_x(resolved):
    value = "{ a: $get_input, b: { $concat: [ x ] }, $c: d }"
    base = resolved(TEMPLATE.format(value=value), FILES).nodes["base"]
    assert base.operations[0].inputs["value"] == {"a": "$get_input", "b": {"$concat": ["x"]}, "$c": "d"}
