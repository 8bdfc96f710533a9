"""Functions of TOSCA 2.0 (chapter 10): syntax, built-in functions, paths through the graph."""

from __future__ import annotations

import itertools

import pytest

from isthmus.topology import NODE_INDEX, Call, Reference, Secret

TEMPLATE = """
    tosca_definitions_version: tosca_2_0
    data_types:
      Size:
        derived_from: scalar
        data_type: integer
        units: {{ B: 1, kB: 1000, MB: 1000000 }}
      Address:
        properties:
          host: {{ type: string }}
          ports: {{ type: list, entry_schema: integer }}
          note: {{ type: string, required: false }}
    artifact_types: {{ File: {{}} }}
    capability_types:
      Room:
        properties:
          size: {{ type: Size, default: 10 MB }}
          name: {{ type: string, default: room }}
        attributes:
          used: {{ type: Size }}
    relationship_types:
      Link:
        properties: {{ speed: {{ type: integer, default: 10 }} }}
        attributes: {{ load: {{ type: float }} }}
    node_types:
      Server:
        properties:
          name: {{ type: string, default: none }}
          size: {{ type: Size, default: 2 kB }}
          count: {{ type: integer, default: 3 }}
          ratio: {{ type: float, default: 0.5 }}
          ready: {{ type: boolean, default: true }}
          release: {{ type: version, default: 1.10.0 }}
          since: {{ type: timestamp, default: 2025-01-31T12:00:00Z }}
          tags: {{ type: list, entry_schema: string, default: [ a, b ] }}
          limits: {{ type: map, entry_schema: integer, default: {{ low: 1, high: 9 }} }}
          at: {{ type: Address, default: {{ host: here, ports: [ 80, 443 ] }} }}
          $$cost: {{ type: integer, default: 7 }}
        attributes:
          address: {{ type: string }}
          load: {{ type: float }}
        capabilities:
          room: {{ type: Room }}
      App:
        properties:
          value: {{ type: {type}, required: false }}
          name: {{ type: string, default: app }}
        capabilities:
          room: {{ type: Room }}
        requirements:
        - base: {{ capability: Room, relationship: Link, count_range: [ 0, UNBOUNDED ] }}
        - none: {{ capability: Room, relationship: Link, count_range: [ 0, 1 ] }}
    service_template:
      inputs:
        port: {{ type: integer, default: 80 }}
        word: {{ type: string, default: hello }}
        size: {{ type: Size, default: 3 kB }}
        names: {{ type: list, entry_schema: string, default: [ one, two ] }}
        at: {{ type: Address, default: {{ host: there, ports: [ 22 ] }} }}
      node_templates:
        first: {{ type: Server, properties: {{ name: first }} }}
        second: {{ type: Server, properties: {{ name: second, at: {{ host: h, ports: [ 1 ] }} }} }}
        many: {{ type: Server, count: 2, properties: {{ name: {{ $get_input: [ names, $node_index ] }} }} }}
        app:
          type: App
          artifacts: {{ note: {{ type: File, file: note.txt }} }}
          properties: {{ value: {value} }}
          requirements:
          - base: {{ node: first, relationship: {{ type: Link, properties: {{ speed: 20 }} }} }}
          - base: second
    """
FILES: dict[str, str | bytes] = {"note.txt": "hello"}


def value_of(loaded, call: str, kind: str = "Any"):
    result = loaded(TEMPLATE.format(value=call, type=kind), FILES)
    assert result.topology is not None, "\n".join(d.render() for d in result.diagnostics)
    return result.topology.nodes["app"].properties.get("value")


def wrong_in(loaded, call: str, kind: str = "string"):
    result = loaded(TEMPLATE.format(value=call, type=kind), FILES)
    return [(d.code, d.summary, d.suggestion) for d in result.diagnostics if d.severity == "error"]


