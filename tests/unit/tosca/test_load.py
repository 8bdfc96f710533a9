"""A whole template becomes a topology: machines, software, values, operations."""

import hashlib

from isthmus.topology import ArtifactKind, NodeKind, Reference, Scaling, Stage

TWO_NODES = """
    description: One thing on each of two machines.
    metadata: { template_name: pair, template_version: 1.10 }
    topology_template:
      inputs:
        cpus: { type: integer, default: 2 }
      node_templates:
        head:
          type: tosca.nodes.Compute
          capabilities:
            host: { properties: { num_cpus: { get_input: cpus }, mem_size: 4 GiB } }
            os: { properties: { distribution: debian, version: 12 } }
        worker:
          type: Compute
          capabilities:
            scalable: { properties: { min_instances: 0, max_instances: 4, default_instances: 2 } }
        server:
          type: tosca.nodes.SoftwareComponent
          requirements: [ { host: head } ]
          interfaces:
            Standard:
              create: scripts/create.sh
              configure:
                implementation: play/configure.yml
                inputs:
                  own_address: { get_attribute: [ HOST, private_address ] }
                  workers: { get_attribute: [ worker, private_address ] }
        client:
          type: SoftwareComponent
          properties: { component_version: 1.2.3 }
          requirements:
            - host: worker
            - dependency: server
          interfaces:
            Standard:
              configure:
                implementation: scripts/create.sh
                inputs: { server: { get_attribute: [ head, private_address ] } }
      outputs:
        address: { value: { get_attribute: [ head, public_address ] }, description: Where it is. }
"""
FILES: dict[str, str | bytes] = {"scripts/create.sh": b"#!/bin/sh\n", "play/configure.yml": b"- hosts: all\n"}


def test_machines_software_and_edges_are_told_apart(resolved):
    topology = resolved(TWO_NODES, FILES)
    assert [(n.name, n.kind) for n in topology.nodes.values()] == [
        ("head", NodeKind.MACHINE),
        ("worker", NodeKind.MACHINE),
        ("server", NodeKind.SOFTWARE),
        ("client", NodeKind.SOFTWARE),
    ]
    assert topology.host_of("client") is topology.nodes["worker"]
    edges = [(r.name, r.target, r.relationship) for r in topology.nodes["client"].requirements]
    assert edges == [
        ("host", "worker", "tosca.relationships.HostedOn"),
        ("dependency", "server", "tosca.relationships.DependsOn"),
    ]


def test_short_type_names_become_full_with_all_ancestors(resolved):
    worker = resolved(TWO_NODES, FILES).nodes["worker"]
    assert worker.type == "tosca.nodes.Compute"
    assert worker.ancestors == ("tosca.nodes.Compute", "tosca.nodes.Abstract.Compute", "tosca.nodes.Root")


def test_capabilities_hold_assigned_values_and_defaults(resolved):
    head = resolved(TWO_NODES, FILES, cpus=3).nodes["head"]
    assert head.capabilities["host"] == {"num_cpus": 3, "mem_size": "4 GiB"}
    assert head.capabilities["os"] == {"distribution": "debian", "version": "12"}
    assert head.capabilities["endpoint"]["protocol"] == "tcp"


def test_machines_have_scaling_and_software_has_none(resolved):
    nodes = resolved(TWO_NODES, FILES).nodes
    assert nodes["head"].scaling == Scaling(1, 1, 1)
    assert nodes["worker"].scaling == Scaling(0, 4, 2)
    assert nodes["server"].scaling is None


def test_operations_stand_in_order_with_their_files_and_inputs(resolved):
    create, configure = resolved(TWO_NODES, FILES).nodes["server"].operations
    assert (create.name, create.stage, create.on) == ("Standard.create", Stage.CREATE, "server")
    assert create.implementation.path == "scripts/create.sh"
    assert create.implementation.kind is ArtifactKind.SCRIPT
    assert create.implementation.digest == hashlib.sha256(b"#!/bin/sh\n").hexdigest()
    assert configure.implementation.kind is ArtifactKind.ANSIBLE
    assert configure.inputs == {
        "own_address": Reference("head", "private_address", (), own=True),
        "workers": Reference("worker", "private_address", (), own=False),
    }


def test_outputs_description_and_metadata_are_kept(resolved):
    topology = resolved(TWO_NODES, FILES)
    assert topology.outputs["address"].value == Reference("head", "public_address")
    assert topology.outputs["address"].description == "Where it is."
    assert topology.description == "One thing on each of two machines."
    assert topology.metadata == {"template_name": "pair", "template_version": "1.10"}


def test_the_order_of_keys_and_inputs_given_does_not_change_values(resolved):
    assert resolved(TWO_NODES, FILES) == resolved(TWO_NODES, dict(reversed(FILES.items())))


def test_software_without_a_machine_is_abstract_and_its_idle_operations_are_told(loaded):
    result = loaded(
        """
        topology_template:
          node_templates:
            lonely:
              type: SoftwareComponent
              interfaces: { Standard: { create: run.sh } }
        """,
        {"run.sh": "x"},
    )
    assert result.topology.nodes["lonely"].kind is NodeKind.ABSTRACT
    assert [d.code for d in result.diagnostics] == ["requirement-unmet", "ignored"]


def test_volumes_and_networks_have_their_own_kinds(resolved):
    nodes = resolved(
        """
        topology_template:
          node_templates:
            machine:
              type: Compute
              requirements:
                - local_storage:
                    node: disk
                    relationship: { type: AttachesTo, properties: { location: /data } }
            disk: { type: tosca.nodes.BlockStorage, properties: { size: 0 GB } }
            net: { type: tosca.nodes.network.Network, properties: { cidr: 10.0.0.0/24 } }
            port: { type: Port, requirements: [ binding: machine, link: net ] }
        """
    ).nodes
    assert [n.kind.value for n in nodes.values()] == ["machine", "volume", "network", "abstract"]
    assert nodes["machine"].requirements[0].properties == {"location": "/data"}
    assert nodes["disk"].properties == {"size": "0 GB"}


def test_software_hosted_by_another_requirement_than_host_still_finds_its_machine(resolved):
    topology = resolved(
        """
        node_types:
          Chart:
            derived_from: tosca.nodes.Root
            requirements: [ cluster: { capability: Container, relationship: HostedOn } ]
        topology_template:
          node_templates:
            machine: { type: Compute }
            chart: { type: Chart, requirements: [ cluster: machine ] }
        """
    )
    assert topology.nodes["chart"].kind is NodeKind.SOFTWARE
    assert topology.host_of("chart").name == "machine"
