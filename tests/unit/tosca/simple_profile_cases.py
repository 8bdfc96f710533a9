"""Templates of TOSCA 1.3 by section of the grammar: one that is right, and such as are broken in one place.

Of each broken one the table tells the code of the first error, its place, and the name that is suggested.
"""
# ruff: noqa: E501, UP031 - templates are easier to compare when each is one line

from textwrap import dedent, indent

HEAD = "tosca_definitions_version: tosca_simple_yaml_1_3\n"


def inp(declaration):
    return f"topology_template:\n  inputs:\n    a: {declaration}\n"


def prop(declaration, value):
    types = f"node_types:\n  N:\n    derived_from: tosca.nodes.Root\n    properties:\n      p: {declaration}\n"
    return f"{types}topology_template:\n  node_templates:\n    n:\n      type: N\n      properties: {{ p: {value} }}\n"


def node(body, types=""):
    nodes = "topology_template:\n  node_templates:\n    m: { type: tosca.nodes.Compute }\n    n:\n"
    return types + nodes + indent(dedent(body).strip("\n"), "      ") + "\n"


def top(body, types=""):
    nodes = (
        "topology_template:\n  node_templates:\n    m: { type: tosca.nodes.Compute }\n"
        "    w: { type: tosca.nodes.WebServer, requirements: [ { host: m } ] }\n"
    )
    return types + nodes + indent(dedent(body).strip("\n"), "  ") + "\n"


def out(expr, types="", more=""):
    return (
        types
        + "topology_template:\n  inputs:\n    i: { type: string, default: x }\n    l: { type: list, entry_schema: string, default: [ a, b ] }\n"
        + more
        + "  node_templates:\n    m: { type: tosca.nodes.Compute, capabilities: { host: { properties: { num_cpus: 2 } } } }\n    w: { type: tosca.nodes.WebServer, requirements: [ { host: m } ], interfaces: { Standard: { create: a.sh } } }\n  outputs:\n    o: { value: %s }\n"
        % expr
    )


X = {
    "t.yaml": "tosca_definitions_version: tosca_simple_yaml_1_3\nnode_types: { my.N: { derived_from: tosca.nodes.Root } }\n"
}
use = "topology_template:\n  node_templates:\n    n: { type: my.N }\n"
pre = "topology_template:\n  node_templates:\n    n: { type: 'p:my.N' }\n"
tr = "policies: [ { p: { type: tosca.policies.Scaling, targets: [ w ], triggers: { t: %s } } } ]"
wf = "workflows: { d: { steps: { a: %s, b: { target: m, activities: [ { set_state: started } ] } } } }"
SW = "type: tosca.nodes.SoftwareComponent\nrequirements: [ { host: m } ]\n"


def sw(x):
    return node(SW + x)


IT = "interface_types:\n  I: { derived_from: tosca.interfaces.Root, %s }\nnode_types:\n  N: { derived_from: tosca.nodes.Root, interfaces: { i: { type: I } } }\n"
NT = "node_types:\n  N:\n    derived_from: tosca.nodes.Root\n"
DT = "data_types:\n  D: { derived_from: tosca.datatypes.Root, properties: { a: { type: integer } } }\n"
NF = "type: tosca.nodes.SoftwareComponent\nrequirements:\n  - host:\n      node: tosca.nodes.Compute\n      node_filter: %s"
RT = "relationship_templates: { r: %s }"
SM = "substitution_mappings: %s"
ST = "node_types:\n  S:\n    derived_from: tosca.nodes.Root\n    properties: { p: { type: string, required: false } }\n    capabilities: { c: tosca.capabilities.Container }\n    requirements: [ { r: { capability: tosca.capabilities.Container, occurrences: [ 0, 1 ] } } ]\n"

