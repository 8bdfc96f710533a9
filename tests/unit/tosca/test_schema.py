"""JSON Schemas: of the JSON form of a topology, and of a template's inputs."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from isthmus import catalogue
from isthmus.tosca import Bundle, load
from isthmus.tosca.tools.input_schema import inputs_schema
from isthmus.tosca.tools.interchange import to_json
from isthmus.tosca.tools.schema import topology_schema

COPY = Path(__file__).parents[3] / "docs/schemas/topology-1.json"


def references(schema: Any) -> Iterator[str]:
    if isinstance(schema, dict):
        if isinstance(schema.get("$ref"), str):
            yield schema["$ref"]
        for inner in schema.values():
            yield from references(inner)
    elif isinstance(schema, list):
        for inner in schema:
            yield from references(inner)


def test_the_copy_in_the_documentation_is_the_schema() -> None:
    told = "write it anew: .venv/bin/python -m isthmus.tosca.tools.schema > docs/schemas/topology-1.json"
    assert json.loads(COPY.read_text()) == json.loads(json.dumps(topology_schema())), told


def test_every_reference_leads_to_a_definition() -> None:
    schema = topology_schema()
    assert {r.removeprefix("#/$defs/") for r in references(schema)} <= schema["$defs"].keys()
    assert schema["properties"]["isthmus"] == {"const": "topology/1"}
    assert schema["required"] == ["isthmus", "nodes"]


def test_the_schema_has_every_key_that_is_written() -> None:
    for name in catalogue.names():
        topology = load(catalogue.bundle(name)).topology
        assert topology is not None
        schema = topology_schema()
        written = to_json(topology)
        assert written.keys() <= schema["properties"].keys()
        node = schema["$defs"]["Node"]
        for found in written["nodes"].values():
            assert set(node["required"]) <= found.keys() <= node["properties"].keys()


TEXT = """
    description: A pool.
    metadata:
      template_name: pool
      tabs: { Front: [ cpus, password ] }
    data_types:
      Port:
        derived_from: integer
        constraints: [ in_range: [ 1, 65535 ] ]
      Rule:
        derived_from: tosca.datatypes.Root
        description: A way in.
        properties:
          port: { type: Port }
          from: { type: string, default: 0.0.0.0/0 }
          next: { type: Rule, required: false }
    topology_template:
      inputs:
        cpus: { type: integer, description: How many., constraints: [ valid_values: [ 1, 2 ] ] }
        name: { type: string, default: a, constraints: [ pattern: "[a-z]+", max_length: 9 ] }
        memory: { type: scalar-unit.size, default: 2 GB, constraints: [ greater_than: 1 GB ] }
        share: { type: float, required: false, constraints: [ greater_than: 0, less_or_equal: 1 ] }
        ports: { type: list, entry_schema: { type: Port }, constraints: [ min_length: 1 ] }
        rules: { type: map, entry_schema: { type: Rule } }
        between: { type: range, default: [ 1, UNBOUNDED ] }
        password: { type: isthmus.datatypes.Secret }
      node_templates: {}
    """


def schema_of(bundle: Bundle) -> dict[str, Any]:
    schema = inputs_schema(bundle)
    assert isinstance(schema, dict)
    return schema


def test_inputs_have_their_type_default_and_limits(bundle: Callable[..., Bundle]) -> None:
    schema = schema_of(bundle(TEXT))
    inputs = schema["properties"]
    assert inputs["cpus"] == {
        "description": "How many.", "type": "integer", "enum": [1, 2], "x-tosca": {"type": "integer", "tab": "Front"},
    }  # fmt: skip
    assert inputs["name"] == {
        "default": "a", "type": "string", "pattern": "^(?:[a-z]+)$", "maxLength": 9, "x-tosca": {"type": "string"},
    }  # fmt: skip
    assert (inputs["share"]["exclusiveMinimum"], inputs["share"]["maximum"]) == (0, 1)
    assert inputs["memory"]["x-tosca"]["constraints"] == [{"greater_than": "1 GB"}]
    assert re.search(inputs["memory"]["pattern"], "2 GB")
    assert inputs["ports"]["items"] == {"type": "integer", "minimum": 1, "maximum": 65535}
    assert inputs["ports"]["minItems"] == 1
    assert inputs["between"]["type"] == "array"
    assert schema["required"] == ["cpus", "ports", "rules"]
    assert schema["additionalProperties"] is False
    assert schema["x-tosca"] == {"tabs": ["Front"]}


def test_a_data_type_is_a_definition_that_may_hold_its_like(bundle: Callable[..., Bundle]) -> None:
    schema = schema_of(bundle(TEXT))
    assert schema["properties"]["rules"]["additionalProperties"] == {"$ref": "#/$defs/Rule"}
    rule = schema["$defs"]["Rule"]
    assert rule["description"] == "A way in."
    assert rule["required"] == ["port"]
    assert rule["properties"]["next"]["$ref"] == "#/$defs/Rule"


def test_a_secret_is_written_only_and_never_required(bundle: Callable[..., Bundle]) -> None:
    password = schema_of(bundle(TEXT))["properties"]["password"]
    assert password["writeOnly"] is True
    assert password["format"] == "password"
    assert "default" not in password


def test_a_template_that_cannot_be_read_gives_diagnostics(bundle: Callable[..., Bundle]) -> None:
    found = inputs_schema(bundle("topology_template: { inputs: { x: { type: strng } } }\n"))
    assert not isinstance(found, dict)
    assert [d.code for d in found] == ["type-unknown"]


def test_the_catalogue_can_be_asked_for_by_forms() -> None:
    for name in catalogue.names():
        json.dumps(schema_of(catalogue.bundle(name)), allow_nan=False)