FOLDED = [
    # syntax
    ("string", "$$word", "$word"),
    ("string", "'$$$word'", "$$word"),
    ("string", "get_input", "get_input"),
    ("{ type: map, entry_schema: string }", "{ $$a: $$b, c: d }", {"$a": "$b", "c": "d"}),
    ("{ type: map, entry_schema: string }", "{ get_input: word }", {"get_input": "word"}),
    ("{ type: map, entry_schema: string }", "{ '$concat: [ a, b ]': x, '$concat$1: [ c ]': y }", {"ab": "x", "c": "y"}),
    ("{ type: map, entry_schema: string }", "{ { $concat: [ a, { $get_input: word } ] }: x, k: y }", None),
    # inputs
    ("integer", "{ $get_input: port }", 80),
    ("integer", "{ $get_input: [ port ] }", 80),
    ("string", "{ $get_input: [ names, 1 ] }", "two"),
    ("integer", "{ $get_input: [ at, ports, 0 ] }", 22),
    # paths and properties
    ("string", "{ $get_property: [ SELF, name ] }", "app"),
    ("string", "{ $get_property: [ first, name ] }", "first"),
    ("string", "{ $get_property: [ first, 0, name ] }", "first"),
    ("integer", "{ $get_property: [ first, at, ports, 1 ] }", 443),
    ("string", "{ $get_property: [ first, at, note ] }", None),
    ("integer", "{ $get_property: [ first, $$cost ] }", 7),
    ("string", "{ $get_property: [ first, CAPABILITY, room, name ] }", "room"),
    ("integer", "{ $get_property: [ SELF, RELATIONSHIP, base, speed ] }", 20),
    ("integer", "{ $get_property: [ SELF, RELATIONSHIP, base, 1, speed ] }", 10),
    ("string", "{ $get_property: [ SELF, RELATIONSHIP, base, 1, TARGET, name ] }", "second"),
    ("string", "{ $get_property: [ SELF, RELATIONSHIP, base, CAPABILITY, name ] }", "room"),
    ("string", "{ $get_property: [ SELF, RELATIONSHIP, base, 1, SOURCE, name ] }", "app"),
    ("string", "{ $get_property: [ first, CAPABILITY, room, RELATIONSHIP, 0, SOURCE, name ] }", "app"),
    ("string", "{ $get_property: [ SELF, RELATIONSHIP, none, TARGET, name ] }", None),
    ("strings", "{ $get_property: [ SELF, RELATIONSHIP, base, ALL, TARGET, name ] }", ["first", "second"]),
    ("strings", "{ $get_property: [ SELF, RELATIONSHIP, none, ALL, TARGET, name ] }", []),
    ("strings", "{ $get_property: [ many, ALL, name ] }", ["one", "two"]),
    ("string", "{ $get_property: [ many, 1, name ] }", "two"),
    ("string", "{ $get_property: [ many, name ] }", "one"),
    ("string", "{ $get_artifact: [ SELF, note ] }", "note.txt"),
    ("integer", "$node_index", 0),
    ("Size", "{ $available_allocation: [ first, CAPABILITY, room, size ] }", "10 MB"),
    # boolean functions
    ("boolean", "{ $and: [ { $get_property: [ first, ready ] }, { $not: [ false ] } ] }", True),
    ("boolean", "{ $or: [ false, { $xor: [ true, true ] } ] }", False),
    ("boolean", "{ $and: [ false, { $equal: [ { $get_attribute: [ first, load ] }, 1.0 ] } ] }", False),
    ("boolean", "{ $equal: [ { $get_property: [ first, size ] }, 2000 B ] }", True),
    ("boolean", "{ $less_than: [ { $get_property: [ first, size ] }, { $get_input: size } ] }", True),
    ("boolean", "{ $greater_than: [ 1 MB, { $get_property: [ first, size ] } ] }", True),
    ("boolean", "{ $greater_than: [ { $get_property: [ first, release ] }, 1.9.0 ] }", True),
    ("boolean", "{ $equal: [ { $get_property: [ first, since ] }, 2025-01-31T13:00:00+01:00 ] }", True),
    ("boolean", "{ $greater_or_equal: [ { $get_property: [ first, count ] }, 2.5 ] }", True),
    ("boolean", "{ $valid_values: [ { $get_property: [ first, size ] }, [ 1 kB, 2000 B ] ] }", True),
    ("boolean", "{ $valid_values: [ x, { $get_input: names } ] }", False),
    ("boolean", "{ $matches: [ { $get_input: word }, 'l+' ] }", True),
    ("boolean", "{ $matches: [ { $get_input: word }, '^l+$' ] }", False),
    ("boolean", "{ $has_prefix: [ { $get_input: names }, [ one ] ] }", True),
    ("boolean", "{ $contains: [ hello, ell ] }", True),
    ("boolean", "{ $has_entry: [ { $get_property: [ first, limits ] }, 9 ] }", True),
    ("boolean", "{ $has_key: [ { $get_property: [ first, limits ] }, low ] }", True),
    ("boolean", "{ $has_all_keys: [ { $get_property: [ first, limits ] }, [ low, mid ] ] }", False),
    ("boolean", "{ $has_any_entry: [ { $get_input: names }, [ two, three ] ] }", True),
    # texts, lists, numbers
    ("integer", "{ $length: [ { $get_input: names } ] }", 2),
    ("integer", "{ $length: [ hello ] }", 5),
    ("string", "{ $concat: [ 'http://', '16.10', ':', { $get_input: word } ] }", "http://16.10:hello"),
    ("string", "{ $concat: [ $$a, b ] }", "$ab"),
    ("strings", "{ $concat: [ { $get_input: names }, [ three ] ] }", ["one", "two", "three"]),
    ("string", "{ $join: [ [ prefix, '1111', { $get_input: word } ], _ ] }", "prefix_1111_hello"),
    ("string", "{ $join: [ { $get_input: names } ] }", "onetwo"),
    ("string", "{ $token: [ 'a:b', ':', 1 ] }", "b"),
    ("strings", "{ $union: [ { $get_input: names }, [ two, three ] ] }", ["one", "two", "three"]),
    ("strings", "{ $intersection: [ { $get_input: names }, [ two, three ] ] }", ["two"]),
    ("integer", "{ $sum: [ { $get_input: port }, 1, 2 ] }", 83),
    ("float", "{ $sum: [ { $get_property: [ first, ratio ] }, 1 ] }", 1.5),
    ("Size", "{ $sum: [ { $get_property: [ first, size ] }, 1 MB ] }", "1002000 B"),
    ("Size", "{ $product: [ { $get_property: [ first, size ] }, 3 ] }", "6000 B"),
    ("integer", "{ $product: [ 2, 3, { $get_property: [ first, count ] } ] }", 18),
    ("float", "{ $quotient: [ 7, 2 ] }", 3.5),
    ("Size", "{ $quotient: [ { $get_property: [ first, size ] }, 2 ] }", "1000 B"),
    ("integer", "{ $remainder: [ 7, { $get_property: [ first, count ] } ] }", 1),
    ("integer", "{ $round: [ { $quotient: [ 7, 2 ] } ] }", 3),
    ("integer", "{ $ceil: [ { $difference: [ 1.5, 0.25 ] } ] }", 2),
    ("integer", "{ $floor: [ 1.5 ] }", 1),
]  # fmt: skip