# fmt: off
CASES = [
    ('inputs', inp('{ type: string }'), [
        (inp('{ tipe: string }'), 'key-unknown', '4:10', 'type'),
        (inp('{ type: strin }'), 'type-unknown', '4:16', 'string'),
        (inp('string'), 'shape', '4:8', ''),
        (inp('[ string ]'), 'shape', '4:8', ''),
        (inp('{ type: string, defualt: x }'), 'key-unknown', '4:24', 'default'),
    ]),
    ('inputs section', 'topology_template:\n  inputs: {}\n', [
        ('topology_template:\n  inputs: [ a ]\n', 'shape', '3:11', ''),
        ('topology_template:\n  inputs: x\n', 'shape', '3:11', ''),
    ]),
    ('default', inp('{ type: integer, default: 3 }'), [
        (inp('{ type: integer, default: three }'), 'value-type', '4:34', ''),
        (inp('{ type: boolean, default: maybe }'), 'value-type', '4:34', ''),
        (inp('{ type: list, entry_schema: integer, default: [ 1, x ] }'), 'value-type', '4:59', ''),
        (inp('{ type: map, entry_schema: integer, default: { a: x } }'), 'value-type', '4:58', ''),
        (inp('{ type: float, default: 1.2.3 }'), 'value-type', '4:32', ''),
    ]),
    ('required', inp('{ type: integer, required: false }'), [
        (inp('{ type: integer, required: maybe }'), 'value-type', '4:35', ''),
        (inp('{ type: integer, required: [ true ] }'), 'value-type', '4:35', ''),
        (inp('{ type: integer, required: {} }'), 'value-type', '4:35', ''),
    ]),
    ('status', inp('{ type: integer, status: experimental }'), [
        (inp('{ type: integer, status: wild }'), 'value-type', '4:33', ''),
    ]),
    ('description', inp('{ type: integer, description: hi }'), [
        (inp('{ type: integer, description: [ hi ] }'), 'shape', '4:38', ''),
        (inp('{ type: integer, description: { a: hi } }'), 'shape', '4:38', ''),
    ]),
    ('entry_schema', inp('{ type: list, entry_schema: { type: string } }'), [
        (inp('{ type: list, entry_schema: { type: strng } }'), 'type-unknown', '4:44', 'string'),
        (inp('{ type: list, entry_schema: [ string ] }'), 'type-unknown', '4:36', ''),
        (inp('{ type: list, entry_schema: { tipe: string } }'), 'key-unknown', '4:38', 'type'),
        (inp('{ type: string, entry_schema: string }'), 'shape', '4:38', ''),
    ]),
    ('key_schema', inp('{ type: map, key_schema: { type: string }, entry_schema: string }'), [
        (inp('{ type: map, key_schema: { type: strng }, entry_schema: string }'), 'type-unknown', '4:41', 'string'),
        (inp('{ type: map, key_schema: { type: string, constraints: [ { max_length: 1 } ] }, entry_schema: string, default: { ab: x } }'), 'constraint', '4:120', ''),
        (inp('{ type: list, key_schema: string }'), 'shape', '4:34', ''),
    ]),
    ('equal', inp('{ type: integer, constraints: [ { equal: 2 } ], default: 2 }'), [
        (inp('{ type: integer, constraints: [ { equal: 2 } ], default: 3 }'), 'constraint', '4:65', ''),
        (inp('{ type: integer, constraints: [ { equal: x } ] }'), 'constraint-bad', '4:49', ''),
        (inp('{ type: integer, constraints: [ { eqaul: 2 } ] }'), 'constraint-bad', '4:49', 'equal'),
    ]),
    ('greater_than', inp('{ type: integer, constraints: [ { greater_than: 2 } ], default: 3 }'), [
        (inp('{ type: integer, constraints: [ { greater_than: 2 } ], default: 2 }'), 'constraint', '4:72', ''),
        (inp('{ type: integer, constraints: [ { greater_than: [ 1 ] } ] }'), 'constraint-bad', '4:56', ''),
        (inp('{ type: boolean, constraints: [ { greater_than: true } ] }'), 'constraint-bad', '4:56', ''),
        (inp('{ type: list, constraints: [ { greater_than: 1 } ] }'), 'constraint-bad', '4:53', ''),
    ]),
    ('greater_or_equal', inp('{ type: integer, constraints: [ { greater_or_equal: 2 } ], default: 2 }'), [
        (inp('{ type: integer, constraints: [ { greater_or_equal: 2 } ], default: 1 }'), 'constraint', '4:76', ''),
        (inp('{ type: float, constraints: [ { greater_or_equal: x } ] }'), 'constraint-bad', '4:58', ''),
    ]),
    ('less_than', inp('{ type: float, constraints: [ { less_than: 2 } ], default: 1.5 }'), [
        (inp('{ type: float, constraints: [ { less_than: 2 } ], default: 2 }'), 'constraint', '4:67', ''),
        (inp('{ type: map, constraints: [ { less_than: 2 } ] }'), 'constraint-bad', '4:49', ''),
    ]),
    ('less_or_equal', inp('{ type: integer, constraints: [ { less_or_equal: 2 } ], default: 2 }'), [
        (inp('{ type: integer, constraints: [ { less_or_equal: 2 } ], default: 3 }'), 'constraint', '4:73', ''),
        (inp('{ type: timestamp, constraints: [ { less_or_equal: yesterday } ] }'), 'constraint-bad', '4:59', ''),
    ]),
    ('in_range', inp('{ type: integer, constraints: [ { in_range: [ 1, 4 ] } ], default: 2 }'), [
        (inp('{ type: integer, constraints: [ { in_range: [ 1, 4 ] } ], default: 5 }'), 'constraint', '4:75', ''),
        (inp('{ type: integer, constraints: [ { in_range: [ 4, 1 ] } ] }'), 'constraint-bad', '4:52', ''),
        (inp('{ type: integer, constraints: [ { in_range: [ 4 ] } ] }'), 'constraint-bad', '4:52', ''),
        (inp('{ type: integer, constraints: [ { in_range: 4 } ] }'), 'constraint-bad', '4:52', ''),
        (inp('{ type: integer, constraints: [ { in_range: [ a, 4 ] } ] }'), 'constraint-bad', '4:52', ''),
    ]),
    ('in_range unbounded', inp('{ type: integer, constraints: [ { in_range: [ 1, UNBOUNDED ] } ], default: 2 }'), [
        (inp('{ type: integer, constraints: [ { in_range: [ 1, UNBOUND ] } ] }'), 'constraint-bad', '4:52', ''),
        (inp('{ type: integer, constraints: [ { in_range: [ 3, UNBOUNDED ] } ], default: 2 }'), 'constraint', '4:83', ''),
    ]),
    ('valid_values', inp('{ type: string, constraints: [ { valid_values: [ a, b ] } ], default: a }'), [
        (inp('{ type: string, constraints: [ { valid_values: [ a, b ] } ], default: c }'), 'constraint', '4:78', ''),
        (inp('{ type: string, constraints: [ { valid_values: a } ] }'), 'constraint-bad', '4:55', ''),
        (inp('{ type: integer, constraints: [ { valid_values: [ 1, x ] } ] }'), 'constraint-bad', '4:56', ''),
    ]),
    ('length', inp('{ type: string, constraints: [ { length: 3 } ], default: abc }'), [
        (inp('{ type: string, constraints: [ { length: 3 } ], default: ab }'), 'constraint', '4:65', ''),
        (inp('{ type: string, constraints: [ { length: x } ] }'), 'constraint-bad', '4:49', ''),
        (inp('{ type: string, constraints: [ { length: -1 } ] }'), 'constraint-bad', '4:49', ''),
        (inp('{ type: integer, constraints: [ { length: 1 } ] }'), 'constraint-bad', '4:50', ''),
    ]),
    ('min_length', inp('{ type: list, entry_schema: string, constraints: [ { min_length: 1 } ], default: [ a ] }'), [
        (inp('{ type: list, entry_schema: string, constraints: [ { min_length: 1 } ], default: [] }'), 'constraint', '4:89', ''),
        (inp('{ type: string, constraints: [ { min_length: [ 1 ] } ] }'), 'constraint-bad', '4:53', ''),
        (inp('{ type: boolean, constraints: [ { min_length: 1 } ] }'), 'constraint-bad', '4:54', ''),
    ]),
    ('max_length', inp('{ type: map, entry_schema: string, constraints: [ { max_length: 1 } ], default: { a: b } }'), [
        (inp('{ type: map, entry_schema: string, constraints: [ { max_length: 1 } ], default: { a: b, c: d } }'), 'constraint', '4:88', ''),
        (inp('{ type: string, constraints: [ { max_lenght: 1 } ] }'), 'constraint-bad', '4:53', 'max_length'),
    ]),
    ('pattern', inp('{ type: string, constraints: [ { pattern: "[a-z]+" } ], default: a }'), [
        (inp('{ type: string, constraints: [ { pattern: "[a-z]+" } ], default: A }'), 'constraint', '4:73', ''),
        (inp('{ type: string, constraints: [ { pattern: "[a-z" } ] }'), 'pattern', '4:50', ''),
        (inp('{ type: string, constraints: [ { pattern: [ a ] } ] }'), 'constraint-bad', '4:50', ''),
        (inp('{ type: integer, constraints: [ { pattern: "[a-z" } ] }'), 'constraint-bad', '4:51', ''),
    ]),
    ('constraints', inp('{ type: string, constraints: [] }'), [
        (inp('{ type: string, constraints: { length: 3 } }'), 'shape', '4:37', ''),
        (inp('{ type: string, constraints: [ length ] }'), 'shape', '4:39', ''),
        (inp('{ type: string, constraints: [ [ length, 3 ] ] }'), 'shape', '4:39', ''),
        (inp('{ type: string, constraints: [ {} ] }'), 'shape', '4:39', ''),
    ]),
    ('size', inp('{ type: scalar-unit.size, default: 4 GB }'), [
        (inp('{ type: scalar-unit.size, default: 4 GBB }'), 'value-type', '4:43', ''),
        (inp('{ type: scalar-unit.size, default: GB }'), 'value-type', '4:43', ''),
        (inp('{ type: scalar-unit.size, default: -4 GB }'), 'value-type', '4:43', ''),
        (inp('{ type: scalar-unit.size, default: 4 s }'), 'value-type', '4:43', ''),
        (inp('{ type: scalar-unit.size, default: 4 }'), 'value-type', '4:43', ''),
    ]),
    ('time', inp('{ type: scalar-unit.time, default: 4 ms }'), [
        (inp('{ type: scalar-unit.time, default: 4 GB }'), 'value-type', '4:43', ''),
        (inp('{ type: scalar-unit.time, default: 4 weeks }'), 'value-type', '4:43', ''),
        (inp('{ type: scalar-unit.time, default: ms 4 }'), 'value-type', '4:43', ''),
    ]),
    ('frequency', inp('{ type: scalar-unit.frequency, default: 2.4 GHz }'), [
        (inp('{ type: scalar-unit.frequency, default: 2.4 Ghzz }'), 'value-type', '4:48', ''),
        (inp('{ type: scalar-unit.frequency, default: fast }'), 'value-type', '4:48', ''),
        (inp('{ type: scalar-unit.frequancy, default: 1 Hz }'), 'type-unknown', '4:16', 'scalar-unit.frequency'),
    ]),
    ('bitrate', inp('{ type: scalar-unit.bitrate, default: 10 Mbps }'), [
        (inp('{ type: scalar-unit.bitrate, default: 10 MB }'), 'value-type', '4:46', ''),
        (inp('{ type: scalar-unit.bitrate, default: 10 Mbpss }'), 'value-type', '4:46', ''),
        (inp('{ type: scalar-unit.bitrate, default: [ 10 Mbps ] }'), 'value-type', '4:46', ''),
    ]),
    ('version', inp('{ type: version, default: 1.2.3 }'), [
        (inp('{ type: version, default: v1 }'), 'value-type', '4:34', ''),
        (inp('{ type: version, default: one.two }'), 'value-type', '4:34', ''),
        (inp('{ type: version, default: 1.2.3.alpha-x }'), 'value-type', '4:34', ''),
    ]),
    ('range', inp('{ type: range, default: [ 1, 4 ] }'), [
        (inp('{ type: range, default: [ 4, 1 ] }'), 'value-type', '4:32', ''),
        (inp('{ type: range, default: 4 }'), 'value-type', '4:32', ''),
        (inp('{ type: range, default: [ 1, 2, 3 ] }'), 'value-type', '4:32', ''),
        (inp('{ type: range, default: [ a, b ] }'), 'value-type', '4:32', ''),
    ]),
    ('timestamp', inp('{ type: timestamp, default: 2001-12-14t21:59:43.10-05:00 }'), [
        (inp('{ type: timestamp, default: yesterday }'), 'value-type', '4:36', ''),
        (inp('{ type: timestamp, default: 2001-13-14 }'), 'value-type', '4:36', ''),
        (inp('{ type: timestamp, default: 2001-02-30 }'), 'value-type', '4:36', ''),
    ]),
    ('boolean', inp('{ type: boolean, default: true }'), [
        (inp('{ type: boolean, default: 2 }'), 'value-type', '4:34', ''),
        (inp('{ type: boolean, default: [ true ] }'), 'value-type', '4:34', ''),
        (inp('{ type: bool, default: true }'), 'type-unknown', '4:16', 'boolean'),
    ]),
    ('integer', inp('{ type: integer, default: -3 }'), [
        (inp('{ type: integer, default: 1.5 }'), 'value-type', '4:34', ''),
        (inp('{ type: integer, default: "x" }'), 'value-type', '4:34', ''),
        (inp('{ type: integer, default: { a: 1 } }'), 'value-type', '4:34', ''),
        (inp('{ type: integer, default: true }'), 'value-type', '4:34', ''),
    ]),
    ('string', inp('{ type: string, default: x }'), [
        (inp('{ type: string, default: [ x ] }'), 'value-type', '4:33', ''),
        (inp('{ type: string, default: { a: b } }'), 'value-type', '4:33', ''),
    ]),
    ('get_input', out('{ get_input: i }'), [
        (out('{ get_input: j }'), 'input-unknown', '10:30', ''),
        (out('{ get_input: [] }'), 'function-arguments', '10:17', ''),
        (out('{ get_input: { a: i } }'), 'function-arguments', '10:30', ''),
    ]),
    ('get_input nested', out('{ get_input: [ l, 0 ] }'), [
        (out('{ get_input: [ k, 0 ] }'), 'input-unknown', '10:30', ''),
        (out('{ get_input: [ l, 5 ] }'), 'function-arguments', '10:17', ''),
        (out('{ get_input: [ l, x ] }'), 'function-arguments', '10:30', ''),
        (out('{ get_input: [ i, x ] }'), 'function-arguments', '10:30', ''),
    ]),
    ('get_property', out('{ get_property: [ m, host, num_cpus ] }'), [
        (out('{ get_property: [ m, host, num_cpu ] }'), 'property-unknown', '10:17', 'num_cpus'),
        (out('{ get_property: [ mm, host, num_cpus ] }'), 'target-unknown', '10:35', ''),
        (out('{ get_property: [ m ] }'), 'function-arguments', '10:17', ''),
        (out('{ get_property: m }'), 'function-arguments', '10:17', ''),
        (out('{ get_property: [ m, hst, num_cpus ] }'), 'property-unknown', '10:17', 'host'),
        (out('{ get_property: [ SELF, num_cpus ] }'), 'function-arguments', '10:33', ''),
    ]),
    ('get_attribute', out('{ get_attribute: [ m, private_address ] }'), [
        (out('{ get_attribute: [ m, private_adress ] }'), 'attribute-unknown', '10:17', 'private_address'),
        (out('{ get_attribute: [ n, private_address ] }'), 'target-unknown', '10:36', ''),
        (out('{ get_attribute: m }'), 'function-arguments', '10:17', ''),
        (out('{ get_attribute: [ HOST, private_address ] }'), 'function-arguments', '10:34', ''),
    ]),
    ('get_operation_output', out('{ get_operation_output: [ w, Standard, create, url ] }'), [
        (out('{ get_operation_output: [ w, Standard, creat, url ] }'), 'operation-unknown', '10:41', 'create'),
        (out('{ get_operation_output: [ w, Standrd, create, url ] }'), 'operation-unknown', '10:41', 'Standard'),
        (out('{ get_operation_output: [ w, Standard, create ] }'), 'function-arguments', '10:17', ''),
        (out('{ get_operation_output: [ v, Standard, create, url ] }'), 'target-unknown', '10:43', ''),
    ]),
    ('get_nodes_of_type', out('{ get_nodes_of_type: tosca.nodes.Compute }'), [
        (out('{ get_nodes_of_type: [ a, b ] }'), 'function-arguments', '10:38', ''),
    ]),
    ('concat', out('{ concat: [ a, b ] }'), [
        (out('{ concat: [] }'), 'function-arguments', '10:17', ''),
        (out('{ concat: [ a, { get_input: zz } ] }'), 'input-unknown', '10:45', ''),
    ]),
    ('join', out('{ join: [ [ a, b ], "," ] }'), [
        (out('{ join: [ a, b ] }'), 'function-arguments', '10:17', ''),
        (out('{ join: [ [ a, b ], ",", x ] }'), 'function-arguments', '10:17', ''),
        (out('{ join: [] }'), 'function-arguments', '10:17', ''),
    ]),
    ('token', out('{ token: [ a-b, "-", 0 ] }'), [
        (out('{ token: [ a-b, "-" ] }'), 'function-arguments', '10:17', ''),
        (out('{ token: [ a-b, "-", x ] }'), 'function-arguments', '10:17', ''),
        (out('{ token: [ a-b, "-", -1 ] }'), 'function-arguments', '10:17', ''),
        (out('{ token: [ a-b, "-", 9 ] }'), 'function-arguments', '10:17', ''),
    ]),
    ('get_artifact', node('\ntype: tosca.nodes.SoftwareComponent\nrequirements: [ { host: m } ]\nartifacts: { f: { type: tosca.artifacts.File, file: a.sh } }\ninterfaces: { Standard: { create: { implementation: b.sh, inputs: { x: { get_artifact: [ SELF, f ] } } } } }\n'), [
        (node('\ntype: tosca.nodes.SoftwareComponent\nrequirements: [ { host: m } ]\nartifacts: { f: { type: tosca.artifacts.File, file: a.sh } }\ninterfaces: { Standard: { create: { implementation: b.sh, inputs: { x: { get_artifact: [ SELF, ff ] } } } } }\n'), 'artifact-unknown', '9:94', ''),
        (node('\ntype: tosca.nodes.SoftwareComponent\nrequirements: [ { host: m } ]\nartifacts: { f: { type: tosca.artifacts.Fil, file: a.sh } }\n'), 'type-unknown', '8:31', 'tosca.artifacts.File'),
        (node('\ntype: tosca.nodes.SoftwareComponent\nrequirements: [ { host: m } ]\nartifacts: { f: { type: tosca.artifacts.File } }\n'), 'key-missing', '8:23', ''),
        (node('\ntype: tosca.nodes.SoftwareComponent\nrequirements: [ { host: m } ]\nartifacts: { f: { file: a.sh, typ: tosca.artifacts.File } }\n'), 'key-unknown', '8:37', 'type'),
        (node('\ntype: tosca.nodes.SoftwareComponent\nrequirements: [ { host: m } ]\nartifacts: [ f ]\n'), 'shape', '8:20', ''),
        (node('\ntype: tosca.nodes.SoftwareComponent\nrequirements: [ { host: m } ]\nartifacts: { f: [ a.sh ] }\n'), 'shape', '8:23', ''),
    ]),
    ('outputs', out('x'), [
        ('topology_template:\n  outputs:\n    o: x\n', 'shape', '4:8', ''),
        ('topology_template:\n  outputs:\n    o: {}\n', 'key-missing', '4:8', ''),
        ('topology_template:\n  outputs:\n    o: { valeu: x }\n', 'key-unknown', '4:10', 'value'),
        ('topology_template:\n  outputs: [ o ]\n', 'shape', '3:12', ''),
        ('topology_template:\n  outputs:\n    o: { type: integer, value: x }\n', 'value-type', '4:32', ''),
        ('topology_template:\n  outputs:\n    o: { type: integr, value: 1 }\n', 'type-unknown', '4:16', 'integer'),
    ]),
    ('import single', ('imports: [ t.yaml ]\n' + use, X), [
        (('imports: [ u.yaml ]\n', X), 'file-missing', '2:12', 't.yaml'),
        (('imports: [ [ t.yaml ] ]\n', X), 'import', '2:12', ''),
        (('imports: [ ../t.yaml ]\n', X), 'import', '2:12', ''),
        (("imports: [ '' ]\n", X), 'import', '2:12', ''),
        (('imports: [ {} ]\n', X), 'import', '2:12', ''),
        (('imports: [ 3 ]\n', X), 'file-missing', '2:12', ''),
    ]),
    ('import long', ('imports: [ { file: t.yaml, namespace_prefix: p } ]\n' + pre, X), [
        (('imports: [ { file: t.yaml, namespace_prefx: p } ]\n', X), 'key-unknown', '2:28', 'namespace_prefix'),
        (('imports: [ { file: t.yaml, namespace_prefix: p } ]\n' + use, X), 'type-unknown', '5:16', ''),
        (('imports: [ { file: [ t.yaml ] } ]\n', X), 'import', '2:12', ''),
        (('imports: [ { namespace_prefix: p } ]\n', X), 'import', '2:12', ''),
        (('imports: [ { file: t.yaml, namespace_prefix: [ p ] } ]\n', X), 'shape', '2:46', ''),
    ]),
    ('import named', ('imports: [ { x: t.yaml } ]\n' + use, X), [
        (('imports: [ { x: u.yaml } ]\n', X), 'file-missing', '2:17', 't.yaml'),
        (('imports: [ { x: { file: u.yaml } } ]\n', X), 'file-missing', '2:25', 't.yaml'),
        (('imports: [ { x: [] } ]\n', X), 'import', '2:17', ''),
    ]),
    ('import repository', ('repositories: { r: sub/ }\nimports: [ { file: t.yaml, repository: r } ]\n' + use, {'sub/t.yaml': X['t.yaml']}), [
        (('repositories: { r: sub/ }\nimports: [ { file: t.yaml, repository: rr } ]\n', {'sub/t.yaml': X['t.yaml']}), 'import', '3:40', ''),
        (('repositories: { r: {} }\n', {}), 'key-missing', '2:20', ''),
        (('repositories: [ r ]\n', {}), 'shape', '2:15', ''),
        (('repositories: { r: { ulr: sub/ } }\n', {}), 'key-unknown', '2:22', ''),
        (('repositories: { r: { url: sub/, credential: x } }\n', {}), 'shape', '2:45', ''),
        (('repositories: { r: { url: [ sub/ ] } }\n', {}), 'shape', '2:27', ''),
    ]),
    ('import cycle', ('imports: [ t.yaml ]\n', {'t.yaml': 'tosca_definitions_version: tosca_simple_yaml_1_3\nimports: [ template.yaml ]\n'}), [
        (('imports: [ t.yaml ]\n', {'t.yaml': '[ a ]\n'}), 'shape', 't.yaml:1:1', ''),
        (('imports: [ t.yaml ]\n', {'t.yaml': 'tosca_definitions_version: tosca_simple_yaml_9_9\n'}), 'version', 't.yaml:1:28', 'tosca_simple_yaml_1_3'),
        (('imports: [ t.yaml ]\n', {'t.yaml': 'a: [\n'}), 'yaml-syntax', 't.yaml:2:1', ''),
        (('imports: [ t.yaml ]\n', {'t.yaml': 'tosca_definitions_version: tosca_2_0\n'}), 'version', 't.yaml:1:28', ''),
    ]),
    ('groups', top('groups: { g: { type: tosca.groups.Root, members: [ m, w ] } }'), [
        (top('groups: { g: { type: tosca.groups.Rot, members: [ m ] } }'), 'type-unknown', '6:24', 'tosca.groups.Root'),
        (top('groups: { g: { type: tosca.groups.Root, members: [ x ] } }'), 'target-unknown', '6:54', ''),
        (top('groups: { g: { members: [ m ] } }'), 'key-missing', '6:16', ''),
        (top('groups: [ g ]'), 'shape', '6:11', ''),
        (top('groups: { g: { type: tosca.groups.Root, member: [ m ] } }'), 'key-unknown', '6:43', 'members'),
        (top('groups: { g: { type: tosca.groups.Root, properties: { a: 1 } } }'), 'property-unknown', '6:57', ''),
        (top('groups: { g: { type: tosca.groups.Compute, members: [ w ] } }'), 'target-mismatch', '6:57', ''),
        (top('groups: { g: { type: tosca.groups.Root, members: { m: w } } }'), 'shape', '6:52', ''),
    ]),
    ('policies', top('policies: [ { p: { type: tosca.policies.Scaling, targets: [ m ] } } ]'), [
        (top('policies: [ { p: { type: tosca.policies.Scalin, targets: [ m ] } } ]'), 'type-unknown', '6:28', 'tosca.policies.Scaling'),
        (top('policies: [ { p: { type: tosca.policies.Scaling, targets: [ x ] } } ]'), 'target-unknown', '6:63', ''),
        (top('policies: [ { p: { targets: [ m ] } } ]'), 'key-missing', '6:20', ''),
        (top('policies: [ p ]'), 'shape', '6:15', ''),
        (top('policies: [ { p: { type: tosca.policies.Scaling, target: [ m ] } } ]'), 'key-unknown', '6:52', 'targets'),
        (top('policies: [ { p: { type: tosca.policies.Scaling, properties: { a: 1 } } } ]'), 'property-unknown', '6:66', ''),
        (top('policies: x'), 'shape', '6:13', ''),
    ]),
    ('triggers', top(tr % '{ event: x, action: [ { call_operation: Standard.start } ] }'), [
        (top(tr % '{ evnt: x, action: [ { call_operation: Standard.start } ] }'), 'key-unknown', '6:85', 'event'),
        (top(tr % '{ event: x, action: [ { call_operation: Standard.strt } ] }'), 'operation-unknown', '6:123', 'Standard.start'),
        (top(tr % '{ event: x, action: [ { cal_operation: Standard.start } ] }'), 'activity-unknown', '6:107', 'call_operation'),
        (top(tr % '{ event: x }'), 'key-missing', '6:83', ''),
        (top(tr % '{ action: [ { call_operation: Standard.start } ] }'), 'key-missing', '6:83', ''),
        (top(tr % '{ event: x, action: [ { inline: wf } ] }'), 'workflow-unknown', '6:115', ''),
        (top(tr % '[ x ]'), 'shape', '6:83', ''),
        (top(tr % '{ event: x, condition: { period: x }, action: [ { call_operation: Standard.start } ] }'), 'value-type', '6:116', ''),
        (top(tr % '{ event: x, condition: { evaluations: x }, action: [ { call_operation: Standard.start } ] }'), 'value-type', '6:121', ''),
        (top(tr % '{ event: x, target_filter: { node: zz }, action: [ { call_operation: Standard.start } ] }'), 'target-unknown', '6:118', ''),
        (top(tr % '{ event: x, target_filter: {}, action: [ { call_operation: Standard.start } ] }'), 'key-missing', '6:110', ''),
        (top(tr % '{ event: x, schedule: { start_time: soon }, action: [ { call_operation: Standard.start } ] }'), 'value-type', '6:119', ''),
    ]),
    ('workflows', top(wf % '{ target: w, activities: [ { call_operation: Standard.start } ], on_success: [ b ] }'), [
        (top(wf % '{ target: x, activities: [ { set_state: s } ] }'), 'target-unknown', '6:43', ''),
        (top(wf % '{ target: w, activities: [ { set_stat: s } ] }'), 'activity-unknown', '6:62', 'set_state'),
        (top(wf % '{ target: w, activities: [ { call_operation: Standard.strt } ] }'), 'operation-unknown', '6:78', 'Standard.start'),
        (top(wf % '{ target: w, activities: [ { set_state: s } ], on_success: [ c ] }'), 'step-unknown', '6:94', ''),
        (top(wf % '{ target: w }'), 'key-missing', '6:33', ''),
        (top(wf % '{ activities: [ { set_state: s } ] }'), 'key-missing', '6:33', ''),
        (top(wf % '{ target: w, activites: [ { set_state: s } ] }'), 'key-unknown', '6:46', 'activities'),
        (top(wf % '{ target: w, activities: [ { delegate: } ] }'), 'shape', '6:72', ''),
        (top(wf % '{ target: w, activities: { set_state: s } }'), 'shape', '6:58', ''),
        (top('workflows: [ d ]'), 'shape', '6:14', ''),
        (top('workflows: { d: { step: {} } }'), 'key-unknown', '6:21', 'steps'),
        (top('workflows: { d: { steps: [ a ] } }'), 'shape', '6:28', ''),
        (top(wf % '{ target: w, target_relationship: zz, activities: [ { set_state: s } ] }'), 'requirement-unknown', '6:67', ''),
        (top(wf % '{ target: w, filter: [ { stat: 1 } ], activities: [ { set_state: s } ] }'), 'shape', '6:64', ''),
    ]),
    ('interfaces short', sw('interfaces: { Standard: { create: a.sh } }'), [
        (sw('interfaces: { Standard: { creat: a.sh } }'), 'operation-unknown', '8:33', 'create'),
        (sw('interfaces: { Standar: { create: a.sh } }'), 'interface-unknown', '8:21', 'Standard'),
        (sw('interfaces: [ Standard ]'), 'shape', '8:19', ''),
        (sw('interfaces: { Standard: a.sh }'), 'shape', '8:31', ''),
        (sw('interfaces: { Standard: { create: [ a.sh ] } }'), 'shape', '8:41', ''),
    ]),
    ('interfaces long', sw('interfaces: { Standard: { create: { implementation: { primary: a.sh, dependencies: [ b.sh ] }, inputs: { x: 1 } } } }'), [
        (sw('interfaces: { Standard: { create: { implementaton: a.sh } } }'), 'key-unknown', '8:43', 'implementation'),
        (sw('interfaces: { Standard: { create: { implementation: { primry: a.sh } } } }'), 'key-unknown', '8:61', 'primary'),
        (sw('interfaces: { Standard: { create: { implementation: a.sh, inputs: [ x ] } } }'), 'shape', '8:73', ''),
        (sw('interfaces: { Standard: { create: { implementation: [ a.sh ] } } }'), 'shape', '8:59', ''),
        (sw('interfaces: { Standard: { create: { implementation: { primary: a.sh, timeout: soon } } } }'), 'value-type', '8:85', ''),
    ]),
    ('interfaces operations', sw('interfaces: { Standard: { operations: { create: a.sh } } }'), [
        (sw('interfaces: { Standard: { operations: { creat: a.sh } } }'), 'operation-unknown', '8:54', 'create'),
        (sw('interfaces: { Standard: { operation: { create: a.sh } } }'), 'operation-unknown', '8:33', ''),
        (sw('interfaces: { Standard: { operations: [ create ] } }'), 'shape', '8:45', ''),
        (sw('interfaces: { Standard: { inputs: [ x ], operations: { create: a.sh } } }'), 'shape', '8:41', ''),
        (sw('interfaces: { Standard: { type: tosca.interfaces.node.lifecycle.Standrd, operations: { create: a.sh } } }'), 'type-unknown', '8:39', 'tosca.interfaces.node.lifecycle.Standard'),
    ]),
    ('interface types', IT % 'operations: { go: { inputs: { x: { type: string } } } }' + 'topology_template:\n  node_templates:\n    n: { type: N, interfaces: { i: { operations: { go: { inputs: { x: y } } } } } }\n', [
        (IT % 'operations: { go: { inputs: { x: { type: strin } } } }', 'type-unknown', '3:86', 'string'),
        (IT % 'operation: { go: {} }', 'key-unknown', '3:58', ''),
        (IT % 'operations: [ go ]', 'shape', '3:57', ''),
        (IT % 'operations: { go: { input: {} } }', 'key-unknown', '3:65', 'inputs'),
        ('interface_types:\n  I: { derived_from: tosca.interfaces.Rot }\n', 'type-unknown', '3:22', 'tosca.interfaces.Root'),
        ('interface_types:\n  I: x\n', 'shape', '3:6', ''),
    ]),
    ('notifications', IT % 'notifications: { changed: {} }' + 'topology_template:\n  node_templates:\n    n: { type: N, interfaces: { i: { notifications: { changed: a.sh } } } }\n', [
        (IT % 'notifications: { changed: {} }' + 'topology_template:\n  node_templates:\n    n: { type: N, interfaces: { i: { notifications: { chnged: a.sh } } } }\n', 'notification-unknown', '8:63', 'changed'),
        (IT % 'notifications: [ x ]', 'shape', '3:60', ''),
        (IT % 'notifications: { changed: { implementaion: a.sh } }', 'key-unknown', '3:73', 'implementation'),
    ]),
    ('node template', node('type: tosca.nodes.Root'), [
        (node('typ: tosca.nodes.Root'), 'key-unknown', '6:7', 'type'),
        (node('type: tosca.nodes.Rot'), 'type-unknown', '6:13', 'tosca.nodes.Root'),
        (node('type: [ a ]'), 'type-unknown', '6:13', ''),
        (node('type: tosca.nodes.Root\nproperties: { a: 1 }'), 'property-unknown', '7:21', ''),
        (node('type: tosca.nodes.Root\nproperties: [ a ]'), 'shape', '7:19', ''),
        (node('type: tosca.nodes.Root\nattributes: { a: 1 }'), 'attribute-unknown', '7:21', ''),
        (node('type: tosca.nodes.Root\nmetadata: x'), 'shape', '7:17', ''),
        (node('type: tosca.nodes.Root\nmetadata: { a: [ b ] }'), 'shape', '7:22', ''),
        (node('type: tosca.nodes.Root\ndirectives: { a: b }'), 'shape', '7:19', ''),
        ('topology_template:\n  node_templates: [ n ]\n', 'shape', '3:19', ''),
        ('topology_template:\n  node_templates:\n    n: x\n', 'shape', '4:8', ''),
        ('topology_template:\n  node_template: {}\n', 'key-unknown', '3:3', 'node_templates'),
        ('toplogy_template: {}\n', 'key-unknown', '2:1', 'topology_template'),
    ]),
    ('requirements', sw(''), [
        (node('type: tosca.nodes.SoftwareComponent\nrequirements: { host: m }\n') if 0 else node('type: tosca.nodes.SoftwareComponent\nrequirements: [ { hst: m } ]'), 'requirement-unknown', '7:30', 'host'),
        (node('type: tosca.nodes.SoftwareComponent\nrequirements: [ { host: mm } ]'), 'target-unknown', '7:31', ''),
        (node('type: tosca.nodes.SoftwareComponent\nrequirements: [ host ]'), 'shape', '7:23', ''),
        (node('type: tosca.nodes.SoftwareComponent\nrequirements: [ { host: { nod: m } } ]'), 'key-unknown', '7:33', 'node'),
        (node('type: tosca.nodes.SoftwareComponent\nrequirements: [ { host: { node: m, capability: endpoint } } ]'), 'target-mismatch', '7:31', ''),
        (node('type: tosca.nodes.SoftwareComponent\nrequirements: [ { host: { node: m, relationship: tosca.relationships.HostdOn } } ]'), 'type-unknown', '7:56', 'tosca.relationships.HostedOn'),
        (node('type: tosca.nodes.SoftwareComponent\nrequirements: [ { host: n } ]'), 'target-mismatch', '7:31', ''),
        (node('type: tosca.nodes.WebApplication\nrequirements: [ { host: m } ]'), 'target-mismatch', '7:31', ''),
        (node('type: tosca.nodes.SoftwareComponent\nrequirements: [ { host: [ m ] } ]'), 'shape', '7:31', ''),
        (node('type: tosca.nodes.SoftwareComponent\nrequirements: [ { host: { node: m, capability: hst } } ]'), 'target-mismatch', '7:31', ''),
        (node('type: tosca.nodes.SoftwareComponent\nrequirements: [ { host: { node: m, relationship: { type: tosca.relationships.HostedOn, properties: { a: 1 } } } } ]'), 'property-unknown', '7:108', ''),
    ]),
    ('capabilities', node('type: tosca.nodes.Compute\ncapabilities: { host: { properties: { num_cpus: 2 } } }'), [
        (node('type: tosca.nodes.Compute\ncapabilities: { hst: { properties: { num_cpus: 2 } } }'), 'capability-unknown', '7:23', 'host'),
        (node('type: tosca.nodes.Compute\ncapabilities: { host: { properties: { num_cpu: 2 } } }'), 'property-unknown', '7:45', 'num_cpus'),
        (node('type: tosca.nodes.Compute\ncapabilities: { host: { propertis: { num_cpus: 2 } } }'), 'key-unknown', '7:31', 'properties'),
        (node('type: tosca.nodes.Compute\ncapabilities: { host: { properties: { num_cpus: 0 } } }'), 'constraint', '7:55', ''),
        (node('type: tosca.nodes.Compute\ncapabilities: { host: { properties: { num_cpus: two } } }'), 'value-type', '7:55', ''),
        (node('type: tosca.nodes.Compute\ncapabilities: { host: { properties: [ 1 ] } }'), 'shape', '7:43', ''),
        (node('type: tosca.nodes.Compute\ncapabilities: [ host ]'), 'shape', '7:21', ''),
        (node('type: tosca.nodes.Compute\ncapabilities: { host: 3 }'), 'shape', '7:29', ''),
        (node('type: tosca.nodes.Compute\ncapabilities: { endpoint: { properties: { secure: false } } }'), 'constraint', '7:57', ''),
        (node('type: tosca.nodes.Compute\ncapabilities: { scalable: { properties: { min_instances: 3, max_instances: 1, default_instances: 2 } } }'), 'scaling', '7:47', ''),
        (node('type: tosca.nodes.Compute\ncapabilities: { endpoint: { properties: { port: 70000 } } }'), 'constraint', '7:55', ''),
        (node('type: tosca.nodes.Compute\ncapabilities: { endpoint: { properties: { ports: {} } } }'), 'constraint', '7:56', ''),
    ]),
    ('occurrences', NT + '    requirements: [ { r: { capability: tosca.capabilities.Node, occurrences: [ 0, 2 ] } } ]\n', [
        (NT + '    requirements: [ { r: { capability: tosca.capabilities.Node, occurrences: [ 2, 1 ] } } ]\n', 'value-type', '5:78', ''),
        (NT + '    requirements: [ { r: { capability: tosca.capabilities.Node, occurrences: [ a, b ] } } ]\n', 'value-type', '5:78', ''),
        (NT + '    requirements: [ { r: { capability: tosca.capabilities.Node, occurrences: [ 1 ] } } ]\n', 'value-type', '5:78', ''),
        (NT + '    requirements: [ { r: { capability: tosca.capabilities.Node, occurrence: [ 0, 1 ] } } ]\n', 'key-unknown', '5:65', 'occurrences'),
        (NT + '    capabilities: { c: { type: tosca.capabilities.Node, occurrences: [ 3, 1 ] } }\n', 'value-type', '5:70', ''),
        (NT + '    capabilities: { c: { type: tosca.capabilities.Node, occurrences: x } }\n', 'value-type', '5:70', ''),
        (NT + '    requirements: [ { r: { capability: tosca.capabilities.Node, occurrences: [ -1, 1 ] } } ]\n', 'value-type', '5:78', ''),
    ]),
    ('node types', NT, [
        (NT + '    propertes: {}\n', 'key-unknown', '5:5', 'properties'),
        (NT + '    properties: { a: { type: strin } }\n', 'type-unknown', '5:30', 'string'),
        (NT + '    properties: [ a ]\n', 'shape', '5:17', ''),
        (NT + '    attributes: { a: strin }\n', 'shape', '5:22', ''),
        (NT + '    capabilities: { c: tosca.capabilities.Nod }\n', 'type-unknown', '5:24', 'tosca.capabilities.Node'),
        (NT + '    capabilities: { c: { typ: tosca.capabilities.Node } }\n', 'key-unknown', '5:26', 'type'),
        (NT + '    requirements: [ { r: { capabilty: x } } ]\n', 'key-unknown', '5:28', 'capability'),
        (NT + '    requirements: [ { r: { capability: tosca.capabilities.Node, node: tosca.nodes.Rot } } ]\n', 'type-unknown', '5:71', 'tosca.nodes.Root'),
        (NT + '    requirements: [ { r: { capability: tosca.capabilities.Node, relationship: tosca.relationships.DependOn } } ]\n', 'type-unknown', '5:79', 'tosca.relationships.DependsOn'),
        (NT + '    interfaces: { i: { type: tosca.interfaces.Rot } }\n', 'type-unknown', '5:30', 'tosca.interfaces.Root'),
        (NT + '    version: x y\n', 'shape', '5:14', ''),
        ('node_types: [ N ]\n', 'shape', '2:13', ''),
        ('node_types:\n  N: { derived_from: N }\n', 'type-cycle', '3:22', ''),
        ('node_types:\n  N: { derived_from: tosca.nodes.Rot }\n', 'type-unknown', '3:22', 'tosca.nodes.Root'),
        (NT + '    artifacts: { a: { file: a.sh, type: tosca.artifacts.Fil } }\n', 'type-unknown', '5:41', 'tosca.artifacts.File'),
        (NT + '    properties: { a: { type: string, default: [ x ] } }\n', 'value-type', '5:47', ''),
        ('node_types:\n  N: { derived_from: [ tosca.nodes.Root ] }\n', 'shape', '3:22', ''),
        ('node_types:\n  tosca.nodes.Compute: { derived_from: tosca.nodes.Root }\n', 'type-redefined', '3:3', ''),
        (NT + '    metadata: x\n', 'shape', '5:15', ''),
        (NT + '    capabilities: { c: { type: tosca.capabilities.Node, valid_source_types: [ tosca.nodes.Rot ] } }\n', 'type-unknown', '5:79', 'tosca.nodes.Root'),
        (NT + '    capabilities: { c: { type: tosca.capabilities.Node, properties: { a: { type: strin } } } }\n', 'type-unknown', '5:82', 'string'),
    ]),
    ('refinement', 'node_types:\n  A: { derived_from: tosca.nodes.Root, properties: { p: { type: string } } }\n  B: { derived_from: A, properties: { p: { type: string, default: x } } }\n', [
        ('node_types:\n  A: { derived_from: tosca.nodes.Root, properties: { p: { type: string } } }\n  B: { derived_from: A, properties: { p: { type: integer } } }\n', 'refinement', '4:42', ''),
        ('node_types:\n  A: { derived_from: tosca.nodes.Root, properties: { p: { type: string, constraints: [ { max_length: 2 } ] } } }\n  B: { derived_from: A, properties: { p: { default: abc } } }\n', 'constraint', '4:53', ''),
    ]),
    ('data types', DT + prop('{ type: D }', '{ a: 1 }'), [
        (DT + prop('{ type: D }', '{ b: 1 }'), 'property-unknown', '13:26', ''),
        (DT + prop('{ type: D }', '{ a: x }'), 'value-type', '13:29', ''),
        (DT + prop('{ type: D }', '{}'), 'property-missing', '13:24', ''),
        (DT + prop('{ type: D }', 'x'), 'value-type', '13:24', ''),
        (DT + prop('{ type: D }', '[ 1 ]'), 'value-type', '13:24', ''),
        ('data_types:\n  D: { derived_from: D }\n', 'type-cycle', '3:22', ''),
        ('data_types:\n  D: { derived_from: strin }\n', 'type-unknown', '3:22', 'string'),
        ('data_types:\n  D: { derived_from: string, constraints: [ { max_lengt: 1 } ] }\n', 'constraint-bad', '3:58', 'max_length'),
        ('data_types:\n  D: { derived_from: string, property: {} }\n', 'key-unknown', '3:30', 'properties'),
        ('data_types:\n  D: { properties: { a: string } }\n', 'shape', '3:25', ''),
        ('data_types:\n  D: x\n', 'shape', '3:6', ''),
    ]),
    ('node filter', node(NF % '{ capabilities: [ { host: { properties: [ { num_cpus: { greater_or_equal: 1 } } ] } } ] }').replace('m: { type: tosca.nodes.Compute }', 'm: { type: tosca.nodes.Compute, capabilities: { host: { properties: { num_cpus: 2 } } } }'), [
        (node(NF % '{ capabilites: [] }'), 'key-unknown', '10:28', 'capabilities'),
        (node(NF % '{ capabilities: [ { host: { properties: [ { num_cpus: { eqal: 1 } } ] } } ] }'), 'constraint-bad', '10:82', 'equal'),
        (node(NF % '{ capabilities: { host: {} } }'), 'shape', '10:42', ''),
        (node(NF % '[ x ]'), 'shape', '10:26', ''),
        (node(NF % '{ capabilities: [ { host: { propertes: [] } } ] }'), 'key-unknown', '10:54', 'properties'),
    ]),
    ('relationship templates', top(RT % '{ type: tosca.relationships.DependsOn }'), [
        (top(RT % '{ type: tosca.relationships.DependOn }'), 'type-unknown', '6:40', 'tosca.relationships.DependsOn'),
        (top(RT % '{}'), 'key-missing', '6:32', ''),
        (top(RT % '{ typ: tosca.relationships.DependsOn }'), 'key-unknown', '6:34', 'type'),
        (top(RT % 'x'), 'shape', '6:32', ''),
        (top(RT % '{ type: tosca.relationships.DependsOn, properties: { a: 1 } }'), 'property-unknown', '6:85', ''),
        (top(RT % '{ type: tosca.relationships.DependsOn, interfaces: { Configur: {} } }'), 'interface-unknown', '6:85', 'Configure'),
        (top(RT % '{ type: tosca.relationships.DependsOn, interfaces: { Configure: { pre_configure_sorce: a.sh } } }'), 'operation-unknown', '6:98', 'pre_configure_source'),
        (top(RT % '{ type: tosca.relationships.DependsOn, attributes: { a: 1 } }'), 'attribute-unknown', '6:85', ''),
        (top('relationship_templates: [ r ]'), 'shape', '6:27', ''),
        (top(RT % '{ copy: q }'), 'target-unknown', '6:40', ''),
        (top(RT % '{ type: tosca.relationships.AttachesTo, properties: { location: [ x ] } }'), 'value-type', '6:96', ''),
    ]),
    ('relationship types', 'relationship_types:\n  R: { derived_from: tosca.relationships.Root, valid_target_types: [ tosca.capabilities.Node ] }\n', [
        ('relationship_types:\n  R: { derived_from: tosca.relationships.Rot }\n', 'type-unknown', '3:22', 'tosca.relationships.Root'),
        ('relationship_types:\n  R: { derived_from: tosca.relationships.Root, valid_target_types: [ tosca.capabilities.Nod ] }\n', 'type-unknown', '3:70', 'tosca.capabilities.Node'),
        ('relationship_types:\n  R: { derived_from: tosca.relationships.Root, valid_target_type: [] }\n', 'key-unknown', '3:48', 'valid_target_types'),
        ('relationship_types:\n  R: { derived_from: tosca.relationships.Root, valid_target_types: { a: b } }\n', 'shape', '3:68', ''),
        ('relationship_types:\n  R: { derived_from: tosca.relationships.Root, properties: { a: { type: strin } } }\n', 'type-unknown', '3:73', 'string'),
    ]),
    ('capability types', 'capability_types:\n  X: { derived_from: tosca.capabilities.Root }\n', [
        ('capability_types:\n  X: { derived_from: tosca.capabilities.Ro }\n', 'type-unknown', '3:22', 'tosca.capabilities.Root'),
        ('capability_types:\n  X: { derived_fom: tosca.capabilities.Root }\n', 'key-unknown', '3:8', 'derived_from'),
        ('capability_types:\n  X: { derived_from: tosca.capabilities.Root, version: a b }\n', 'shape', '3:56', ''),
        ('capability_types:\n  X: [ a ]\n', 'shape', '3:6', ''),
        ('capability_types: [ X ]\n', 'shape', '2:19', ''),
        ('capability_types:\n  X: { derived_from: Y }\n  Y: { derived_from: X }\n', 'type-cycle', '3:3', ''),
        ('capability_types:\n  X: { derived_from: tosca.capabilities.Root, metadata: [ x ] }\n', 'shape', '3:57', ''),
        ('capability_types:\n  X: { derived_from: tosca.capabilities.Root, description: [ x ] }\n', 'shape', '3:60', ''),
    ]),
    ('artifact types', 'artifact_types:\n  X: { derived_from: tosca.artifacts.Root }\n', [
        ('artifact_types:\n  X: { derived_from: tosca.artifacts.Ro }\n', 'type-unknown', '3:22', 'tosca.artifacts.Root'),
        ('artifact_types:\n  X: { derived_fom: tosca.artifacts.Root }\n', 'key-unknown', '3:8', 'derived_from'),
        ('artifact_types:\n  X: { derived_from: tosca.artifacts.Root, version: a b }\n', 'shape', '3:53', ''),
        ('artifact_types:\n  X: [ a ]\n', 'shape', '3:6', ''),
        ('artifact_types: [ X ]\n', 'shape', '2:17', ''),
        ('artifact_types:\n  X: { derived_from: Y }\n  Y: { derived_from: X }\n', 'type-cycle', '3:3', ''),
        ('artifact_types:\n  X: { derived_from: tosca.artifacts.Root, metadata: [ x ] }\n', 'shape', '3:54', ''),
        ('artifact_types:\n  X: { derived_from: tosca.artifacts.Root, description: [ x ] }\n', 'shape', '3:57', ''),
    ]),
    ('group types', 'group_types:\n  X: { derived_from: tosca.groups.Root }\n', [
        ('group_types:\n  X: { derived_from: tosca.groups.Ro }\n', 'type-unknown', '3:22', 'tosca.groups.Root'),
        ('group_types:\n  X: { derived_fom: tosca.groups.Root }\n', 'key-unknown', '3:8', 'derived_from'),
        ('group_types:\n  X: { derived_from: tosca.groups.Root, version: a b }\n', 'shape', '3:50', ''),
        ('group_types:\n  X: [ a ]\n', 'shape', '3:6', ''),
        ('group_types: [ X ]\n', 'shape', '2:14', ''),
        ('group_types:\n  X: { derived_from: Y }\n  Y: { derived_from: X }\n', 'type-cycle', '3:3', ''),
        ('group_types:\n  X: { derived_from: tosca.groups.Root, metadata: [ x ] }\n', 'shape', '3:51', ''),
        ('group_types:\n  X: { derived_from: tosca.groups.Root, description: [ x ] }\n', 'shape', '3:54', ''),
    ]),
    ('policy types', 'policy_types:\n  X: { derived_from: tosca.policies.Root }\n', [
        ('policy_types:\n  X: { derived_from: tosca.policies.Ro }\n', 'type-unknown', '3:22', 'tosca.policies.Root'),
        ('policy_types:\n  X: { derived_fom: tosca.policies.Root }\n', 'key-unknown', '3:8', 'derived_from'),
        ('policy_types:\n  X: { derived_from: tosca.policies.Root, version: a b }\n', 'shape', '3:52', ''),
        ('policy_types:\n  X: [ a ]\n', 'shape', '3:6', ''),
        ('policy_types: [ X ]\n', 'shape', '2:15', ''),
        ('policy_types:\n  X: { derived_from: Y }\n  Y: { derived_from: X }\n', 'type-cycle', '3:3', ''),
        ('policy_types:\n  X: { derived_from: tosca.policies.Root, metadata: [ x ] }\n', 'shape', '3:53', ''),
        ('policy_types:\n  X: { derived_from: tosca.policies.Root, description: [ x ] }\n', 'shape', '3:56', ''),
    ]),
    ('interface types', 'interface_types:\n  X: { derived_from: tosca.interfaces.Root }\n', [
        ('interface_types:\n  X: { derived_from: tosca.interfaces.Ro }\n', 'type-unknown', '3:22', 'tosca.interfaces.Root'),
        ('interface_types:\n  X: { derived_fom: tosca.interfaces.Root }\n', 'key-unknown', '3:8', 'derived_from'),
        ('interface_types:\n  X: { derived_from: tosca.interfaces.Root, version: a b }\n', 'shape', '3:54', ''),
        ('interface_types:\n  X: [ a ]\n', 'shape', '3:6', ''),
        ('interface_types: [ X ]\n', 'shape', '2:18', ''),
        ('interface_types:\n  X: { derived_from: Y }\n  Y: { derived_from: X }\n', 'type-cycle', '3:3', ''),
        ('interface_types:\n  X: { derived_from: tosca.interfaces.Root, metadata: [ x ] }\n', 'shape', '3:55', ''),
        ('interface_types:\n  X: { derived_from: tosca.interfaces.Root, description: [ x ] }\n', 'shape', '3:58', ''),
    ]),
    ('artifact type', 'artifact_types:\n  X: { derived_from: tosca.artifacts.Root, mime_type: a/b, file_ext: [ a ] }\n', [
        ('artifact_types:\n  X: { derived_from: tosca.artifacts.Root, mime_typ: a/b }\n', 'key-unknown', '3:44', 'mime_type'),
        ('artifact_types:\n  X: { derived_from: tosca.artifacts.Root, file_ext: { a: b } }\n', 'shape', '3:54', ''),
        ('artifact_types:\n  X: { derived_from: tosca.artifacts.Root, mime_type: [ a ] }\n', 'shape', '3:55', ''),
    ]),
    ('group policy types', 'group_types:\n  G: { derived_from: tosca.groups.Root, members: [ tosca.nodes.Compute ] }\npolicy_types:\n  P: { derived_from: tosca.policies.Root, targets: [ tosca.nodes.Compute ] }\n', [
        ('group_types:\n  G: { derived_from: tosca.groups.Root, members: [ tosca.nodes.Compte ] }\n', 'type-unknown', '3:52', 'tosca.nodes.Compute'),
        ('policy_types:\n  P: { derived_from: tosca.policies.Root, targets: [ tosca.nodes.Compte ] }\n', 'type-unknown', '3:54', 'tosca.nodes.Compute'),
        ('policy_types:\n  P: { derived_from: tosca.policies.Root, triggers: [ t ] }\n', 'shape', '3:53', ''),
        ('policy_types:\n  P: { derived_from: tosca.policies.Root, targets: { a: b } }\n', 'shape', '3:52', ''),
        ('policy_types:\n  P: { derived_from: tosca.policies.Root, trigger: {} }\n', 'key-unknown', '3:43', 'triggers'),
        ('group_types:\n  G: { derived_from: tosca.groups.Root, members: { a: b } }\n', 'shape', '3:50', ''),
    ]),
    ('dsl_definitions', 'dsl_definitions:\n  x: &x { num_cpus: 2 }\n' + node('type: tosca.nodes.Compute\ncapabilities: { host: { properties: *x } }'), [
        ('dsl_definitions: [ x ]\n', 'shape', '2:18', ''),
        ('dsl_definitions:\n  x: &x { num_cpu: 2 }\n' + node('type: tosca.nodes.Compute\ncapabilities: { host: { properties: *x } }'), 'property-unknown', '3:11', 'num_cpus'),
        (node('type: tosca.nodes.Compute\ncapabilities: { host: { properties: *x } }'), 'yaml-alias', '7:43', ''),
        ('dsl_definitions: x\n', 'shape', '2:18', ''),
        ('dsl_definitons: {}\n', 'key-unknown', '2:1', 'dsl_definitions'),
    ]),
    ('top', 'description: x\nmetadata: { template_name: a, template_version: 1.0 }\n', [
        ('description: [ x ]\n', 'shape', '2:14', ''),
        ('metadata: [ x ]\n', 'shape', '2:11', ''),
        ('metadata: { a: { b: c } }\n', 'shape', '2:16', ''),
        ('metadat: { a: b }\n', 'key-unknown', '2:1', 'metadata'),
        ('service_template: {}\n', 'key-unknown', '2:1', ''),
        ('topology_template: [ x ]\n', 'shape', '2:20', ''),
        ('topology_template: x\n', 'shape', '2:20', ''),
        ('namespace: [ x ]\n', 'shape', '2:12', ''),
    ]),
    ('substitution', top(SM % '{ node_type: S, capabilities: { c: [ w, host ] } }', ST), [
        (top(SM % '{ node_type: T }', ST), 'type-unknown', '12:39', ''),
        (top(SM % '{ nod_type: S }', ST), 'key-unknown', '12:28', 'node_type'),
        (top(SM % '{ capabilities: {} }', ST), 'key-missing', '12:26', ''),
        (top(SM % '{ node_type: S, capabilities: { d: [ w, host ] } }', ST), 'substitution', '12:58', ''),
        (top(SM % '{ node_type: S, capabilities: { c: [ x, host ] } }', ST), 'substitution', '12:61', ''),
        (top(SM % '{ node_type: S, capabilities: { c: [ w, hst ] } }', ST), 'substitution', '12:61', 'host'),
        (top(SM % '{ node_type: S, capabilities: { c: w } }', ST), 'substitution', '12:61', ''),
        (top(SM % '{ node_type: S, requirements: { q: [ w, host ] } }', ST), 'substitution', '12:58', ''),
        (top(SM % '{ node_type: S, requirements: { r: [ w, hots ] } }', ST), 'substitution', '12:61', 'host'),
        (top(SM % '{ node_type: S, properties: { q: [ x ] } }', ST), 'substitution', '12:56', ''),
        (top(SM % '{ node_type: S, properties: { p: [ zz ] } }', ST), 'substitution', '12:59', ''),
        (top(SM % 'x', ST), 'shape', '12:3', ''),
        (top(SM % '{ node_type: S, interfaces: { Standrd: { create: wf } } }', ST), 'substitution', '12:56', 'Standard'),
        (top(SM % '{ node_type: S, interfaces: { Standard: { create: wf } } }', ST), 'substitution', '12:76', ''),
        (top(SM % '{ node_type: S, attributes: { q: [ w, state ] } }', ST), 'substitution', '12:56', ''),
    ]),
    ('leaks', node('type: tosca.nodes.Root'), [
        (inp('{ type: string, validation: { $greater_than: [ $value, 1 ] } }'), 'key-unknown', '4:24', ''),
        (node('type: tosca.nodes.Root\ncount: 2'), 'key-unknown', '7:7', ''),
        ('service_template: {}\n', 'key-unknown', '2:1', ''),
        ('profile: a.b\n', 'key-unknown', '2:1', ''),
        ('functions: {}\n', 'key-unknown', '2:1', ''),
        (inp('{ type: scalar }'), 'type-unknown', '4:16', ''),
        (inp('{ type: bytes }'), 'type-unknown', '4:16', ''),
        (inp('{ type: nil }'), 'type-unknown', '4:16', ''),
        ("imports: [ { profile: 'org.oasis-open.simple:2.0' } ]\n", 'key-unknown', '2:14', 'file'),
        ('imports: [ { url: t.yaml, namespace: x } ]\n', 'key-unknown', '2:14', ''),
        ('data_types:\n  D: { derived_from: float, units: { m: 1 } }\n', 'key-unknown', '3:29', ''),
        (node('type: tosca.nodes.SoftwareComponent\nrequirements: [ { host: { node: m, count: 1 } } ]'), 'key-unknown', '7:42', ''),
        (node('type: tosca.nodes.SoftwareComponent\nrequirements: [ { host: { node: m, allocation: {} } } ]'), 'key-unknown', '7:42', ''),
        (node('type: tosca.nodes.SoftwareComponent\nrequirements: [ { host: { node: m, optional: true } } ]'), 'key-unknown', '7:42', ''),
        (NT + '    requirements: [ { r: { capability: tosca.capabilities.Node, count_range: [ 0, 1 ] } } ]\n', 'key-unknown', '5:65', ''),
        ('capability_types:\n  C: { derived_from: tosca.capabilities.Root, valid_source_node_types: [ tosca.nodes.Root ] }\n', 'key-unknown', '3:47', 'valid_source_types'),
        ('relationship_types:\n  R: { derived_from: tosca.relationships.Root, valid_capability_types: [ tosca.capabilities.Node ] }\n', 'key-unknown', '3:48', ''),
        (node('type: tosca.nodes.SoftwareComponent\nrequirements: [ { host: [ m, 0 ] } ]'), 'shape', '7:31', ''),
        (inp('{ type: integer, default: { $get_input: b } }'), 'function-unknown', '4:36', 'get_input'),
        (prop('{ type: integer }', '{ $sum: [ 1, 2 ] }'), 'value-type', '11:24', ''),
        (prop('{ type: integer }', '{ $get_input: x }'), 'function-unknown', '11:26', 'get_input'),
    ]),
]
