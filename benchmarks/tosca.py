"""Reading TOSCA: from text to a resolved topology with all positions, in time and memory, beside other readers.

The baselines of the same run are libyaml alone, as `yaml.CSafeLoader` makes plain values of it and as events
that nobody keeps, and tosca-parser from PyPI in an environment of its own. The garbage collector runs as it
does for a user. The public templates are those of `../shared/corpora/tosca`, where they are at hand.
"""

from __future__ import annotations

import gc
import json
import tempfile
import time
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import yaml
from common import ISTHMUS, PYTHON, ROOT, Progress, Report, parse_arguments, percentile, run

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
    compute, software = (
        ("Compute", "SoftwareComponent") if modern else ("tosca.nodes.Compute", "tosca.nodes.SoftwareComponent")
    )
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


def median_of(runs: int, call: Callable[[], object], collector: bool = True) -> float:
    """Seconds of a call, the median of several, each after all garbage is gone."""
    times = []
    for _ in range(runs):
        gc.collect()
        if not collector:
            gc.disable()
        begun = time.perf_counter()
        call()
        times.append(time.perf_counter() - begun)
        gc.enable()
    return percentile(times, 0.5)


def read_with_tosca_parser(paths: Sequence[str]) -> Any:
    """What `_tosca_parser.py` tells of these templates."""
    script = str(ROOT / "benchmarks/_tosca_parser.py")
    uv = Path(PYTHON).with_name("uv")
    out = run(
        uv, "run", "--isolated", "--no-project", "--python", PYTHON, "--with", "tosca-parser", "python", script, *paths
    )
    return json.loads(out.splitlines()[-1])


def measure_time(report: Report, sizes: Sequence[int], runs: int, folder: Path) -> None:
    ours: dict[int, float] = {}
    for nodes in sizes:
        say(f"{nodes:,} nodes")
        runs = min(runs, 3) if nodes >= 10_000 else runs
        text, path = write_template(nodes), folder / f"{nodes}.yaml"
        path.write_text(text)
        ours[nodes] = tell_size(report, f"{nodes:,} nodes", text, runs)
        say(f"{nodes:,} nodes, tosca-parser")
        other = read_with_tosca_parser([str(path)] * (1 if nodes >= 10_000 else runs))
        refused = next((f", which refuses: {c['error']}" for c in other["cases"] if c["error"]), "")
        report.add(
            "", ours[nodes], "s", percentile([c["seconds"] for c in other["cases"]], 0.5), f"tosca-parser{refused}"
        )
        tell_size(report, f"{nodes:,} nodes, TOSCA 2.0", write_template(nodes, modern=True), runs)
    for before, nodes in pairwise(ours):
        report.add(f"{nodes:,} nodes", ours[nodes], "s", ours[before], f"{before:,} nodes", f"{nodes // before}")


def tell_size(report: Report, what: str, text: str, runs: int) -> float:
    """The rows of one template against libyaml; the seconds to a topology."""
    ours, plain = median_of(runs, lambda: resolve(text)), median_of(runs, lambda: yaml.load(text, yaml.CSafeLoader))
    report.add(what, ours, "s", plain, "libyaml, plain values", "≤ 2")
    report.add("", ours, "s", median_of(runs, lambda: read_events(text)), "libyaml, events alone")
    uncollected = median_of(runs, lambda: resolve(text), collector=False)
    plain = median_of(runs, lambda: yaml.load(text, yaml.CSafeLoader), collector=False)
    report.add("  without garbage collector", uncollected, "s", plain, "libyaml, plain values")
    return ours


# ---------------------------------------------------------------------------------------------
# memory

PEAK = """
import sys
def peak():
    # ru_maxrss of a new process begins with what its parent had
    status = dict(line.split(":", 1) for line in open("/proc/self/status"))
    return int(status["VmHWM"].split()[0]) * 1024 / 1e6
"""
OURS = PEAK + (
    "from isthmus.tosca import Bundle, load\nbare = peak()\ndata = open(sys.argv[1], 'rb').read()\n"
    f"assert load(Bundle('t.yaml', {{'t.yaml': data, **{FILES!r}}})).topology\nprint(bare, peak())"
)
LIBYAML = PEAK + (
    "import yaml\nbare = peak()\nyaml.load(open(sys.argv[1], 'rb').read(), yaml.CSafeLoader)\nprint(bare, peak())"
)