def typed(kind: str) -> str:
    return "list, entry_schema: string" if kind == "strings" else kind.removeprefix("{ type: ").removesuffix(" }")


@pytest.mark.parametrize(("kind", "call", "result"), FOLDED, ids=[c for _, c, _ in FOLDED])
def test_what_is_known_is_worked_out(kind, call, result, loaded):
    if "k: y" in call:
        result = {"ahello": "x", "k": "y"}
    found = value_of(loaded, call, typed(kind))
    assert (found, type(found)) == (result, type(result))


LATER = [
    ("string", "{ $get_attribute: [ first, address ] }", Reference("first", "address")),
    ("string", "{ $get_attribute: [ many, 1, address ] }", Reference("many", "address", (1,))),
    (
        "float",
        "{ $get_attribute: [ SELF, RELATIONSHIP, base, 1, TARGET, load ] }",
        Reference("second", "load", own=True),
    ),
    ("Size", "{ $get_attribute: [ first, CAPABILITY, room, used ] }", Reference("first", "room", ("used",))),
    ("string", "{ $get_attribute: [ first, name ] }", "first"),
    (
        "strings",
        "{ $get_attribute: [ SELF, RELATIONSHIP, base, ALL, TARGET, address ] }",
        [Reference("first", "address", own=True), Reference("second", "address", own=True)],
    ),
    (
        "string",
        "{ $concat: [ 'http://', { $get_attribute: [ first, address ] } ] }",
        Call("concat", ("http://", Reference("first", "address"))),
    ),
    ("boolean", "{ $greater_than: [ { $get_attribute: [ first, load ] }, 1 ] }", Call(
        "greater_than", (Reference("first", "load"), 1)
    )),
    ("string", "{ $get_secret: admin }", Secret("admin")),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "call", "result"), LATER, ids=[c for _, c, _ in LATER])
