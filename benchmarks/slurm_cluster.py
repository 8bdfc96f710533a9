"""A Slurm cluster, one controller and two workers, to the output of its first job over both workers.

Cold: only the machine image is there. Warm: from images in which Slurm is installed. Against the same by
hand in the same run: ``docker run``, ``apt-get install`` on all machines at once, configuration, ``srun``.
"""

from __future__ import annotations

import secrets
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from _by_hand import PACKAGES, Bench, Slurm, base_image, bench
from common import PYTHON, Isthmus, Progress, Report, isthmus, parse_arguments, percentile, run, timed

import isthmus as package

WORKERS = 2
NAME = "cluster"
PHASES = ("ask", "machines", "install", "image", "configure", "start", "tell", "job")
say = Progress()


@contextmanager
def fresh_template() -> Iterator[Path]:
    """The catalogue's slurm-cluster with an installer that nobody has run: no baked image fits it."""
    source = Path(package.__file__).parent / "catalogue" / "slurm-cluster"
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / f"bench-{secrets.token_hex(3)}"
        shutil.copytree(source, copy)
        with (copy / "scripts" / "install.sh").open("a") as script:
            script.write(f"# {secrets.token_hex(8)}\n")
        yield copy / "template.yaml"


def by_isthmus(server: Isthmus, template: Path) -> dict[str, float]:
    """Seconds of each phase. Those of the server end when the last action of their kind has ended."""
    begun, clock = time.perf_counter(), time.time()
    server("deploy", str(template), "--name", NAME, "--yes")
    deployed = time.perf_counter() - begun
    server("exec", NAME, "controller", "--", "srun", f"--nodes={WORKERS}", "hostname")
    total = time.perf_counter() - begun
    took = split(server.events(NAME), clock)
    took["tell"] = deployed - sum(took.values())
    took["job"] = total - deployed
    server("delete", NAME, "--yes")
    return took


def split(history: list[dict[str, Any]], begun: float) -> dict[str, float]:
    """The server's time by phase: each counts from the end of the one before it to the end of its last action."""
    took, before = {}, begun
    ends = {"ask": history[0]["time"]}
    for event in history:
        if event["kind"] == "action.done" and (phase := phase_of(event["action"])):
            ends[phase] = event["time"]
    for phase in PHASES:
        if phase in ends:
            took[phase] = max(0.0, ends[phase] - before)
            before = max(before, ends[phase])
    return took


def phase_of(action: str) -> str:
    """The phase that an action of a plan belongs to."""
    if action.startswith(("create:machine", "create:network")):
        return "machines"
    if action.startswith("create:image"):
        return "image"
    return {"create": "install", "configure": "configure", "start": "start"}.get(action.rpartition(".")[2], "")


def by_hand(place: Bench, images: dict[str, str]) -> dict[str, float]:
    """Seconds of each phase from images in which Slurm is installed."""
    cluster, took = Slurm(place, WORKERS), dict[str, float]()
    with timed(took, "machines"):
        cluster.start(images)
    finish(cluster, took)
    return took


def by_hand_cold(place: Bench, base: str) -> tuple[dict[str, float], dict[str, str]]:
    """Seconds of each phase from the machine image, and images of what was installed."""
    cluster, took = Slurm(place, WORKERS), dict[str, float]()
    with timed(took, "machines"):
        cluster.start(dict.fromkeys(PACKAGES, base))
    with timed(took, "install"):
        cluster.install()
    images = cluster.keep_images()  # not counted: a person who wants one cluster would not
    finish(cluster, took)
    return took, images


def finish(cluster: Slurm, took: dict[str, float]) -> None:
    with timed(took, "configure"):  # the daemons start with it
        cluster.configure()
    with timed(took, "job"):
        cluster.run_job()
    cluster.remove()


def forget_images(server: Isthmus) -> None:
    """Free the images that the template's copies baked, and no others."""
    keys = [image["key"] for image in server.ask("images", "list") if image["template"]]
    if keys:
        server("images", "prune", *keys)


def middle(rounds: list[dict[str, float]]) -> dict[str, float]:
    """The round whose sum is the median."""
    return sorted(rounds, key=lambda took: sum(took.values()))[len(rounds) // 2]


def measure(server: Isthmus, place: Bench, cold_rounds: int, warm_rounds: int) -> dict[str, list[dict[str, float]]]:
    found: dict[str, list[dict[str, float]]] = {"cold": [], "warm": [], "cold hand": [], "warm hand": []}
    base, kept = base_image(), dict[str, str]()

    def hand() -> None:
        say("cold, by hand")
        took, images = by_hand_cold(place, base)
        found["cold hand"].append(took)
        kept.update(images)

    def ours(template: Path) -> None:
        say("cold, isthmus")
        found["cold"].append(by_isthmus(server, template))

    for turn in range(cold_rounds):
        with fresh_template() as template:
            # Who comes second may find packages in a cache of the mirror: they take turns.
            first, second = (partial(ours, template), hand) if turn % 2 else (hand, partial(ours, template))
            first()
            second()
            for _ in range(warm_rounds if turn == cold_rounds - 1 else 0):
                say("warm, by hand and isthmus")
                found["warm hand"].append(by_hand(place, kept))
                found["warm"].append(by_isthmus(server, template))
    return found


def tell(report: Report, kind: str, goal: str, ours: list[dict[str, float]], theirs: list[dict[str, float]]) -> None:
    best, hand = middle(ours), middle(theirs)
    report.add(f"{kind} to first job", sum(best.values()), "s", sum(hand.values()), "by hand", goal)
    for phase in PHASES:
        if phase in best:
            report.add(f"  {phase}", best[phase], "s", hand.get(phase), "by hand" if phase in hand else "")
    report.note(f"{kind}, every round: {_sums(ours)} s, by hand {_sums(theirs)} s")


def _sums(rounds: list[dict[str, float]]) -> str:
    return ", ".join(f"{sum(took.values()):.1f}" for took in rounds)


def main() -> None:
    args = parse_arguments(__doc__ or "")
    report = Report("slurm_cluster")
    run(PYTHON, "-m", "isthmus.sites.local.provision")
    with isthmus() as server, bench() as place:
        server("sites")
        try:
            found = measure(server, place, *((1, 1) if args.quick else (2, 5)))
        finally:
            forget_images(server)
    tell(report, "cold", "≤ 1.5 ×", found["cold"], found["cold hand"])
    tell(report, "warm", "≤ 2 ×", found["warm"], found["warm hand"])
    means = [percentile([sum(t.values()) for t in found[k]], 0.5) for k in ("warm", "warm hand")]
    report.note(f"warm, median of all rounds: {means[0]:.2f} s against {means[1]:.2f} s")
    report.note("by hand, configure starts the daemons too; ask and tell are the command line's own time")
    report.show(args.json)


if __name__ == "__main__":
    main()
