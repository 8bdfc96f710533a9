"""Resolving and planning topologies of 10, 100 and 1,000 machines: pure work, no site and no database.

The baseline of each size is the smallest one in the same run: a ratio equal to that of the sizes is
linear, one above it grows faster than the topology. Reading the YAML alone is set beside resolving it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from itertools import pairwise

import yaml
from common import Progress, Report, best_of, parse_arguments

from isthmus import tosca
from isthmus.engine.baking import bake_keys
from isthmus.engine.plan import Plan
from isthmus.engine.planner import make_plan
from isthmus.engine.scope import Scope, run_with
from isthmus.engine.state import Desired, Done, Health, Key, Observed, Power, Resource, first_instances, machine_spec
from isthmus.portrait import draw
from isthmus.store.deployments import Deployment
from isthmus.store.resources import ResourceRow
from isthmus.topology import NodeKind, Topology

say = Progress()
HEAD = """\
tosca_definitions_version: tosca_simple_yaml_1_3
topology_template:
  node_templates:
"""
MACHINE = """\
    machine{n}:
      type: tosca.nodes.Compute
      capabilities:
        host: {{ properties: {{ num_cpus: 1, mem_size: 1 GiB }} }}
    app{n}:
      type: tosca.nodes.SoftwareComponent
      requirements: [ {{ host: machine{n} }}{needs} ]
      interfaces:
        Standard:
          create: install.sh
          configure:
            implementation: configure.sh
            inputs: {{ own: {{ get_attribute: [ machine{n}, private_address ] }}{asked} }}
          start: start.sh
          stop: stop.sh
"""
FLEET = """\
    front:
      type: tosca.nodes.Compute
    fleet:
      type: tosca.nodes.Compute
      capabilities:
        host: {{ properties: {{ num_cpus: 1, mem_size: 1 GiB }} }}
        scalable: {{ properties: {{ min_instances: 1, max_instances: {n}, default_instances: {n} }} }}
    manager:
      type: tosca.nodes.SoftwareComponent
      requirements: [ {{ host: front }} ]
      interfaces:
        Standard:
          create: install.sh
          configure:
            implementation: configure.sh
            inputs: {{ members: {{ get_attribute: [ fleet, private_address ] }} }}
          start: start.sh
    member:
      type: tosca.nodes.SoftwareComponent
      requirements: [ {{ host: fleet }} ]
      interfaces:
        Standard:
          create: install.sh
          configure:
            implementation: configure.sh
            inputs: {{ manager: {{ get_attribute: [ front, private_address ] }} }}
          start: start.sh
