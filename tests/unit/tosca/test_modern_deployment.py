"""Templates of TOSCA 2.0 that are deployed: the same operations as in TOSCA 1.3, and runs on the fake site."""

from __future__ import annotations

import asyncio
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from isthmus.api.auth import LOCAL
from isthmus.runtime import open_runtime
from isthmus.service import Source
from isthmus.settings import Settings, SiteSettings
from isthmus.sites.fake import World
from isthmus.sites.fake.records import Run
from isthmus.tosca import Bundle, Loaded, load

SCRIPTS = ("create.sh", "configure.sh", "start.sh", "delete.sh", "pre.sh", "lib.sh")
FILES = dict.fromkeys(SCRIPTS, b"#!/bin/sh\n")
SIMPLE_1_3 = """\
tosca_definitions_version: tosca_simple_yaml_1_3
relationship_types:
  Uses:
    derived_from: tosca.relationships.DependsOn
    properties: { weight: { type: integer, default: 3 } }
    interfaces:
      Configure:
        operations:
          pre_configure_source:
            implementation: pre.sh
            inputs:
              weight: { get_property: [ SELF, weight ] }
              peer: { get_attribute: [ TARGET, private_address ] }
node_types:
  App:
    derived_from: tosca.nodes.SoftwareComponent
    properties: { port: { type: string, default: "80" } }
    requirements: [ { peer: { capability: tosca.capabilities.Node, relationship: Uses, occurrences: [ 0, 1 ] } } ]
    artifacts: { starter: { file: start.sh, type: tosca.artifacts.Implementation.Bash } }
    interfaces:
      Standard:
        inputs: { everywhere: { type: string, default: all } }
        operations:
          create: create.sh
          start: starter
topology_template:
  inputs: { cpus: { type: integer, default: 2 } }
  node_templates:
    one:
      type: tosca.nodes.Compute
      capabilities:
        host: { properties: { num_cpus: { get_input: cpus }, mem_size: 2 GB } }
        os: { properties: { type: linux } }
    two: { type: tosca.nodes.Compute, capabilities: { host: { properties: { num_cpus: 1, mem_size: 1 GB } } } }
    app:
      type: App
      properties: { port: "8080" }
      requirements: [ { host: one }, { peer: { node: two, relationship: { type: Uses, properties: { weight: 7 } } } } ]
      interfaces:
        Standard:
          operations:
            configure:
              implementation: { primary: configure.sh, dependencies: [ lib.sh ], timeout: 60 }
              inputs:
                address: { get_attribute: [ two, private_address ] }
                port: { get_property: [ SELF, port ] }
                url:
                  concat:
                  - "http://"
                  - { get_attribute: [ HOST, private_address ] }
                  - ":"
                  - { get_property: [ SELF, port ] }
            delete: { implementation: { primary: { file: delete.sh, type: tosca.artifacts.Implementation.Bash } } }
  outputs:
    url:
      value:
        concat:
        - "http://"
        - { get_attribute: [ one, public_address ] }
        - ":"
        - { get_property: [ app, port ] }
"""
MODERN = """\
tosca_definitions_version: tosca_2_0
imports: [ { profile: "org.oasis-open.simple:2.0" } ]
relationship_types:
  Uses:
    derived_from: DependsOn
    properties: { weight: { type: integer, default: 3 } }
    interfaces:
      Configure:
        operations:
          pre_configure_source:
            implementation: pre.sh
            inputs:
              weight: { type: integer, value: { $get_property: [ SELF, weight ] } }
              peer: { $get_attribute: [ SELF, TARGET, private_address ] }
node_types:
  App:
    derived_from: SoftwareComponent
    properties: { port: { type: string, default: "80" } }
    requirements: [ { peer: { capability: Node, relationship: Uses, count_range: [ 0, 1 ] } } ]
    artifacts: { starter: { file: start.sh, type: Implementation.Bash } }
    interfaces:
      Standard:
        inputs: { everywhere: { type: string, default: all } }
        operations:
          create: create.sh
          start: starter
service_template:
  inputs: { cpus: { type: integer, default: 2 } }
  node_templates:
    one:
      type: Compute
      capabilities:
        host: { properties: { num_cpus: { $get_input: cpus }, mem_size: 2 GB } }
        os: { properties: { type: linux } }
    two: { type: Compute, capabilities: { host: { properties: { num_cpus: 1, mem_size: 1 GB } } } }
    app:
      type: App
      properties: { port: "8080" }
      requirements: [ { host: one }, { peer: { node: two, relationship: { type: Uses, properties: { weight: 7 } } } } ]
      interfaces:
        Standard:
          operations:
            configure:
              implementation: { primary: configure.sh, dependencies: [ lib.sh ], timeout: 60 }
              inputs:
                address: { $get_attribute: [ two, private_address ] }
                port: { $get_property: [ SELF, port ] }
                url:
                  $concat:
                  - "http://"
                  - { $get_attribute: [ SELF, RELATIONSHIP, host, TARGET, private_address ] }
                  - ":"
                  - { $get_property: [ SELF, port ] }
            delete: { implementation: { primary: { file: delete.sh, type: Implementation.Bash } } }
  outputs:
    url:
      value:
        $concat:
        - "http://"
        - { $get_attribute: [ one, public_address ] }
        - ":"
        - { $get_property: [ app, port ] }
"""