def test_what_is_known_later_is_kept(kind, call, result, loaded):
    assert value_of(loaded, call, typed(kind)) == result


def test_an_attribute_with_a_unit_is_compared_by_its_unit_when_it_is_known(loaded):
    call = "{ $less_than: [ { $get_attribute: [ first, CAPABILITY, room, used ] }, 1 MB ] }"
    used = Reference("first", "room", ("used",))
    units = {"units": {"B": 1, "kB": 1000, "MB": 1000000}}
    assert value_of(loaded, call, "boolean") == Call("less_than", (Call("canonical", (used, units)), 1000000.0))


def test_the_index_of_one_of_several_nodes_is_known_to_each_of_them(loaded):
    topology = loaded(TEMPLATE.format(value="$$", type="string"), FILES).topology
    index = Reference("many", NODE_INDEX, own=True)
    assert topology.nodes["many"].properties["name"] == Call("part", (["one", "two"], index))


WRONG = [
    # syntax
    ("string", "{ $get_input: word, other: 1 }", "function-malformed", ""),
    ("string", "{ $get_imput: word }", "function-unknown", "did you mean 'get_input'?"),
    ("string", "{ get_input: word }", "value-type", ""),
    ("string", "$value", "function-arguments", ""),
    # arguments
    ("string", "{ $get_input: wort }", "input-unknown", "did you mean 'word'?"),
    ("string", "{ $get_input: [ at, hots ] }", "property-unknown", ""),
    ("string", "{ $get_input: [ names, 7 ] }", "function-arguments", ""),
    ("string", "{ $get_input: [] }", "function-arguments", ""),
    ("boolean", "{ $and: [ true ] }", "function-arguments", ""),
    ("boolean", "{ $not: [ true, false ] }", "function-arguments", ""),
    ("boolean", "{ $and: [ true, 1 ] }", "value-type", ""),
    ("boolean", "{ $equal: [ { $get_input: port }, abc ] }", "value-type", ""),
    ("boolean", "{ $equal: [ { $get_input: port }, { $get_input: word } ] }", "value-type", ""),
    ("boolean", "{ $equal: [ 1, abc ] }", "value-type", ""),
    ("boolean", "{ $less_than: [ { $get_input: names }, [ a ] ] }", "value-type", ""),
    ("boolean", "{ $less_than: [ { $get_input: size }, 3 apples ] }", "value-type", ""),
    ("boolean", "{ $less_than: [ { $get_attribute: [ first, load ] }, abc ] }", "value-type", ""),
    ("boolean", "{ $valid_values: [ { $get_input: port }, [ 1, two ] ] }", "value-type", ""),
    ("boolean", "{ $matches: [ { $get_input: word }, '(' ] }", "pattern", ""),
    ("boolean", "{ $matches: [ { $get_input: port }, a ] }", "value-type", ""),
    ("boolean", "{ $has_key: [ { $get_input: names }, a ] }", "value-type", ""),
    ("boolean", "{ $has_entry: [ abc, a ] }", "value-type", ""),
    ("integer", "{ $length: [ 5 ] }", "value-type", ""),
    ("integer", "{ $sum: [ 1, a ] }", "value-type", ""),
    ("integer", "{ $sum: [ { $get_input: port }, { $get_input: size } ] }", "value-type", ""),
    ("Size", "{ $product: [ { $get_input: size }, 2, 3 ] }", "function-arguments", ""),
    ("float", "{ $quotient: [ 1, 0 ] }", "function-arguments", ""),
    ("integer", "{ $remainder: [ { $get_property: [ first, ratio ] }, 2 ] }", "value-type", ""),
    ("string", "{ $token: [ a, ':', -1 ] }", "function-arguments", ""),
    ("string", "{ $concat: [ { $get_input: names }, a ] }", "value-type", ""),
    # what a call gives
    ("string", "{ $get_input: port }", "value-type", ""),
    ("integer", "{ $concat: [ a, b ] }", "value-type", ""),
    ("integer", "{ $get_attribute: [ first, address ] }", "value-type", ""),
    ("string", "{ $greater_than: [ 2, 1 ] }", "value-type", ""),
    # paths
    ("string", "{ $get_property: [ firs, name ] }", "target-unknown", "did you mean 'first'?"),
    ("string", "{ $get_property: [ first, nam ] }", "property-unknown", "did you mean 'name'?"),
    ("string", "{ $get_property: [ first, 3, name ] }", "function-arguments", ""),
    ("string", "{ $get_property: [ first ] }", "function-arguments", ""),
    ("string", "{ $get_property: [ first, CAPABILITY ] }", "function-arguments", ""),
    ("string", "{ $get_property: [ first, CAPABILITY, rom, name ] }", "capability-unknown", "did you mean 'room'?"),
    ("string", "{ $get_property: [ first, room, name ] }", "property-unknown", "write CAPABILITY, room"),
    ("string", "{ $get_property: [ SELF, RELATIONSHIP, bas, speed ] }", "requirement-unknown", "did you mean 'base'?"),
    ("string", "{ $get_property: [ SELF, RELATIONSHIP, base, 2, speed ] }", "function-arguments", ""),
    ("string", "{ $get_property: [ SELF, TARGET, name ] }", "function-arguments", ""),
    ("string", "{ $get_property: [ HOST, name ] }", "function-arguments", "write SELF, HOST"),
    ("string", "{ $get_attribute: [ first, adress ] }", "attribute-unknown", "did you mean 'address'?"),
    ("string", "{ $get_artifact: [ SELF, not ] }", "artifact-unknown", "did you mean 'note'?"),
    ("string", "{ $get_artifact: [ SELF, CAPABILITY, room, note ] }", "function-arguments", ""),
    ("Size", "{ $available_allocation: [ first, size ] }", "function-arguments", ""),
    ("string", "{ $available_allocation: [ first, CAPABILITY, room, name ] }", "value-type", ""),
    ("integer", "$relationship_index", "function-arguments", ""),
    ("integer", "{ $node_index: [ 1 ] }", "function-arguments", ""),
]


