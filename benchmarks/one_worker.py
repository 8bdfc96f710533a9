"""One more worker for a Slurm cluster that runs, from a baked image, until it has run a job.

Against the same by hand from the same image: ``docker run``, SSH, its configuration and the controller's.
"""

from __future__ import annotations

import time
from typing import Any

from _by_hand import Bench, Slurm, base_image, bench
from common import PYTHON, Isthmus, Progress, Report, isthmus, parse_arguments, percentile, run, timed

NAME = "cluster"
say = Progress()


def by_isthmus(server: Isthmus, count: int) -> dict[str, float]:
    """Seconds until the cluster has so many workers, and until the last of them has run a job."""
    took: dict[str, float] = {}
    last = max((event["id"] for event in server.events(NAME)), default=0)
    with timed(took, "job"):
        with timed(took, "scale"):
            server("scale", NAME, f"worker={count}")
        server("exec", NAME, "controller", "--", "srun", f"--nodelist=worker-{count - 1}", "hostname")
    took["work"] = work([event for event in server.events(NAME) if event["id"] > last])
    return took


def work(history: list[dict[str, Any]]) -> float:
    """Seconds from the request's acceptance until the deployment was as it should be."""
    asked = history[0]["time"]
    return float(max(e["time"] for e in history if e["kind"] == "phase.changed") - asked)


def by_hand(cluster: Slurm, image: str) -> dict[str, float]:
    took: dict[str, float] = {}
    with timed(took, "job"):
        with timed(took, "scale"):
            name = cluster.add_worker(image)
        cluster.run_on(name)
    return took


def start_by_hand(place: Bench) -> tuple[Slurm, str]:
    """A cluster of one worker, and an image of an installed worker."""
    base = base_image()
    cluster = Slurm(place, 1)
    cluster.start({"controller": base, "worker": base})
    cluster.install()
    images = cluster.keep_images()
    cluster.configure()
    cluster.run_job()
    return cluster, images["worker"]


def main() -> None:
    args = parse_arguments(__doc__ or "")
    rounds = 2 if args.quick else 5
    report = Report("one_worker")
    run(PYTHON, "-m", "isthmus.sites.local.provision")
    with isthmus() as server, bench() as place:
        say("a cluster by isthmus, and one by hand")
        server("deploy", "slurm-cluster", "--name", NAME, "--set", "workers=1", "--yes")
        cluster, image = start_by_hand(place)
        ours, hand = list[dict[str, float]](), list[dict[str, float]]()
        for turn in range(rounds):
            say(f"round {turn + 1}")
            hand.append(by_hand(cluster, image))
            time.sleep(1)  # the one before should not pay for what the other leaves to be done
            ours.append(by_isthmus(server, turn + 2))
    for what, step in (("isthmus scale", "scale"), ("to its first job", "job")):
        report.add(what, percentile([t[step] for t in ours], 0.5), "s", percentile([t[step] for t in hand], 0.5),
                   "by hand", "≤ 4 s")  # fmt: skip
    report.add("  of that from accepted to running", percentile([t["work"] for t in ours], 0.5), "s")
    report.note("every round, to its first job: " + ", ".join(f"{t['job']:.1f} s" for t in ours))
    report.show(args.json)


if __name__ == "__main__":
    main()