def loaded(text: str, **inputs: Any) -> Loaded:
    return load(Bundle("t.yaml", {"t.yaml": text.encode(), **FILES}), inputs)


# ---------------------------------------------------------------------------------------------
# the same topology


@pytest.mark.parametrize("text", [SIMPLE_1_3, MODERN], ids=["1.3", "2.0"])
def test_a_template_with_scripts_is_deployable(text: str) -> None:
    result = loaded(text)
    assert result.deployable, [d.render() for d in result.diagnostics]
    assert result.diagnostics == ()


@pytest.mark.parametrize("what", ["kind", "properties", "attributes", "operations", "scaling", "count"])
def test_both_versions_of_a_template_come_to_the_same(what: str) -> None:
    old, new = loaded(SIMPLE_1_3).topology, loaded(MODERN).topology
    assert old is not None
    assert new is not None
    assert {n: getattr(node, what) for n, node in new.nodes.items()} == {
        n: getattr(node, what) for n, node in old.nodes.items()
    }


def test_both_versions_of_a_template_relate_the_same_nodes_and_put_out_the_same() -> None:
    old, new = loaded(SIMPLE_1_3).topology, loaded(MODERN).topology
    assert old is not None
    assert new is not None
    for name, node in new.nodes.items():
        assert [(r.name, r.target, r.capability, r.properties) for r in node.requirements] == [
            (r.name, r.target, r.capability, r.properties) for r in old.nodes[name].requirements
        ]
    assert new.outputs == old.outputs
    assert new.nodes["one"].capabilities["host"] == old.nodes["one"].capabilities["host"]


MACHINE_AND_APP = """\
tosca_definitions_version: tosca_2_0
imports: [ { profile: "org.oasis-open.simple:2.0" } ]
service_template:
  node_templates:
    machine: { type: Compute }
    app:
      type: SoftwareComponent
      requirements: [ { host: machine } ]
      artifacts: { step: { type: Implementation.Bash, file: create.sh } }
      interfaces: { Standard: { operations: { create: %s } } }
"""


@pytest.mark.parametrize(
    "implementation",
    [
        "create.sh",
        "step",
        "{ implementation: create.sh }",
        "{ implementation: step }",
        "{ implementation: { primary: create.sh } }",
        "{ implementation: { primary: step } }",
        "{ implementation: { primary: { type: Implementation.Bash, file: create.sh } } }",
    ],
)
def test_an_implementation_is_told_in_every_way_of_the_standard(implementation: str) -> None:
    result = loaded(MACHINE_AND_APP % implementation)
    assert result.deployable, [d.render() for d in result.diagnostics]
    assert result.topology is not None
    (operation,) = result.topology.nodes["app"].operations
    assert (operation.name, operation.implementation.path) == ("Standard.create", "create.sh")


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("{ type: x }", {"type": "x"}),
        ("{ value: 3 }", {"value": 3}),
        ("{ description: d, default: 1 }", {"description": "d", "default": 1}),
        ("$$cash", "$cash"),
        ("[ 1, { $concat: [ a, b ] } ]", [1, "ab"]),
    ],
)
def test_what_a_template_gives_an_input_is_a_value_even_where_it_looks_like_a_definition(
    written: str, value: object
) -> None:
    result = loaded(MACHINE_AND_APP % f"{{ implementation: create.sh, inputs: {{ x: {written} }} }}")
    assert result.topology is not None, [d.render() for d in result.diagnostics]
    (operation,) = result.topology.nodes["app"].operations
    assert operation.inputs == {"x": value}