@pytest.mark.parametrize(("kind", "call", "code", "suggestion"), WRONG, ids=[c for _, c, _, _ in WRONG])
def test_a_call_that_makes_no_sense_is_told_once(kind, call, code, suggestion, loaded):
    found = wrong_in(loaded, call, typed(kind))
    assert [c for c, _, _ in found] == [code], found
    assert suggestion in found[0][2]


def test_a_wrong_step_is_told_where_it_stands(loaded):
    call = "{ $get_property: [ SELF, RELATIONSHIP, base, TARGET, CAPABILITY, rom, name ] }"
    result = loaded(TEMPLATE.format(value=call, type="string"), FILES)
    (found,) = [d for d in result.diagnostics if d.severity == "error"]
    assert found.excerpt.splitlines()[0][found.excerpt.splitlines()[1].index("^") :].startswith("rom")


def test_attributes_of_a_relationship_are_refused_not_wrong(loaded):
    call = "{ $get_attribute: [ SELF, RELATIONSHIP, base, load ] }"
    result = loaded(TEMPLATE.format(value=call, type="float"), FILES)
    assert result.topology is not None
    assert not result.deployable
    assert "attributes of a relationship" in next(d.summary for d in result.diagnostics if d.severity == "refusal")


def test_a_function_that_nobody_knows_is_left_to_other_processors(loaded):
    result = loaded(TEMPLATE.format(value="{ $weather: [ tomorrow ] }", type="string"), FILES)
    assert [d.code for d in result.diagnostics if d.severity != "warning"] == ["function-unknown"]
    assert result.topology.nodes["app"].properties["value"] == Call("custom:weather", ("tomorrow",))
    assert not result.deployable


