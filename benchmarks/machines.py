"""Plain machines of one deployment on the local site, to ``running``.

Against ``docker run`` of the same image, as many at once as Isthmus starts, until each answers SSH.
"""

from __future__ import annotations

import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from _by_hand import Bench, base_image, bench
from common import PYTHON, Isthmus, Progress, Report, isthmus, parse_arguments, percentile, run

AT_ONCE = 16
"""As the setting ``actions_at_once`` has it."""
TEMPLATE = """\
tosca_definitions_version: tosca_simple_yaml_1_3
topology_template:
  node_templates:
    machine:
      type: tosca.nodes.Compute
      capabilities:
        host: {{ properties: {{ num_cpus: 1, mem_size: 1 GiB }} }}
        scalable: {{ properties: {{ min_instances: 1, max_instances: 20, default_instances: {count} }} }}
"""
say = Progress()


def by_isthmus(server: Isthmus, count: int) -> tuple[float, float]:
    """Seconds of the whole command, and of the work as the history has it."""
    with tempfile.TemporaryDirectory() as folder:
        template = Path(folder) / "machines.yaml"
        template.write_text(TEMPLATE.format(count=count))
        begun = time.perf_counter()
        server("deploy", str(template), "--name", "machines", "--yes")
        took = time.perf_counter() - begun
    history = server.events("machines")
    running = next(e["time"] for e in history if e["kind"] == "phase.changed" and e["message"] == "running")
    server("delete", "machines", "--yes")
    return took, running - history[0]["time"]


def by_hand(place: Bench, image: str, count: int) -> float:
    """Seconds until the last of so many machines answers."""
    names = [f"m{n}" for n in range(count)]
    begun = time.perf_counter()
    with ThreadPoolExecutor(AT_ONCE) as threads:
        list(threads.map(lambda name: place.until_ssh(place.machine(name, image)), names))
    took = time.perf_counter() - begun
    place.remove(names)
    return took


def main() -> None:
    args = parse_arguments(__doc__ or "")
    counts, rounds = ((1, 5), 1) if args.quick else ((1, 5, 10, 20), 3)
    report = Report("machines")
    run(PYTHON, "-m", "isthmus.sites.local.provision")
    image = base_image()
    with isthmus() as server, bench() as place:
        by_isthmus(server, 1)  # the first of a server opens its site and loads what it needs
        by_hand(place, image, 1)
        for count in counts:
            hand, whole, work = list[float](), list[float](), list[float]()
            for turn in range(rounds):
                say(f"{count} machines, round {turn + 1}")
                hand.append(by_hand(place, image, count))
                command, inside = by_isthmus(server, count)
                whole.append(command)
                work.append(inside)
            baseline = percentile(hand, 0.5)
            report.add(f"{count} machines, isthmus deploy", percentile(whole, 0.5), "s", baseline, "docker run to SSH")
            report.add("  of that from accepted to running", percentile(work, 0.5), "s", baseline, "docker run to SSH")
    report.show(args.json)


if __name__ == "__main__":
    main()