DERIVED = """\
tosca_definitions_version: tosca_2_0
imports: [ { profile: "org.oasis-open.simple:2.0" } ]
interface_types:
  Mine:
    derived_from: Lifecycle.Standard
    inputs: { mode: { type: string, default: fast } }
    operations: { create: { inputs: { level: { type: integer, default: 1 }, size: { type: integer } } } }
node_types:
  Parent:
    derived_from: SoftwareComponent
    interfaces:
      Standard:
        type: Mine
        operations: { create: { implementation: create.sh, inputs: { level: { default: 2 } } } }
  Child:
    derived_from: Parent
    interfaces: { Standard: { operations: { create: { inputs: { size: 5 } } } } }
service_template:
  node_templates:
    machine: { type: Compute }
    app: { type: Child, requirements: [ { host: machine } ], interfaces: { Standard: %s } }
"""


@pytest.mark.parametrize(
    ("written", "inputs"),
    [
        ("{}", {"mode": "fast", "level": 2, "size": 5}),
        ("{ inputs: { mode: slow } }", {"mode": "slow", "level": 2, "size": 5}),
        ("{ operations: { create: { inputs: { level: 7, mode: own } } } }", {"mode": "own", "level": 7, "size": 5}),
    ],
)
def test_refinements_of_an_input_go_on_from_what_is_inherited(written: str, inputs: dict[str, object]) -> None:
    result = loaded(DERIVED % written)
    assert result.topology is not None, [d.render() for d in result.diagnostics]
    (operation,) = result.topology.nodes["app"].operations
    assert operation.inputs == inputs


@pytest.mark.parametrize(
    ("code", "written"),
    [
        ("refinement", "{ operations: { create: { inputs: { size: 6 } } } }"),
        ("value-type", "{ operations: { create: { inputs: { level: x } } } }"),
        ("value-type", "{ operations: { create: { inputs: { mode: 5 } } } }"),
        ("key-unknown", "{ type: Mine }"),
    ],
)
def test_inputs_are_checked_by_all_that_is_inherited(code: str, written: str) -> None:
    assert code in [d.code for d in loaded(DERIVED % written).diagnostics if d.severity == "error"]


# ---------------------------------------------------------------------------------------------
# run on the fake site

PAIRS = """\
tosca_definitions_version: tosca_2_0
imports: [ { profile: "org.oasis-open.simple:2.0" } ]
service_template:
  inputs:
    names: { type: list, entry_schema: string, default: [ zero, one ] }
    many: { type: integer, default: 2 }
  node_templates:
    machine: { type: Compute, count: { $get_input: many } }
    app:
      type: SoftwareComponent
      count: { $get_input: many }
      requirements: [ { host: [ machine, $node_index ] } ]
      interfaces:
        Standard:
          operations:
            configure:
              implementation: configure.sh
              inputs:
                index: $node_index
                name: { $concat: [ "n-", { $get_input: [ names, $node_index ] } ] }
  outputs:
    addresses: { value: { $get_attribute: [ machine, ALL, private_address ] } }
    second: { value: { $get_attribute: [ machine, 1, private_address ] } }
"""


def digest_of(run: Run, **inputs: Any) -> str:
    """The mark by which the fake site tells with which inputs an operation ran."""
    about = {
        "ISTHMUS_DEPLOYMENT": run.ref.deployment,
        "ISTHMUS_NODE": "app",
        "ISTHMUS_INSTANCE": run.ref.host,
        "ISTHMUS_OPERATION": "Standard.configure",
    }
    env = {**{k: str(v) for k, v in inputs.items()}, **about}
    told = [sorted(env.items()), {**inputs, **{k.lower(): v for k, v in about.items()}}]
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


async def test_each_of_two_nodes_runs_with_its_own_index(tmp_path: Path) -> None:
    site = SiteSettings(name="fake", kind="fake", options={"world": str(tmp_path / "world.db")})
    source = Source(bundle=Bundle("t.yaml", {"t.yaml": PAIRS.encode(), **FILES}))
    async with open_runtime(Settings(home=tmp_path, sites=(site,), tick=0.1)) as runtime:
        await runtime.service.create(LOCAL, source, name="pairs", inputs={})
        async with asyncio.timeout(120):
            # what happens in the store rings no bell here
            while (await runtime.service.state(LOCAL, "pairs")).phase != "running":  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        view = await runtime.service.get(LOCAL, "pairs")
    world = World(tmp_path / "world.db")
    runs = {run.ref.index: run for run in world.runs() if run.label == "app.Standard.configure"}
    world.close()
    assert sorted(runs) == [0, 1]
    assert runs[0].digest == digest_of(runs[0], index=0, name="n-zero")
    assert runs[1].digest == digest_of(runs[1], index=1, name="n-one")
    assert len(view.outputs["addresses"]) == 2
    assert view.outputs["second"] == view.outputs["addresses"][1]