@pytest.mark.parametrize("inner", ["{ $sum: [ %s, 1 ] }", "{ $concat: [ %s, x ] }", "{ $not: [ %s ] }"])
def test_functions_nested_beyond_reason_are_told_not_raised(inner, loaded):
    call = "1"
    for _ in range(40):
        call = inner % call
    assert loaded(TEMPLATE.format(value=call, type="string"), FILES).topology is None


def test_properties_that_ask_one_another_without_end_are_told(loaded):
    names = [f"p{i}" for i in range(200)]
    declared = ", ".join(f"{n}: {{ type: string }}" for n in names)
    asked = ", ".join(f"{a}: {{ $get_property: [ SELF, {b} ] }}" for a, b in itertools.pairwise(names))
    text = f"""
        tosca_definitions_version: tosca_2_0
        node_types: {{ N: {{ properties: {{ {declared} }} }} }}
        service_template: {{ node_templates: {{ n: {{ type: N, properties: {{ {asked}, p199: x }} }} }} }}
        """
    assert "value-depth" in {d.code for d in loaded(text).diagnostics}


def test_a_path_through_a_relationship_begins_with_that_relationship(resolved):
    nodes = resolved(
        """
        tosca_definitions_version: tosca_2_0
        capability_types: { Room: { properties: { name: { type: string, default: hall } } } }
        relationship_types:
          Link:
            properties:
              from: { type: string, default: { $get_property: [ SELF, SOURCE, name ] } }
              to: { type: string, default: { $get_property: [ SELF, TARGET, name ] } }
              room: { type: string, default: { $get_property: [ SELF, CAPABILITY, name ] } }
              index: { type: integer, default: $relationship_index }
        node_types:
          N:
            properties: { name: { type: string } }
            capabilities: { room: { type: Room } }
            requirements: [ link: { capability: Room, relationship: Link, count_range: [ 0, UNBOUNDED ] } ]
        service_template:
          node_templates:
            a: { type: N, properties: { name: A }, requirements: [ link: b, link: c ] }
            b: { type: N, properties: { name: B }, capabilities: { room: { properties: { name: attic } } } }
            c: { type: N, properties: { name: C }, capabilities: { room: { properties: { name: cellar } } } }
        """
    ).nodes
    assert [dict(r.properties) for r in nodes["a"].requirements] == [
        {"from": "A", "to": "B", "room": "attic", "index": 0},
        {"from": "A", "to": "C", "room": "cellar", "index": 1},
    ]


def test_what_is_left_of_a_capability_is_what_relationships_have_not_taken(resolved):
    text = """
        tosca_definitions_version: tosca_2_0
        data_types: { Size: { derived_from: scalar, data_type: integer, units: { B: 1, kB: 1000 } } }
        capability_types: { Room: { properties: { seats: { type: integer }, size: { type: Size } } } }
        relationship_types: { In: {} }
        node_types:
          Hall: { capabilities: { room: { type: Room } } }
          Guest: { requirements: [ room: { capability: Room, relationship: In } ] }
        service_template:
          node_templates:
            hall: { type: Hall, capabilities: { room: { properties: { seats: 10, size: 10 kB } } } }
            one: { type: Guest, requirements: [ room: { node: hall, allocation: { seats: 3, size: 4 kB } } ] }
            two: { type: Guest, requirements: [ room: { node: hall, allocation: { seats: 2, size: 500 B } } ] }
          outputs:
            seats: { value: { $available_allocation: [ hall, CAPABILITY, room, seats ] } }
            size: { value: { $available_allocation: [ hall, CAPABILITY, room, size ] } }
        """
    outputs = resolved(text).outputs
    assert (outputs["seats"].value, outputs["size"].value) == (5, "5500 B")