def measure_memory(report: Report, nodes: int, folder: Path) -> None:
    """Peaks of processes of their own, in all and beyond what importing takes."""
    say(f"memory at {nodes:,} nodes")
    for what, text in (("", write_template(nodes)), (", TOSCA 2.0", write_template(nodes, modern=True))):
        path = folder / "memory.yaml"
        path.write_text(text)
        bare, peak = map(float, run(PYTHON, "-c", OURS, path).split())
        bare_yaml, peak_yaml = map(float, run(PYTHON, "-c", LIBYAML, path).split())
        report.add(f"{nodes:,} nodes{what}, peak", peak, "MB", peak_yaml, "libyaml, plain values", "< 200 MB")
        report.add("  beyond the bare import", peak - bare, "MB", peak_yaml - bare_yaml, "libyaml, plain values")
    path.write_text(write_template(nodes))
    other = read_with_tosca_parser([str(path)])
    report.add(f"{nodes:,} nodes, peak", other["peak"], "MB", None, "that is tosca-parser")


# ---------------------------------------------------------------------------------------------
# the public templates


def accepts(path: str) -> bool:
    """Whether a template is TOSCA; an input without a value is no mistake of it.

    Imports may lead anywhere in its corpus, as tosca-parser lets them lead anywhere.
    """
    root = MANIFEST.parent / Path(path).relative_to(MANIFEST.parent).parts[0]
    try:
        found = load(Bundle.from_path(path, root=root)).diagnostics
    except BundleError as e:
        found = e.diagnostics
    return not any(d.severity is Severity.ERROR and d.code != "input-missing" for d in found)


def measure_public(report: Report) -> None:
    if not MANIFEST.exists():
        report.note("the public templates are not at hand")
        return
    cases = json.loads(MANIFEST.read_text())
    say(f"{len(cases)} public templates")
    paths = [str(MANIFEST.parent / c["path"]) for c in cases]
    ours, times = [], []
    for path in paths:
        begun = time.perf_counter()
        ours.append(accepts(path))
        times.append(time.perf_counter() - begun)
    other = read_with_tosca_parser(paths)["cases"]
    modern = {i for i, c in enumerate(cases) if c["version"] == "tosca_2_0"}
    for name, of in (
        ("", range(len(cases))),
        (" of TOSCA 1.x", {*range(len(cases))} - modern),
        (" of TOSCA 2.0", modern),
    ):
        seconds = sum(times[i] for i in of), sum(other[i]["seconds"] for i in of)
        report.add(f"{len(of)} public templates{name}", seconds[0], "s", seconds[1], "tosca-parser")
        wanted = {i: cases[i]["expect"] == "valid" for i in of}
        right = (
            sum(ours[i] == w for i, w in wanted.items()),
            sum((not other[i]["error"]) == w for i, w in wanted.items()),
        )
        report.add("  judged right", right[0], "", right[1], "tosca-parser", f"{len(of)}")


def measure_start(report: Report, runs: int, folder: Path) -> None:
    """The whole command, cold: a new process each time."""
    say("isthmus validate")
    path = folder / "100.yaml"
    path.write_text(write_template(100))
    for name in FILES:
        (folder / name).touch()
    run(ISTHMUS, "validate", path)  # what Python compiles the first time is on disk from now on
    ours = median_of(runs, lambda: run(ISTHMUS, "validate", path))
    nothing = median_of(runs, lambda: run(PYTHON, "-c", "pass"))
    read = f"import yaml; yaml.load(open({str(path)!r}), yaml.CSafeLoader)"
    plain = median_of(runs, lambda: run(PYTHON, "-c", read))
    report.add("isthmus validate, 100 nodes", ours, "s", nothing, "python -c pass", "≤ 0.35 s")
    report.add("", ours, "s", plain, "python: libyaml, plain values")


def main() -> None:
    args = parse_arguments(__doc__ or "")
    sizes = (100, 1000) if args.quick else (100, 1000, 10_000)
    report = Report("tosca")
    with tempfile.TemporaryDirectory(prefix="isthmus-bench-") as name:
        folder = Path(name)
        measure_time(report, sizes, 2 if args.quick else 5, folder)
        measure_memory(report, sizes[-1], folder)
        measure_public(report)
        measure_start(report, 3 if args.quick else 10, folder)
    report.note("tosca-parser reaches no network here; an input without a value is held against neither")
    report.show(args.json)


if __name__ == "__main__":
    main()