"""
FILES = {f"{name}.sh": b"#!/bin/sh\n" for name in ("install", "configure", "start", "stop")}


def alone(count: int) -> str:
    """So many machines, each a node of its own with software on it, none needing another."""
    return HEAD + "".join(MACHINE.format(n=n, needs="", asked="") for n in range(count))


def chained(count: int) -> str:
    """The same, where each software needs the one before and asks for its address."""
    parts = [MACHINE.format(n=0, needs="", asked="")]
    for n in range(1, count):
        asked = f", last: {{ get_attribute: [ machine{n - 1}, private_address ] }}"
        parts.append(MACHINE.format(n=n, needs=f", {{ dependency: app{n - 1} }}", asked=asked))
    return HEAD + "".join(parts)


def fleet(count: int) -> str:
    """One scaled node of so many instances, all of which a front end must know."""
    return HEAD + FLEET.format(n=count)


SHAPES: dict[str, Callable[[int], str]] = {"alone": alone, "chained": chained, "fleet": fleet}


def resolve(text: str) -> Topology:
    loaded = tosca.load(tosca.Bundle("t.yaml", {"t.yaml": text.encode(), **FILES}), {})
    if loaded.topology is None:
        raise SystemExit("\n".join(map(str, loaded.diagnostics)))
    return loaded.topology


def desire(topology: Topology) -> Desired:
    return Desired(topology, {name: tuple(indices) for name, indices in first_instances(topology).items()})


def converge(desired: Desired) -> Observed:
    """What would be observed of ``desired`` once all of it is there and has run."""
    topology = desired.topology
    up = {
        key: Resource(key, NodeKind.MACHINE, Health.RUNNING, {"private_address": f"10.0.0.{key.index}"},
                      machine_spec(topology, node))
        for node, key in desired.machines()
    }  # fmt: skip
    network = Key(".network")
    up[network] = Resource(network, NodeKind.NETWORK, Health.RUNNING)
    observed = Observed(up)
    ran: dict[Key, dict[tuple[str, str], Done]] = {key: {} for key in up}
    for node in topology.of_kind(NodeKind.SOFTWARE):
        host = topology.host_of(node.name)
        for key in desired.keys_of(host.name) if host else ():
            for operation in node.operations:
                if operation.stage.value not in ("stop", "delete"):
                    ran[key][node.name, operation.name] = run_with(operation, Scope(desired, observed, key))
    return Observed({k: Resource(k, r.kind, r.health, r.attributes, r.spec, ran[k]) for k, r in up.items()})


def rows_of(observed: Observed) -> list[ResourceRow]:
    return [ResourceRow("d", k.node, k.index, r.kind, "fake", str(k), r.health) for k, r in observed.resources.items()]


def picture(desired: Desired) -> Deployment:
    now = datetime.now(UTC).timestamp()
    return Deployment(
        id="d", name="d", owner="me", vo="vo", template="t", bundle="b", inputs={}, pinned_site=None, placement=None,
        instances={k: list(v) for k, v in desired.instances.items()}, power="running", version=1, converged_version=0,
        phase="deploying", reason="", outputs={}, cancelled=False, attempts=0, due=now, idempotency_key=None,
        request_digest=None, created=now, updated=now,
    )  # fmt: skip


def measure(shape: str, count: int, runs: int) -> dict[str, float]:
    """Seconds of each step for one topology."""
    text = SHAPES[shape](count)
    took: dict[str, float] = {}
    took["yaml"], _ = best_of(runs, lambda: yaml.load(text, yaml.CSafeLoader))
    took["resolve"], topology = best_of(runs, lambda: resolve(text))
    desired = desire(topology)
    images = {node.name: "image" for node in topology.of_kind(NodeKind.MACHINE)}
    took["image keys"], _ = best_of(runs, lambda: bake_keys(topology, images, "me"))
    took["plan from nothing"], plan = best_of(runs, lambda: make_plan(desired, Observed()))
    observed = converge(desired)
    took["plan when converged"], rest = best_of(runs, lambda: make_plan(desired, observed))
    check(plan, rest)
    gone = replace(desired, power=Power.ABSENT)
    took["plan the end"], _ = best_of(runs, lambda: make_plan(gone, observed))
    rows, row = rows_of(observed), picture(desired)
    took["view"], _ = best_of(runs, lambda: draw(row, topology, rows, {}))
    return took


def check(plan: Plan, rest: Plan) -> None:
    if not plan or rest:
        raise SystemExit(f"this is no plan: {plan.render()[:200]} / {rest.render()[:500]}")


def tell(report: Report, shape: str, found: dict[int, dict[str, float]]) -> None:
    for step in next(iter(found.values())):
        for before, size in pairwise(found):
            report.add(f"{shape} {size}: {step}", 1000 * found[size][step], "ms", 1000 * found[before][step],
                       f"{before} machines", f"{size / before:.0f}")  # fmt: skip
    for size, took in found.items():
        report.add(f"{shape} {size}: resolve", 1000 * took["resolve"], "ms", 1000 * took["yaml"], "libyaml alone")


def main() -> None:
    args = parse_arguments(__doc__ or "")
    sizes = (10, 100, 300) if args.quick else (10, 100, 1000)
    report = Report("plan")
    for shape in SHAPES:
        found = {}
        for size in sizes:
            say(f"{shape}, {size} machines")
            found[size] = measure(shape, size, 2 if args.quick else 3)
        tell(report, shape, found)
    report.note("the goal of a ratio is that of the sizes; a fleet's text does not grow, only its instances do")
    report.show(args.json)


if __name__ == "__main__":
    main()
