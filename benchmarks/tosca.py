"""Reading TOSCA: from text to a resolved topology with all positions, in time and memory, beside other readers.

The baselines of the same run are libyaml alone, as `yaml.CSafeLoader` makes plain values of it and as events
that nobody keeps, and tosca-parser from PyPI in an environment of its own. The garbage collector runs as it
does for a user. The public templates are those of `../shared/corpora/tosca`, where they are at hand.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import yaml
from _tosca_parser import parse_all
from common import ISTHMUS, PYTHON, ROOT, Progress, Report, best_of, parse_arguments, percentile, run

from isthmus.tosca import Bundle, BundleError, Severity, load

say = Progress()
MANIFEST = ROOT.parent / "shared/corpora/tosca/manifest.json"
FILES = {"install.sh": b"", "start.sh": b""}
SIMPLE = "tosca_definitions_version: tosca_simple_yaml_1_3\ntopology_template:\n"
MODERN = (
    "tosca_definitions_version: tosca_2_0\nimports: [ { profile: 'org.oasis-open.simple:2.0' } ]\nservice_template:\n"
)
MACHINE = """\
    machine{n}:
      type: {compute}
      capabilities:
        host:
          properties: {{ num_cpus: 2, mem_size: 4 GB, disk_size: 20 GB }}
"""
SOFTWARE = """\
    software{n}:
      type: {software}
      properties: {{ component_version: 1.2.3 }}
      requirements: [ {{ host: machine{n} }}{needs} ]
      interfaces:
        Standard:
{operations}
"""
OPERATIONS = """\
{pad}create: install.sh
{pad}start:
{pad}  implementation: start.sh
{pad}  inputs: {{ address: {{ {get}: [ {at}, private_address ] }} }}"""


def write_template(nodes: int, modern: bool = False) -> str:
    """Half of the nodes machines, half software on them, where each software depends on the one before."""
    compute, software = ("Compute", "SoftwareComponent") if modern else ("tosca.nodes.Compute", "tosca.nodes.SoftwareComponent")
    get = "$get_attribute" if modern else "get_attribute"
    parts = [MODERN if modern else SIMPLE, "  node_templates:\n"]
    for n in range(nodes // 2):
        pad = " " * (12 if modern else 10)
        operations = OPERATIONS.format(pad=pad, get=get, at=f"machine{n}")
        operations = f"{' ' * 10}operations:\n{operations}" if modern else operations
        needs = f", {{ dependency: software{n - 1} }}" if n else ""
        parts.append(MACHINE.format(n=n, compute=compute))
        parts.append(SOFTWARE.format(n=n, software=software, needs=needs, operations=operations))
    return "".join(parts)


# ---------------------------------------------------------------------------------------------
# time


def read_events(text: str) -> None:
    """Let libyaml read it all, and keep nothing."""
    loader = yaml.CSafeLoader(text)
    while loader.get_event() is not None:
        pass


def resolve(text: str) -> None:
    loaded = load(Bundle("t.yaml", {"t.yaml": text.encode(), **FILES}))
    if loaded.topology is None:
        raise SystemExit("\n".join(d.render() for d in loaded.diagnostics[:5]))


def median_of(runs: int, call: Callable[[], object]) -> float:
    return percentile([best_of(1, call, collect=True)[0] for _ in range(runs)], 0.5)


def measure_time(report: Report, sizes: tuple[int, ...], runs: int, folder: Path) -> None:
    ours: dict[int, float] = {}
    for nodes in sizes:
        say(f"{nodes} nodes")
        text = write_template(nodes)
        path = folder / f"{nodes}.yaml"
        path.write_text(text)
        times = 1 if nodes >= 10_000 else runs
        ours[nodes] = median_of(runs, lambda text=text: resolve(text))
        plain = median_of(runs, lambda text=text: yaml.load(text, yaml.CSafeLoader))
        events = median_of(runs, lambda text=text: read_events(text))
        other = parse_all([str(path)] * times)
        report.add(f"{nodes:,} nodes, to a topology", ours[nodes], "s", plain, "libyaml to plain values", "≤ 2")
        report.add("", ours[nodes], "s", events, "libyaml, events alone")
        report.add("", ours[nodes], "s", percentile([p.seconds for p in other.parsed], 0.5), "tosca-parser")
        modern = write_template(nodes, modern=True)
        took = median_of(runs, lambda text=modern: resolve(text))
        plain = median_of(runs, lambda text=modern: yaml.load(text, yaml.CSafeLoader))
        report.add("  the same as TOSCA 2.0", took, "s", plain, "libyaml to plain values", "≤ 2")
    for before, nodes in pairwise(ours):
        report.add(f"{nodes:,} nodes", ours[nodes], "s", ours[before], f"{before:,} nodes", f"{nodes // before}")
